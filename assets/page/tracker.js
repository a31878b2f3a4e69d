// Follows faces: found by the detector, registered in every frame, smoothed, lost and found.
//
// The same steps and thresholds as the program's tracker.

import { cropAround } from "./crop.js";
import { landmarkSquare, overlap } from "./detector.js";
import { Registrar } from "./registrar.js";
import { boxOf } from "./similarity.js";
import { FaceSmoother } from "./smoothing.js";
import { Track, sideOf } from "./track.js";

/** @typedef {import("./crop.js").Picture} Picture */
/** @typedef {import("./detector.js").Sighting} Sighting */
/** @typedef {import("./registrar.js").Face} Face */
/** @typedef {import("./registrar.js").Frame} Frame */
/** @typedef {import("./registrar.js").Template} Template */
/** @typedef {[number, number, number, number]} Box */

/**
 * @typedef {{sure: number, unsure: number, gone: number, patience: number, look_every_s: number, search_every_s: number, search_beside_every_s: number, remember_s: number, knots: [number, number][], smoothing: {pose: import("./smoothing.js").OneEuro, shape: import("./smoothing.js").OneEuro}}} TrackerConfig
 */

const NEAR = 3; // side of the window, in faces, in which a doubtful face is looked for
const SAME_FACE = 0.35; // overlap of the boxes of one and the same face

export class FaceTracker {
  isSmoothed = true;
  /** faces that are followed at most */
  most = 1;
  /** ms that the last frame took to find faces, to register them, and for the network in that */
  times = { detect: 0, register: 0, network: 0 };
  #config;
  #detector;
  #run;
  #registrar;
  /** @type {Track[]} */
  #tracks = [];
  #nextId = 0;
  #lastLook = -Infinity;
  #lastSearch = -Infinity;

  /**
   * @param {TrackerConfig} config
   * @param {import("./detector.js").Detector} detector
   * @param {import("./registrar.js").Run} run
   * @param {Template} template
   */
  constructor(config, detector, run, template) {
    this.#config = config;
    this.#detector = detector;
    this.#run = run;
    this.#registrar = new Registrar(config, run, template);
  }

  get template() {
    return this.#registrar.template;
  }

  /** @param {Template} template */
  set template(template) {
    this.#registrar.template = template;
    for (const track of this.#tracks) {
      track.smoother = this.#smoother();
      track.face.trust = track.registered.trust = null;
    }
  }

  /** Forgets every face. */
  reset() {
    this.#tracks = [];
    this.#lastLook = this.#lastSearch = -Infinity;
  }

  /**
   * Finds or follows faces in the next frame.
   * @param {Frame} frame
   * @param {number} time s
   * @returns {Promise<Face[]>} by their ids, those just lost too
   */
  async next(frame, time) {
    const began = performance.now();
    this.times = { detect: 0, register: 0, network: 0 };
    this.#registrar.networkMs = 0;
    this.#tracks.splice(this.most); // fewer are asked for than before
    await this.#follow(frame, time);
    await this.#search(frame, time);
    this.#tracks = this.#tracks.filter((track) => time - track.seen <= this.#config.remember_s);
    this.times.network = this.#registrar.networkMs;
    this.times.register = performance.now() - began - this.times.detect;
    return this.#tracks.map((track) => track.face).sort((a, b) => a.id - b.id);
  }

  /**
   * Makes a template of the largest face that is followed, as it is in a frame; null without one.
   * @param {Frame} frame
   * @param {string} name
   * @returns {Promise<Template | null>}
   */
  async templateOf(frame, name) {
    const seen = this.#tracks.filter(({ face }) => face.state === "tracking");
    if (!seen.length) return null;
    const largest = seen.reduce((most, track) => (sideOf(track.box) > sideOf(most.box) ? track : most));
    return this.#registrar.templateOf(frame, largest.face, name);
  }

  /**
   * Mesh points of a face, frame px.
   * @param {Face} face
   */
  meshOf(face) {
    return this.#registrar.meshOf(face);
  }

  /** Another tracker with the same networks and template, which follows nothing yet. */
  another() {
    return new FaceTracker(this.#config, this.#detector, this.#run, this.template);
  }

  #smoother() {
    return new FaceSmoother(this.template.landmarks, this.#config.smoothing);
  }

  /**
   * @param {Frame} frame
   * @param {number} time
   */
  async #follow(frame, time) {
    const tracks = this.#tracks.filter((track) => !track.isLost);
    for (const track of tracks) {
      const face = await this.#registrar.refined(frame, track.nextCrop(), { face: track.registered, time });
      if (face.confidence >= this.#config.unsure) {
        track.missed = 0;
        track.move(face, time, this.isSmoothed);
      } else await this.#question(track, face, frame, time);
    }
    for (const [i, one] of tracks.entries()) {
      for (const other of tracks.slice(i + 1)) {
        if (one.isLost || other.isLost || overlap(one.box, other.box) <= SAME_FACE) continue;
        (one.surprise > other.surprise ? one : other).lose(); // both have come to follow one face
      }
    }
  }

  /**
   * Keeps a face that is in doubt where the detector confirms it, or for a while.
   * @param {Track} track
   * @param {Face} face
   * @param {Frame} frame
   * @param {number} time
   */
  async #question(track, face, frame, time) {
    const others = this.#boxes(track);
    const seen = await this.#lookNear(frame, track.box, others);
    track.missed = seen ? 0 : track.missed + 1;
    if (seen) {
      const approached = await this.#approach(frame, seen);
      if (approached.confidence > face.confidence) face = approached;
    }
    if (face.confidence < this.#config.gone || track.missed >= this.#config.patience) track.lose();
    else track.move(face, time, this.isSmoothed);
  }

  /**
   * Detects faces that are not followed yet, while more may be.
   * @param {Frame} frame
   * @param {number} time
   */
  async #search(frame, time) {
    const followed = this.#boxes();
    if (followed.length >= this.most) return;
    for (const sighting of await this.#look(frame, followed, time)) {
      if (followed.length >= this.most) return;
      if (isAmong(squareOf(sighting), followed)) continue;
      const face = await this.#approach(frame, sighting);
      const least = followed.length ? this.#config.sure : this.#config.gone; // a further face is no need
      const box = boxOf(face.landmarks);
      if (face.confidence < least || isAmong(box, followed)) continue;
      this.#take(face, time);
      followed.push(box);
    }
  }

  /**
   * @param {Frame} frame
   * @param {Box[]} followed
   * @param {number} time
   * @returns {Promise<Sighting[]>}
   */
  async #look(frame, followed, time) {
    const { search_every_s: alone, search_beside_every_s: beside, look_every_s: every } = this.#config;
    const isSearch = time - this.#lastSearch >= (followed.length ? beside : alone);
    if (!isSearch && time - this.#lastLook < every) return [];
    this.#lastLook = time;
    if (isSearch) this.#lastSearch = time;
    return this.#detect(frame.color(), isSearch, (sighting) => isAmong(squareOf(sighting), followed));
  }

  /**
   * Starts to follow a face: the nearest lost one that it can be, or a new one.
   * @param {Face} face
   * @param {number} time
   */
  #take(face, time) {
    const lost = this.#tracks.filter((track) => track.isLost);
    const [nearest] = lost.filter((track) => track.canBe(face, time)).sort((a, b) => a.distance(face) - b.distance(face));
    if (nearest) {
      nearest.findAgain(face, time, this.isSmoothed);
      return;
    }
    if (this.#tracks.length >= this.most) {
      const oldest = lost.reduce((first, track) => (track.seen < first.seen ? track : first), lost[0]);
      this.#tracks = this.#tracks.filter((track) => track !== oldest);
    }
    const track = new Track({ ...face, id: this.#nextId++ }, time, this.#smoother());
    if (this.isSmoothed) track.smoother.next(track.face, time);
    this.#tracks.push(track);
  }

  /**
   * Boxes of the faces that are followed.
   * @param {Track} [except]
   */
  #boxes(except) {
    return this.#tracks.filter((track) => track !== except && !track.isLost).map((track) => track.box);
  }

  /**
   * @param {Frame} frame
   * @param {Sighting} sighting
   */
  #approach(frame, sighting) {
    const { center, side, roll } = landmarkSquare(sighting);
    return this.#registrar.refined(frame, cropAround(center, side, roll));
  }

  /**
   * The sighting nearest to where a face was, if it is no other's.
   * @param {Frame} frame
   * @param {Box} box
   * @param {Box[]} others
   * @returns {Promise<Sighting | null>}
   */
  async #lookNear(frame, [x0, y0, x1, y1], others) {
    const [center, reach] = [[(x0 + x1) / 2, (y0 + y1) / 2], 0.5 * NEAR * Math.max(x1 - x0, y1 - y0)];
    const [left, top] = [Math.max(Math.floor(center[0] - reach), 0), Math.max(Math.floor(center[1] - reach), 0)];
    const [right, bottom] = [Math.min(Math.ceil(center[0] + reach), frame.width), Math.min(Math.ceil(center[1] + reach), frame.height)];
    if (right <= left || bottom <= top) return null;
    const window = frame.color({ x0: left, y0: top, width: right - left, height: bottom - top });
    const seen = (await this.#detect(window, false)).map((one) => moved(one, left, top));
    /** @param {Sighting} one */
    const distance = (one) => Math.hypot(one.center[0] - center[0], one.center[1] - center[1]);
    const [nearest] = seen.filter((one) => !isAmong(squareOf(one), others)).sort((a, b) => distance(a) - distance(b));
    return nearest ?? null;
  }

  /**
   * @param {Picture} picture
   * @param {boolean} tiled
   * @param {(sighting: Sighting) => boolean} [isKnown]
   */
  async #detect(picture, tiled, isKnown) {
    const began = performance.now();
    const found = await this.#detector.detect(picture, tiled, isKnown);
    this.times.detect += performance.now() - began;
    return found;
  }
}

/**
 * Where the detector expects the landmarks.
 * @param {Sighting} sighting
 * @returns {Box}
 */
function squareOf(sighting) {
  const { center, side } = landmarkSquare(sighting);
  return [center[0] - side / 2, center[1] - side / 2, center[0] + side / 2, center[1] + side / 2];
}

/**
 * @param {Box} box
 * @param {Box[]} boxes
 */
function isAmong(box, boxes) {
  return boxes.some((other) => overlap(box, other) > SAME_FACE);
}

/**
 * A sighting in a window, in px of the frame.
 * @param {Sighting} sighting
 * @param {number} left
 * @param {number} top
 * @returns {Sighting}
 */
function moved(sighting, left, top) {
  const keypoints = sighting.keypoints.map((value, i) => value + (i % 2 ? top : left));
  return { ...sighting, center: [sighting.center[0] + left, sighting.center[1] + top], keypoints };
}
