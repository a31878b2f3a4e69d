// A worker as the page sees it: one request at a time, each with an answer.

export class Engine {
  #worker;
  #count = 0;
  /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void}>} */
  #open = new Map();

  /** @param {string} file the worker's */
  constructor(file) {
    this.#worker = new Worker(new URL(file, import.meta.url), { type: "module", name: file });
    this.#worker.onmessage = ({ data: { id, answer, error } }) => {
      const waiting = this.#open.get(id);
      this.#open.delete(id);
      if (error !== undefined) waiting?.reject(new Error(error));
      else waiting?.resolve(answer);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      for (const { reject } of this.#open.values()) reject(new Error(event.message || "the worker could not be loaded"));
      this.#open.clear();
    };
  }

  /**
   * Asks the worker for something.
   * @param {string} task
   * @param {object} [message]
   * @param {Transferable[]} [transfer]
   * @returns {Promise<any>}
   */
  ask(task, message = {}, transfer = []) {
    const id = ++this.#count;
    this.#worker.postMessage({ id, task, ...message }, transfer);
    return new Promise((resolve, reject) => this.#open.set(id, { resolve, reject }));
  }
}
