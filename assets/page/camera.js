// What a camera adds to a face: blur of focus and motion, and noise. The program's
// facewarp/face/matching/sharpness.py and grain.py.
//
// An edge blurred by a Gaussian of s px has a gradient of 1 / s; blurred again by s0, of
// 1 / sqrt(s^2 + s0^2). The ratio of both gradients at the strongest edges tells s (Zhuo and Sim,
// Defocus map estimation from a single image, 2011).

import { boxOf, range } from "./similarity.js";

/** @typedef {{data: Uint8ClampedArray | Uint8Array, width: number, height: number}} Pixels RGBA of a frame */
/** @typedef {{data: Float32Array, width: number, height: number}} Plane */

const AGAIN_PX = 1; // s0
const OF_DIFFERENCES = 0.55; // px^2, the blur of differences over 2 px and of pixels themselves
const [STRONGEST, FEWEST_EDGES] = [0.04, 16]; // share of the px that count as edges, and the least of them
const LEAST_EDGE = 4; // gradient, levels a px, below which there are none
const LEAST_RATIO = 1.03; // of gradients that differ by more than rounding
const EYES_PX = 250; // distance of the eyes' corners to which large faces are shrunk
const OF_FACES = 0.006; // blur that brows, lids and lips have themselves, of that distance
const OF_PAINT_PX = 0.5; // what resampling blurs anyway
const SHARE = 0.85; // softer than the face looks worse than sharper
const LEAST_PX = 0.4;
const STEPS = 8; // to a level of gradient, in finding the strongest
const LEAST_SIDE = 12; // px of a picture in which blur is measured

const [BLOCK, FEWEST_BLOCKS, SMOOTHEST, OF_ALL, LEAST_NOISE] = [8, 8, 20, 1.12, 0.8];
const NOISE_PX = 128; // side of the window in which noise is measured
const TILE = 251; // px; a prime, so that no frame's width repeats it
const SOFT_PX = 0.45; // what demosaicing and codecs blur noise

const BROWS_AND_EYES = [...range(17, 27), ...range(36, 48)];
const NOSE = range(27, 36);
const EYE_CORNERS = [36, 45];

/**
 * What focus and motion blur a face in a frame: the sigma of a Gaussian, px that paint lacks; 0 for a
 * face as sharp as faces are.
 * @param {Pixels} frame
 * @param {import("./similarity.js").Points} landmarks of the frame
 */
export function cameraBlurPx(frame, landmarks) {
  const [left, right] = EYE_CORNERS;
  const eyes = Math.hypot(landmarks[2 * left] - landmarks[2 * right], landmarks[2 * left + 1] - landmarks[2 * right + 1]);
  const step = Math.max(1, Math.round(eyes / EYES_PX));
  const shown = grayIn(frame, boxOf(Float64Array.from(BROWS_AND_EYES.flatMap((i) => [landmarks[2 * i], landmarks[2 * i + 1]]))));
  if (Math.min(shown.width, shown.height) < LEAST_SIDE * step) return 0;
  const sigma = edgeBlurPx(step > 1 ? shrunk(shown, step) : shown);
  if (sigma === null) return 0;
  const own = (OF_FACES * eyes) ** 2 + OF_PAINT_PX ** 2 + (step ** 2 - 1) / 12;
  const blur = SHARE * Math.sqrt(Math.max((step * sigma) ** 2 - own, 0));
  return blur >= LEAST_PX ? blur : 0;
}

/**
 * The blur of the strongest edges of a picture; null if there are none.
 * @param {Plane} sharp
 */
function edgeBlurPx(sharp) {
  const kernel = gaussian(AGAIN_PX, 4);
  const soft = { ...sharp, data: blurredPlane(sharp, kernel) };
  const [before, after] = [squaredGradient(sharp), squaredGradient(soft)];
  const count = Math.max(FEWEST_EDGES, Math.floor(STRONGEST * after.length));
  const edge = atLeast(after, count);
  if (!(edge >= LEAST_EDGE ** 2)) return null;
  const ratios = [];
  for (let i = 0; i < after.length; i++) if (after[i] >= edge) ratios.push(before[i] / after[i]);
  ratios.sort((a, b) => a - b);
  const ratio = Math.sqrt((ratios[(ratios.length - 1) >> 1] + ratios[ratios.length >> 1]) / 2);
  return Math.sqrt(Math.max(AGAIN_PX ** 2 / (Math.max(ratio, LEAST_RATIO) ** 2 - 1) - OF_DIFFERENCES, 0));
}

/**
 * The value that about `count` of all squared gradients reach.
 * @param {Float32Array} squares
 * @param {number} count
 */
function atLeast(squares, count) {
  const counts = new Uint32Array(STEPS * 512);
  for (let i = 0; i < squares.length; i++) counts[Math.min(STEPS * Math.sqrt(squares[i]), counts.length - 1) | 0] += 1;
  let at = counts.length - 1;
  for (let above = counts[at]; above < count && at > 0; ) above += counts[--at];
  return (at / STEPS) ** 2;
}

/**
 * The standard deviation of the noise of nose and cheeks, levels; 0 where it is too low to be seen.
 * By the difference of two Laplacians, which edges and slopes leave at 0 (Immerkaer, 1996), in the
 * smoothest blocks.
 * @param {Pixels} frame
 * @param {import("./similarity.js").Points} landmarks of the frame
 */
export function noiseOf(frame, landmarks) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 2) [low, high] = [Math.min(low, landmarks[i]), Math.max(high, landmarks[i])];
  const reach = Math.min(NOISE_PX, 0.8 * (high - low)) / 2;
  const [x, y] = [0, 1].map((axis) => NOSE.reduce((sum, i) => sum + landmarks[2 * i + axis] / NOSE.length, 0));
  const { data, width, height } = grayIn(frame, [x - reach, y - reach, x + reach, y + reach]);
  const [rows, columns] = [Math.floor(height / BLOCK), Math.floor(width / BLOCK)];
  if (rows * columns < FEWEST_BLOCKS) return 0;
  const spread = new Float32Array(rows * columns);
  for (let block = 0; block < spread.length; block++) {
    const [top, left] = [Math.floor(block / columns) * BLOCK, (block % columns) * BLOCK];
    let [sum, squares] = [0, 0];
    for (let y = top; y < top + BLOCK; y++) {
      const here = y * width;
      const above = (y > 0 ? y - 1 : 1) * width;
      const below = (y < height - 1 ? y + 1 : y - 1) * width;
      for (let x = left; x < left + BLOCK; x++) {
        const before = x > 0 ? x - 1 : 1;
        const after = x < width - 1 ? x + 1 : x - 1;
        const corners = data[above + before] + data[above + after] + data[below + before] + data[below + after];
        const sides = data[above + x] + data[below + x] + data[here + before] + data[here + after];
        const detail = (corners - 2 * sides + 4 * data[here + x]) / 6;
        sum += detail;
        squares += detail * detail;
      }
    }
    const mean = sum / (BLOCK * BLOCK);
    spread[block] = Math.sqrt(Math.max(squares / (BLOCK * BLOCK) - mean * mean, 0));
  }
  spread.sort();
  const at = ((spread.length - 1) * SMOOTHEST) / 100;
  const first = Math.floor(at);
  const level = OF_ALL * (spread[first] + (at - first) * (spread[Math.min(first + 1, spread.length - 1)] - spread[first]));
  return level >= LEAST_NOISE ? level : 0;
}

/**
 * The brightness of a box of a frame, as far as it is there.
 * @param {Pixels} frame
 * @param {number[]} box x0, y0, x1, y1
 * @returns {Plane}
 */
function grayIn(frame, [x0, y0, x1, y1]) {
  /** @type {(value: number, most: number) => number} */
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  const [left, right] = [within(Math.floor(x0), frame.width), within(Math.ceil(x1), frame.width)];
  const [top, bottom] = [within(Math.floor(y0), frame.height), within(Math.ceil(y1), frame.height)];
  const [width, height] = [Math.max(right - left, 0), Math.max(bottom - top, 0)];
  const data = new Float32Array(width * height);
  for (let row = 0, to = 0; row < height; row++) {
    let from = 4 * ((top + row) * frame.width + left);
    for (let column = 0; column < width; column++, from += 4) data[to++] = Math.round(0.299 * frame.data[from] + 0.587 * frame.data[from + 1] + 0.114 * frame.data[from + 2]);
  }
  return { data, width, height };
}

/**
 * A picture of the means of its blocks.
 * @param {Plane} plane
 * @param {number} step
 * @returns {Plane}
 */
function shrunk({ data, width, height }, step) {
  const [columns, rows] = [Math.floor(width / step), Math.floor(height / step)];
  const found = new Float32Array(columns * rows);
  for (let y = 0; y < rows * step; y++) {
    for (let x = 0; x < columns * step; x++) found[Math.floor(y / step) * columns + Math.floor(x / step)] += data[y * width + x] / step ** 2;
  }
  return { data: found, width: columns, height: rows };
}

/**
 * One half of a Gaussian from its middle on, of sum 1 with both halves.
 * @param {number} sigma
 * @param {number} reach
 */
export function gaussian(sigma, reach) {
  const weights = Float32Array.from({ length: reach + 1 }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)));
  const whole = weights.reduce((sum, weight) => sum + 2 * weight, -weights[0]);
  return weights.map((weight) => weight / whole);
}

/** @type {(at: number, size: number) => number} */
const mirrored = (at, size) => Math.min(Math.max(at < 0 ? -at : at >= size ? 2 * size - 2 - at : at, 0), size - 1);

/**
 * @param {Plane} plane
 * @param {Float32Array} kernel see `gaussian`
 */
export function blurredPlane({ data, width, height }, kernel) {
  const reach = kernel.length - 1;
  /** @type {(source: Float32Array, length: number, step: number, lines: number, between: number) => Float32Array} */
  const along = (source, length, step, lines, between) => {
    const found = new Float32Array(source.length);
    const line = new Float32Array(length + 2 * reach);
    for (let start = 0, n = 0; n < lines; n++, start += between) {
      for (let i = 0; i < length; i++) line[i + reach] = source[start + i * step];
      for (let k = 1; k <= reach; k++) {
        line[reach - k] = source[start + mirrored(-k, length) * step];
        line[reach + length - 1 + k] = source[start + mirrored(length - 1 + k, length) * step];
      }
      for (let i = 0; i < length; i++) {
        const at = i + reach;
        let sum = kernel[0] * line[at];
        for (let k = 1; k <= reach; k++) sum += kernel[k] * (line[at - k] + line[at + k]);
        found[start + i * step] = sum;
      }
    }
    return found;
  };
  return along(along(data, width, 1, height, width), height, width, width, 1);
}

/**
 * Of differences over 2 px.
 * @param {Plane} plane
 */
function squaredGradient({ data, width, height }) {
  const found = new Float32Array(data.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const across = x > 0 && x < width - 1 ? data[i + 1] - data[i - 1] : 0;
      const down = y > 0 && y < height - 1 ? data[i + width] - data[i - width] : 0;
      found[i] = across * across + down * down;
    }
  }
  return found;
}

/** @type {Float32Array | null} */
let tile = null;

/** Noise of mean 0 and deviation 1, (`GRAIN_PX`, `GRAIN_PX`): the same each time. */
export function grainTile() {
  if (tile) return tile;
  let state = 20201028;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const white = Float32Array.from({ length: TILE * TILE }, () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random()));
  const soft = blurredPlane({ data: white, width: TILE, height: TILE }, gaussian(SOFT_PX, 2));
  const deviation = Math.sqrt(soft.reduce((sum, value) => sum + value * value, 0) / soft.length);
  return (tile = soft.map((value) => value / deviation));
}

export const GRAIN_PX = TILE;
