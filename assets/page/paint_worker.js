// The worker that draws, or works out what WebGL draws with, while the other one follows the next frame.

import { layersOf } from "./layers.js";
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

/**
 * @param {{faces: Registered[], room: number, effect: string, opacity: number, pixels: Pixels | null}} message
 *   `pixels`: drawn on, where there is no WebGL
 */
function paint({ faces, room, effect, opacity, pixels }) {
  const began = performance.now();
  const drawings = faces.map((face) => prepared(face, effect, picture, skin, room));
  if (pixels && opacity > 0) {
    for (const drawing of drawings) {
      const layers = drawing.picture ? layersOf(drawing.picture) : picture?.layers;
      if (effect === "mesh") paintMesh(pixels, mesh, drawing, opacity);
      else if (effect !== "canonical" && layers) paintOverlay(pixels, drawing, layers, drawing.picture ? "glow" : (picture?.blend ?? "paint"), opacity);
    }
  }
  if (pixels && effect === "canonical" && drawings.length) paintCanonical(pixels, drawings[0]);
  return { drawings: pixels ? [] : drawings, pixels, ms: performance.now() - began };
}

/** @param {import("./preparing.js").Fit & {pixels: Pixels | null}} message */
function usePicture({ pixels, ...fit }) {
  picture = { ...fit, layers: pixels && layersOf(pixels) };
}

answerTasks(
  {
    load: (/** @type {any} */ message) => {
      ({ skin, mesh } = message);
    },
    paint,
    usePicture,
  },
  (answer) => [answer.pixels?.data.buffer, ...(answer.drawings ?? []).map((/** @type {any} */ { seen }) => seen?.buffer)],
);
