// The pixels of a camera's frame: read without a detour over the GPU where the browser can.

import { cut, grayOf, windowOf } from "./crop.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./crop.js").Picture} Picture */
/** @typedef {{x0: number, y0: number, width: number, height: number}} Box */

const BRIGHTNESS_STEP = 16; // px between those that the mean brightness is of

/**
 * A frame in memory: RGBA, row by row.
 */
export class PixelFrame {
  /**
   * @param {Uint8ClampedArray<ArrayBuffer>} data
   * @param {number} width
   * @param {number} height
   */
  constructor(data, width, height) {
    this.data = data;
    this.width = width;
    this.height = height;
  }

  /**
   * Copies a box, all of the frame without one.
   * @param {Box} [box]
   * @returns {Picture}
   */
  color(box) {
    if (!box) return { data: this.data, width: this.width, height: this.height, channels: 4 };
    const { x0, y0, width, height } = box;
    const data = new Uint8Array(4 * width * height);
    for (let row = 0; row < height; row++) {
      const from = 4 * ((y0 + row) * this.width + x0);
      data.set(this.data.subarray(from, from + 4 * width), 4 * row * width);
    }
    return { data, width, height, channels: 4 };
  }

  /** @param {Affine} crop */
  gray(crop) {
    const at = windowOf(crop, this.width, this.height);
    return cut(grayOf({ data: this.data, width: this.width, height: this.height, channels: 4 }, at), at, crop);
  }

  /** Mean brightness of all of the frame. */
  brightness() {
    let [sum, count] = [0, 0];
    for (let y = BRIGHTNESS_STEP >> 1; y < this.height; y += BRIGHTNESS_STEP) {
      for (let x = BRIGHTNESS_STEP >> 1; x < this.width; x += BRIGHTNESS_STEP, count++) {
        const at = 4 * (y * this.width + x);
        sum += this.data[at] + this.data[at + 1] + this.data[at + 2];
      }
    }
    return sum / (3 * Math.max(count, 1));
  }
}

/** @type {OffscreenCanvasRenderingContext2D | null} */
let paper = null;

/**
 * Reads the pixels of a frame.
 * @param {VideoFrame | ImageBitmap} source stays open
 * @param {ArrayBuffer | null} spare memory that may be written to
 * @returns {Promise<PixelFrame>}
 */
export async function pixelsOf(source, spare = null) {
  if (typeof VideoFrame !== "undefined" && source instanceof VideoFrame) {
    const read = await copied(source, spare);
    if (read) return read;
  }
  const [width, height] = sizeOf(source);
  if (!paper || paper.canvas.width !== width || paper.canvas.height !== height) {
    paper = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true }));
  }
  paper.drawImage(source, 0, 0, width, height);
  return new PixelFrame(/** @type {Uint8ClampedArray<ArrayBuffer>} */ (paper.getImageData(0, 0, width, height).data), width, height);
}

let canCopy = true; // until a browser refuses to turn a camera's format into RGBA

/**
 * @param {VideoFrame} frame
 * @param {ArrayBuffer | null} spare
 * @returns {Promise<PixelFrame | null>} null where the browser can't
 */
async function copied(frame, spare) {
  const [width, height] = sizeOf(frame);
  const { visibleRect, rotation, flip } = /** @type {VideoFrame & {rotation?: number, flip?: boolean}} */ (frame);
  if (!canCopy || rotation || flip || visibleRect?.width !== width || visibleRect.height !== height) return null;
  try {
    const bytes = 4 * width * height;
    const data = new Uint8ClampedArray(spare?.byteLength === bytes ? spare : new ArrayBuffer(bytes));
    const layout = await frame.copyTo(data, { format: "RGBA", colorSpace: "srgb" });
    if (layout.length !== 1 || layout[0].stride !== 4 * width) throw new Error("not RGBA");
    return new PixelFrame(data, width, height);
  } catch {
    canCopy = false;
    return null;
  }
}

/**
 * Width and height of a frame, px.
 * @param {VideoFrame | ImageBitmap} source
 * @returns {[number, number]}
 */
export function sizeOf(source) {
  return "displayWidth" in source ? [source.displayWidth, source.displayHeight] : [source.width, source.height];
}

/**
 * Takes the frame that a video shows; it has to be closed.
 * @param {HTMLVideoElement} video
 * @returns {Promise<VideoFrame | ImageBitmap>}
 */
export async function frameOf(video) {
  if (typeof VideoFrame !== "undefined") {
    try {
      return new VideoFrame(video, { timestamp: 0 });
    } catch {
      // a browser that makes none of a video element
    }
  }
  return createImageBitmap(video);
}
