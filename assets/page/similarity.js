// Similarity and affine transforms of points.

/**
 * An affine map as rows: x' = m[0] x + m[1] y + m[2], y' = m[3] x + m[4] y + m[5].
 * @typedef {[number, number, number, number, number, number]} Affine
 */

/**
 * Points, x and y in turn.
 * @typedef {Float64Array} Points
 */

/**
 * Returns points under an affine map.
 * @param {Affine} m
 * @param {Points} points
 * @returns {Points}
 */
export function transformed(m, points) {
  const moved = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i], points[i + 1]];
    moved[i] = m[0] * x + m[1] * y + m[2];
    moved[i + 1] = m[3] * x + m[4] * y + m[5];
  }
  return moved;
}

/**
 * Composes two affine maps: outer(inner(p)).
 * @param {Affine} outer
 * @param {Affine} inner
 * @returns {Affine}
 */
export function composed(outer, inner) {
  const [a, b, x, c, d, y] = outer;
  return [
    a * inner[0] + b * inner[3],
    a * inner[1] + b * inner[4],
    a * inner[2] + b * inner[5] + x,
    c * inner[0] + d * inner[3],
    c * inner[1] + d * inner[4],
    c * inner[2] + d * inner[5] + y,
  ];
}

/**
 * Inverts an affine map.
 * @param {Affine} m
 * @returns {Affine}
 */
export function inverted([a, b, x, c, d, y]) {
  const det = a * d - b * c;
  const [p, q, r, s] = [d / det, -b / det, -c / det, a / det];
  return [p, q, -(p * x + q * y), r, s, -(r * x + s * y)];
}

/**
 * Returns the similarity that maps one point to another, scales and rotates (+x to +y).
 * @param {[number, number]} start
 * @param {[number, number]} end
 * @param {number} scale
 * @param {number} angle radians
 * @returns {Affine}
 */
export function turnedAbout(start, end, scale, angle) {
  const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  return [cos, -sin, end[0] - (cos * start[0] - sin * start[1]), sin, cos, end[1] - (sin * start[0] + cos * start[1])];
}

/**
 * Fits the similarity that maps points closest to others: least squares, in complex numbers.
 * @param {Points} start
 * @param {Points} end
 * @returns {Affine}
 */
export function fittedSimilarity(start, end) {
  const [from, to] = [meanOf(start), meanOf(end)];
  let [real, imaginary, square] = [0, 0, 0];
  for (let i = 0; i < start.length; i += 2) {
    const [x, y] = [start[i] - from[0], start[i + 1] - from[1]];
    const [u, v] = [end[i] - to[0], end[i + 1] - to[1]];
    real += x * u + y * v;
    imaginary += x * v - y * u;
    square += x * x + y * y;
  }
  return turnedAbout(from, to, Math.hypot(real, imaginary) / square, Math.atan2(imaginary, real));
}

/**
 * Returns the mean of points.
 * @param {Points} points
 * @returns {[number, number]}
 */
export function meanOf(points) {
  let [x, y] = [0, 0];
  for (let i = 0; i < points.length; i += 2) {
    x += points[i];
    y += points[i + 1];
  }
  return [(2 * x) / points.length, (2 * y) / points.length];
}

/**
 * Returns some of the points.
 * @param {Points} points
 * @param {number[]} indices
 * @returns {Points}
 */
export function chosen(points, indices) {
  const found = new Float64Array(2 * indices.length);
  indices.forEach((index, i) => {
    found[2 * i] = points[2 * index];
    found[2 * i + 1] = points[2 * index + 1];
  });
  return found;
}

/**
 * Returns the bounding box of points: [x0, y0, x1, y1].
 * @param {Points} points
 * @returns {[number, number, number, number]}
 */
export function boxOf(points) {
  /** @type {[number, number, number, number]} */
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    box[0] = Math.min(box[0], points[i]);
    box[1] = Math.min(box[1], points[i + 1]);
    box[2] = Math.max(box[2], points[i]);
    box[3] = Math.max(box[3], points[i + 1]);
  }
  return box;
}

/**
 * Returns the whole numbers from `start` up to `end`, without it.
 * @param {number} start
 * @param {number} end
 */
export function range(start, end) {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/**
 * Returns an angle less the whole turns in it, within half a turn of zero.
 * @param {number} angle radians
 */
export function withoutTurns(angle) {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}
