// The track of one face: where it was, how it moved, and the crop that the next frame is cut from.

import { cropAroundLandmarks } from "./crop.js";
import { boxOf, chosen, composed, fittedSimilarity, meanOf, range } from "./similarity.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */
/** @typedef {import("./registrar.js").Face} Face */

const RIGID = range(27, 48); // iBUG: nose and eyes, which expressions move least
const JUMP = 0.25; // of a face's side: steps longer than that say nothing about the next one
const FACES_PER_S = 4; // how many times its own size a face may move in a second unseen

export class Track {
  /** frames in a row that the detector did not see it when it was asked */
  missed = 0;
  /** how far its last step was from the one before, in sides of the face */
  surprise = 0;
  /** @type {[number, number]} */
  #step = [0, 0];
  /** @type {{landmarks: Points, crop: Affine} | null} */
  #chosen = null;
  /** @type {Affine | null} */
  #asked = null;

  /**
   * @param {Face} face
   * @param {number} seen s
   * @param {import("./smoothing.js").FaceSmoother} smoother
   */
  constructor(face, seen, smoother) {
    /** @type {Face} */
    this.face = face;
    /** the face as registered, before smoothing */
    this.registered = face;
    this.seen = seen;
    this.smoother = smoother;
  }

  get isLost() {
    return this.face.state === "lost";
  }

  get box() {
    return boxOf(this.face.landmarks);
  }

  /** The crop for the next frame, predicted by half the last step; eyes and nose carry it along. */
  nextCrop() {
    const { landmarks: now } = this.face;
    this.#chosen ??= { landmarks: now, crop: cropAroundLandmarks(now) };
    const { landmarks, crop } = this.#chosen;
    const ahead = chosen(now, RIGID).map((value, i) => value + 0.5 * this.#step[i % 2]);
    this.#asked = composed(fittedSimilarity(chosen(landmarks, RIGID), ahead), crop);
    return this.#asked;
  }

  /**
   * Takes a new registration.
   * @param {Face} found
   * @param {number} time s
   * @param {boolean} isSmoothed
   */
  move(found, time, isSmoothed) {
    if (found.crop !== this.#asked) this.#chosen = null;
    this.registered = { ...found, id: this.face.id };
    const face = isSmoothed ? this.smoother.next(this.registered, time) : this.registered;
    const [from, to] = [meanOf(this.face.landmarks), meanOf(face.landmarks)];
    const [x, y] = [to[0] - from[0], to[1] - from[1]];
    const side = sideOf(boxOf(face.landmarks));
    this.surprise = Math.hypot(x - this.#step[0], y - this.#step[1]) / side;
    this.#step = Math.hypot(x, y) < JUMP * side ? [x, y] : [0, 0];
    this.face = face;
    this.seen = time;
  }

  lose() {
    this.face = { ...this.face, state: "lost", confidence: 0 };
    this.#step = [0, 0];
    this.missed = 0;
    this.smoother.reset();
  }

  /**
   * Goes on with a lost track.
   * @param {Face} face
   * @param {number} time s
   * @param {boolean} isSmoothed
   */
  findAgain(face, time, isSmoothed) {
    this.move(face, time, isSmoothed);
    this.#step = [0, 0];
  }

  /**
   * Whether a lost track may be a face found now: near enough, of similar size.
   * @param {Face} face
   * @param {number} time s
   */
  canBe(face, time) {
    const sides = [sideOf(this.box), sideOf(boxOf(face.landmarks))];
    const most = Math.max(...sides);
    return most < 2 * Math.min(...sides) && this.distance(face) < most * (1 + FACES_PER_S * (time - this.seen));
  }

  /**
   * Between the middles of both faces' landmarks, frame px.
   * @param {Face} face
   */
  distance(face) {
    const [one, other] = [meanOf(this.face.landmarks), meanOf(face.landmarks)];
    return Math.hypot(one[0] - other[0], one[1] - other[1]);
  }
}

/**
 * Longer side of a box.
 * @param {[number, number, number, number]} box
 */
export function sideOf([x0, y0, x1, y1]) {
  return Math.max(x1 - x0, y1 - y0);
}
