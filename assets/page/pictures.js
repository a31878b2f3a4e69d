// Textures: those of the page and the user's own.

/** @typedef {{name: string, blend: string, spareEyes: boolean, isOccluded: boolean, bitmap: ImageBitmap, cover: Uint8Array, address: string}} Picture */
/** @typedef {import("./painting.js").Pixels} Pixels */

const [WIDTH, HEIGHT] = [260, 320];
const [COLUMNS, ROWS] = [65, 80];
const TOLERANCE = 0.01; // of the aspect
const LARGEST = 1040; // px of width that are kept
const OPAQUE = 250;
export const OWN = "own";

/** A picture that is no texture, as one sentence. */
export class PictureError extends Error {}

/**
 * Decodes a picture of the page.
 * @param {{name: string, blend: string, covers_eyes: boolean}} entry of the manifest
 * @param {ArrayBuffer} file
 * @returns {Promise<Picture>}
 */
export async function shippedPicture({ name, blend, covers_eyes }, file) {
  const blob = new Blob([file], { type: "image/webp" });
  const bitmap = await createImageBitmap(blob, { premultiplyAlpha: "premultiply" });
  return { name, blend, spareEyes: !covers_eyes, isOccluded: name !== "labels", bitmap, cover: coverOf(bitmap), address: URL.createObjectURL(blob) };
}

/**
 * Takes a user's file as a texture.
 * @param {File} file
 * @param {Float32Array} labels of the template, 8 planes; what is opaque everywhere is cut to its face
 * @returns {Promise<Picture>}
 */
export async function ownPicture(file, labels) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { premultiplyAlpha: "premultiply" });
  } catch {
    throw new PictureError(`${file.name} is no picture that this browser can read: save it as a PNG.`);
  }
  const { width, height } = bitmap;
  if (Math.abs((height * WIDTH) / (width * HEIGHT) - 1) > TOLERANCE) {
    throw new PictureError(`${file.name} is ${width} × ${height} px: a texture has the proportions of the template, 260 : 320, for instance 1040 × 1280.`);
  }
  const size = Math.min(width, LARGEST);
  const canvas = new OffscreenCanvas(size, Math.round((size * HEIGHT) / WIDTH));
  const paper = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  paper.imageSmoothingQuality = "high";
  paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  if (coverOf(bitmap).every((cover) => cover > OPAQUE)) cutToFace(paper, labels.subarray(0, COLUMNS * ROWS));
  const cut = await createImageBitmap(canvas, { premultiplyAlpha: "premultiply" });
  const cover = coverOf(cut);
  const blob = await canvas.convertToBlob();
  return { name: OWN, blend: "paint", spareEyes: !coversEyes(cover, labels), isOccluded: true, bitmap: cut, cover, address: URL.createObjectURL(blob) };
}

/**
 * The pixels of a picture, premultiplied: what is drawn with where there is no WebGL.
 * @param {ImageBitmap} bitmap
 * @returns {Pixels}
 */
export function premultiplied(bitmap) {
  const { data, width, height } = pixelsOfBitmap(bitmap);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3] / 255;
    for (let c = i; c < i + 3; c++) data[c] *= alpha;
  }
  return { data, width, height };
}

/**
 * The pixels of a picture, alpha apart.
 * @param {ImageBitmap} bitmap
 */
export function pixelsOfBitmap(bitmap) {
  const paper = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true }));
  paper.drawImage(bitmap, 0, 0);
  return paper.getImageData(0, 0, bitmap.width, bitmap.height);
}

/**
 * @param {OffscreenCanvasRenderingContext2D} paper
 * @param {Float32Array} background
 */
function cutToFace(paper, background) {
  const mask = new OffscreenCanvas(COLUMNS, ROWS);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (mask.getContext("2d"));
  const pixels = context.createImageData(COLUMNS, ROWS);
  for (let i = 0; i < COLUMNS * ROWS; i++) pixels.data[4 * i + 3] = 255 * (1 - background[i]);
  context.putImageData(pixels, 0, 0);
  paper.globalCompositeOperation = "destination-in";
  paper.drawImage(mask, 0, 0, paper.canvas.width, paper.canvas.height);
}

/**
 * How much of a picture lies at each point of the template's grid, 0..255.
 * @param {ImageBitmap} bitmap
 */
export function coverOf(bitmap) {
  const canvas = new OffscreenCanvas(COLUMNS, ROWS);
  const paper = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  paper.imageSmoothingQuality = "high";
  paper.drawImage(bitmap, 0, 0, COLUMNS, ROWS);
  const { data } = paper.getImageData(0, 0, COLUMNS, ROWS);
  return Uint8Array.from({ length: COLUMNS * ROWS }, (_, i) => data[4 * i + 3]);
}

/**
 * Whether a picture covers the eyes on purpose, as glasses do.
 * @param {Uint8Array} cover
 * @param {Float32Array} labels of the template, 8 planes
 */
export function coversEyes(cover, labels) {
  const size = COLUMNS * ROWS;
  const inEyes = Array.from(cover).filter((_, i) => labels[4 * size + i] + labels[5 * size + i] > 0.6);
  return inEyes.length > 0 && inEyes.reduce((sum, value) => sum + value, 0) / inEyes.length > 96;
}
