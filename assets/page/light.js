// Shading: the light on a face, measured in its gray crop, which a texture takes on.

import { CROP_WIDTH } from "./crop.js";
import { CELL, COLUMNS, OFFSET, ROWS, SIZE, valueAt } from "./fields.js";
import { brightnessOfLight } from "./scene.js";
import { smoothstep } from "./visibility.js";

export const LIGHT_COLUMNS = 52; // cells of 5 crop px
export const LIGHT_ROWS = 64;
const CELL_PX = 5;
const SIGMA = 3; // cells
const [FACE, NOSE] = [1, 6];
const IS_SKIN = [0.7, 0.95]; // probability
const LEAST_SKIN = 0.02; // mean weight with which skin tells the light
const [EXPOSURE, KNOWN_EXPOSURE] = [0.5, 0.8]; // exponents of a light that is guessed, and told by eyes
const REFERENCE = 128; // mean brightness at which a picture keeps its own colors
export const BRIGHTEST = 1.35; // a gain above which bright colors would lose their hue

/** Exponents of the large shading and of the fine grain of the frame, by blend. */
export const SHARES = /** @type {Record<string, [number, number]>} */ ({ paint: [0.85, 0.65], tint: [0.75, 1], mask: [0.9, 0.12] });

const KERNEL = (() => {
  const reach = Math.ceil(3 * SIGMA);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * SIGMA ** 2)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
})();

/**
 * Estimates the light on a face.
 * @param {Uint8Array} gray the crop
 * @param {Float32Array} field crop px, from the crop to the template
 * @param {Uint8Array} cover how much of the picture lies at each point of the template's grid, 0..255
 * @param {number} room mean brightness of the whole frame: the brighter of both tells the exposure
 * @param {number} share exponent of the large shading
 * @param {{scene: import("./scene.js").Scene, parts: Float32Array} | null} skin where skin is told by its
 *   probability, and the scene; null without one
 * @returns {Uint8Array} for each cell a gain times 128 and the shading itself, in turn
 */
export function lightOf(gray, field, cover, room, share, skin = null) {
  const brightness = brightnessOf(gray);
  const painted = shadingOf(brightness, weights((u, v) => {
    const across = u + valueAt(field, COLUMNS, ROWS, u, v) / CELL;
    const down = v + valueAt(field, COLUMNS, ROWS, u, v, SIZE) / CELL;
    const isInside = across > -1 && down > -1 && across < COLUMNS && down < ROWS;
    return isInside ? valueAt(cover, COLUMNS, ROWS, across, down) : 0;
  }));
  let [base, mean] = [painted.shading, painted.mean];
  let [light, power] = [Math.max(mean, room), EXPOSURE];
  if (skin) {
    const { scene, parts } = skin;
    const weight = weights((u, v) => 255 * smoothstep(IS_SKIN[0], IS_SKIN[1], valueAt(parts, COLUMNS, ROWS, u, v, FACE * SIZE) + valueAt(parts, COLUMNS, ROWS, u, v, NOSE * SIZE)));
    if (weight.reduce((sum, one) => sum + one, 0) / weight.length > 255 * LEAST_SKIN) {
      const seen = shadingOf(brightness, weight);
      base = seen.shading;
      mean = Number.isNaN(scene.skin) ? seen.mean : scene.skin;
      light = brightnessOfLight(scene, mean, room);
      if (!Number.isNaN(scene.eyes)) power = KNOWN_EXPOSURE;
    }
  }
  const exposure = Math.min(Math.max((light / REFERENCE) ** power, 0.35), skin ? skin.scene.white : 1, 1);
  const found = new Uint8Array(2 * painted.shading.length);
  for (let i = 0; i < painted.shading.length; i++) {
    const relative = Math.min(Math.max((base[i] / Math.max(mean, 1)) ** share, 0.4), BRIGHTEST);
    found[2 * i] = 128 * exposure * relative + 0.5;
    found[2 * i + 1] = Math.min(painted.shading[i], 255) + 0.5;
  }
  return found;
}

/** @param {Uint8Array} gray */
function brightnessOf(gray) {
  const found = new Float32Array(LIGHT_COLUMNS * LIGHT_ROWS);
  for (let row = 0, i = 0; row < LIGHT_ROWS; row++) {
    for (let column = 0; column < LIGHT_COLUMNS; column++, i++) {
      const [x, y] = [column * CELL_PX + 2, row * CELL_PX + 2];
      for (let n = 0; n < 9; n++) found[i] += gray[(y - 2 + 2 * Math.floor(n / 3)) * CROP_WIDTH + x - 2 + 2 * (n % 3)] / 9;
    }
  }
  return found;
}

/**
 * Weights of all cells.
 * @param {(u: number, v: number) => number} weightAt by a place on the crop's grid
 */
function weights(weightAt) {
  const found = new Float32Array(LIGHT_COLUMNS * LIGHT_ROWS);
  for (let row = 0, i = 0; row < LIGHT_ROWS; row++) {
    for (let column = 0; column < LIGHT_COLUMNS; column++, i++) {
      found[i] = 0.01 + weightAt((column * CELL_PX + 2 - OFFSET) / CELL, (row * CELL_PX + 2 - OFFSET) / CELL);
    }
  }
  return found;
}

/**
 * The weighted mean of a brightness, and its weighted Gaussian mean.
 * @param {Float32Array} brightness
 * @param {Float32Array} weight
 */
function shadingOf(brightness, weight) {
  const light = brightness.map((value, i) => value * weight[i]);
  const [sum, total] = [light, weight].map((plane) => plane.reduce((whole, value) => whole + value, 0));
  const [top, bottom] = [blurred(light), blurred(weight)];
  return { mean: sum / total, shading: top.map((value, i) => Math.max(value / bottom[i], 1)) };
}

const REACH = (KERNEL.length - 1) / 2;

/**
 * Places along an axis and beyond its ends, where it goes on as in a mirror.
 * @param {number} length
 */
const mirrored = (length) => Int32Array.from({ length: length + 2 * REACH }, (_, i) => {
  const at = Math.abs(i - REACH);
  return at < length ? at : 2 * length - 2 - at;
});
const [ACROSS, DOWN] = [mirrored(LIGHT_COLUMNS), mirrored(LIGHT_ROWS)];

/** @param {Float32Array} plane */
function blurred(plane) {
  return along(along(plane, LIGHT_COLUMNS, 1, LIGHT_ROWS, LIGHT_COLUMNS, ACROSS), LIGHT_ROWS, LIGHT_COLUMNS, LIGHT_COLUMNS, 1, DOWN);
}

/**
 * @param {Float32Array} plane
 * @param {number} length cells along the axis
 * @param {number} step between them in the array
 * @param {number} lines
 * @param {number} apart between them in the array
 * @param {Int32Array} places see `mirrored`
 */
function along(plane, length, step, lines, apart, places) {
  const found = new Float32Array(plane.length);
  for (let line = 0; line < lines; line++) {
    const start = line * apart;
    for (let place = 0; place < length; place++) {
      let sum = 0;
      for (let k = 0; k < KERNEL.length; k++) sum += KERNEL[k] * plane[start + places[place + k] * step];
      found[start + place * step] = sum;
    }
  }
  return found;
}
