// Frames from the camera through the workers onto the screen, the newest one always.
//
// One worker follows faces in a frame while the other draws on the one before: two frames are under
// way at most, and none waits in a queue.

import { frameOf } from "./pixels.js";

const KEPT = 60; // frames that rate and latency are of

/** @typedef {import("./renderer.js").Shown} Shown */

/**
 * @typedef {{time: number, faces: any[], stats: any, rate: number | null, latency: {median: number, high: number} | null}} Told
 */

/** Events: trouble (detail: what), shown (detail: latency and steps of a frame, ms). */
export class FrameLoop extends EventTarget {
  /** @type {() => import("./renderer.js").Look} */
  look = () => ({ effect: "labels", opacity: 1, blend: "paint" });
  #video;
  #follower;
  #painter;
  #renderer;
  #sure;
  #told;
  #run = 0; // grows with every start and stop
  /** @type {Shown | null} */
  #last = null;
  /** @type {{at: number, latency: number}[]} */
  #recent = [];
  #dropped = 0;
  /** @type {ArrayBuffer | null} */
  #spare = null; // memory of a frame that was shown: a frame is more than a megabyte

  /**
   * @param {HTMLVideoElement} video
   * @param {import("./engine.js").Engine} follower
   * @param {import("./engine.js").Engine} painter
   * @param {import("./renderer.js").Renderer | import("./canvas_renderer.js").CanvasRenderer} renderer
   * @param {number} sure confidence from which a face is followed for sure
   * @param {(told: Told) => void} told of every frame shown
   */
  constructor(video, follower, painter, renderer, sure, told) {
    super();
    this.#video = video;
    this.#follower = follower;
    this.#painter = painter;
    this.#renderer = renderer;
    this.#sure = sure;
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
    this.#last?.frame?.close();
    this.#last = null;
    this.#follower.ask("reset");
    this.#painter.ask("reset");
  }

  /**
   * What is shown, as a PNG; null without anything.
   * @returns {Promise<Blob | null>}
   */
  async picture() {
    return this.#last ? this.#renderer.png(this.#last, this.look()) : null;
  }

  /**
   * Registers and draws one picture, as if the camera had given it.
   * @param {ImageBitmap} bitmap
   * @param {number} time s
   */
  async step(bitmap, time) {
    const followed = await this.#followed(bitmap, time);
    this.#show(await this.#painted(bitmap, followed, time));
    return followed;
  }

  /** @param {number} run */
  async #frames(run) {
    const frames = newest(this.#video);
    const isOver = () => run !== this.#run;
    const take = async () => {
      const { captured, skipped } = await frames.next();
      if (isOver()) return null;
      const taken = performance.now();
      const frame = await frameOf(this.#video);
      return { captured, skipped, taken, frame, followed: await this.#followed(frame, captured / 1000) };
    };
    for (let next = take(); ; ) {
      const found = await next;
      if (!found || isOver()) {
        found?.frame.close();
        break;
      }
      next = take(); // faces are followed in the next frame while this one is drawn
      next.catch(() => {}); // it is thrown when it is waited for
      const shown = await this.#painted(found.frame, found.followed, found.captured / 1000);
      if (isOver()) {
        shown.frame?.close();
        next.then((dropped) => dropped?.frame.close(), () => {});
        break;
      }
      const render = this.#show(shown);
      this.#dropped += found.skipped;
      this.#tell(found, shown.ms, render);
    }
    frames.end();
  }

  /**
   * @param {VideoFrame | ImageBitmap} frame stays open
   * @param {number} time s
   */
  #followed(frame, time) {
    const { effect } = this.look();
    const copy = "clone" in frame ? frame.clone() : frame; // pictures of tests are copied on their way
    const wants = { mesh: effect === "mesh", paint: effect === "texture" || effect === "labels" };
    const spare = this.#spare;
    this.#spare = null;
    /** @type {Transferable[]} */
    const transfer = "clone" in frame ? [/** @type {VideoFrame} */ (copy)] : [];
    if (spare) transfer.push(spare);
    return this.#follower.ask("follow", { frame: copy, time, wants, spare }, transfer);
  }

  /**
   * @param {VideoFrame | ImageBitmap} frame
   * @param {any} followed its faces are told how much of them is seen
   * @param {number} time s
   * @returns {Promise<Shown & {ms: {matte: number, paint: number}}>}
   */
  async #painted(frame, { faces, pixels, room }, time) {
    const { effect, opacity } = this.look();
    const seen = faces.filter((/** @type {any} */ { state }) => state !== "lost");
    const transfer = pixels ? [pixels.data.buffer] : [];
    const painted = await this.#painter.ask("paint", { faces: seen, time, room, effect, opacity, pixels }, transfer);
    for (const [i, face] of seen.entries()) {
      if (painted.confidences[i] < face.confidence && painted.confidences[i] < this.#sure) face.state = "uncertain";
      face.confidence = painted.confidences[i];
    }
    if (painted.pixels) frame.close();
    return { ...painted, frame: painted.pixels ? null : frame };
  }

  /**
   * Shows a frame, and keeps it; returns how long that took, ms.
   * @param {Shown} shown
   */
  #show(shown) {
    const began = performance.now();
    this.#renderer.draw(shown, this.look());
    if (shown.pixels) this.#spare = /** @type {ArrayBuffer} */ (shown.pixels.data.buffer);
    this.#last?.frame?.close();
    this.#last = { ...shown, pixels: null };
    return performance.now() - began;
  }

  /**
   * @param {{captured: number, taken: number, followed: any}} found
   * @param {{matte: number, paint: number}} ms
   * @param {number} render ms
   */
  #tell({ captured, taken, followed: { faces, times } }, { matte, paint }, render) {
    const now = performance.now();
    this.#recent.push({ at: now, latency: now - captured });
    if (this.#recent.length > KEPT) this.#recent.shift();
    const { width, height } = this.#renderer.canvas;
    const { detect, register, network, pixels, all } = times;
    const steps = { "read pixels": pixels, detect, network, "register besides": register - network, matte, "worker in all": all, paint, show: render, "taken to drawn": now - taken };
    this.dispatchEvent(new CustomEvent("shown", { detail: { latency: now - captured, steps } }));
    const stats = {
      size: /** @type {[number, number]} */ ([width, height]),
      dropped: this.#dropped,
      faces,
      detect_ms: detect,
      register_ms: register,
      render_ms: matte + paint + render,
      present_ms: Math.max(0, now - taken - all - matte - paint - render),
      age_ms: this.latency?.median ?? now - captured,
    };
    this.#told({ time: captured / 1000, faces, stats, rate: this.rate, latency: this.latency });
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
