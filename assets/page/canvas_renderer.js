// Shows frames that were drawn on the processor: where the browser has no WebGL 2.

/** @typedef {import("./renderer.js").Shown} Shown */

export class CanvasRenderer {
  #paper;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    const paper = canvas.getContext("2d", { alpha: false });
    if (!paper) throw new Error("no canvas");
    this.canvas = canvas;
    this.#paper = paper;
  }

  /** @param {Shown} shown */
  draw({ pixels }) {
    if (!pixels) return;
    const { data, width, height } = pixels;
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
    this.#paper.putImageData(new ImageData(/** @type {Uint8ClampedArray<ArrayBuffer>} */ (data), width, height), 0, 0);
  }

  /**
   * What the canvas shows, as a PNG.
   * @returns {Promise<Blob | null>}
   */
  png() {
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }
}
