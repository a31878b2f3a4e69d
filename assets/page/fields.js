// Displacement fields of a face crop on the network's grid.
//
// A field is x of all points and then y of all points, row by row, in crop px. Its point (i, j) is
// the middle of the crop's cell (i, j). Between the points it is linear, beyond the outermost ones
// it stays as it is there.

import { CROP_HEIGHT, CROP_WIDTH } from "./crop.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */

export const COLUMNS = 65;
export const ROWS = 80;
export const SIZE = COLUMNS * ROWS;
export const CELL = CROP_WIDTH / COLUMNS;
const FOLD = 0.1; // determinants below it are taken for it
const EXACT_PX = 0.02;
const STEP_PX = 4.0;
export const OFFSET = 0.5 * CELL - 0.5; // crop px of the first point

/**
 * Samples a plane (rows x columns) at a place in its own px, bilinear.
 * @param {ArrayLike<number>} plane
 * @param {number} columns
 * @param {number} rows
 * @param {number} x
 * @param {number} y
 * @param {number} start where the plane begins in the array
 */
export function valueAt(plane, columns, rows, x, y, start = 0) {
  const [across, down] = [Math.min(Math.max(x, 0), columns - 1), Math.min(Math.max(y, 0), rows - 1)];
  const [left, top] = [Math.floor(across), Math.floor(down)];
  const [u, v] = [across - left, down - top];
  const at = start + top * columns + left;
  const right = left < columns - 1 ? 1 : 0;
  const below = top < rows - 1 ? columns : 0;
  const upper = plane[at] + u * (plane[at + right] - plane[at]);
  const lower = plane[at + below] + u * (plane[at + below + right] - plane[at + below]);
  return upper + v * (lower - upper);
}

/**
 * Returns points p + field(p).
 * @param {Float32Array} field
 * @param {Points} points crop px
 * @returns {Points}
 */
export function displaced(field, points) {
  const moved = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [(points[i] + 0.5) / CELL - 0.5, (points[i + 1] + 0.5) / CELL - 0.5];
    moved[i] = points[i] + valueAt(field, COLUMNS, ROWS, x, y);
    moved[i + 1] = points[i + 1] + valueAt(field, COLUMNS, ROWS, x, y, SIZE);
  }
  return moved;
}

/**
 * Composes two fields: u(p) = inner(p) + outer(p + inner(p)).
 * @param {Float32Array | null} outer null is the zero field
 * @param {Float32Array} inner
 * @returns {Float32Array}
 */
export function composedFields(outer, inner) {
  if (!outer) return inner;
  const found = new Float32Array(2 * SIZE);
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      const at = placed(column + inner[i] / CELL, row + inner[i + SIZE] / CELL);
      found[i] = inner[i] + mixed(outer, 0, at);
      found[i + SIZE] = inner[i + SIZE] + mixed(outer, SIZE, at);
    }
  }
  return found;
}

/**
 * Displacements of points that go through an affine map and then a field.
 * @param {Affine} m of crop px
 * @param {Float32Array} field
 * @returns {Float32Array}
 */
export function fieldAfterAffine(m, field) {
  return sum(sampledAt(field, m), affineDisplacements(m));
}

/**
 * Displacements of points that go through a field and then an affine map.
 * @param {Affine} m of crop px
 * @param {Float32Array} field
 * @returns {Float32Array}
 */
export function affineAfterField(m, field) {
  return sum(turned(m, field), affineDisplacements(m));
}

/**
 * Vectors through the linear part of an affine map.
 * @param {Affine} m
 * @param {Float32Array} field
 */
export function turned([a, b, , c, d], field) {
  const found = new Float32Array(2 * SIZE);
  for (let i = 0; i < SIZE; i++) {
    found[i] = a * field[i] + b * field[i + SIZE];
    found[i + SIZE] = c * field[i] + d * field[i + SIZE];
  }
  return found;
}

/**
 * Values of a field at m(p).
 * @param {Float32Array} field
 * @param {Affine} m of crop px
 */
export function sampledAt(field, m) {
  const found = new Float32Array(2 * SIZE);
  const [x0, y0] = [(m[0] * OFFSET + m[1] * OFFSET + m[2] + 0.5) / CELL - 0.5, (m[3] * OFFSET + m[4] * OFFSET + m[5] + 0.5) / CELL - 0.5];
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      const at = placed(m[0] * column + m[1] * row + x0, m[3] * column + m[4] * row + y0);
      found[i] = mixed(field, 0, at);
      found[i + SIZE] = mixed(field, SIZE, at);
    }
  }
  return found;
}

/**
 * @param {Affine} m
 */
function affineDisplacements([a, b, x0, c, d, y0]) {
  const found = new Float32Array(2 * SIZE);
  for (let row = 0, i = 0; row < ROWS; row++) {
    const y = OFFSET + CELL * row;
    for (let column = 0; column < COLUMNS; column++, i++) {
      const x = OFFSET + CELL * column;
      found[i] = (a - 1) * x + x0 + b * y;
      found[i + SIZE] = c * x + y0 + (d - 1) * y;
    }
  }
  return found;
}

/**
 * @param {Float32Array} one
 * @param {Float32Array} other
 */
export function sum(one, other) {
  const found = new Float32Array(one.length);
  for (let i = 0; i < found.length; i++) found[i] = one[i] + other[i];
  return found;
}

/**
 * @param {Float32Array} one
 * @param {Float32Array} other
 */
export function difference(one, other) {
  const found = new Float32Array(one.length);
  for (let i = 0; i < found.length; i++) found[i] = one[i] - other[i];
  return found;
}

/**
 * Inverts a field by Newton's method: v with v(p) + u(p + v(p)) = 0.
 * @param {Float32Array} field u
 * @param {Float32Array} start about the inverse
 * @param {number} steps
 * @returns {Float32Array}
 */
export function invertedField(field, start, steps) {
  const slopes = slopesOf(field);
  const found = start.slice();
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      for (let step = 0; step < steps; step++) {
        const at = placed(column + found[i] / CELL, row + found[i + SIZE] / CELL);
        const errorX = found[i] + mixed(field, 0, at);
        const errorY = found[i + SIZE] + mixed(field, SIZE, at);
        if (Math.abs(errorX) <= EXACT_PX && Math.abs(errorY) <= EXACT_PX) break;
        const xx = 1 + mixed(slopes, 0, at);
        const xy = mixed(slopes, SIZE, at);
        const yx = mixed(slopes, 2 * SIZE, at);
        const yy = 1 + mixed(slopes, 3 * SIZE, at);
        const determinant = xx * yy - xy * yx;
        const shrink = 1 / (Math.abs(determinant) < FOLD ? FOLD : determinant);
        found[i] -= Math.min(Math.max((yy * errorX - xy * errorY) * shrink, -STEP_PX), STEP_PX);
        found[i + SIZE] -= Math.min(Math.max((xx * errorY - yx * errorX) * shrink, -STEP_PX), STEP_PX);
      }
    }
  }
  return found;
}

// Where a place lies between the points of the grid: set by `placed`, read by `mixed`. Several planes
// are sampled at one place, and an object for each place would cost as much as all of it.
let [right, below, u, v] = [0, 0, 0, 0];

/**
 * Finds a place between the points of the grid, for `mixed`.
 * @param {number} x
 * @param {number} y
 * @returns {number} index of the point at its upper left
 */
export function placed(x, y) {
  const across = x < 0 ? 0 : x > COLUMNS - 1 ? COLUMNS - 1 : x;
  const down = y < 0 ? 0 : y > ROWS - 1 ? ROWS - 1 : y;
  const left = across | 0;
  const top = down | 0;
  u = across - left;
  v = down - top;
  right = left < COLUMNS - 1 ? 1 : 0;
  below = top < ROWS - 1 ? COLUMNS : 0;
  return top * COLUMNS + left;
}

/**
 * Samples a plane at the place that `placed` found last, bilinear.
 * @param {Float32Array} planes
 * @param {number} start where the plane begins
 * @param {number} at
 */
export function mixed(planes, start, at) {
  const i = start + at;
  const upper = planes[i] + u * (planes[i + right] - planes[i]);
  const lower = planes[i + below] + u * (planes[i + below + right] - planes[i + below]);
  return upper + v * (lower - upper);
}

/**
 * Slopes of a field, px per px, by Sobel's kernel: of x along x and y, of y along x and y.
 * @param {Float32Array} field
 */
function slopesOf(field) {
  const found = new Float32Array(4 * SIZE);
  /** @type {(i: number, size: number) => number} */
  const mirrored = (i, size) => (i < 0 ? -i : i >= size ? 2 * size - 2 - i : i);
  for (let row = 0, i = 0; row < ROWS; row++) {
    const [above, below] = [mirrored(row - 1, ROWS) * COLUMNS, mirrored(row + 1, ROWS) * COLUMNS];
    for (let column = 0; column < COLUMNS; column++, i++) {
      const [left, right] = [mirrored(column - 1, COLUMNS), mirrored(column + 1, COLUMNS)];
      const here = row * COLUMNS;
      for (const [from, to] of [
        [0, 0],
        [SIZE, 2 * SIZE],
      ]) {
        /** @param {number} at */
        const value = (at) => field[from + at];
        const across = value(above + right) - value(above + left) + 2 * (value(here + right) - value(here + left)) + value(below + right) - value(below + left);
        const down = value(below + left) - value(above + left) + 2 * (value(below + column) - value(above + column)) + value(below + right) - value(above + right);
        found[to + i] = across / (8 * CELL);
        found[to + SIZE + i] = down / (8 * CELL);
      }
    }
  }
  return found;
}

/**
 * Share in % of a face's points where its field folds: Jacobian determinant <= 0.
 * @param {Float32Array} field crop px, from the crop to the template
 * @param {Float32Array} background probability of no face at each point
 */
export function foldsPercent(field, background) {
  let [folded, inside] = [0, 0];
  /** @type {(at: number, step: number, place: number, size: number) => number} */
  const slope = (at, step, place, size) => {
    const [before, after] = [place > 0 ? 1 : 0, place < size - 1 ? 1 : 0];
    return (field[at + after * step] - field[at - before * step]) / ((before + after) * CELL);
  };
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      if (background[i] >= 0.5) continue;
      inside += 1;
      const [xx, xy] = [slope(i, 1, column, COLUMNS), slope(i, COLUMNS, row, ROWS)];
      const [yx, yy] = [slope(i + SIZE, 1, column, COLUMNS), slope(i + SIZE, COLUMNS, row, ROWS)];
      if ((1 + xx) * (1 + yy) - xy * yx <= 0) folded += 1;
    }
  }
  return (100 * folded) / Math.max(inside, 1);
}
