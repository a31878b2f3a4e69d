// The template's mesh as triangles for drawing: lines that fade towards the outline, and dots.

import { CROP_HEIGHT, CROP_WIDTH } from "./crop.js";
import { valueAt } from "./fields.js";
import { inverted, transformed } from "./similarity.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */

const NEAR = [225, 255, 250]; // RGB of the lines at the tip of the nose
const FAR = [90, 200, 255]; // and at the outline
const LEVELS = 6;
const NOSE_TIP = 30;
export const FLOATS = 9; // of a vertex: place, side and width, color

/**
 * Edges of triangles, each once, with their steps of fading, and those of the points.
 * @param {Points} points template px
 * @param {number[]} triangles indices, three in turn
 * @returns {{edges: [number, number, number][], levels: number[]}} start, end and step of each edge
 */
export function meshEdges(points, triangles) {
  const count = points.length / 2;
  const distances = Array.from({ length: count }, (_, i) => Math.hypot(points[2 * i] - points[2 * NOSE_TIP], points[2 * i + 1] - points[2 * NOSE_TIP + 1]));
  const most = Math.max(...distances, 1e-6);
  const depth = distances.map((distance) => (distance / most) ** 1.5);
  /** @param {number} value */
  const level = (value) => Math.min(Math.floor(value * LEVELS), LEVELS - 1);
  /** @type {Map<string, [number, number, number]>} */
  const edges = new Map();
  for (let i = 0; i < triangles.length; i += 3) {
    for (let k = 0; k < 3; k++) {
      const [a, b] = [triangles[i + k], triangles[i + ((k + 1) % 3)]];
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      edges.set(`${from} ${to}`, [from, to, level((depth[from] + depth[to]) / 2)]);
    }
  }
  return { edges: [...edges.values()], levels: depth.map(level) };
}

/**
 * Premultiplied color of a step of fading.
 * @param {number} level
 * @param {number} alpha
 */
export function meshColor(level, alpha) {
  const far = level / (LEVELS - 1);
  const a = alpha * (1 - 0.4 * far);
  return [...NEAR.map((near, i) => (a * ((1 - far) * near + far * FAR[i])) / 255), a];
}

/**
 * How much of each point of the mesh is seen, 0..1.
 * @param {Points} points frame px
 * @param {Affine} crop from crop px to frame px
 * @param {Uint8Array | null} seen of the crop, 0..255; null where nothing tells
 */
export function shownOf(points, crop, seen) {
  const shown = new Float32Array(points.length / 2).fill(1);
  if (!seen) return shown;
  const inCrop = transformed(inverted(crop), points);
  return shown.map((_, i) => valueAt(seen, CROP_WIDTH, CROP_HEIGHT, inCrop[2 * i], inCrop[2 * i + 1]) / 255);
}

/**
 * Triangles of the mesh: dark seams first, lines over them, dots on top.
 * @param {{edges: [number, number, number][], levels: number[]}} mesh
 * @param {Points} points frame px
 * @param {number} scale frame px per crop px
 * @param {number} opacity
 * @param {Float32Array} shown see `shownOf`; colors fade along an edge
 * @returns {Float32Array} vertices of `FLOATS` numbers
 */
export function meshVertices({ edges, levels }, points, scale, opacity, shown) {
  const thickness = Math.max(1, Math.round(scale / 2.5));
  const radius = Math.max(1.2, 0.9 * scale);
  const vertices = new Float32Array(FLOATS * 6 * (2 * edges.length + levels.length));
  let at = 0;
  /**
   * @param {number} x
   * @param {number} y
   * @param {number} u
   * @param {number} v
   * @param {number} half
   * @param {number[]} color
   * @param {number} share of it that is seen
   */
  const put = (x, y, u, v, half, color, share) => {
    vertices.set([x, y, u, v, half, ...color.map((value) => share * value)], at);
    at += FLOATS;
  };
  /** @type {(a: number, b: number, half: number, color: number[]) => void} */
  const line = (a, b, half, color) => {
    const [x0, y0, x1, y1] = [points[2 * a], points[2 * a + 1], points[2 * b], points[2 * b + 1]];
    const length = Math.hypot(x1 - x0, y1 - y0) || 1;
    const reach = half + 0.5;
    const [nx, ny] = [(reach * (y0 - y1)) / length, (reach * (x1 - x0)) / length];
    for (const [x, y, side, share] of [
      [x0, y0, 1, shown[a]],
      [x0, y0, -1, shown[a]],
      [x1, y1, 1, shown[b]],
      [x1, y1, 1, shown[b]],
      [x0, y0, -1, shown[a]],
      [x1, y1, -1, shown[b]],
    ])
      put(x + side * nx, y + side * ny, 0, side * reach, half, color, share);
  };
  const shade = [0, 0, 0, 0.16 * opacity];
  for (const [a, b] of edges) line(a, b, (thickness + 2) / 2, shade);
  for (const [a, b, level] of edges) line(a, b, thickness / 2, meshColor(level, 0.85 * opacity));
  const reach = radius + 0.5;
  levels.forEach((level, i) => {
    const color = meshColor(level, 0.95 * opacity);
    for (const [u, v] of [
      [-1, -1],
      [1, -1],
      [-1, 1],
      [-1, 1],
      [1, -1],
      [1, 1],
    ])
      put(points[2 * i] + reach * u, points[2 * i + 1] + reach * v, reach * u, reach * v, radius, color, shown[i]);
  });
  return vertices;
}
