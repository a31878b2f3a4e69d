// What is worked out of a registered face for drawing on it: what of a picture is seen, its light.

import { fieldPicture } from "./field_colors.js";
import { SIZE } from "./fields.js";
import { SHARES, lightOf } from "./light.js";
import { mixingOf } from "./scene.js";
import { inverted, transformed } from "./similarity.js";
import { freeOf, visibility } from "./visibility.js";

/** @typedef {import("./similarity.js").Affine} Affine */
/** @typedef {import("./similarity.js").Points} Points */

/**
 * A registered face as the worker that follows faces hands it on.
 * @typedef {{id: number, state: string, confidence: number, crop: Affine, landmarks: Points, onto: Float32Array, back: Float32Array, parts: Float32Array | null, behind: import("./matte.js").Behind | null, mesh: Points | null, scene: import("./scene.js").Scene | null}} Registered
 *   `onto`: to the template that textures are painted on; `mesh` in frame px
 */

/**
 * What is drawn on a face: fields, mesh in frame px, visibility of each px of the crop (0..255), its
 * light, what the scene makes of colors, and a picture of the crop that is drawn instead of one of the
 * template.
 * @typedef {{crop: Affine, onto: Float32Array, back: Float32Array, mesh: Points | null, seen: Uint8Array | null, light: Uint8Array | null, tone: Tone | null, picture: import("./painting.js").Pixels | null}} Drawing
 */

/**
 * What is put on a picture: a matrix of its colors, row by row, how bright black is, 0..1, whether thin
 * paint is never lighter than the skin below it, its blur (sigma, px of the frame), the deviation of its
 * noise as a share of its colors, and what noise is drawn from.
 * @typedef {{mixing: number[], black: number, isSheer: boolean, blur: number, noise: number, seed: number}} Tone
 */

/** @typedef {{cover: Uint8Array, blend: string, spareEyes: boolean, isOccluded: boolean}} Fit how a picture meets a face */

const LEAST_MEAN = 16; // brightness of a face, below which its noise is not taken for more
const NO_FIELD = new Float32Array(2 * SIZE);

/**
 * @param {Registered} face
 * @param {Uint8Array | null} matte see matte.js
 * @param {string} effect
 * @param {Fit | null} fit
 * @param {Uint8Array} skin of the template
 * @param {number} room mean brightness of the whole frame
 * @returns {Drawing}
 */
export function prepared(face, matte, effect, fit, skin, room) {
  const { crop, onto, back, mesh, parts, behind } = face;
  const scene = effect === "texture" ? face.scene : null;
  /** @type {Drawing} */
  const drawing = { crop, onto, back, mesh, seen: null, light: null, tone: null, picture: null };
  if (effect === "field") return { ...drawing, onto: NO_FIELD, picture: fieldPicture(onto, back) };
  const free = matte && freeOf(matte);
  if (effect === "mesh") return { ...drawing, seen: free };
  if ((effect !== "texture" && effect !== "labels") || !fit || !parts || !behind) return drawing;
  const share = SHARES[fit.blend];
  if (share) {
    drawing.light = lightOf(behind.gray, onto, fit.cover, room, share[0], scene && { scene, parts });
    if (scene) drawing.tone = toneOf(scene, fit.blend, room, share[1]);
  }
  if (fit.isOccluded) {
    const lips = transformed(inverted(crop), face.landmarks);
    drawing.seen = visibility(parts, free, onto, skin, lips, { spareEyes: fit.spareEyes, spareMouth: fit.blend !== "mask" });
  } else drawing.seen = free;
  return drawing;
}

/**
 * @param {import("./scene.js").Scene} scene
 * @param {string} blend
 * @param {number} room mean brightness of the whole frame
 * @param {number} grain share of the frame's own grain that paint takes over
 * @returns {Tone}
 */
function toneOf(scene, blend, room, grain) {
  const mean = Math.max(Number.isNaN(scene.skin) ? room : scene.skin, LEAST_MEAN);
  const noise = (scene.noise / mean) * Math.sqrt(1 - grain ** 2);
  return { mixing: mixingOf(scene), black: scene.black / 255, isSheer: blend === "tint", blur: scene.blur, noise, seed: scene.seed };
}
