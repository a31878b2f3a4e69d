// The worker that finds and registers faces, off the page's thread.

import { CROP_HEIGHT, CROP_WIDTH } from "./crop.js";
import { Detector, NETWORK_SIZE } from "./detector.js";
import { COLUMNS, ROWS, SIZE, composedFields } from "./fields.js";
import { startRuntime, tensor, threadsOfRuntime, wholeNumbers } from "./inference.js";
import { windowPixels } from "./matte.js";
import { PixelFrame, pixelsOf } from "./pixels.js";
import { SteadyScenes } from "./scene.js";
import { boxOf } from "./similarity.js";
import { answerTasks } from "./tasks.js";
import { FaceTracker } from "./tracker.js";

/** @typedef {import("./registrar.js").Face} Face */
/** @typedef {import("./inference.js").InferenceSession} InferenceSession */

/** @type {FaceTracker | null} */
let tracker = null;
/** @type {import("./registrar.js").Template[]} */
const templates = [];
/** @type {PixelFrame | null} */
let lastFrame = null;
const scenes = new SteadyScenes();
let isSoftware = false; // whether the pixels are drawn on, for want of WebGL

/**
 * Loads runtime and networks.
 * @param {any} message
 */
async function load({ runtime, networks, config, template, threads, drawsPixels }) {
  isSoftware = drawsPixels;
  const session = startRuntime(runtime, threads);
  const run = registrationRun(await session(networks.registration));
  const look = detectorRun(await session(networks.detector));
  templates.push({ name: template.name, labels: template.labels, landmarks: template.landmarks, mesh: template.mesh, worn: template.worn });
  tracker = new FaceTracker(config, new Detector(look), run, templates[0]);
  // The first run of each is slow.
  const blank = new Uint8Array(CROP_WIDTH * CROP_HEIGHT);
  for (const ways of [[0, 1], [1]]) await run(blank, templates[0].labels, ways);
  await look(new Float32Array(3 * NETWORK_SIZE * NETWORK_SIZE));
  return { threads: threadsOfRuntime() };
}

/**
 * @param {InferenceSession} session
 * @returns {import("./registrar.js").Run}
 */
function registrationRun(session) {
  const images = tensor(new Float32Array(CROP_WIDTH * CROP_HEIGHT), [1, 1, CROP_HEIGHT, CROP_WIDTH]);
  const scaled = Float32Array.from({ length: 256 }, (_, value) => value / 255);
  return async (gray, labels, ways) => {
    const image = /** @type {Float32Array} */ (images.data);
    for (let i = 0; i < image.length; i++) image[i] = scaled[gray[i]];
    const template = tensor(labels, [1, 8, ROWS, COLUMNS]);
    const found = await session.run({ images, template, ways: wholeNumbers(ways) });
    return { parts: /** @type {Float32Array} */ (found.parts.data), fields: /** @type {Float32Array} */ (found.fields.data) };
  };
}

/**
 * @param {InferenceSession} session
 * @returns {(pixels: Float32Array) => Promise<{regressors: Float32Array, classificators: Float32Array}>}
 */
function detectorRun(session) {
  return async (pixels) => {
    const input = tensor(pixels, [1, NETWORK_SIZE, NETWORK_SIZE, 3]);
    const { regressors, classificators } = await session.run({ input });
    return { regressors: /** @type {Float32Array} */ (regressors.data), classificators: /** @type {Float32Array} */ (classificators.data) };
  };
}

/**
 * Registers the faces of a frame.
 * @param {{frame: VideoFrame | ImageBitmap, time: number, wants: {mesh: boolean, paint: boolean}, spare: ArrayBuffer | null}} message
 *   `spare`: memory of a frame that was shown, to be used again
 */
async function follow({ frame, time, wants, spare }) {
  const following = loaded();
  const began = performance.now();
  const read = await pixelsOf(frame, isSoftware ? spare : (lastFrame?.data.buffer ?? null));
  const pixels = performance.now() - began;
  lastFrame = isSoftware ? copyOf(read, lastFrame) : read;
  const found = await following.next(read, time);
  const faces = found.map((face) => handedOn(following, face, wants, read));
  const shown = isSoftware ? { data: read.data, width: read.width, height: read.height } : null;
  return { faces, pixels: shown, room: read.brightness(), times: { ...following.times, pixels, all: performance.now() - began } };
}

/**
 * A copy of a frame, in the memory of an older one if that is as large.
 * @param {PixelFrame} frame
 * @param {PixelFrame | null} older
 */
function copyOf({ data, width, height }, older) {
  const copy = older?.data.length === data.length ? older.data : new Uint8ClampedArray(data.length);
  copy.set(data);
  return new PixelFrame(copy, width, height);
}

/**
 * What drawing and statistics need of a face.
 * @param {FaceTracker} following
 * @param {Face} face
 * @param {{mesh: boolean, paint: boolean}} wants
 * @param {PixelFrame} frame
 */
function handedOn(following, face, wants, frame) {
  const { id, state, confidence, landmarks, crop, folds } = face;
  const record = { id, state, confidence, landmarks, box: boxOf(landmarks), crop, folds };
  if (state === "lost") return record;
  const onto = composedFields(following.template.worn, face.onto);
  const behind = wants.paint || wants.mesh ? { window: windowPixels(frame, crop), gray: face.gray, background: following.template.labels.slice(0, SIZE) } : null;
  return { ...record, onto, back: face.back, behind, mesh: wants.mesh ? following.meshOf(face) : null, parts: wants.paint ? face.parts : null, scene: wants.paint ? scenes.next(frame, face) : null };
}

/**
 * Makes a template of a face: the one followed in the last frame, or one that is found in a photograph.
 * @param {{frame: ImageBitmap | null, name: string}} message
 */
async function makeTemplate({ frame, name }) {
  const following = loaded();
  const shown = frame ? await pixelsOf(frame) : lastFrame;
  if (!shown) throw new Error("no frame");
  const looking = frame ? following.another() : following;
  if (frame) await looking.next(shown, 0);
  const made = await looking.templateOf(shown, name);
  if (!made) throw new Error("no face");
  const index = templates.findIndex((one) => one.name === name);
  if (index < 0) templates.push(made);
  else templates[index] = made;
  following.template = made;
  return { templates: templates.map((one) => one.name) };
}

function loaded() {
  if (!tracker) throw new Error("not loaded");
  return tracker;
}

answerTasks(
  {
    load,
    follow,
    makeTemplate,
    useTemplate: ({ name }) => {
      const found = templates.find((one) => one.name === name);
      if (found) loaded().template = found;
    },
    smooth: ({ isOn }) => {
      loaded().isSmoothed = isOn;
    },
    followAtMost: ({ faces }) => {
      loaded().most = faces;
    },
    reset: () => {
      tracker?.reset();
      scenes.forget();
      lastFrame = null;
    },
  },
  (answer) => [answer.pixels?.data.buffer],
);
