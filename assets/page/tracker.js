// Follows one face: found by the detector, registered in every frame, smoothed, lost and found.
//
// The same steps and thresholds as the program's tracker, for one face.

import { calibrated, partDice, warpedLabels } from "./confidence.js";
import { CROP_HEIGHT, CROP_WIDTH, MARGIN, boundingSquare, cropAround, cropAroundLandmarks, eyeRoll } from "./crop.js";
import { landmarkSquare, overlap } from "./detector.js";
import { SIZE, composedFields, displaced, foldsPercent, invertedField } from "./fields.js";
import { boxOf, chosen, composed, fittedSimilarity, inverted, meanOf, range, transformed, withoutTurns } from "./similarity.js";
import { FaceSmoother } from "./smoothing.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */
/** @typedef {import("./crop.js").Picture} Picture */

/**
 * What faces are registered with.
 * @typedef {{name: string, labels: Float32Array, landmarks: Points, mesh: Points, worn: Float32Array | null}} Template
 *   `worn`: field from this template to the one that textures are painted on; null for that one
 */

/**
 * A registered face.
 * @typedef {object} Face
 * @property {number} id
 * @property {"tracking" | "uncertain" | "lost"} state
 * @property {number} confidence
 * @property {Points} landmarks frame px
 * @property {Affine} crop from crop px to frame px
 * @property {Float32Array} onto field from the crop to the template
 * @property {Float32Array} back field from the template to the crop
 * @property {Float32Array} parts
 * @property {Uint8Array} gray the crop
 * @property {number} folds %
 */

/**
 * Pixels of the frame: of a crop in gray, of a box in color.
 * @typedef {{width: number, height: number, gray: (crop: Affine) => Uint8Array, color: (box?: {x0: number, y0: number, width: number, height: number}) => Picture}} Frame
 */

/**
 * @typedef {{sure: number, unsure: number, gone: number, patience: number, look_every_s: number, search_every_s: number, remember_s: number, knots: [number, number][], smoothing: {pose: import("./smoothing.js").OneEuro, shape: import("./smoothing.js").OneEuro}}} TrackerConfig
 */

const RIGID = range(27, 48); // iBUG: nose and eyes, which expressions move least
const JUMP = 0.25; // of a face's side: steps longer than that say nothing about the next one
const [OFF_CENTER, SIZE_RATIO, TURN] = [0.12, 1.2, (15 * Math.PI) / 180];
const LESS_SURE = 0.03;
const ROUNDS = 3;
const INVERSE_STEPS = 4;
const NEAR = 3; // side of the window, in faces, in which a doubtful face is looked for

export class FaceTracker {
  /** @type {Face | null} */
  face = null;
  isSmoothed = true;
  /** ms that the last frame took to find and to register faces */
  times = { detect: 0, register: 0 };
  #config;
  #detector;
  #run;
  /** @type {Template} */
  #template;
  #smoother;
  #seen = 0;
  /** @type {[number, number]} */
  #step = [0, 0];
  #missed = 0;
  /** @type {{landmarks: Points, crop: Affine} | null} */
  #chosen = null;
  #nextId = 0;
  #lastLook = -Infinity;
  #lastSearch = -Infinity;

  /**
   * @param {TrackerConfig} config
   * @param {import("./detector.js").Detector} detector
   * @param {(gray: Uint8Array, labels: Float32Array) => Promise<{parts: Float32Array, fields: Float32Array}>} run
   *   runs the network on a crop: 8 parts, and the fields of both directions in px of their own grid
   * @param {Template} template
   */
  constructor(config, detector, run, template) {
    this.#config = config;
    this.#detector = detector;
    this.#run = run;
    this.#template = template;
    this.#smoother = new FaceSmoother(template.landmarks, config.smoothing);
  }

  get template() {
    return this.#template;
  }

  /** @param {Template} template */
  set template(template) {
    this.#template = template;
    this.#smoother = new FaceSmoother(template.landmarks, this.#config.smoothing);
  }

  /** Forgets the face. */
  reset() {
    this.face = null;
    this.#smoother.reset();
    this.#lastLook = this.#lastSearch = -Infinity;
    this.#chosen = null;
  }

  /**
   * Finds or follows the face in the next frame.
   * @param {Frame} frame
   * @param {number} time s
   * @returns {Promise<Face | null>}
   */
  async next(frame, time) {
    this.times = { detect: 0, register: 0 };
    if (this.face && this.face.state !== "lost") await this.#follow(frame, time);
    if (!this.face || this.face.state === "lost") await this.#search(frame, time);
    if (this.face && time - this.#seen > this.#config.remember_s) this.face = null;
    return this.face;
  }

  /**
   * Makes a template of the face as it is in a frame.
   * @param {Frame} frame
   * @param {string} name
   * @returns {Promise<Template>}
   */
  async templateOf(frame, name) {
    if (!this.face || this.face.state === "lost") throw new Error("no face");
    const face = await this.#register(frame, cropAroundLandmarks(this.face.landmarks));
    const toCrop = inverted(face.crop);
    const worn = new Float32Array(face.onto);
    return {
      name,
      labels: face.parts.slice(),
      landmarks: transformed(toCrop, face.landmarks),
      mesh: transformed(toCrop, this.meshOf(face)),
      worn: this.#template.worn ? composedFields(this.#template.worn, worn) : worn,
    };
  }

  /**
   * Mesh points of a face, frame px; the first are its landmarks.
   * @param {Face} face
   */
  meshOf(face) {
    const points = transformed(face.crop, displaced(face.back, this.#template.mesh));
    points.set(face.landmarks);
    return points;
  }

  /**
   * @param {Frame} frame
   * @param {number} time
   */
  async #follow(frame, time) {
    const crop = this.#nextCrop();
    let face = await this.#registerRefined(frame, crop);
    if (face.confidence >= this.#config.unsure) {
      this.#missed = 0;
      this.#move(face, time, crop);
      return;
    }
    const box = boxOf(/** @type {Face} */ (this.face).landmarks);
    const seen = await this.#lookNear(frame, box);
    this.#missed = seen ? 0 : this.#missed + 1;
    if (seen) {
      const approached = await this.#approach(frame, seen);
      if (approached.confidence > face.confidence) face = approached;
    }
    if (face.confidence < this.#config.gone || this.#missed >= this.#config.patience) this.#lose();
    else this.#move(face, time, crop);
  }

  /**
   * @param {Frame} frame
   * @param {number} time
   */
  async #search(frame, time) {
    const isSearch = time - this.#lastSearch >= this.#config.search_every_s;
    if (!isSearch && time - this.#lastLook < this.#config.look_every_s) return;
    this.#lastLook = time;
    if (isSearch) this.#lastSearch = time;
    for (const sighting of await this.#detect(frame.color(), isSearch)) {
      const face = await this.#approach(frame, sighting);
      if (face.confidence < this.#config.gone) continue;
      this.#take(face, time);
      return;
    }
  }

  /**
   * Starts following a face, as the one lost if it can be that.
   * @param {Face} face
   * @param {number} time
   */
  #take(face, time) {
    const before = this.face;
    const isBack = before && overlap(boxOf(before.landmarks), boxOf(face.landmarks)) > 0;
    const id = isBack ? before.id : this.#nextId++;
    this.#smoother.reset();
    this.face = { ...face, id };
    this.#step = [0, 0];
    this.#missed = 0;
    this.#chosen = null;
    this.#seen = time;
    if (this.isSmoothed) this.face = this.#smoother.next(this.face, time);
  }

  /**
   * @param {Face} found
   * @param {number} time
   * @param {Affine} asked the crop that was predicted
   */
  #move(found, time, asked) {
    const before = /** @type {Face} */ (this.face);
    if (found.crop !== asked) this.#chosen = null;
    let face = { ...found, id: before.id };
    if (this.isSmoothed) face = this.#smoother.next(face, time);
    const [from, to] = [meanOf(before.landmarks), meanOf(face.landmarks)];
    const [x, y] = [to[0] - from[0], to[1] - from[1]];
    const [x0, y0, x1, y1] = boxOf(face.landmarks);
    this.#step = Math.hypot(x, y) < JUMP * Math.max(x1 - x0, y1 - y0) ? [x, y] : [0, 0];
    this.face = face;
    this.#seen = time;
  }

  #lose() {
    this.face = { .../** @type {Face} */ (this.face), state: "lost", confidence: 0 };
    this.#step = [0, 0];
    this.#missed = 0;
    this.#smoother.reset();
  }

  /** The crop for the next frame, predicted by half the last step; eyes and nose carry it along. */
  #nextCrop() {
    const { landmarks: now } = /** @type {Face} */ (this.face);
    this.#chosen ??= { landmarks: now, crop: cropAroundLandmarks(now) };
    const { landmarks, crop } = this.#chosen;
    const ahead = chosen(now, RIGID).map((value, i) => value + 0.5 * this.#step[i % 2]);
    return composed(fittedSimilarity(chosen(landmarks, RIGID), ahead), crop);
  }

  /**
   * Registers a crop, and again where the face is off-center, rotated or mis-sized in it.
   * @param {Frame} frame
   * @param {Affine} crop
   */
  async #registerRefined(frame, crop) {
    let face = await this.#register(frame, crop);
    for (let round = 0; round < ROUNDS && isAskew(face); round++) {
      const better = await this.#register(frame, cropAroundLandmarks(face.landmarks));
      if (better.confidence <= face.confidence - LESS_SURE) break;
      face = better;
    }
    return face;
  }

  /**
   * @param {Frame} frame
   * @param {Affine} crop
   * @returns {Promise<Face>}
   */
  async #register(frame, crop) {
    const began = performance.now();
    const { labels, landmarks } = this.#template;
    const gray = frame.gray(crop);
    const { parts, fields } = await this.#run(gray, labels);
    const inCrop = fields.map((value) => 4 * value);
    const [about, back] = [inCrop.slice(0, 2 * SIZE), inCrop.slice(2 * SIZE)];
    const warped = warpedLabels(labels, about);
    const onto = invertedField(back, about, INVERSE_STEPS);
    const confidence = calibrated(this.#config.knots, partDice(warped, parts));
    const state = confidence >= this.#config.sure ? "tracking" : "uncertain";
    const found = transformed(crop, displaced(back, landmarks));
    this.times.register += performance.now() - began;
    return { id: -1, state, confidence, landmarks: found, crop, onto, back, parts, gray, folds: foldsPercent(about, warped) };
  }

  /**
   * @param {Frame} frame
   * @param {import("./detector.js").Sighting} sighting
   */
  #approach(frame, sighting) {
    const { center, side, roll } = landmarkSquare(sighting);
    return this.#registerRefined(frame, cropAround(center, side, roll));
  }

  /**
   * @param {Frame} frame
   * @param {[number, number, number, number]} box
   */
  async #lookNear(frame, [x0, y0, x1, y1]) {
    const [center, reach] = [[(x0 + x1) / 2, (y0 + y1) / 2], 0.5 * NEAR * Math.max(x1 - x0, y1 - y0)];
    const [left, top] = [Math.max(Math.floor(center[0] - reach), 0), Math.max(Math.floor(center[1] - reach), 0)];
    const [right, bottom] = [Math.min(Math.ceil(center[0] + reach), frame.width), Math.min(Math.ceil(center[1] + reach), frame.height)];
    if (right <= left || bottom <= top) return null;
    const seen = await this.#detect(frame.color({ x0: left, y0: top, width: right - left, height: bottom - top }), false);
    /** @param {import("./detector.js").Sighting} one */
    const distance = (one) => Math.hypot(one.center[0] + left - center[0], one.center[1] + top - center[1]);
    const [nearest] = seen.sort((a, b) => distance(a) - distance(b));
    if (!nearest) return null;
    const keypoints = nearest.keypoints.map((value, i) => value + (i % 2 ? top : left));
    return { ...nearest, center: /** @type {[number, number]} */ ([nearest.center[0] + left, nearest.center[1] + top]), keypoints };
  }

  /**
   * @param {Picture} picture
   * @param {boolean} tiled
   */
  async #detect(picture, tiled) {
    const began = performance.now();
    const found = await this.#detector.detect(picture, tiled);
    this.times.detect += performance.now() - began;
    return found;
  }
}

/**
 * Whether a face is off-center, rotated or mis-sized in its crop, unlike in training.
 * @param {Face} face
 */
function isAskew(face) {
  const { center, side } = boundingSquare(transformed(inverted(face.crop), face.landmarks));
  const off = Math.hypot(center[0] - (CROP_WIDTH - 1) / 2, center[1] - (CROP_HEIGHT - 1) / 2);
  const turn = withoutTurns(eyeRoll(face.landmarks) - Math.atan2(face.crop[3], face.crop[0]));
  const ratio = (MARGIN * side) / CROP_HEIGHT;
  return off > OFF_CENTER * side || Math.abs(turn) > TURN || !(1 / SIZE_RATIO < ratio && ratio < SIZE_RATIO);
}
