// The face crop: the upright gray window that the network works on, and its transform.
//
// Pixel centers are at whole coordinates, in the frame as in the crop.

import { boxOf, chosen, meanOf, range, transformed, turnedAbout } from "./similarity.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */

/**
 * Pixels of a frame or of a window of it, channels in turn.
 * @typedef {{data: Uint8Array | Uint8ClampedArray, width: number, height: number, channels: number}} Picture
 */

/** Width and height of a face crop in px. */
export const CROP_WIDTH = 260;
export const CROP_HEIGHT = 320;
export const MARGIN = 2;

const ANTIALIAS = 1.5; // frame px per crop px above which a crop is averaged instead of sampled
const [RIGHT_EYE, LEFT_EYE] = [range(36, 42), range(42, 48)]; // iBUG: the eye at the image's left first

/**
 * Returns the map from crop px to frame px around a face.
 * @param {[number, number]} center frame px; it falls on the center of the crop
 * @param {number} side frame px of the square that bounds the landmarks
 * @param {number} roll radians, positive from +x to +y
 * @param {number} margin the crop's height over that side
 * @param {number} width of the crop
 * @param {number} height of the crop
 * @returns {Affine}
 */
export function cropAround(center, side, roll, margin = MARGIN, width = CROP_WIDTH, height = CROP_HEIGHT) {
  return turnedAbout([(width - 1) / 2, (height - 1) / 2], center, (margin * side) / height, roll);
}

/**
 * Returns the crop on which a face with these 68 landmarks is best registered.
 * @param {Points} landmarks frame px
 * @returns {Affine}
 */
export function cropAroundLandmarks(landmarks) {
  const roll = eyeRoll(landmarks);
  const { center, side } = boundingSquare(landmarks, roll);
  return cropAround(center, side, roll);
}

/**
 * Returns the angle of the line through both eyes, radians.
 * @param {Points} landmarks 68
 */
export function eyeRoll(landmarks) {
  const [left, right] = [meanOf(chosen(landmarks, LEFT_EYE)), meanOf(chosen(landmarks, RIGHT_EYE))];
  return Math.atan2(left[1] - right[1], left[0] - right[0]);
}

/**
 * Returns center and side of the square that bounds points along turned axes.
 * @param {Points} points
 * @param {number} roll radians
 * @returns {{center: [number, number], side: number}}
 */
export function boundingSquare(points, roll = 0) {
  const [cos, sin] = [Math.cos(roll), Math.sin(roll)];
  const [x0, y0, x1, y1] = boxOf(transformed([cos, sin, 0, -sin, cos, 0], points));
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return { center: [cos * x - sin * y, sin * x + cos * y], side: Math.max(x1 - x0, y1 - y0) };
}

/**
 * Returns frame px per crop px.
 * @param {Affine} m
 */
export function scaleOf(m) {
  return Math.sqrt(m[0] * m[4] - m[1] * m[3]);
}

/**
 * Returns the box of whole frame px that a crop is cut from.
 * @param {Affine} m from crop px to frame px
 * @param {number} frameWidth
 * @param {number} frameHeight
 * @param {number} width of the crop
 * @param {number} height of the crop
 * @returns {{x0: number, y0: number, width: number, height: number, cell: number}}
 *   `cell`: how many frame px a side are averaged
 */
export function windowOf(m, frameWidth, frameHeight, width = CROP_WIDTH, height = CROP_HEIGHT) {
  const scale = scaleOf(m);
  let cell = 1;
  if (scale > ANTIALIAS) cell = Math.min(Math.max(2, Math.floor(scale + 0.25)), frameWidth, frameHeight);
  const [right, bottom] = [width - 0.5, height - 0.5];
  const corners = Float64Array.of(-0.5, -0.5, right, -0.5, right, bottom, -0.5, bottom);
  const [x0, y0, x1, y1] = boxOf(transformed(m, corners));
  const [left, across] = cells(x0 - 2 * cell, x1 + 2 * cell, frameWidth, cell);
  const [top, down] = cells(y0 - 2 * cell, y1 + 2 * cell, frameHeight, cell);
  return { x0: left, y0: top, width: across, height: down, cell };
}

/**
 * @param {number} start
 * @param {number} stop
 * @param {number} size
 * @param {number} cell
 */
function cells(start, stop, size, cell) {
  const first = Math.min(Math.max(Math.floor(start), 0), size - cell);
  const count = Math.min(Math.max(Math.ceil((stop - first) / cell), 1), Math.floor((size - first) / cell));
  return [first, count * cell];
}

/**
 * Cuts a crop out of a window of a frame, by one resampling; beyond the frame its border goes on.
 * @param {Picture} picture the window
 * @param {{x0: number, y0: number, cell: number}} at where it lies in the frame
 * @param {Affine} m from crop px to frame px
 * @param {number} width of the crop
 * @param {number} height of the crop
 * @param {number} every 2 for every other px only
 * @returns {Uint8Array} width * height * channels, over `every` on both sides
 */
export function cut(picture, at, m, width = CROP_WIDTH, height = CROP_HEIGHT, every = 1) {
  const source = at.cell > 1 ? averaged(picture, at.cell) : picture;
  const [x, y] = [(0.5 - at.x0) / at.cell - 0.5, (0.5 - at.y0) / at.cell - 0.5];
  const k = every / at.cell;
  return sampled(source, [m[0] * k, m[1] * k, m[2] / at.cell + x, m[3] * k, m[4] * k, m[5] / at.cell + y], Math.ceil(width / every), Math.ceil(height / every));
}

/**
 * Returns the means over square cells, rounded.
 * @param {Picture} picture
 * @param {number} cell px
 * @returns {Picture}
 */
export function averaged({ data, width, height, channels }, cell) {
  const [columns, rows] = [Math.floor(width / cell), Math.floor(height / cell)];
  const means = new Uint8Array(columns * rows * channels);
  const share = 1 / (cell * cell);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let y = 0; y < cell; y++) {
          let from = ((row * cell + y) * width + column * cell) * channels + c;
          for (let x = 0; x < cell; x++, from += channels) sum += data[from];
        }
        means[to++] = Math.round(sum * share);
      }
    }
  }
  return { data: means, width: columns, height: rows, channels };
}

/**
 * Samples a picture at m(p), bilinear; its border goes on beyond it.
 * @param {Picture} picture
 * @param {Affine} m from the px of the result to those of the picture
 * @param {number} columns
 * @param {number} rows
 * @returns {Uint8Array}
 */
export function sampled({ data, width, height, channels }, m, columns, rows) {
  const found = new Uint8Array(columns * rows * channels);
  const [right, bottom] = [width - 1, height - 1];
  let to = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const x = Math.min(Math.max(m[0] * column + m[1] * row + m[2], 0), right);
      const y = Math.min(Math.max(m[3] * column + m[4] * row + m[5], 0), bottom);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const [u, v] = [x - left, y - top];
      const from = (top * width + left) * channels;
      const across = left < right ? channels : 0;
      const down = top < bottom ? width * channels : 0;
      for (let c = 0; c < channels; c++) {
        const at = from + c;
        const upper = data[at] + u * (data[at + across] - data[at]);
        const lower = data[at + down] + u * (data[at + down + across] - data[at + down]);
        found[to++] = upper + v * (lower - upper) + 0.5;
      }
    }
  }
  return found;
}

/**
 * Returns the gray picture of RGBA, or of a box of it: 0.299 R + 0.587 G + 0.114 B, as OpenCV rounds it.
 * @param {Picture} picture of 4 channels
 * @param {{x0: number, y0: number, width: number, height: number}} box
 * @returns {Picture}
 */
export function grayOf({ data, width, height }, box = { x0: 0, y0: 0, width, height }) {
  const gray = new Uint8Array(box.width * box.height);
  for (let row = 0, i = 0; row < box.height; row++) {
    let from = 4 * ((box.y0 + row) * width + box.x0);
    for (let column = 0; column < box.width; column++, i++, from += 4) {
      gray[i] = (9798 * data[from] + 19235 * data[from + 1] + 3735 * data[from + 2] + 16384) >> 15;
    }
  }
  return { data: gray, width: box.width, height: box.height, channels: 1 };
}
