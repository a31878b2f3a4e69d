// The worker that finds and registers faces: ONNX Runtime in WebAssembly, off the page's thread.

import * as ort from "./ort.wasm.bundle.min.mjs";
import { CROP_HEIGHT, CROP_WIDTH, cut, grayOf, windowOf } from "./crop.js";
import { Detector, NETWORK_SIZE } from "./detector.js";
import { COLUMNS, ROWS, composedFields } from "./fields.js";
import { SHARES, lightOf } from "./light.js";
import { boxOf, inverted, transformed } from "./similarity.js";
import { FaceTracker } from "./tracker.js";
import { visibility } from "./visibility.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {{x0: number, y0: number, width: number, height: number}} Box */

/** @type {FaceTracker | null} */
let tracker = null;
/** @type {import("./tracker.js").Template[]} */
const templates = [];
let skin = new Uint8Array();
/** @type {{cover: Uint8Array, blend: string, spareEyes: boolean, isOccluded: boolean} | null} */
let picture = null;
const canvas = new OffscreenCanvas(1, 1);
const paper = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
const thumbnail = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(32, 24).getContext("2d", { willReadFrequently: true }));

/** A frame whose pixels are read only where they are needed. */
class BitmapFrame {
  /** @param {ImageBitmap} bitmap */
  constructor(bitmap) {
    this.bitmap = bitmap;
    this.width = bitmap.width;
    this.height = bitmap.height;
  }

  /** @param {Box} box */
  color(box = { x0: 0, y0: 0, width: this.width, height: this.height }) {
    const { x0, y0, width, height } = box;
    if (canvas.width < width || canvas.height < height) {
      canvas.width = Math.max(canvas.width, width);
      canvas.height = Math.max(canvas.height, height);
    }
    paper.drawImage(this.bitmap, x0, y0, width, height, 0, 0, width, height);
    return { data: paper.getImageData(0, 0, width, height).data, width, height, channels: 4 };
  }

  /** @param {Affine} crop */
  gray(crop) {
    const at = windowOf(crop, this.width, this.height);
    return cut(grayOf(this.color(at)), at, crop);
  }

  /** Mean brightness, from a small picture of it. */
  brightness() {
    thumbnail.drawImage(this.bitmap, 0, 0, 32, 24);
    const { data } = thumbnail.getImageData(0, 0, 32, 24);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i] + data[i + 1] + data[i + 2];
    return sum / (0.75 * data.length);
  }
}

/**
 * Loads runtime and networks.
 * @param {any} message
 */
async function load({ runtime, networks, config, template, threads }) {
  ort.env.wasm.wasmBinary = runtime;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  // Threads that spin between two operators take the cores from camera and drawing.
  const extra = { session: { intra_op: { allow_spinning: "0" } } };
  /** @param {ArrayBuffer} model */
  const session = (model) => ort.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"], graphOptimizationLevel: "all", extra });
  const registration = await session(networks.registration);
  const detection = await session(networks.detector);
  const detector = new Detector(async (pixels) => {
    const input = new ort.Tensor("float32", pixels, [1, NETWORK_SIZE, NETWORK_SIZE, 3]);
    const { regressors, classificators } = await detection.run({ input });
    return { regressors: /** @type {Float32Array} */ (regressors.data), classificators: /** @type {Float32Array} */ (classificators.data) };
  });
  /** @type {(gray: Uint8Array, labels: Float32Array) => Promise<{parts: Float32Array, fields: Float32Array}>} */
  const run = async (gray, labels) => {
    const image = new Float32Array(gray.length);
    for (let i = 0; i < gray.length; i++) image[i] = gray[i] / 255;
    const images = new ort.Tensor("float32", image, [1, 1, CROP_HEIGHT, CROP_WIDTH]);
    const found = await registration.run({ images, template: new ort.Tensor("float32", labels, [1, 8, ROWS, COLUMNS]) });
    return { parts: /** @type {Float32Array} */ (found.parts.data), fields: /** @type {Float32Array} */ (found.fields.data) };
  };
  skin = template.skin;
  templates.push({ name: template.name, labels: template.labels, landmarks: template.landmarks, mesh: template.mesh, worn: template.worn });
  tracker = new FaceTracker(config, detector, run, templates[0]);
  await run(new Uint8Array(CROP_WIDTH * CROP_HEIGHT), templates[0].labels); // the first run of each is slow
  await detection.run({ input: new ort.Tensor("float32", new Float32Array(3 * NETWORK_SIZE * NETWORK_SIZE), [1, NETWORK_SIZE, NETWORK_SIZE, 3]) });
  return { threads: ort.env.wasm.numThreads };
}

/**
 * Registers the face of a frame, and works out what is needed to draw on it.
 * @param {{bitmap: ImageBitmap, time: number, wantsMesh: boolean, wantsPaint: boolean}} message
 */
async function follow({ bitmap, time, wantsMesh, wantsPaint }) {
  if (!tracker) throw new Error("not loaded");
  const frame = new BitmapFrame(bitmap);
  const face = await tracker.next(frame, time);
  const answer = { bitmap, times: tracker.times, face: face && { id: face.id, state: face.state, confidence: face.confidence, landmarks: face.landmarks, box: boxOf(face.landmarks), crop: face.crop, folds: face.folds } };
  if (!face || face.state === "lost") return answer;
  const onto = composedFields(tracker.template.worn, face.onto);
  const drawing = { onto, back: face.back, mesh: wantsMesh ? tracker.meshOf(face) : null, seen: /** @type {Uint8Array | null} */ (null), light: /** @type {Uint8Array | null} */ (null) };
  if (wantsPaint && picture) {
    const share = SHARES[picture.blend];
    if (share) drawing.light = lightOf(face.gray, onto, picture.cover, frame.brightness(), share[0]);
    const lips = transformed(inverted(face.crop), face.landmarks);
    if (picture.isOccluded) drawing.seen = visibility(face.parts, onto, skin, lips, { spareEyes: picture.spareEyes, spareMouth: picture.blend !== "mask" });
  }
  return { ...answer, drawing };
}

/**
 * Makes a template of the face in a picture: the one followed, or one that is found in it.
 * @param {{bitmap: ImageBitmap, name: string, isPhoto: boolean}} message
 */
async function makeTemplate({ bitmap, name, isPhoto }) {
  if (!tracker) throw new Error("not loaded");
  const frame = new BitmapFrame(bitmap);
  const before = tracker.face;
  if (isPhoto) {
    tracker.reset();
    await tracker.next(frame, 0);
  }
  const isSeen = tracker.face?.state === "tracking";
  const made = isSeen ? await tracker.templateOf(frame, name) : null;
  if (isPhoto) {
    tracker.reset();
    tracker.face = before;
  }
  bitmap.close();
  if (!made) throw new Error("no face");
  const index = templates.findIndex((one) => one.name === name);
  if (index < 0) templates.push(made);
  else templates[index] = made;
  useTemplate(name);
  return { templates: templates.map((one) => one.name) };
}

/** @param {string} name */
function useTemplate(name) {
  const found = templates.find((one) => one.name === name);
  if (tracker && found) tracker.template = found;
}

/** @type {Record<string, (message: any) => any>} */
const TASKS = {
  load,
  follow,
  makeTemplate,
  useTemplate: ({ name }) => useTemplate(name),
  usePicture: ({ cover, blend, spareEyes, isOccluded }) => {
    picture = { cover, blend, spareEyes, isOccluded };
  },
  smooth: ({ isOn }) => {
    if (tracker) tracker.isSmoothed = isOn;
  },
  reset: () => tracker?.reset(),
};

let last = Promise.resolve();
onmessage = ({ data: { id, task, ...message } }) => {
  last = last.then(async () => {
    try {
      const answer = (await TASKS[task](message)) ?? {};
      const buffers = [answer.bitmap, answer.drawing?.seen?.buffer].filter(Boolean);
      postMessage({ id, answer }, { transfer: buffers });
    } catch (error) {
      message.bitmap?.close();
      postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
};
