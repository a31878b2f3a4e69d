// The occlusion mask: how much of a texture is seen at each px of the crop. Hair and hands stay in
// front, eyes and the open mouth are left alone.

import { CROP_HEIGHT, CROP_WIDTH } from "./crop.js";
import { MATTE_HEIGHT, MATTE_WIDTH } from "./matte.js";
import { CELL, COLUMNS, OFFSET, ROWS, SIZE, valueAt } from "./fields.js";

/** @typedef {import("./similarity.js").Points} Points */

const [EYE_LEFT, EYE_RIGHT] = [4, 5];
const HIDDEN = [0.5, 0.9]; // background probability at which paint begins to go, and is gone
const SURE = [0.2, 0.75]; // of a matte: below it paint is gone, above it whole
const EYE = [0.3, 0.75];
const OPEN_PX = [2, 5]; // height of the mouth's opening, closed and open
const SOFT_PX = 2; // width of the soft edge of an opening
const BLUR = [0.0161, 0.9678, 0.0161]; // Gaussian, sigma 0.35 points

/**
 * 0 below `low`, 1 above `high`, smooth between.
 * @param {number} low
 * @param {number} high
 * @param {number} value
 */
export function smoothstep(low, high, value) {
  const t = Math.min(Math.max((value - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
}

/**
 * Returns the visibility of paint at each px of the crop, 0..255.
 * @param {Float32Array} parts probabilities of 8 parts, planes
 * @param {Uint8Array | null} free see `freeOf`; null goes by the parts' background
 * @param {Float32Array} field crop px, from the crop to the template
 * @param {Uint8Array} skin of the template, 260 x 320, 255 where a face is sure
 * @param {Points} landmarks crop px
 * @param {{spareEyes: boolean, spareMouth: boolean}} spared
 */
export function visibility(parts, free, field, skin, landmarks, { spareEyes, spareMouth }) {
  if (free && !spareEyes && !spareMouth) return free;
  const coarse = new Float32Array(SIZE);
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      let seen = 1;
      if (!free) {
        const [x, y] = [OFFSET + CELL * column + field[i], OFFSET + CELL * row + field[i + SIZE]];
        const isInside = x > -1 && y > -1 && x < CROP_WIDTH && y < CROP_HEIGHT;
        const sure = isInside ? valueAt(skin, CROP_WIDTH, CROP_HEIGHT, x, y) / 255 : 0;
        seen = 1 - smoothstep(HIDDEN[0], HIDDEN[1], sure * parts[i]);
      }
      if (spareEyes) seen *= 1 - smoothstep(EYE[0], EYE[1], parts[EYE_LEFT * SIZE + i] + parts[EYE_RIGHT * SIZE + i]);
      coarse[i] = seen;
    }
  }
  const fine = enlarged(blurred(coarse));
  if (free) for (let i = 0; i < fine.length; i++) fine[i] = (fine[i] * free[i]) / 255 + 0.5;
  if (spareMouth) cutMouth(fine, landmarks);
  return fine;
}

/**
 * Returns what of a face's crop nothing hides, at each px, 0..255. What the matte is not sure of neither
 * shows through nor is missing.
 * @param {Uint8Array} matte 130 x 160
 */
export function freeOf(matte) {
  const found = new Uint8Array(CROP_WIDTH * CROP_HEIGHT);
  /** @type {(row: number) => Float32Array} a row, enlarged */
  const wide = (row) => {
    const [start, line] = [row * MATTE_WIDTH, new Float32Array(CROP_WIDTH)];
    for (let x = 0; x < MATTE_WIDTH; x++) {
      const [here, left, right] = [SHARP[matte[start + x]], SHARP[matte[start + Math.max(x - 1, 0)]], SHARP[matte[start + Math.min(x + 1, MATTE_WIDTH - 1)]]];
      line[2 * x] = 0.75 * here + 0.25 * left;
      line[2 * x + 1] = 0.75 * here + 0.25 * right;
    }
    return line;
  };
  let [above, here] = [wide(0), wide(0)];
  for (let y = 0, i = 0; y < MATTE_HEIGHT; y++) {
    const below = y < MATTE_HEIGHT - 1 ? wide(y + 1) : here;
    for (const other of [above, below]) for (let x = 0; x < CROP_WIDTH; x++, i++) found[i] = 0.75 * here[x] + 0.25 * other[x] + 0.5;
    [above, here] = [here, below];
  }
  return found;
}

const SHARP = Uint8Array.from({ length: 256 }, (_, value) => Math.round(255 * smoothstep(SURE[0], SURE[1], value / 255)));

/** @param {Float32Array} plane */
function blurred(plane) {
  const across = new Float32Array(SIZE);
  const found = new Float32Array(SIZE);
  for (let i = 0; i < SIZE; i++) {
    const column = i % COLUMNS;
    const [left, right] = [column > 0 ? i - 1 : i, column < COLUMNS - 1 ? i + 1 : i];
    across[i] = BLUR[0] * plane[left] + BLUR[1] * plane[i] + BLUR[2] * plane[right];
  }
  for (let i = 0; i < SIZE; i++) {
    const [above, below] = [i >= COLUMNS ? i - COLUMNS : i, i < SIZE - COLUMNS ? i + COLUMNS : i];
    found[i] = BLUR[0] * across[above] + BLUR[1] * across[i] + BLUR[2] * across[below];
  }
  return found;
}

/**
 * A plane at every px of the crop, times 255.
 * @param {Float32Array} plane 0..1 at the points of a field
 */
function enlarged(plane) {
  const found = new Uint8Array(CROP_WIDTH * CROP_HEIGHT);
  const line = new Float32Array(COLUMNS);
  for (let y = 0, i = 0; y < CROP_HEIGHT; y++) {
    const { low, share } = DOWN[y];
    const [upper, lower] = [low * COLUMNS, Math.min(low + 1, ROWS - 1) * COLUMNS];
    for (let c = 0; c < COLUMNS; c++) line[c] = 255 * (plane[upper + c] + share * (plane[lower + c] - plane[upper + c]));
    for (let x = 0; x < CROP_WIDTH; x++, i++) {
      const left = LEFT[x];
      const right = left < COLUMNS - 1 ? left + 1 : left;
      found[i] = line[left] + ACROSS[x] * (line[right] - line[left]) + 0.5;
    }
  }
  return found;
}

/** @type {(i: number, size: number) => {low: number, share: number}} */
const between = (i, size) => {
  const at = Math.min(Math.max((i - OFFSET) / CELL, 0), size - 1);
  return { low: Math.floor(at), share: at - Math.floor(at) };
};
const DOWN = Array.from({ length: CROP_HEIGHT }, (_, y) => between(y, ROWS));
const LEFT = Uint8Array.from({ length: CROP_WIDTH }, (_, x) => between(x, COLUMNS).low);
const ACROSS = Float32Array.from({ length: CROP_WIDTH }, (_, x) => between(x, COLUMNS).share);

/**
 * Takes the open mouth out of a mask, with a soft edge.
 * @param {Uint8Array} mask of the crop
 * @param {Points} landmarks 68, crop px
 */
export function cutMouth(mask, landmarks) {
  const lips = Array.from({ length: 8 }, (_, i) => [landmarks[2 * (60 + i)], landmarks[2 * (60 + i) + 1]]);
  const opening = [1, 2, 3].reduce((sum, i) => sum + Math.hypot(lips[i][0] - lips[8 - i][0], lips[i][1] - lips[8 - i][1]), 0) / 3;
  const share = smoothstep(OPEN_PX[0], OPEN_PX[1], opening);
  if (!(share > 0)) return;
  const [xs, ys] = [lips.map(([x]) => x), lips.map(([, y]) => y)];
  const [left, right] = [Math.max(Math.floor(Math.min(...xs) - SOFT_PX), 0), Math.min(Math.ceil(Math.max(...xs) + SOFT_PX), CROP_WIDTH - 1)];
  const [top, bottom] = [Math.max(Math.floor(Math.min(...ys) - SOFT_PX), 0), Math.min(Math.ceil(Math.max(...ys) + SOFT_PX), CROP_HEIGHT - 1)];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const inside = smoothstep(-SOFT_PX, SOFT_PX, depthIn(lips, x, y));
      const at = y * CROP_WIDTH + x;
      mask[at] = mask[at] * (1 - share * inside) + 0.5;
    }
  }
}

/**
 * Distance of a point from a polygon's border, negative outside.
 * @param {number[][]} polygon
 * @param {number} x
 * @param {number} y
 */
export function depthIn(polygon, x, y) {
  let [nearest, isInside] = [Infinity, false];
  polygon.forEach(([x0, y0], i) => {
    const [x1, y1] = polygon[(i + 1) % polygon.length];
    const [dx, dy] = [x1 - x0, y1 - y0];
    const t = Math.min(Math.max(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1), 0), 1);
    nearest = Math.min(nearest, Math.hypot(x - x0 - t * dx, y - y0 - t * dy));
    if (y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * dx) isInside = !isInside;
  });
  return isInside ? nearest : -nearest;
}
