// Frames from the camera to the worker and onto the screen, the newest one always, one at a time.

const KEPT = 60; // frames that rate and latency are of

/**
 * @typedef {{time: number, face: any, stats: any, rate: number | null, latency: {median: number, high: number} | null}} Shown
 */

/** Events: trouble (detail: what). */
export class FrameLoop extends EventTarget {
  /** @type {() => import("./renderer.js").Look} */
  look = () => ({ effect: "labels", opacity: 1, mirror: false, blend: "paint" });
  #video;
  #engine;
  #renderer;
  #told;
  #run = 0; // grows with every start and stop
  /** @type {{bitmap: ImageBitmap, answer: any} | null} */
  #last = null;
  /** @type {{at: number, latency: number}[]} */
  #recent = [];
  #dropped = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {import("./engine.js").Engine} engine
   * @param {import("./renderer.js").Renderer} renderer
   * @param {(shown: Shown) => void} told of every frame shown
   */
  constructor(video, engine, renderer, told) {
    super();
    this.#video = video;
    this.#engine = engine;
    this.#renderer = renderer;
    this.#told = told;
  }

  /** Starts, or goes on after a pause. */
  start() {
    const run = ++this.#run;
    this.#recent = [];
    this.#dropped = 0;
    this.#frames(run).catch((error) => {
      if (run === this.#run) this.dispatchEvent(new CustomEvent("trouble", { detail: error instanceof Error ? error.message : String(error) }));
    });
  }

  pause() {
    this.#run += 1;
  }

  stop() {
    this.#run += 1;
    this.#last?.bitmap.close();
    this.#last = null;
    this.#engine.ask("reset");
  }

  /** The frame that is shown, without the effect; null without one. */
  async grab() {
    return this.#last ? createImageBitmap(this.#last.bitmap) : null;
  }

  /**
   * What is shown, as a PNG.
   * @returns {Promise<Blob | null>}
   */
  picture() {
    if (this.#last) this.#draw(this.#last);
    return new Promise((resolve) => this.#renderer.canvas.toBlob(resolve, "image/png"));
  }

  /**
   * Registers and draws one picture, as if the camera had given it.
   * @param {ImageBitmap} bitmap
   * @param {number} time s
   */
  async step(bitmap, time) {
    const answer = await this.#registered(bitmap, time);
    return { answer, render: this.#show(answer) };
  }

  /** @param {number} run */
  async #frames(run) {
    const frames = newest(this.#video);
    const isOver = () => run !== this.#run;
    const take = async () => {
      const frame = await frames.next();
      if (isOver()) return null;
      const taken = performance.now();
      const answer = await this.#registered(await createImageBitmap(this.#video), frame.captured / 1000);
      return { ...frame, taken, answer };
    };
    for (let next = take(); ; ) {
      const found = await next;
      if (!found || isOver()) break;
      next = take(); // the worker is busy again while this one is drawn
      await null;
      await null;
      if (isOver()) break;
      const render = this.#show(found.answer);
      this.#dropped += found.skipped;
      this.#tell(found.captured, found.taken, found.answer, render);
    }
    frames.end();
  }

  /**
   * @param {ImageBitmap} bitmap
   * @param {number} time s
   */
  #registered(bitmap, time) {
    const { effect } = this.look();
    const message = { bitmap, time, wantsMesh: effect === "mesh", wantsPaint: effect === "texture" || effect === "labels" };
    return this.#engine.ask("follow", message, [bitmap]);
  }

  /**
   * Draws an answer of the worker, and keeps it; returns how long that took, ms.
   * @param {any} answer
   */
  #show(answer) {
    const began = performance.now();
    const shown = { bitmap: answer.bitmap, answer };
    this.#draw(shown);
    this.#last?.bitmap.close();
    this.#last = shown;
    return performance.now() - began;
  }

  /** @param {{bitmap: ImageBitmap, answer: any}} shown */
  #draw({ bitmap, answer }) {
    this.#renderer.draw(bitmap, answer.face?.crop ?? null, answer.drawing, this.look());
  }

  /**
   * @param {number} captured ms
   * @param {number} taken ms
   * @param {any} answer
   * @param {number} render ms
   */
  #tell(captured, taken, answer, render) {
    const now = performance.now();
    this.#recent.push({ at: now, latency: now - captured });
    if (this.#recent.length > KEPT) this.#recent.shift();
    const { width, height } = this.#renderer.canvas;
    const { detect, register } = answer.times;
    const inside = now - taken;
    const stats = {
      size: /** @type {[number, number]} */ ([width, height]),
      dropped: this.#dropped,
      faces: answer.face ? [answer.face] : [],
      detect_ms: detect,
      register_ms: register,
      render_ms: render,
      present_ms: Math.max(0, inside - detect - register - render),
      age_ms: this.latency?.median ?? now - captured,
    };
    this.#told({ time: captured / 1000, face: answer.face, stats, rate: this.rate, latency: this.latency });
  }

  /** Frames a second, of the last ones; null while there are few. */
  get rate() {
    const [first, last] = [this.#recent[0], this.#recent.at(-1)];
    if (!first || !last || this.#recent.length < 5) return null;
    return (1000 * (this.#recent.length - 1)) / (last.at - first.at);
  }

  /** From capture to drawn, ms; null while there are few. */
  get latency() {
    if (this.#recent.length < 5) return null;
    const sorted = this.#recent.map(({ latency }) => latency).sort((a, b) => a - b);
    return { median: sorted[Math.floor(sorted.length / 2)], high: sorted[Math.floor(0.95 * sorted.length)] };
  }
}

/**
 * Tells of a video's frames: the newest that was not told of yet.
 * @param {HTMLVideoElement} video
 */
function newest(video) {
  let handle = 0;
  let isOver = false;
  let skipped = -1;
  /** @type {{captured: number} | null} */
  let waiting = null;
  /** @type {((frame: {captured: number, skipped: number}) => void) | null} */
  let wanted = null;
  const give = () => {
    if (!wanted || !waiting) return;
    wanted({ captured: waiting.captured, skipped: Math.max(skipped, 0) });
    [wanted, waiting, skipped] = [null, null, -1];
  };
  /** @type {(now: number, frame: any) => void} */
  const come = (now, frame) => {
    if (isOver) return;
    waiting = { captured: frame.captureTime ?? frame.presentationTime ?? now };
    skipped += 1;
    give();
    handle = video.requestVideoFrameCallback(come);
  };
  handle = video.requestVideoFrameCallback(come);
  return {
    /** @returns {Promise<{captured: number, skipped: number}>} */
    next: () =>
      new Promise((resolve) => {
        wanted = resolve;
        give();
      }),
    end: () => {
      isOver = true;
      video.cancelVideoFrameCallback(handle);
    },
  };
}
