// The worker that tells what hides faces and draws, or works out what WebGL draws with, while the other
// one follows the next frame.

import { startRuntime, tensor } from "./inference.js";
import { layersOf } from "./layers.js";
import { MATTE_HEIGHT, SteadyMattes, WINDOW_WIDTH, confidenceSeen } from "./matte.js";
import { paintCanonical, paintMesh, paintOverlay } from "./painting.js";
import { prepared } from "./preparing.js";
import { answerTasks } from "./tasks.js";

/** @typedef {import("./layers.js").Layers} Layers */
/** @typedef {import("./painting.js").Pixels} Pixels */
/** @typedef {import("./preparing.js").Registered} Registered */

let skin = new Uint8Array();
/** @type {{edges: [number, number, number][], levels: number[]}} */
let mesh = { edges: [], levels: [] };
/** @type {(import("./preparing.js").Fit & {layers: Layers | null}) | null} */
let picture = null;
/** @type {SteadyMattes | null} */
let mattes = null;

/**
 * Loads what hides a face is told with, and what drawing needs.
 * @param {any} message
 */
async function load(message) {
  ({ skin, mesh } = message);
  const session = startRuntime(message.runtime, 1);
  const run = matteRun(await session(message.network));
  await run(new Uint8Array(4 * WINDOW_WIDTH * MATTE_HEIGHT)); // the first run is slow
  mattes = new SteadyMattes(run);
}

/**
 * @param {import("./inference.js").InferenceSession} session
 * @returns {import("./matte.js").RunMatte}
 */
function matteRun(session) {
  const size = WINDOW_WIDTH * MATTE_HEIGHT;
  const images = tensor(new Float32Array(3 * size), [1, 3, MATTE_HEIGHT, WINDOW_WIDTH]);
  const scaled = Float32Array.from({ length: 256 }, (_, value) => value / 255);
  return async (rgba) => {
    const planes = /** @type {Float32Array} */ (images.data);
    for (let i = 0, from = 0; i < size; i++, from += 4) {
      planes[i] = scaled[rgba[from]];
      planes[i + size] = scaled[rgba[from + 1]];
      planes[i + 2 * size] = scaled[rgba[from + 2]];
    }
    const { parts } = await session.run({ images });
    return /** @type {Float32Array} */ (parts.data).subarray(size);
  };
}

/**
 * @param {{faces: Registered[], time: number, room: number, effect: string, opacity: number, pixels: Pixels | null}} message
 *   `time`: of the frame, s; `pixels`: drawn on, where there is no WebGL
 */
async function paint({ faces, time, room, effect, opacity, pixels }) {
  const began = performance.now();
  /** @type {(Uint8Array | null)[]} */
  const seen = [];
  for (const face of faces) seen.push(face.behind && mattes ? await mattes.next({ ...face, behind: face.behind }, time) : null);
  const confidences = faces.map((face, i) => {
    const matte = seen[i];
    return matte && face.behind ? confidenceSeen(face, matte, face.behind.background) : face.confidence;
  });
  const matte = performance.now() - began;
  const drawings = faces.map((face, i) => prepared(face, seen[i], effect, picture, skin, room));
  if (pixels && opacity > 0) {
    for (const drawing of drawings) {
      const layers = drawing.picture ? layersOf(drawing.picture) : picture?.layers;
      if (effect === "mesh") paintMesh(pixels, mesh, drawing, opacity);
      else if (effect !== "canonical" && layers) paintOverlay(pixels, drawing, layers, drawing.picture ? "glow" : (picture?.blend ?? "paint"), opacity);
    }
  }
  if (pixels && effect === "canonical" && drawings.length) paintCanonical(pixels, drawings[0]);
  return { drawings: pixels ? [] : drawings, pixels, confidences, ms: { matte, paint: performance.now() - began - matte } };
}

/** @param {import("./preparing.js").Fit & {pixels: Pixels | null}} message */
function usePicture({ pixels, ...fit }) {
  picture = { ...fit, layers: pixels && layersOf(pixels) };
}

answerTasks(
  {
    load,
    paint,
    reset: () => mattes?.forget(),
    usePicture,
  },
  (answer) => [answer.pixels?.data.buffer, ...(answer.drawings ?? []).map((/** @type {any} */ { seen }) => seen?.buffer)],
);
