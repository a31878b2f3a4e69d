// Registers face crops with the template: the network, and what is made of its fields.
//
// The program runs the network both ways for every crop. Here a face that is followed is registered
// from the template to the crop alone, which landmarks, mesh and paint come from, in two thirds of the
// time; the other way, which confidence and folds are measured on, is run twice a second, and
// whenever the quick way is not sure of the face.

import { calibrated, partDice, warpedLabels } from "./confidence.js";
import { CROP_HEIGHT, CROP_WIDTH, MARGIN, boundingSquare, cropAroundLandmarks, eyeRoll } from "./crop.js";
import { SIZE, composedFields, displaced, foldsPercent, invertedField } from "./fields.js";
import { inverted, transformed, withoutTurns } from "./similarity.js";

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
 * @property {Trust | null} trust of the registration both ways that this one leans on
 */

/**
 * What a registration both ways says about the quick ones after it: by how much confidence measured
 * on the field from the template differs, the folds, and when that was.
 * @typedef {{ratio: number, folds: number, time: number}} Trust
 */

/**
 * Pixels of the frame: of a crop in gray, of a box in color.
 * @typedef {{width: number, height: number, gray: (crop: Affine) => Uint8Array, color: (box?: {x0: number, y0: number, width: number, height: number}) => Picture}} Frame
 */

/**
 * Runs the network on a crop: 8 parts, and the field of each way that is asked for (0: the crop fixed,
 * 1: the template fixed), in px of their own grid.
 * @typedef {(gray: Uint8Array, labels: Float32Array, ways: number[]) => Promise<{parts: Float32Array, fields: Float32Array}>} Run
 */

const [OFF_CENTER, SIZE_RATIO, TURN] = [0.12, 1.2, (15 * Math.PI) / 180];
const LESS_SURE = 0.03;
const ROUNDS = 3;
const INVERSE_STEPS = 4;
const BOTH_EVERY_S = 0.5;
const DOUBT = 0.1; // above the threshold at which the detector is asked: within it both ways are run

export class Registrar {
  /** ms that the network has taken since this was set to 0 */
  networkMs = 0;
  #config;
  #run;

  /**
   * @param {{sure: number, unsure: number, knots: [number, number][]}} config
   * @param {Run} run
   * @param {Template} template
   */
  constructor(config, run, template) {
    this.#config = config;
    this.#run = run;
    this.template = template;
  }

  /**
   * Mesh points of a face, frame px; the first are its landmarks.
   * @param {Face} face
   */
  meshOf(face) {
    const points = transformed(face.crop, displaced(face.back, this.template.mesh));
    points.set(face.landmarks);
    return points;
  }

  /**
   * Makes a template of a face as it is in a frame.
   * @param {Frame} frame
   * @param {Face} seen
   * @param {string} name
   * @returns {Promise<Template>}
   */
  async templateOf(frame, seen, name) {
    const face = await this.register(frame, cropAroundLandmarks(seen.landmarks));
    const toCrop = inverted(face.crop);
    return {
      name,
      labels: face.parts.slice(),
      landmarks: transformed(toCrop, face.landmarks),
      mesh: transformed(toCrop, this.meshOf(face)),
      worn: composedFields(this.template.worn, face.onto),
    };
  }

  /**
   * Registers a crop, and again where the face is off-center, rotated or mis-sized in it.
   * @param {Frame} frame
   * @param {Affine} crop
   * @param {{face: Face, time: number} | null} before the face as it was, to be followed, and the time now
   */
  async refined(frame, crop, before = null) {
    let face = before ? await this.#followed(frame, crop, before.face, before.time) : await this.register(frame, crop);
    for (let round = 0; round < ROUNDS && isAskew(face); round++) {
      const better = await this.register(frame, cropAroundLandmarks(face.landmarks), before?.time);
      if (better.confidence <= face.confidence - LESS_SURE) break;
      face = better;
    }
    return face;
  }

  /**
   * Registers a crop both ways.
   * @param {Frame} frame
   * @param {Affine} crop
   * @param {number} time s
   * @returns {Promise<Face>}
   */
  async register(frame, crop, time = -Infinity) {
    const gray = frame.gray(crop);
    const { parts, fields } = await this.#network(gray, [0, 1]);
    const [about, back] = [fields.subarray(0, 2 * SIZE), fields.subarray(2 * SIZE)];
    const warped = warpedLabels(this.template.labels, about);
    const onto = invertedField(back, about, INVERSE_STEPS);
    const agreement = partDice(warped, parts);
    const quick = partDice(warpedLabels(this.template.labels, onto), parts);
    const trust = { ratio: agreement / Math.max(quick, 0.01), folds: foldsPercent(about, warped), time };
    return this.#face(gray, crop, parts, onto, back, agreement, trust);
  }

  /**
   * Registers a crop of a face that is followed.
   * @param {Frame} frame
   * @param {Affine} crop
   * @param {Face} before
   * @param {number} time s
   */
  async #followed(frame, crop, before, time) {
    const { trust } = before;
    if (!trust || !(Math.abs(time - trust.time) < BOTH_EVERY_S)) return this.register(frame, crop, time);
    const gray = frame.gray(crop);
    const { parts, fields: back } = await this.#network(gray, [1]);
    const onto = invertedField(back, before.onto, INVERSE_STEPS);
    const agreement = trust.ratio * partDice(warpedLabels(this.template.labels, onto), parts);
    const face = this.#face(gray, crop, parts, onto, back, agreement, trust);
    return face.confidence < this.#config.unsure + DOUBT ? this.register(frame, crop, time) : face;
  }

  /**
   * Runs the network; its fields come in px of the crop.
   * @param {Uint8Array} gray
   * @param {number[]} ways
   */
  async #network(gray, ways) {
    const began = performance.now();
    const { parts, fields } = await this.#run(gray, this.template.labels, ways);
    for (let i = 0; i < fields.length; i++) fields[i] *= 4;
    this.networkMs += performance.now() - began;
    return { parts, fields };
  }

  /**
   * @param {Uint8Array} gray
   * @param {Affine} crop
   * @param {Float32Array} parts
   * @param {Float32Array} onto
   * @param {Float32Array} back
   * @param {number} agreement part Dice
   * @param {Trust} trust
   * @returns {Face}
   */
  #face(gray, crop, parts, onto, back, agreement, trust) {
    const confidence = calibrated(this.#config.knots, Math.min(agreement, 1));
    const state = confidence >= this.#config.sure ? "tracking" : "uncertain";
    const landmarks = transformed(crop, displaced(back, this.template.landmarks));
    return { id: -1, state, confidence, landmarks, crop, onto, back, parts, gray, folds: trust.folds, trust };
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
