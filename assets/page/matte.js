// What hides a face: a second network's matte of the crop, held steady from frame to frame.
//
// The matte of the frame before goes along with the crop. Where the picture is the same as it was there
// the matte changes slowly; where it has changed, as under a hand that comes in, the new one counts at
// once. The program's facewarp/face/occlusion.

import { blurredPlane, gaussian } from "./camera.js";
import { CROP_HEIGHT, CROP_WIDTH, cut, windowOf } from "./crop.js";
import { CELL, COLUMNS, OFFSET, ROWS, SIZE, valueAt } from "./fields.js";
import { composed, inverted, transformed } from "./similarity.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./registrar.js").Frame} Frame */

/**
 * What a matte is made of: the network's window in RGBA, the crop in gray, and how much of each cell of
 * the template is background, 0..1.
 * @typedef {{window: Uint8Array, gray: Uint8Array, background: Float32Array}} Behind
 */

/**
 * Runs the network on RGBA of a window, `WINDOW_WIDTH` x `MATTE_HEIGHT`: how much of each px is face, 0..1.
 * @typedef {(rgba: Uint8Array) => Promise<Float32Array>} RunMatte
 */

/** Size of a matte: half the crop's. */
export const MATTE_WIDTH = CROP_WIDTH / 2;
export const MATTE_HEIGHT = CROP_HEIGHT / 2;
/** Width of what the network sees: a px more on either side. */
export const WINDOW_WIDTH = MATTE_WIDTH + 2;

const PX = MATTE_WIDTH * MATTE_HEIGHT;
const HOLD_S = 0.12; // time constant of a matte where the picture stays the same
const GAP_S = 0.5; // between frames, after which nothing is carried on
const USUAL_S = 1 / 30;
const SAME = [4, 14]; // gray levels of difference: noise, and another thing
const FREE = 0.6; // share of the face that must be seen for its confidence to count in full
const KEPT = 64; // faces that are remembered
const [OF_GRAY, OF_CHANGE] = [gaussian(1, 3), gaussian(1.5, 6)];

/**
 * Returns the map from px of the network's window to frame px.
 * @param {Affine} crop from crop px to frame px
 * @returns {Affine}
 */
export function windowAround(crop) {
  return composed(crop, [2, 0, 0.5 - 2, 0, 2, 0.5]);
}

/**
 * Cuts the network's window out of a frame, RGBA.
 * @param {Frame} frame
 * @param {Affine} crop from crop px to frame px
 */
export function windowPixels(frame, crop) {
  const window = windowAround(crop);
  const at = windowOf(window, frame.width, frame.height, WINDOW_WIDTH, MATTE_HEIGHT);
  return cut(frame.color(at), at, window, WINDOW_WIDTH, MATTE_HEIGHT);
}

/** Mattes of faces, held steady; anew after a gap. */
export class SteadyMattes {
  #run;
  /** @type {Map<number, {time: number, crop: Affine, gray: Float32Array, matte: Float32Array}>} */
  #past = new Map();
  /** @param {RunMatte} run */
  constructor(run) {
    this.#run = run;
  }

  forget() {
    this.#past.clear();
  }

  /**
   * The matte of a face in the next frame: 255 where it is seen.
   * @param {{id: number, crop: Affine, behind: Behind}} face
   * @param {number} time s
   */
  async next({ id, crop, behind: { window, gray } }, time) {
    return this.steady({ id, crop, gray }, inside(await this.#run(window)), time);
  }

  /**
   * A face's matte, mixed with its last one.
   * @param {{id: number, crop: Affine, gray: Uint8Array}} face
   * @param {Float32Array} matte 0..255, as the network has it
   * @param {number} time s
   */
  steady({ id, crop, gray }, matte, time) {
    const soft = blurredPlane({ data: halved(gray), width: MATTE_WIDTH, height: MATTE_HEIGHT }, OF_GRAY).map(Math.round);
    const past = this.#past.get(id);
    if (past && time - past.time < GAP_S) matte = carriedOn(past, soft, matte, crop, time > past.time ? time - past.time : USUAL_S);
    this.#past.delete(id);
    this.#past.set(id, { time, crop, gray: soft, matte });
    for (const oldest of this.#past.keys()) {
      if (this.#past.size <= KEPT) break;
      this.#past.delete(oldest);
    }
    return Uint8Array.from(matte, Math.round);
  }
}

/**
 * The confidence that what is seen of a face allows.
 * @param {{confidence: number, back: Float32Array}} face
 * @param {Uint8Array} matte
 * @param {Float32Array} background of the template
 */
export function confidenceSeen({ confidence, back }, matte, background) {
  let [sum, whole] = [0, 0];
  for (let row = 0, i = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++, i++) {
      const weight = 1 - background[i];
      const [x, y] = [OFFSET + CELL * column + back[i], OFFSET + CELL * row + back[i + SIZE]];
      whole += weight;
      sum += weight * valueAt(matte, MATTE_WIDTH, MATTE_HEIGHT, (x - 0.5) / 2, (y - 0.5) / 2);
    }
  }
  return confidence * Math.min(1, sum / (255 * whole * FREE));
}

/**
 * A window's values without a column on either side, times 255.
 * @param {Float32Array} seen
 */
function inside(seen) {
  const found = new Float32Array(PX);
  for (let y = 0, i = 0; y < MATTE_HEIGHT; y++) {
    for (let x = 1; x <= MATTE_WIDTH; x++, i++) found[i] = Math.round(255 * seen[y * WINDOW_WIDTH + x]);
  }
  return found;
}

/**
 * Means of 2 x 2 px of a crop.
 * @param {Uint8Array} gray
 */
function halved(gray) {
  const found = new Float32Array(PX);
  for (let y = 0, i = 0; y < MATTE_HEIGHT; y++) {
    for (let x = 0, at = 2 * y * CROP_WIDTH; x < MATTE_WIDTH; x++, i++, at += 2) {
      found[i] = (gray[at] + gray[at + 1] + gray[at + CROP_WIDTH] + gray[at + CROP_WIDTH + 1] + 2) >> 2;
    }
  }
  return found;
}

/**
 * @param {{crop: Affine, gray: Float32Array, matte: Float32Array}} past
 * @param {Float32Array} gray
 * @param {Float32Array} matte
 * @param {Affine} crop
 * @param {number} passed s
 */
function carriedOn(past, gray, matte, crop, passed) {
  const back = composed(inverted(past.crop), crop); // px of this crop to px of the last
  const [x, y] = transformed(back, Float64Array.of(0.5, 0.5));
  /** @type {Affine} */
  const m = [back[0], back[1], (x - 0.5) / 2, back[3], back[4], (y - 0.5) / 2];
  const [before, shown] = [past.matte, past.gray].map((plane) => warped(plane, m));
  for (let i = 0; i < PX; i++) shown[i] = Math.abs(gray[i] - shown[i]);
  const change = blurredPlane({ data: shown, width: MATTE_WIDTH, height: MATTE_HEIGHT }, OF_CHANGE);
  const least = -Math.expm1(-passed / HOLD_S);
  for (let i = 0; i < PX; i++) {
    const changed = Math.min(Math.max((change[i] - SAME[0]) / (SAME[1] - SAME[0]), 0), 1);
    before[i] += (least + (1 - least) * changed) * (matte[i] - before[i]);
  }
  return before;
}

/**
 * A plane of the last crop at m(p); its border goes on beyond it.
 * @param {Float32Array} plane
 * @param {Affine} m
 */
function warped(plane, m) {
  const found = new Float32Array(PX);
  for (let y = 0, i = 0; y < MATTE_HEIGHT; y++) {
    let [u, v] = [m[1] * y + m[2], m[4] * y + m[5]];
    for (let x = 0; x < MATTE_WIDTH; x++, i++, u += m[0], v += m[3]) {
      const across = u < 0 ? 0 : u > MATTE_WIDTH - 1 ? MATTE_WIDTH - 1 : u;
      const down = v < 0 ? 0 : v > MATTE_HEIGHT - 1 ? MATTE_HEIGHT - 1 : v;
      const [left, top] = [across | 0, down | 0];
      const [p, q] = [across - left, down - top];
      const at = top * MATTE_WIDTH + left;
      const right = left < MATTE_WIDTH - 1 ? 1 : 0;
      const below = at + (top < MATTE_HEIGHT - 1 ? MATTE_WIDTH : 0);
      const upper = plane[at] + p * (plane[at + right] - plane[at]);
      found[i] = upper + q * (plane[below] + p * (plane[below + right] - plane[below]) - upper);
    }
  }
  return found;
}
