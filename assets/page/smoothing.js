// Temporal smoothing of a registered face with One-Euro filters (Casiez, Roussel and Vogel, 2012).
//
// The same as the program's: the face's pose (a similarity from template to frame) and its shape,
// seen from that pose, are smoothed apart and put together again on the crop as it is. The field onto
// the face is the inverse of the one from the template.

import { COLUMNS, ROWS, SIZE, affineAfterField, difference, displaced, fieldAfterAffine, invertedField, sum, turned, valueAt } from "./fields.js";
import { chosen, composed, fittedSimilarity, inverted, meanOf, range, transformed, turnedAbout, boxOf, withoutTurns } from "./similarity.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */

/**
 * Parameters of a One-Euro filter: its cutoff is `minHz + beta * v**2 / (v + noise)`.
 * @typedef {{min_hz: number, beta: number, noise: number, speed_hz: number}} OneEuro
 */

const FRAME_S = 1 / 30;
const JUMP = 0.25; // of a face's side, from frame to frame: there is nothing to go on with
const INVERSE_STEPS = 3;
const [BLOCK_ROWS, BLOCK_COLUMNS] = [20, 16];
const UPPER = [...range(0, 3), ...range(14, 48)]; // temples, brows, nose, eyes

/**
 * Share of a step that a first-order low-pass filter goes.
 * @param {number} cutoffHz
 * @param {number} dt s
 */
export function smoothingShare(cutoffHz, dt) {
  return -Math.expm1(-2 * Math.PI * cutoffHz * dt);
}

/** A One-Euro filter for a vector whose numbers have one speed each, or one in common. */
export class OneEuroFilter {
  /** @type {Float64Array | null} */
  #before = null;
  /** @type {Float64Array} */
  #filtered = new Float64Array();
  /** @type {Float64Array} */
  #velocity = new Float64Array();

  /** @param {OneEuro} config */
  constructor(config) {
    this.config = config;
  }

  /**
   * Filters the next value; the first is returned as it is.
   * @param {number[]} value
   * @param {number} dt s since the last one
   * @param {number[]} unit sides of the face per unit of each number
   * @returns {number[]}
   */
  next(value, dt, unit) {
    if (!this.#before) {
      this.#before = Float64Array.from(value);
      this.#filtered = Float64Array.from(value);
      this.#velocity = new Float64Array(value.length);
      return value;
    }
    const before = this.#before;
    const share = smoothingShare(this.config.speed_hz, dt);
    let square = 0;
    value.forEach((now, i) => {
      this.#velocity[i] += share * (((now - before[i]) * unit[i]) / dt - this.#velocity[i]);
      square += this.#velocity[i] ** 2;
      before[i] = now;
    });
    const go = smoothingShare(cutoff(this.config, Math.sqrt(square)), dt);
    value.forEach((now, i) => (this.#filtered[i] += go * (now - this.#filtered[i])));
    return [...this.#filtered];
  }
}

/** A One-Euro filter for a field: blocks of its points have a speed each. */
export class FieldFilter {
  /** @type {Float32Array | null} */
  #before = null;
  /** @type {Float32Array} */
  #filtered = new Float32Array();
  #velocity = new Float32Array(2 * BLOCK_ROWS * BLOCK_COLUMNS);

  /** @param {OneEuro} config */
  constructor(config) {
    this.config = config;
  }

  /**
   * Filters the next field; the first is returned as it is.
   * @param {Float32Array} value
   * @param {number} dt s
   * @param {number} unit sides of the face per px
   * @returns {Float32Array}
   */
  next(value, dt, unit) {
    const before = this.#before;
    this.#before = value;
    if (!before) {
      this.#filtered = value;
      return value;
    }
    const blocks = BLOCK_ROWS * BLOCK_COLUMNS;
    const shares = new Float32Array(blocks);
    const share = smoothingShare(this.config.speed_hz, dt);
    const rates = blockMeans(difference(value, before));
    for (let i = 0; i < 2 * blocks; i++) this.#velocity[i] += share * (rates[i] * (unit / dt) - this.#velocity[i]);
    for (let i = 0; i < blocks; i++) {
      const speed = Math.hypot(this.#velocity[i], this.#velocity[i + blocks]);
      shares[i] = smoothingShare(cutoff(this.config, speed), dt);
    }
    const found = new Float32Array(2 * SIZE);
    for (let row = 0, i = 0; row < ROWS; row++) {
      const y = ((row + 0.5) * BLOCK_ROWS) / ROWS - 0.5;
      for (let column = 0; column < COLUMNS; column++, i++) {
        const go = valueAt(shares, BLOCK_COLUMNS, BLOCK_ROWS, ((column + 0.5) * BLOCK_COLUMNS) / COLUMNS - 0.5, y);
        found[i] = this.#filtered[i] + go * (value[i] - this.#filtered[i]);
        found[i + SIZE] = this.#filtered[i + SIZE] + go * (value[i + SIZE] - this.#filtered[i + SIZE]);
      }
    }
    this.#filtered = found;
    return found;
  }
}

/**
 * @param {OneEuro} config
 * @param {number} speed
 */
function cutoff(config, speed) {
  return config.min_hz + (config.beta * speed * speed) / (speed + config.noise + 1e-12);
}

/**
 * Means of both components over blocks; points on the border of two count for both in part.
 * @param {Float32Array} field
 */
export function blockMeans(field) {
  const blocks = BLOCK_ROWS * BLOCK_COLUMNS;
  const found = new Float32Array(2 * blocks);
  const [down, across] = [SPANS_DOWN, SPANS_ACROSS];
  for (let row = 0; row < BLOCK_ROWS; row++) {
    for (let column = 0; column < BLOCK_COLUMNS; column++) {
      let [x, y] = [0, 0];
      for (const [i, a] of down[row]) {
        for (const [j, b] of across[column]) {
          x += a * b * field[i * COLUMNS + j];
          y += a * b * field[SIZE + i * COLUMNS + j];
        }
      }
      found[row * BLOCK_COLUMNS + column] = x;
      found[blocks + row * BLOCK_COLUMNS + column] = y;
    }
  }
  return found;
}

/**
 * The points that each block covers, with their shares, which add up to one.
 * @param {number} points
 * @param {number} blocks
 * @returns {[number, number][][]}
 */
function spans(points, blocks) {
  const size = points / blocks;
  return Array.from({ length: blocks }, (_, block) => {
    const [start, end] = [block * size, (block + 1) * size];
    /** @type {[number, number][]} */
    const covered = [];
    for (let i = Math.floor(start); i < Math.min(Math.ceil(end - 1e-9), points); i++) {
      covered.push([i, (Math.min(i + 1, end) - Math.max(i, start)) / size]);
    }
    return covered;
  });
}

const SPANS_DOWN = spans(ROWS, BLOCK_ROWS);
const SPANS_ACROSS = spans(COLUMNS, BLOCK_COLUMNS);

/**
 * What is smoothed of a face.
 * @typedef {{crop: Affine, landmarks: Points, onto: Float32Array, back: Float32Array}} Registered
 */

/** Smooths one face from frame to frame; the first, and one that has jumped, stays as it is. */
export class FaceSmoother {
  #landmarks;
  #center;
  #side;
  #config;
  /** @type {OneEuroFilter} */
  #pose;
  /** @type {FieldFilter} */
  #back;
  /** @type {{time: number, pose: number[]} | null} */
  #last = null;
  #dt = FRAME_S;

  /**
   * @param {Points} landmarks of the template
   * @param {{pose: OneEuro, shape: OneEuro}} config
   */
  constructor(landmarks, config) {
    this.#landmarks = landmarks;
    this.#center = meanOf(chosen(landmarks, UPPER));
    const [x0, y0, x1, y1] = boxOf(landmarks);
    this.#side = Math.max(x1 - x0, y1 - y0);
    this.#config = config;
    this.#pose = new OneEuroFilter(config.pose);
    this.#back = new FieldFilter(config.shape);
  }

  /** Forgets the past. */
  reset() {
    this.#pose = new OneEuroFilter(this.#config.pose);
    this.#back = new FieldFilter(this.#config.shape);
    this.#last = null;
    this.#dt = FRAME_S;
  }

  /**
   * Smooths the face of the next frame.
   * @template {Registered} Face
   * @param {Face} face
   * @param {number} time s
   * @returns {Face} with other fields and landmarks, on the same crop
   */
  next(face, time) {
    const pose = this.#poseOf(face.landmarks);
    const side = this.#side * Math.exp(pose[2]);
    if (this.#last) {
      const { time: before, pose: last } = this.#last;
      pose[3] = last[3] + withoutTurns(pose[3] - last[3]);
      if (Math.hypot(pose[0] - last[0], pose[1] - last[1]) > JUMP * side) this.reset();
      else if (time > before) this.#dt = time - before;
    }
    const isFirst = this.#last === null;
    this.#last = { time, pose };
    const toFrame = face.crop;
    const toCrop = composed(inverted(toFrame), this.#matrix(pose)); // from template px
    const backShape = affineAfterField(inverted(toCrop), face.back);
    const smoothed = this.#pose.next(pose, this.#dt, [1 / side, 1 / side, 0.5, 0.5]);
    const backChange = difference(this.#back.next(backShape, this.#dt, 1 / this.#side), backShape);
    if (isFirst) return face;
    const held = composed(inverted(toFrame), this.#matrix(smoothed));
    const moved = composed(held, inverted(toCrop)); // crop px, by what the pose is held back
    const back = sum(affineAfterField(moved, face.back), turned(held, backChange));
    const onto = invertedField(back, fieldAfterAffine(inverted(moved), face.onto), INVERSE_STEPS);
    const landmarks = transformed(toFrame, displaced(back, this.#landmarks));
    return { ...face, onto, back, landmarks };
  }

  /**
   * Pose of the upper face: x, y of its center, log of its scale, its angle.
   * @param {Points} landmarks
   */
  #poseOf(landmarks) {
    const m = fittedSimilarity(chosen(this.#landmarks, UPPER), chosen(landmarks, UPPER));
    const [x, y] = transformed(m, Float64Array.from(this.#center));
    return [x, y, Math.log(Math.hypot(m[0], m[3])), Math.atan2(m[3], m[0])];
  }

  /** @param {number[]} pose */
  #matrix([x, y, scale, angle]) {
    return turnedAbout(this.#center, [x, y], Math.exp(scale), angle);
  }
}
