// The displacement field as a picture of the crop: colors, the template's grid, folds in red.
//
// Hue is the direction from a point of the face towards its place in the template, saturation and
// opacity its length. The lines are the template's regular grid carried onto the face.

import { CROP_HEIGHT, CROP_WIDTH } from "./crop.js";
import { CELL, COLUMNS, ROWS, SIZE, displaced, mixed, placed } from "./fields.js";
import { paintCapsule } from "./painting.js";

/** @typedef {import("./painting.js").Pixels} Pixels */

const FULL_PX = 24; // displacement of full color
const ALPHA = 0.72;
const EDGE = 0.12; // share of the crop over which the colors fade out
const GRID_STEP = 10; // template px
const LINE = 105 / 255; // opacity of the grid's lines

/**
 * Colors a displacement: hue by its direction (red to the right), strength by the root of its length.
 * @param {number} x px
 * @param {number} y px
 * @returns {[number, number, number, number]} premultiplied RGBA, 0..1
 */
export function displacementColor(x, y) {
  const strength = Math.sqrt(Math.min(Math.hypot(x, y) / FULL_PX, 1));
  const hue = ((Math.atan2(y, x) / (2 * Math.PI) + 1) % 1) * 6;
  /** @param {number} n */
  const part = (n) => {
    const k = (n + hue) % 6;
    return strength * (1 - strength * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [part(5), part(3), part(1), strength];
}

/**
 * Draws the field of a face.
 * @param {Float32Array} onto crop px, from the crop to the template
 * @param {Float32Array} back from the template to the crop
 * @returns {Pixels} of the crop
 */
export function fieldPicture(onto, back) {
  const frame = { data: new Uint8ClampedArray(4 * CROP_WIDTH * CROP_HEIGHT), width: CROP_WIDTH, height: CROP_HEIGHT };
  const { data } = frame;
  const colors = new Float32Array(4 * SIZE);
  for (let i = 0; i < SIZE; i++) {
    const color = isFolded(onto, i) ? [1, 0, 0, 1] : displacementColor(onto[i], onto[i + SIZE]);
    for (let c = 0; c < 4; c++) colors[c * SIZE + i] = color[c];
  }
  for (let y = 0, to = 0; y < CROP_HEIGHT; y++) {
    for (let x = 0; x < CROP_WIDTH; x++, to += 4) {
      const at = placed((x + 0.5) / CELL - 0.5, (y + 0.5) / CELL - 0.5);
      const shown = 255 * ALPHA * ramp(x, CROP_WIDTH) * ramp(y, CROP_HEIGHT);
      for (let c = 0; c < 4; c++) data[to + c] = shown * mixed(colors, c * SIZE, at);
    }
  }
  for (const line of gridLines()) {
    const points = displaced(back, line);
    for (let i = 2; i < points.length; i += 2) whiten(frame, points[i - 2], points[i - 1], points[i], points[i + 1]);
  }
  return frame;
}

/** @type {(at: number, size: number) => number} */
const ramp = (at, size) => Math.min(Math.max((0.5 - Math.abs((at + 0.5) / size - 0.5)) / EDGE, 0), 1);

/** Lines of the template's grid: points every 4 px. */
function gridLines() {
  const lines = [];
  /** @type {(size: number) => number[]} */
  const fine = (size) => Array.from({ length: Math.floor((size - 24) / 4) + 1 }, (_, i) => 12 + 4 * i);
  for (let x = 1.5 * GRID_STEP; x < CROP_WIDTH - GRID_STEP; x += GRID_STEP) lines.push(Float64Array.from(fine(CROP_HEIGHT).flatMap((y) => [x, y])));
  for (let y = 1.5 * GRID_STEP; y < CROP_HEIGHT - GRID_STEP; y += GRID_STEP) lines.push(Float64Array.from(fine(CROP_WIDTH).flatMap((x) => [x, y])));
  return lines;
}

/**
 * @param {Pixels} frame
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function whiten(frame, x0, y0, x1, y1) {
  paintCapsule(frame, x0, y0, x1, y1, 0.5, [LINE, LINE, LINE, LINE]);
}

/**
 * Whether a field folds at a point: its Jacobian determinant is not positive.
 * @param {Float32Array} field
 * @param {number} i
 */
function isFolded(field, i) {
  const [column, row] = [i % COLUMNS, Math.floor(i / COLUMNS)];
  const [left, right] = [column > 0 ? 1 : 0, column < COLUMNS - 1 ? 1 : 0];
  const [above, below] = [row > 0 ? COLUMNS : 0, row < ROWS - 1 ? COLUMNS : 0];
  const [across, down] = [(left + right) * CELL, ((above + below) / COLUMNS) * CELL];
  const xx = 1 + (field[i + right] - field[i - left]) / across;
  const xy = (field[i + below] - field[i - above]) / down;
  const yx = (field[i + SIZE + right] - field[i + SIZE - left]) / across;
  const yy = 1 + (field[i + SIZE + below] - field[i + SIZE - above]) / down;
  return xx * yy - xy * yx <= 0;
}
