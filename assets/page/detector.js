// Face detection: BlazeFace's anchors, decoding and suppression, and closer looks at what it finds.
//
// The same as the program's: what the network sees at first is a candidate only, and is looked at
// again, turned upright and filling more of the window.

import { averaged, cropAround, cut, windowOf } from "./crop.js";
import { transformed } from "./similarity.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */
/** @typedef {import("./crop.js").Picture} Picture */

/**
 * A face: center and side of the square from brows to chin, score 0..1, six keypoints.
 * @typedef {{center: [number, number], side: number, score: number, keypoints: Points}} Sighting
 */

export const NETWORK_SIZE = 128;
const WINDOW = 256; // px a side that sightings count in: the network sees every other one
const ANCHORS = 896;
const SAME = 0.3;
const CANDIDATE_SCORE = 0.35;
const LEAST_SCORE = 0.6;
const UNSURE = 0.8;
const SAME_FACE = 0.4;
const CLOSER_LOOKS = [
  [3.6, 0.2],
  [2.0, 0.4],
];
const SQUARE_X = [0.1485, -0.2183, 0.1822, 0.0597, 0.2558];
const SQUARE_Y = [-0.0962, -0.0516, -0.2086, 0.2043, 0.6366, -0.0577, 0.0474];
const SQUARE_SIDE = [0.596, -2.1115, 0.7578, -1.3081, 0.6369, 1.7319, 0.1231];

/** Centers of the anchors, shares of the picture: two a cell of 8 px, then six a cell of 16. */
export const anchors = (() => {
  const found = new Float64Array(2 * ANCHORS);
  let i = 0;
  for (const [cells, count] of [
    [16, 2],
    [8, 6],
  ]) {
    for (let row = 0; row < cells; row++) {
      for (let column = 0; column < cells; column++) {
        for (let n = 0; n < count; n++, i += 2) {
          found[i] = (column + 0.5) / cells;
          found[i + 1] = (row + 0.5) / cells;
        }
      }
    }
  }
  return found;
})();

/**
 * Decodes the network's outputs: boxes about anchors, thresholded, overlapping ones blended.
 * @param {Float32Array} regressors (896, 16) center, size and six keypoints in px from each anchor
 * @param {Float32Array} logits (896) of the scores
 * @param {number} minScore
 * @returns {Sighting[]} best first, in px of a window of 256 px
 */
export function decode(regressors, logits, minScore = CANDIDATE_SCORE) {
  /** @type {{score: number, box: number[], keypoints: number[]}[]} */
  let left = [];
  for (let i = 0; i < ANCHORS; i++) {
    const score = 1 / (1 + Math.exp(-Math.min(Math.max(logits[i], -100), 100)));
    if (score < minScore) continue;
    const at = Array.from(regressors.subarray(16 * i, 16 * i + 16), (value) => value / NETWORK_SIZE);
    const [x, y] = [at[0] + anchors[2 * i], at[1] + anchors[2 * i + 1]];
    const keypoints = at.slice(4).map((value, k) => value + anchors[2 * i + (k % 2)]);
    left.push({ score, box: [x - at[2] / 2, y - at[3] / 2, x + at[2] / 2, y + at[3] / 2], keypoints });
  }
  left.sort((a, b) => b.score - a.score);
  const found = [];
  while (left.length) {
    const best = left[0];
    const same = left.filter(({ box }) => overlap(best.box, box) > SAME);
    const total = same.reduce((sum, { score }) => sum + score, 0);
    /** @type {(pick: (one: {box: number[], keypoints: number[]}) => number) => number} */
    const blended = (pick) => same.reduce((sum, one) => sum + one.score * pick(one), 0) / total;
    const [x0, y0, x1, y1] = [0, 1, 2, 3].map((k) => WINDOW * blended(({ box }) => box[k]));
    const points = best.keypoints.map((_, k) => WINDOW * blended(({ keypoints }) => keypoints[k]) - 0.5);
    found.push(sightingOfBox(x0, y0, x1, y1, best.score, Float64Array.from(points)));
    left = left.filter((one) => !same.includes(one));
  }
  return found;
}

/**
 * A sighting by its box in whole px, as MediaPipe reports it.
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 * @param {number} score
 * @param {Points} keypoints
 * @returns {Sighting}
 */
function sightingOfBox(x0, y0, x1, y1, score, keypoints) {
  const [left, top] = [Math.max(Math.trunc(x0), 0), Math.max(Math.trunc(y0), 0)];
  const [width, height] = [Math.min(Math.trunc(x1 - x0), WINDOW), Math.min(Math.trunc(y1 - y0), WINDOW)];
  return { center: [left + width / 2 - 0.5, top + height / 2 - 0.5], side: (width + height) / 2, score, keypoints };
}

/**
 * Intersection over union of two boxes [x0, y0, x1, y1].
 * @param {ArrayLike<number>} one
 * @param {ArrayLike<number>} other
 */
export function overlap(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  /** @param {ArrayLike<number>} box */
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return shared / (area(one) + area(other) - shared);
}

/**
 * @param {Sighting} seen
 * @returns {[number, number, number, number]}
 */
function boxOfSighting({ center: [x, y], side }) {
  return [x - side / 2, y - side / 2, x + side / 2, y + side / 2];
}

/**
 * Angle of the line through both eyes.
 * @param {Sighting} seen
 */
export function rollOf({ keypoints }) {
  return Math.atan2(keypoints[3] - keypoints[1], keypoints[2] - keypoints[0]);
}

/**
 * Estimates the square that bounds the 68 landmarks, along axes turned by the roll.
 * @param {Sighting} seen
 * @returns {{center: [number, number], side: number, roll: number}}
 */
export function landmarkSquare(seen) {
  const { center, side, keypoints } = seen;
  const roll = rollOf(seen);
  const [cos, sin] = [Math.cos(roll), Math.sin(roll)];
  /** @param {number} i */
  const at = (i) => {
    const [x, y] = [(keypoints[2 * i] - center[0]) / side, (keypoints[2 * i + 1] - center[1]) / side];
    return [cos * x + sin * y, cos * y - sin * x];
  };
  const [eye, otherEye, nose, mouth, ear, otherEar] = [0, 1, 2, 3, 4, 5].map(at);
  const sideways = [eye[0] + otherEye[0], nose[0], mouth[0], ear[0] + otherEar[0], otherEar[1] - ear[1]];
  const upright = [1, otherEye[0] - eye[0], eye[1] + otherEye[1], nose[1], mouth[1], otherEar[0] - ear[0], ear[1] + otherEar[1]];
  /** @type {(values: number[], factors: number[]) => number} */
  const dot = (values, factors) => values.reduce((sum, value, i) => sum + value * factors[i], 0);
  const [x, y] = [side * dot(sideways, SQUARE_X), side * dot(upright, SQUARE_Y)];
  return { center: [center[0] + cos * x - sin * y, center[1] + sin * x + cos * y], side: side * dot(upright, SQUARE_SIDE), roll };
}

/** Finds faces in frames. */
export class Detector {
  #run;

  /**
   * @param {(pixels: Float32Array) => Promise<{regressors: Float32Array, classificators: Float32Array}>} run
   *   runs the network on 128 x 128 px of RGB, -1..1
   */
  constructor(run) {
    this.#run = run;
  }

  /**
   * Finds the faces of a picture.
   * @param {Picture} picture RGBA
   * @param {boolean} tiled whether to look through tiles of half the picture too, if nothing is seen
   * @param {(sighting: Sighting) => boolean} isKnown whether a candidate need not be looked at closer
   * @returns {Promise<Sighting[]>} best first
   */
  async detect(picture, tiled = false, isKnown = () => false) {
    const pyramid = new Pyramid(picture);
    /** @type {(window: Affine, least: number) => Promise<Sighting[]>} */
    const look = async (window, least) => this.#confirmed(pyramid, (await this.#look(pyramid, window)).filter((one) => !isKnown(one)), least);
    const found = await look(wholeOf(picture), LEAST_SCORE);
    if (!tiled || found.length) return suppressed(found);
    for (const tile of tilesOf(picture)) found.push(...(await look(tile, LEAST_SCORE + 0.1)));
    return suppressed(found);
  }

  /**
   * @param {Pyramid} pyramid
   * @param {Sighting[]} candidates
   * @param {number} least
   */
  async #confirmed(pyramid, candidates, least) {
    /** @type {Sighting[]} */
    const found = [];
    for (const candidate of candidates) {
      if (found.some((face) => isSame(face, candidate))) continue;
      let face = await this.#lookCloser(pyramid, candidate, rollOf(candidate), least);
      if (face && face.score < UNSURE) {
        // Upside down, a mouth and a brow can pass for eyes, but never as well as eyes do.
        face = (await this.#lookCloser(pyramid, candidate, rollOf(candidate) + Math.PI, face.score)) ?? face;
      }
      if (face) found.push(face);
    }
    return found;
  }

  /**
   * @param {Pyramid} pyramid
   * @param {Sighting} face
   * @param {number} roll
   * @param {number} least
   * @returns {Promise<Sighting | null>}
   */
  async #lookCloser(pyramid, face, roll, least) {
    let score = 1;
    for (const [margin, leastOverlap] of CLOSER_LOOKS) {
      const seen = await this.#look(pyramid, cropAround(face.center, margin * face.side, roll, 1, WINDOW, WINDOW));
      const box = boxOfSighting(face);
      /** @param {Sighting} one */
      const shared = (one) => overlap(box, boxOfSighting(one));
      const best = seen.reduce((/** @type {Sighting | null} */ most, one) => (most && shared(most) >= shared(one) ? most : one), null);
      if (!best || shared(best) < leastOverlap) return null;
      [face, roll, score] = [best, rollOf(best), Math.min(score, best.score)];
      if (score < least) return null;
    }
    return { ...face, score };
  }

  /**
   * Runs the network on what a square window of the frame shows.
   * @param {Pyramid} pyramid
   * @param {Affine} m from window px to frame px
   */
  async #look(pyramid, m) {
    const { regressors, classificators } = await this.#run(pyramid.cut(m));
    const scale = Math.hypot(m[0], m[3]);
    return decode(regressors, classificators).map((seen) => {
      const [x, y] = transformed(m, Float64Array.from(seen.center));
      return { center: /** @type {[number, number]} */ ([x, y]), side: scale * seen.side, score: seen.score, keypoints: transformed(m, seen.keypoints) };
    });
  }
}

/** A frame with its halvings, made when first needed, so that small windows stay cheap. */
class Pyramid {
  /** @param {Picture} picture */
  constructor(picture) {
    this.levels = [picture];
  }

  /**
   * Cuts a window of 256 px out of the level whose px are at most as wide as its own.
   * @param {Affine} m from window px to frame px
   * @returns {Float32Array} 128 x 128 px of RGB, -1..1
   */
  cut(m) {
    const wanted = Math.max(0, Math.floor(Math.log2(Math.hypot(m[0], m[3]))));
    let finest = this.levels[this.levels.length - 1];
    while (this.levels.length <= wanted && Math.min(finest.width, finest.height) > 1) {
      finest = averaged(finest, 2);
      this.levels.push(finest);
    }
    const level = Math.min(wanted, this.levels.length - 1);
    const [k, shift] = [2 ** -level, 0.5 * 2 ** -level - 0.5];
    /** @type {Affine} */
    const inLevel = [m[0] * k, m[1] * k, m[2] * k + shift, m[3] * k, m[4] * k, m[5] * k + shift];
    const picture = this.levels[level];
    const at = windowOf(inLevel, picture.width, picture.height, WINDOW, WINDOW);
    const pixels = cut(part(picture, at), at, inLevel, WINDOW, WINDOW, WINDOW / NETWORK_SIZE);
    const found = new Float32Array(3 * NETWORK_SIZE * NETWORK_SIZE);
    for (let i = 0, from = 0, to = 0; i < NETWORK_SIZE * NETWORK_SIZE; i++, from += 4, to += 3) {
      for (let c = 0; c < 3; c++) found[to + c] = pixels[from + c] / 127.5 - 1;
    }
    return found;
  }
}

/**
 * Copies a box of a picture.
 * @param {Picture} picture
 * @param {{x0: number, y0: number, width: number, height: number}} box
 * @returns {Picture}
 */
function part(picture, { x0, y0, width, height }) {
  const { data, channels } = picture;
  const found = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row++) {
    const from = ((y0 + row) * picture.width + x0) * channels;
    found.set(data.subarray(from, from + width * channels), row * width * channels);
  }
  return { data: found, width, height, channels };
}

/**
 * @param {Picture} picture
 * @returns {Affine} of a window that holds all of it
 */
function wholeOf({ width, height }) {
  return cropAround([(width - 1) / 2, (height - 1) / 2], Math.max(width, height), 0, 1, WINDOW, WINDOW);
}

/**
 * @param {Picture} picture
 * @returns {Affine[]} of overlapping windows of half its longer side
 */
function tilesOf({ width, height }) {
  const side = Math.max(width, height) / 2;
  /** @param {number} length */
  const centers = (length) => {
    if (length <= side) return [(length - 1) / 2];
    const steps = Math.ceil((length - side) / ((side * 2) / 3));
    return Array.from({ length: steps + 1 }, (_, i) => side / 2 - 0.5 + ((length - side) * i) / steps);
  };
  return centers(height).flatMap((y) => centers(width).map((x) => cropAround([x, y], side, 0, 1, WINDOW, WINDOW)));
}

/**
 * @param {Sighting} one
 * @param {Sighting} other
 */
function isSame(one, other) {
  return overlap(boxOfSighting(one), boxOfSighting(other)) > SAME_FACE;
}

/** @param {Sighting[]} found */
function suppressed(found) {
  /** @type {Sighting[]} */
  const kept = [];
  for (const face of [...found].sort((a, b) => b.score - a.score)) {
    if (!kept.some((better) => isSame(face, better))) kept.push(face);
  }
  return kept;
}
