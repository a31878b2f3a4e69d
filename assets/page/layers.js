// A picture ready to be laid on faces: its halvings, where it has any paint, and soft copies for faces
// that the camera blurs.

import { gaussian } from "./camera.js";
import { CROP_WIDTH } from "./crop.js";
import { COLUMNS, ROWS, SIZE } from "./fields.js";

/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} Pixels premultiplied RGBA */

/**
 * A picture with its halvings, where in the template it has any paint, and soft copies by their level
 * and step of blur.
 * @typedef {{levels: Pixels[], hasPaint: Uint8Array, soft: Map<string, Pixels>}} Layers
 */

const FEW = 2; // px: levels smaller than that are not made
const SOFTEST = 0.35; // px of a level, the least blur that is worth it
const SOFT_ENOUGH = 1.6; // px of a level, from which blur on the next halving shows the same
const OF_HALVINGS = 0.19; // px^2 of a level, the blur of halving and of enlarging again
const SOFTER = 1.15; // ratio of the blurs that pictures are kept ready with
const KEPT = 16;

/**
 * Prepares a picture for drawing.
 * @param {Pixels} picture premultiplied, of the template's proportions
 * @returns {Layers}
 */
export function layersOf(picture) {
  const levels = [picture];
  for (let last = picture; Math.min(last.width, last.height) >= 2 * FEW && last.width > 16; ) levels.push((last = halved(last)));
  const hasPaint = new Uint8Array(SIZE);
  const { data, width, height } = picture;
  for (let y = 0, i = 3; y < height; y++) {
    const row = Math.floor((y * ROWS) / height);
    for (let x = 0; x < width; x++, i += 4) {
      if (data[i]) hasPaint[row * COLUMNS + Math.floor((x * COLUMNS) / width)] = 1;
    }
  }
  return { levels, hasPaint: grown(hasPaint), soft: new Map() };
}

/**
 * The halving whose px are about as large as the frame's, as soft as the camera's picture.
 * @param {Layers} layers
 * @param {number} scale frame px per crop px
 * @param {number} blur sigma, px of the frame
 */
export function levelFor({ levels, soft }, scale, blur) {
  const ratio = levels[0].width / CROP_WIDTH / scale;
  const sharp = Math.min(Math.max(Math.round(Math.log2(ratio)), 0), levels.length - 1);
  let number = sharp;
  const sigmaAt = () => (blur * levels[number].width) / CROP_WIDTH / scale;
  while (sigmaAt() > SOFT_ENOUGH && number < levels.length - 1) number += 1;
  const level = levels[number];
  const sigma = Math.sqrt(Math.max(sigmaAt() ** 2 - (number > sharp ? OF_HALVINGS : 0), 0));
  if (!(sigma >= SOFTEST)) return level;
  const step = Math.round(Math.log(sigma / SOFTEST) / Math.log(SOFTER));
  const key = `${number},${step}`;
  const found = soft.get(key) ?? blurred(level, SOFTEST * SOFTER ** step);
  soft.delete(key); // the last one used is the last one forgotten
  soft.set(key, found);
  for (const oldest of soft.keys()) {
    if (soft.size <= KEPT) break;
    soft.delete(oldest);
  }
  return found;
}

/**
 * @param {Pixels} picture
 * @returns {Pixels}
 */
function halved({ data, width, height }) {
  const [columns, rows] = [width >> 1, height >> 1];
  const found = new Uint8ClampedArray(4 * columns * rows);
  for (let y = 0, to = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const at = 4 * (2 * y * width + 2 * x);
      for (let c = at; c < at + 4; c++) found[to++] = (data[c] + data[c + 4] + data[c + 4 * width] + data[c + 4 * width + 4]) / 4;
    }
  }
  return { data: found, width: columns, height: rows };
}

/**
 * Marks the neighbors of marked points too.
 * @param {Uint8Array} marks
 */
function grown(marks) {
  const found = new Uint8Array(SIZE);
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      if (!marks[row * COLUMNS + column]) continue;
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, ROWS - 1); y++) {
        for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, COLUMNS - 1); x++) found[y * COLUMNS + x] = 1;
      }
    }
  }
  return found;
}

/**
 * @param {Pixels} picture
 * @param {number} sigma px of it
 * @returns {Pixels}
 */
function blurred({ data, width, height }, sigma) {
  const kernel = gaussian(sigma, Math.ceil(2.5 * sigma));
  const across = blurredAlong(data, kernel, width, 4, height, 4 * width);
  return { data: blurredAlong(across, kernel, height, 4 * width, width, 4), width, height };
}

/**
 * Pixels blurred along one axis; lines without any paint are left alone.
 * @param {Uint8ClampedArray} data
 * @param {Float32Array} kernel its half, from the middle on
 * @param {number} length px of a line
 * @param {number} step from px to px
 * @param {number} lines
 * @param {number} between from line to line
 */
function blurredAlong(data, kernel, length, step, lines, between) {
  const found = new Uint8ClampedArray(data.length);
  const reach = kernel.length - 1;
  const line = new Float32Array(length + 2 * reach);
  for (let n = 0, start = 0; n < lines; n++, start += between) {
    for (let c = 3; c >= 0; c--) {
      let first = length;
      let last = -1;
      for (let i = 0, from = start + c; i < length; i++, from += step) {
        const value = data[from];
        line[i + reach] = value;
        if (!value) continue;
        if (i < first) first = i;
        last = i;
      }
      if (last < 0) {
        if (c === 3) break; // premultiplied: what has no alpha has no color
        continue;
      }
      line.fill(line[reach], 0, reach);
      line.fill(line[reach + length - 1], reach + length);
      const end = Math.min(last + reach, length - 1);
      for (let i = Math.max(first - reach, 0), to = start + c + i * step; i <= end; i++, to += step) {
        const at = i + reach;
        let sum = kernel[0] * line[at];
        for (let k = 1; k <= reach; k++) sum += kernel[k] * (line[at - k] + line[at + k]);
        found[to] = sum;
      }
    }
  }
  return found;
}
