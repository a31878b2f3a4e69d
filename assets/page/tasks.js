// What a worker does when the page asks for it: one task after the other, each with an answer.

/**
 * Answers what `Engine` asks.
 * @param {Record<string, (message: any) => any>} tasks by their names
 * @param {(answer: any) => (Transferable | null | undefined)[]} handedOver what of an answer is given away
 */
export function answerTasks(tasks, handedOver) {
  let last = Promise.resolve();
  onmessage = ({ data: { id, task, ...message } }) => {
    last = last.then(async () => {
      try {
        const answer = (await tasks[task](message)) ?? {};
        const transfer = /** @type {Transferable[]} */ (handedOver(answer).filter(Boolean));
        postMessage({ id, answer }, { transfer });
      } catch (error) {
        postMessage({ id, error: error instanceof Error ? error.message : String(error) });
      } finally {
        message.frame?.close();
      }
    });
  };
}
