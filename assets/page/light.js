// Shading: the light on a face, measured in its gray crop, which a texture takes on.

import { CROP_WIDTH } from "./crop.js";
import { CELL, COLUMNS, OFFSET, ROWS, SIZE, valueAt } from "./fields.js";

export const LIGHT_COLUMNS = 52; // cells of 5 crop px
export const LIGHT_ROWS = 64;
const CELL_PX = 5;
const SIGMA = 3; // cells
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
 * @param {number} white how bright the frame's white is, 0..1
 * @returns {Uint8Array} for each cell a gain times 128 and the shading itself, in turn
 */
export function lightOf(gray, field, cover, room, share, white = 1) {
  const cells = LIGHT_COLUMNS * LIGHT_ROWS;
  const [light, weight] = [new Float32Array(cells), new Float32Array(cells)];
  let [sum, total] = [0, 0];
  for (let row = 0, i = 0; row < LIGHT_ROWS; row++) {
    for (let column = 0; column < LIGHT_COLUMNS; column++, i++) {
      const [x, y] = [column * CELL_PX + 2, row * CELL_PX + 2];
      const [u, v] = [(x - OFFSET) / CELL, (y - OFFSET) / CELL];
      const across = u + valueAt(field, COLUMNS, ROWS, u, v) / CELL;
      const down = v + valueAt(field, COLUMNS, ROWS, u, v, SIZE) / CELL;
      const isInside = across > -1 && down > -1 && across < COLUMNS && down < ROWS;
      weight[i] = 0.01 + (isInside ? valueAt(cover, COLUMNS, ROWS, across, down) : 0);
      let mean = 0;
      for (let n = 0; n < 9; n++) mean += gray[(y - 2 + 2 * Math.floor(n / 3)) * CROP_WIDTH + x - 2 + 2 * (n % 3)] / 9;
      light[i] = mean * weight[i];
      sum += light[i];
      total += weight[i];
    }
  }
  const mean = sum / total;
  const [top, bottom] = [blurred(light), blurred(weight)];
  const exposure = Math.min(Math.max(Math.sqrt(Math.max(mean, room) / REFERENCE), 0.35), white);
  const found = new Uint8Array(2 * cells);
  for (let i = 0; i < cells; i++) {
    const shading = Math.max(top[i] / bottom[i], 1);
    const relative = Math.min(Math.max((shading / Math.max(mean, 1)) ** share, 0.4), BRIGHTEST);
    found[2 * i] = 128 * exposure * relative + 0.5;
    found[2 * i + 1] = Math.min(shading, 255) + 0.5;
  }
  return found;
}

/** @param {Float32Array} plane */
function blurred(plane) {
  return along(along(plane, LIGHT_COLUMNS, 1), LIGHT_ROWS, LIGHT_COLUMNS);
}

/**
 * @param {Float32Array} plane
 * @param {number} length cells along the axis
 * @param {number} step between them in the array
 */
function along(plane, length, step) {
  const found = new Float32Array(plane.length);
  const reach = (KERNEL.length - 1) / 2;
  for (let i = 0; i < plane.length; i++) {
    const place = Math.floor(i / step) % length;
    const start = i - place * step;
    let sum = 0;
    for (let k = -reach; k <= reach; k++) {
      let at = Math.abs(place + k); // mirrored at the border
      if (at >= length) at = 2 * length - 2 - at;
      sum += KERNEL[k + reach] * plane[start + at * step];
    }
    found[i] = sum;
  }
  return found;
}
