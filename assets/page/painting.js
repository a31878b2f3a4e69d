// Drawing on the processor, for browsers without a GPU: what shaders.js says, on pixels in memory.

import { GRAIN_PX, grainTile } from "./camera.js";
import { CROP_HEIGHT, CROP_WIDTH, scaleOf } from "./crop.js";
import { CELL, COLUMNS, ROWS, SIZE, mixed, placed } from "./fields.js";
import { levelFor } from "./layers.js";
import { BRIGHTEST, LIGHT_COLUMNS, LIGHT_ROWS, SHARES } from "./light.js";
import { meshColor, shownOf } from "./mesh.js";
import { boxOf, inverted, transformed } from "./similarity.js";
import { smoothstep } from "./visibility.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */
/** @typedef {import("./preparing.js").Drawing} Drawing */
/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} Pixels premultiplied RGBA */
/** @typedef {import("./layers.js").Layers} Layers */

const BORDER = 24; // crop px beyond the crop on which is drawn
const FADE = 6; // template px over which paint begins at the template's border
const THICK = [0.5, 0.95]; // alpha from which on paint hides the skin, and where it does wholly

/** @type {Map<number, Float32Array>} */
const tables = new Map();

/**
 * Factors of the fine grain, by brightness over shading times 128.
 * @param {number} exponent
 */
function grainTable(exponent) {
  let table = tables.get(exponent);
  if (!table) {
    table = Float32Array.from({ length: 512 }, (_, i) => Math.min(Math.max(Math.max(i / 128, 0.001) ** exponent, 0.5), BRIGHTEST));
    tables.set(exponent, table);
  }
  return table;
}

const VALUES = 4; // at each point of the lattice: template x and y, gain, 128 / shading

/**
 * Lays a picture on a face. Places and light are worked out on a lattice of a few px and are linear
 * between its points, as the field is.
 * @param {Pixels} frame drawn on
 * @param {Drawing} drawing
 * @param {Layers} layers
 * @param {string} blend
 * @param {number} opacity
 */
export function paintOverlay(frame, drawing, layers, blend, opacity) {
  const { crop, onto, light } = drawing;
  const box = boxOnFrame(frame, crop, BORDER);
  if (!box || opacity <= 0) return;
  const scale = scaleOf(crop);
  const step = Math.min(Math.max(Math.floor(CELL * scale), 1), 8);
  const cells = Math.ceil((box.x1 - box.x0) / step);
  const toCrop = inverted(crop);
  const grain = grainTable(SHARES[blend]?.[1] ?? 1);
  const level = levelFor(layers, scale, drawing.tone?.blur ?? 0);
  let upper = latticeRow(box.x0, box.y0, step, cells, toCrop, onto, light);
  for (let y = box.y0; y < box.y1; y += step) {
    const lower = latticeRow(box.x0, y + step, step, cells, toCrop, onto, light);
    for (let cell = 0; cell < cells; cell++) {
      if (!isPainted(layers.hasPaint, upper, lower, cell)) continue;
      paintCell(frame, box, y, step, cell, upper, lower, drawing, toCrop, level, grain, opacity);
    }
    upper = lower;
  }
}

/**
 * Values at the points of a row of the lattice.
 * @param {number} x0
 * @param {number} y
 * @param {number} step
 * @param {number} cells
 * @param {Affine} toCrop
 * @param {Float32Array} onto
 * @param {Uint8Array | null} light
 */
function latticeRow(x0, y, step, cells, toCrop, onto, light) {
  const row = new Float32Array(VALUES * (cells + 1));
  for (let i = 0, to = 0; i <= cells; i++, to += VALUES) {
    const x = x0 + i * step;
    const u = toCrop[0] * x + toCrop[1] * y + toCrop[2];
    const v = toCrop[3] * x + toCrop[4] * y + toCrop[5];
    const at = placed((u + 0.5) / CELL - 0.5, (v + 0.5) / CELL - 0.5);
    row[to] = u + mixed(onto, 0, at);
    row[to + 1] = v + mixed(onto, SIZE, at);
    if (!light) continue;
    const across = Math.min(Math.max(((u + 0.5) * LIGHT_COLUMNS) / CROP_WIDTH - 0.5, 0), LIGHT_COLUMNS - 1.001);
    const down = Math.min(Math.max(((v + 0.5) * LIGHT_ROWS) / CROP_HEIGHT - 0.5, 0), LIGHT_ROWS - 1.001);
    const [left, top] = [across | 0, down | 0];
    const [p, q] = [across - left, down - top];
    const a = 2 * (top * LIGHT_COLUMNS + left);
    const b = a + 2 * LIGHT_COLUMNS;
    row[to + 2] = ((1 - q) * ((1 - p) * light[a] + p * light[a + 2]) + q * ((1 - p) * light[b] + p * light[b + 2])) / 128;
    row[to + 3] = 128 / Math.max((1 - q) * ((1 - p) * light[a + 1] + p * light[a + 3]) + q * ((1 - p) * light[b + 1] + p * light[b + 3]), 1);
  }
  return row;
}

/**
 * Whether there is any paint near one of a cell's corners.
 * @param {Uint8Array} hasPaint
 * @param {Float32Array} upper
 * @param {Float32Array} lower
 * @param {number} cell
 */
function isPainted(hasPaint, upper, lower, cell) {
  for (let corner = 0; corner < 4; corner++) {
    const row = corner < 2 ? upper : lower;
    const at = VALUES * (cell + (corner & 1));
    const [x, y] = [row[at] + 0.5, row[at + 1] + 0.5];
    if (x > -CELL && y > -CELL && x < CROP_WIDTH + CELL && y < CROP_HEIGHT + CELL && hasPaint[placed(x / CELL - 0.5, y / CELL - 0.5)]) return true;
  }
  return false;
}

/**
 * @param {Pixels} frame
 * @param {{x0: number, x1: number, y1: number}} box
 * @param {number} y0
 * @param {number} step
 * @param {number} cell
 * @param {Float32Array} upper
 * @param {Float32Array} lower
 * @param {Drawing} drawing
 * @param {Affine} toCrop
 * @param {Pixels} level
 * @param {Float32Array} grain
 * @param {number} opacity
 */
function paintCell(frame, box, y0, step, cell, upper, lower, { seen, light, tone }, toCrop, level, grain, opacity) {
  const { data, width: frameWidth } = frame;
  const { data: picture, width, height } = level;
  const [kx, ky] = [width / CROP_WIDTH, height / CROP_HEIGHT];
  const a = VALUES * cell;
  const b = a + VALUES;
  const x0 = box.x0 + cell * step;
  const columns = Math.min(step, box.x1 - x0);
  const rows = Math.min(step, box.y1 - y0);
  const isLit = light !== null;
  const noise = tone && tone.noise > 0 ? grainTile() : null;
  for (let row = 0; row < rows; row++) {
    const t = row / step;
    let x = upper[a] + t * (lower[a] - upper[a]);
    let y = upper[a + 1] + t * (lower[a + 1] - upper[a + 1]);
    let gain = upper[a + 2] + t * (lower[a + 2] - upper[a + 2]);
    let shade = upper[a + 3] + t * (lower[a + 3] - upper[a + 3]);
    const dx = (upper[b] + t * (lower[b] - upper[b]) - x) / step;
    const dy = (upper[b + 1] + t * (lower[b + 1] - upper[b + 1]) - y) / step;
    const gains = (upper[b + 2] + t * (lower[b + 2] - upper[b + 2]) - gain) / step;
    const shades = (upper[b + 3] + t * (lower[b + 3] - upper[b + 3]) - shade) / step;
    const line = y0 + row;
    let to = 4 * (line * frameWidth + x0);
    let u = toCrop[0] * x0 + toCrop[1] * line + toCrop[2] + 0.5;
    let v = toCrop[3] * x0 + toCrop[4] * line + toCrop[5] + 0.5;
    const grainRow = noise && tone ? ((line + 97 * tone.seed) % GRAIN_PX) * GRAIN_PX : 0;
    const grainAt = noise && tone ? x0 + 61 * tone.seed : 0;
    for (let column = 0; column < columns; column++, to += 4, x += dx, y += dy, gain += gains, shade += shades, u += toCrop[0], v += toCrop[3]) {
      const nearX = x < CROP_WIDTH / 2 ? x + 0.5 : CROP_WIDTH - x - 0.5;
      const nearY = y < CROP_HEIGHT / 2 ? y + 0.5 : CROP_HEIGHT - y - 0.5;
      if (nearX <= 0 || nearY <= 0) continue;
      let across = (x + 0.5) * kx - 0.5;
      let down = (y + 0.5) * ky - 0.5;
      across = across < 0 ? 0 : across > width - 1 ? width - 1 : across;
      down = down < 0 ? 0 : down > height - 1 ? height - 1 : down;
      const left = across | 0;
      const top = down | 0;
      const i = 4 * (top * width + left);
      const right = left < width - 1 ? 4 : 0;
      const below = top < height - 1 ? 4 * width : 0;
      const p = across - left;
      const q = down - top;
      const w11 = p * q;
      const w10 = p - w11;
      const w01 = q - w11;
      const w00 = 1 - p - w01;
      let alpha = w00 * picture[i + 3] + w10 * picture[i + right + 3] + w01 * picture[i + below + 3] + w11 * picture[i + below + right + 3];
      if (alpha <= 0) continue;
      let share = opacity;
      if (nearX < FADE) share *= smooth(nearX / FADE);
      if (nearY < FADE) share *= smooth(nearY / FADE);
      if (seen) {
        const m = u < 0 ? 0 : u > CROP_WIDTH - 1 ? CROP_WIDTH - 1 : u | 0;
        const n = v < 0 ? 0 : v > CROP_HEIGHT - 1 ? CROP_HEIGHT - 1 : v | 0;
        share *= seen[n * CROP_WIDTH + m] / 255;
      }
      alpha *= share;
      let lit = share;
      let gray = 0;
      if (isLit) {
        gray = 0.299 * data[to] + 0.587 * data[to + 1] + 0.114 * data[to + 2];
        const ratio = (gray * shade) | 0;
        lit *= gain * grain[ratio > 511 ? 511 : ratio];
      }
      const keep = 1 - alpha / 255;
      const j = i + right;
      const k = i + below;
      const l = k + right;
      const red = w00 * picture[i] + w10 * picture[j] + w01 * picture[k] + w11 * picture[l];
      const green = w00 * picture[i + 1] + w10 * picture[j + 1] + w01 * picture[k + 1] + w11 * picture[l + 1];
      const blue = w00 * picture[i + 2] + w10 * picture[j + 2] + w01 * picture[k + 2] + w11 * picture[l + 2];
      let r = lit * red;
      let g = lit * green;
      let b = lit * blue;
      if (tone) {
        const { mixing: m, black, isSheer } = tone;
        const mixedRed = m[0] * red + m[1] * green + m[2] * blue;
        const mixedGreen = m[3] * red + m[4] * green + m[5] * blue;
        const mixedBlue = m[6] * red + m[7] * green + m[8] * blue;
        r = lit * mixedRed;
        g = lit * mixedGreen;
        b = lit * mixedBlue;
        if (isSheer) {
          const bright = 0.299 * r + 0.587 * g + 0.114 * b;
          const thick = 255 * smoothstep(THICK[0], THICK[1], alpha / 255);
          const most = (alpha * (gray > thick ? gray : thick)) / 255;
          if (bright > most) {
            const factor = Math.sqrt(Math.sqrt(most / bright));
            const excess = bright * factor - most;
            r = r * factor - excess;
            g = g * factor - excess;
            b = b * factor - excess;
          }
        }
        if (noise) {
          const grainy = share * tone.noise * noise[grainRow + ((grainAt + column) % GRAIN_PX)];
          r += grainy * mixedRed;
          g += grainy * mixedGreen;
          b += grainy * mixedBlue;
        }
        r = (r < 0 ? 0 : r) * (1 - black) + alpha * black;
        g = (g < 0 ? 0 : g) * (1 - black) + alpha * black;
        b = (b < 0 ? 0 : b) * (1 - black) + alpha * black;
      }
      data[to] = keep * data[to] + (r < alpha ? r : alpha);
      data[to + 1] = keep * data[to + 1] + (g < alpha ? g : alpha);
      data[to + 2] = keep * data[to + 2] + (b < alpha ? b : alpha);
    }
  }
}

/** @param {number} t 0..1 */
const smooth = (t) => t * t * (3 - 2 * t);

/**
 * Draws the face in the template's pose, on dark gray.
 * @param {Pixels} frame drawn on
 * @param {Drawing} drawing
 */
export function paintCanonical(frame, { crop, back }) {
  const { data, width, height } = frame;
  const source = data.slice();
  for (let i = 0; i < data.length; i += 4) [data[i], data[i + 1], data[i + 2], data[i + 3]] = [13, 15, 18, 255];
  const k = Math.max(CROP_WIDTH / width, CROP_HEIGHT / height); // template px per px
  const [columns, rows] = [Math.min(Math.round(CROP_WIDTH / k), width), Math.min(Math.round(CROP_HEIGHT / k), height)];
  const [x0, y0] = [(width - columns) >> 1, (height - rows) >> 1];
  for (let row = 0; row < rows; row++) {
    const v = (row + 0.5) * k - 0.5;
    let to = 4 * ((y0 + row) * width + x0);
    for (let column = 0; column < columns; column++, to += 4) {
      const u = (column + 0.5) * k - 0.5;
      const at = placed((u + 0.5) / CELL - 0.5, (v + 0.5) / CELL - 0.5);
      const [a, b] = [u + mixed(back, 0, at), v + mixed(back, SIZE, at)];
      const x = Math.min(Math.max(crop[0] * a + crop[1] * b + crop[2], 0), width - 1.001);
      const y = Math.min(Math.max(crop[3] * a + crop[4] * b + crop[5], 0), height - 1.001);
      const [left, top] = [x | 0, y | 0];
      const [p, q, i] = [x - left, y - top, 4 * (top * width + left)];
      for (let c = 0; c < 3; c++) {
        const upper = source[i + c] + p * (source[i + c + 4] - source[i + c]);
        const lower = source[i + c + 4 * width] + p * (source[i + c + 4 * width + 4] - source[i + c + 4 * width]);
        data[to + c] = upper + q * (lower - upper);
      }
    }
  }
}

/**
 * Draws the mesh: dark seams first, lines over them, dots on top.
 * @param {Pixels} frame drawn on
 * @param {{edges: [number, number, number][], levels: number[]}} mesh
 * @param {Drawing} drawing
 * @param {number} opacity
 */
export function paintMesh(frame, { edges, levels }, { crop, mesh: points, seen }, opacity) {
  if (!points) return;
  const scale = scaleOf(crop);
  const thickness = Math.max(1, Math.round(scale / 2.5));
  const radius = Math.max(1.2, 0.9 * scale);
  const shown = shownOf(points, crop, seen);
  const shade = [0, 0, 0, 0.16 * opacity];
  /** @type {(a: number, b: number, half: number, color: number[]) => void} */
  const line = (a, b, half, color) => {
    const share = (shown[a] + shown[b]) / 2;
    if (share > 0) paintCapsule(frame, points[2 * a], points[2 * a + 1], points[2 * b], points[2 * b + 1], half, share < 1 ? color.map((value) => share * value) : color);
  };
  for (const [a, b] of edges) line(a, b, (thickness + 2) / 2, shade);
  for (const [a, b, level] of edges) line(a, b, thickness / 2, meshColor(level, 0.85 * opacity));
  levels.forEach((level, i) => line(i, i, radius, meshColor(level, 0.95 * opacity)));
}

/**
 * Draws a line with round ends, or a dot.
 * @param {Pixels} frame
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 * @param {number} half its width
 * @param {number[]} color premultiplied, 0..1
 */
export function paintCapsule({ data, width, height }, x0, y0, x1, y1, half, [red, green, blue, alpha]) {
  const reach = half + 0.5;
  const [dx, dy] = [x1 - x0, y1 - y0];
  const square = dx * dx + dy * dy || 1;
  const bottom = Math.min(Math.floor(Math.max(y0, y1) + reach), height - 1);
  const [left, right] = [Math.max(Math.ceil(Math.min(x0, x1) - reach), 0), Math.min(Math.floor(Math.max(x0, x1) + reach), width - 1)];
  for (let y = Math.max(Math.ceil(Math.min(y0, y1) - reach), 0); y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      let t = ((x - x0) * dx + (y - y0) * dy) / square;
      t = t < 0 ? 0 : t > 1 ? 1 : t;
      const [u, v] = [x - x0 - t * dx, y - y0 - t * dy];
      const distance = u * u + v * v;
      if (distance >= reach * reach) continue;
      const cover = Math.min(reach - Math.sqrt(distance), 1);
      const to = 4 * (y * width + x);
      const keep = 1 - cover * alpha;
      data[to] = keep * data[to] + 255 * cover * red;
      data[to + 1] = keep * data[to + 1] + 255 * cover * green;
      data[to + 2] = keep * data[to + 2] + 255 * cover * blue;
      data[to + 3] = keep * data[to + 3] + 255 * cover * alpha;
    }
  }
}

/**
 * The box of whole px that a crop reaches, with a border; null beside the frame.
 * @param {Pixels} frame
 * @param {Affine} crop
 * @param {number} border crop px
 */
function boxOnFrame({ width, height }, crop, border) {
  const [right, bottom] = [CROP_WIDTH - 1 + border, CROP_HEIGHT - 1 + border];
  const [x0, y0, x1, y1] = boxOf(transformed(crop, Float64Array.of(-border, -border, right, -border, right, bottom, -border, bottom)));
  const box = { x0: Math.max(Math.ceil(x0), 0), y0: Math.max(Math.ceil(y0), 0), x1: Math.min(Math.floor(x1) + 1, width), y1: Math.min(Math.floor(y1) + 1, height) };
  return box.x0 < box.x1 && box.y0 < box.y1 ? box : null;
}
