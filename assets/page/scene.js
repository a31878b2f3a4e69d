// Scene: what the camera made of a face, for paint to take on: the color of the light, the frame's
// saturation, its black and its white, its blur and its noise. The program's facewarp/face/matching.

import { cameraBlurPx, noiseOf } from "./camera.js";
import { CROP_HEIGHT, CROP_WIDTH } from "./crop.js";
import { COLUMNS, ROWS, SIZE } from "./fields.js";
import { boxOf, inverted, transformed } from "./similarity.js";
import { smoothstep } from "./visibility.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {{data: Uint8ClampedArray | Uint8Array, width: number, height: number}} Pixels RGBA of a frame */

/**
 * `light`: factors of red, green and blue; `saturation`: 0..1, what paint keeps of its own; `black`:
 * how bright its black is, levels; `white`: how bright its white is, 0..1; `skin` and `eyes`: mean
 * brightness of the skin, and that of the whites of eyes, NaN where none is seen; `blur`: sigma, px of
 * the frame; `noise`: its deviation, levels; `seed`: what noise is drawn from.
 * @typedef {{light: number[], saturation: number, black: number, white: number, skin: number, eyes: number, blur: number, noise: number, seed: number}} Scene
 */

const LUMA = [0.299, 0.587, 0.114];
const LINEAR = Float64Array.from({ length: 256 }, (_, code) => (code / 255) ** 2.2);
const LOOKED_AT = 1000; // px of the frame, about
const [SKIN_COLUMNS, SKIN_ROWS, IS_SKIN, FEWEST] = [32, 40, 0.9, 12];
const [FACE, NOSE] = [1, 6];
// Chroma, warm and green, of skin and of a frame with a face, how far they spread, and light does.
const SKIN = { usual: [0.74, 0.16], spread: [0.2, 0.12] };
const AVERAGE = { usual: [0.23, 0.06], spread: [0.35, 0.25] };
const LIGHT_SPREAD = [0.25, 0.1];
const FARTHEST = 2.5;
const MOST = [0.6, 0.2];
const [NATURAL, LEAST_KEPT] = [0.28, 0.15];
const COLORLESS = [0.03, 0.16]; // saturation of a face in a gray picture, and of pale skin
const BLACK = { usual: 8, share: 0.5, most: 24 };
const WHITE = { usual: 225, least: 0.6, aboveSkin: 1.4 };
const [SHARE, EVERY] = [0.08, 8]; // of a change that a frame takes on; frames between two measured
const [BLUR_SHARE, BLUR_EVERY] = [0.5, 2]; // light lasts, and a motion does not
const [JUMP, CUT] = [0.6, 36]; // of a face's side, and levels: beyond them it is another shot
const EYES = [36, 42]; // landmarks of each, six of them
const [LEAST_EYE_PX, LEAST_SCALE, BRIGHT_OF_EYES] = [3, 0.6, 90];
const EYES_OVER_LIGHT_SKIN = 1.1;
const KEPT = 64; // faces that are remembered

/** @type {(value: number, low: number, high: number) => number} */
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** @type {(red: number, green: number, blue: number) => number} */
const brightness = (red, green, blue) => LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue;

/**
 * Linear between the sorted values' places, as NumPy has it.
 * @param {number[]} sorted
 * @param {number} percent
 */
export function percentile(sorted, percent) {
  const at = ((sorted.length - 1) * percent) / 100;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/** @type {(values: number[]) => number[]} */
const inOrder = (values) => values.sort((a, b) => a - b);

/**
 * Measures a frame around a face.
 * @param {Pixels} frame
 * @param {Affine} crop
 * @param {Float32Array} parts probabilities of 8 parts, planes
 * @param {import("./similarity.js").Points} landmarks of the frame
 * @returns {Scene}
 */
export function sceneOf(frame, crop, parts, landmarks) {
  const thumbnail = thumbnailOf(frame);
  const luma = thumbnail.map(([red, green, blue]) => brightness(red, green, blue));
  const kept = keptSaturation(thumbnail, luma);
  const skin = skinOf(frame, crop, parts);
  let light = [1, 1, 1];
  let [bright, own, mean] = [0, 1, NaN];
  if (skin) {
    const lumas = skin.map(([red, green, blue]) => brightness(red, green, blue));
    const sorted = inOrder([...lumas]);
    const [low, high] = [percentile(sorted, 25), percentile(sorted, 90)];
    const between = skin.filter((_, i) => lumas[i] >= low && lumas[i] <= high);
    light = lightGains(chroma(linearMean(between)), chroma(linearMean(thumbnail)), kept);
    bright = high;
    mean = lumas.reduce((sum, luma) => sum + luma, 0) / lumas.length;
    const colored = skin.reduce((sum, pixel) => sum + (Math.max(...pixel) - Math.min(...pixel)) / Math.max(...pixel, 1), 0) / skin.length;
    own = LEAST_KEPT + (1 - LEAST_KEPT) * smoothstep(COLORLESS[0], COLORLESS[1], colored);
  }
  const sorted = inOrder(luma);
  return {
    light,
    saturation: Math.min(kept, own),
    black: clamp(BLACK.share * (percentile(sorted, 0.5) - BLACK.usual), 0, BLACK.most),
    white: clamp(Math.max(percentile(sorted, 99), WHITE.aboveSkin * bright) / WHITE.usual, WHITE.least, 1),
    skin: mean,
    eyes: whitesOfEyes(frame, crop, landmarks),
    blur: cameraBlurPx(frame, landmarks),
    noise: noiseOf(frame, landmarks),
    seed: 0,
  };
}

/**
 * How bright light skin would be in the light that falls on a face: the whites of eyes, alike in people
 * of every tone, tell dark skin from a face in the dark; where they are not seen, the room does.
 * @param {Scene} scene
 * @param {number} skin mean brightness of the face
 * @param {number} room of the whole frame
 */
export function brightnessOfLight({ eyes }, skin, room) {
  return Math.max(skin, Number.isNaN(eyes) ? room : Math.min(room, EYES_OVER_LIGHT_SKIN * eyes));
}

/**
 * The brightness of the whites of the brighter eye; NaN where both are shut or small.
 * @param {Pixels} frame
 * @param {Affine} crop
 * @param {import("./similarity.js").Points} landmarks
 */
function whitesOfEyes(frame, crop, landmarks) {
  let found = NaN;
  if (Math.hypot(crop[0], crop[3]) < LEAST_SCALE) return found;
  const points = transformed(inverted(crop), landmarks);
  for (const first of EYES) {
    const lids = Array.from({ length: 6 }, (_, i) => [points[2 * (first + i)], points[2 * (first + i) + 1]]);
    const height = [[1, 5], [2, 4]].reduce((sum, [a, b]) => sum + Math.hypot(lids[a][0] - lids[b][0], lids[a][1] - lids[b][1]) / 2, 0);
    if (height < LEAST_EYE_PX) continue;
    const [xs, ys] = [0, 1].map((axis) => lids.map((lid) => lid[axis]));
    const lumas = [];
    for (let y = Math.floor(Math.min(...ys)); y <= Math.max(...ys); y++) {
      for (let x = Math.floor(Math.min(...xs)); x <= Math.max(...xs); x++) {
        if (!isWithin(lids, x, y)) continue;
        const [red, green, blue] = pixelAt(frame, crop[0] * x + crop[1] * y + crop[2], crop[3] * x + crop[4] * y + crop[5]);
        lumas.push(brightness(red, green, blue));
      }
    }
    if (!lumas.length) continue;
    const bright = percentile(inOrder(lumas), BRIGHT_OF_EYES);
    found = Number.isNaN(found) ? bright : Math.max(found, bright);
  }
  return found;
}

/**
 * @param {number[][]} outline
 * @param {number} x
 * @param {number} y
 */
function isWithin(outline, x, y) {
  let is = false;
  outline.forEach(([x1, y1], i) => {
    const [x0, y0] = outline[(i + outline.length - 1) % outline.length];
    if (y1 > y !== y0 > y && x < ((x0 - x1) * (y - y1)) / (y0 - y1) + x1) is = !is;
  });
  return is;
}

/**
 * Some pixels of a frame, in even steps.
 * @param {Pixels} frame
 */
function thumbnailOf({ data, width, height }) {
  const step = Math.max(1, Math.round(Math.sqrt((width * height) / LOOKED_AT)));
  const found = [];
  for (let y = step >> 1; y < height; y += step) {
    for (let x = step >> 1; x < width; x += step) {
      const at = 4 * (y * width + x);
      found.push([data[at], data[at + 1], data[at + 2]]);
    }
  }
  return found;
}

/**
 * Pixels of the skin that is seen; null if they are too few.
 * @param {Pixels} frame
 * @param {Affine} crop
 * @param {Float32Array} parts
 */
function skinOf(frame, crop, parts) {
  const found = [];
  for (let row = 0; row < SKIN_ROWS; row++) {
    for (let column = 0; column < SKIN_COLUMNS; column++) {
      const cell = Math.floor((row * ROWS) / SKIN_ROWS) * COLUMNS + Math.floor((column * COLUMNS) / SKIN_COLUMNS);
      if (!(parts[FACE * SIZE + cell] + parts[NOSE * SIZE + cell] > IS_SKIN)) continue;
      const x = ((column + 0.5) * CROP_WIDTH) / SKIN_COLUMNS - 0.5;
      const y = ((row + 0.5) * CROP_HEIGHT) / SKIN_ROWS - 0.5;
      found.push(pixelAt(frame, crop[0] * x + crop[1] * y + crop[2], crop[3] * x + crop[4] * y + crop[5]));
    }
  }
  return found.length >= FEWEST ? found : null;
}

/**
 * The color at a place, linear between pixels; black beside the frame.
 * @param {Pixels} frame
 * @param {number} x
 * @param {number} y
 */
function pixelAt({ data, width, height }, x, y) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const color = [0, 0, 0];
  for (const [column, row, weight] of [
    [left, top, (left + 1 - x) * (top + 1 - y)],
    [left + 1, top, (x - left) * (top + 1 - y)],
    [left, top + 1, (left + 1 - x) * (y - top)],
    [left + 1, top + 1, (x - left) * (y - top)],
  ]) {
    if (column < 0 || row < 0 || column >= width || row >= height) continue;
    for (let c = 0; c < 3; c++) color[c] += weight * data[4 * (row * width + column) + c];
  }
  return color.map(Math.round);
}

/** @param {number[][]} pixels */
function linearMean(pixels) {
  const sums = [0, 0, 0];
  for (const pixel of pixels) for (let c = 0; c < 3; c++) sums[c] += LINEAR[pixel[c]];
  return sums.map((sum) => sum / pixels.length);
}

/**
 * How warm and how green a linear color is; 0, 0 for gray.
 * @param {number[]} linear
 */
function chroma(linear) {
  const [red, green, blue] = linear.map((value) => Math.log(Math.max(value, 1e-4)));
  return [(red - blue) / Math.SQRT2, (red + blue - 2 * green) / Math.SQRT2];
}

/**
 * The light's color, the likeliest by skin and frame.
 * @param {number[]} skin chroma
 * @param {number[]} average chroma of the frame's mean
 * @param {number} saturation of the frame
 */
export function lightGains(skin, average, saturation) {
  const [warm, green] = [0, 1].map((axis) => {
    let [evidence, weight] = [0, 1 / LIGHT_SPREAD[axis] ** 2];
    for (const [seen, { usual, spread }] of /** @type {[number[], typeof SKIN][]} */ ([[skin, SKIN], [average, AVERAGE]])) {
      evidence += clamp((seen[axis] - saturation * usual[axis]) / spread[axis], -FARTHEST, FARTHEST) / spread[axis];
      weight += 1 / spread[axis] ** 2;
    }
    return clamp(evidence / weight, -MOST[axis], MOST[axis]) / Math.SQRT2;
  });
  const gains = [warm + green / 3, (-2 * green) / 3, -warm + green / 3].map((log) => Math.exp(log / 2.2));
  const gray = brightness(gains[0], gains[1], gains[2]);
  return gains.map((gain) => gain / gray);
}

/**
 * The share of its saturation that paint keeps, by how far a frame's colors spread.
 * @param {number[][]} pixels
 * @param {number[]} luma
 */
function keptSaturation(pixels, luma) {
  const known = pixels.map((_, i) => i).filter((i) => luma[i] > 24 && Math.max(...pixels[i]) < 250);
  if (known.length < 16) return 1;
  const colors = known.map((i) => [(pixels[i][0] - pixels[i][1]) / luma[i], (pixels[i][2] - pixels[i][1]) / luma[i]]);
  const middle = [0, 1].map((axis) => percentile(inOrder(colors.map((color) => color[axis])), 50));
  const spread = inOrder(colors.map((color) => Math.hypot(color[0] - middle[0], color[1] - middle[1])));
  return clamp(percentile(spread, 90) / NATURAL, LEAST_KEPT, 1);
}

/**
 * What a scene makes of a picture's colors: a matrix, row by row.
 * @param {Scene} scene
 */
export function mixingOf({ light, saturation }) {
  return light.flatMap((gain, row) => LUMA.map((luma, column) => gain * ((row === column ? saturation : 0) + (1 - saturation) * luma)));
}

/** Scenes held steady from frame to frame, anew after a cut. */
export class SteadyScenes {
  /** @type {Map<number, {scene: Scene, measured: Scene, age: number, center: number[], look: number[]}>} */
  #past = new Map();

  forget() {
    this.#past.clear();
  }

  /**
   * The scene around a face of the next frame.
   * @param {Pixels} frame
   * @param {{id: number, crop: Affine, parts: Float32Array, landmarks: import("./similarity.js").Points}} face
   * @returns {Scene}
   */
  next(frame, { id, crop, parts, landmarks }) {
    const { x0, y0, x1, y1 } = cornersOf(landmarks);
    const center = [(x0 + x1) / 2, (y0 + y1) / 2];
    const look = lookOf(frame);
    const past = this.#past.get(id);
    this.#past.delete(id);
    const goesOn = past && past.look.length === look.length && isNear(past, center, look, Math.max(x1 - x0, y1 - y0, 1));
    const age = past && goesOn ? past.age + 1 : 0;
    let measured = past && goesOn && age % EVERY ? past.measured : sceneOf(frame, crop, parts, landmarks);
    if (age % EVERY && age % BLUR_EVERY === 0) measured = { ...measured, blur: cameraBlurPx(frame, landmarks) };
    const scene = past && goesOn ? between(past.scene, measured) : measured;
    this.#past.set(id, { scene, measured, age, center, look });
    for (const oldest of this.#past.keys()) {
      if (this.#past.size <= KEPT) break;
      this.#past.delete(oldest);
    }
    return scene;
  }
}

/** @param {import("./similarity.js").Points} landmarks */
function cornersOf(landmarks) {
  const [x0, y0, x1, y1] = boxOf(landmarks);
  return { x0, y0, x1, y1 };
}

/**
 * The green of a few pixels, by which cuts are told.
 * @param {Pixels} frame
 */
function lookOf({ data, width, height }) {
  const step = Math.max(1, Math.floor(Math.min(width, height) / 12));
  const found = [];
  for (let y = step >> 1; y < height; y += step) for (let x = step >> 1; x < width; x += step) found.push(data[4 * (y * width + x) + 1]);
  return found;
}

/**
 * @param {{center: number[], look: number[]}} past
 * @param {number[]} center
 * @param {number[]} look
 * @param {number} side
 */
function isNear(past, center, look, side) {
  const moved = Math.hypot(center[0] - past.center[0], center[1] - past.center[1]) / side;
  const changed = look.reduce((sum, value, i) => sum + Math.abs(value - past.look[i]), 0) / look.length;
  return moved <= JUMP && changed <= CUT;
}

/**
 * @param {Scene} last
 * @param {Scene} seen
 * @returns {Scene}
 */
function between(last, seen) {
  /** @type {(before: number, now: number) => number} */
  const mixed = (before, now) => before + SHARE * (now - before);
  /** As it was while it isn't seen: eyes blink. @type {(before: number, now: number) => number} */
  const known = (before, now) => (Number.isNaN(now) ? before : Number.isNaN(before) ? now : mixed(before, now));
  return {
    light: last.light.map((gain, i) => mixed(gain, seen.light[i])),
    saturation: mixed(last.saturation, seen.saturation),
    black: mixed(last.black, seen.black),
    white: mixed(last.white, seen.white),
    skin: known(last.skin, seen.skin),
    eyes: known(last.eyes, seen.eyes),
    blur: last.blur + BLUR_SHARE * (seen.blur - last.blur),
    noise: mixed(last.noise, seen.noise),
    seed: last.seed + 1,
  };
}
