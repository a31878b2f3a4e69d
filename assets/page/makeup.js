// Make-up: looks put together from the masks of their parts, each with a color and a strength.

import { coverOf, pixelsOfBitmap } from "./pictures.js";

/** @typedef {import("./pictures.js").Picture} Picture */

/** Make-up: a mask of each part, from which looks are put together. */
export class MakeupMasks {
  #names;
  #size;
  /** @type {Uint8Array[]} */
  #masks;

  /**
   * @param {string[]} names of the parts, in the order they are put on
   * @param {ImageBitmap[]} bitmaps their masks, white where most is put on
   */
  constructor(names, bitmaps) {
    this.#names = names;
    this.#size = { width: bitmaps[0].width, height: bitmaps[0].height };
    this.#masks = bitmaps.map((bitmap) => {
      const { data } = pixelsOfBitmap(bitmap);
      return Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
    });
  }

  /**
   * Puts a look together.
   * @param {Picture} usual the look as it is shipped
   * @param {Record<string, {color: string, strength: number}>} parts
   * @returns {Promise<Picture>}
   */
  async madeUp(usual, parts) {
    const data = madeUp(this.#masks, this.#names.map((name) => parts[name] ?? { color: "#000000", strength: 0 }));
    const pixels = new ImageData(data, this.#size.width, this.#size.height);
    const bitmap = await createImageBitmap(pixels, { premultiplyAlpha: "premultiply" });
    return { ...usual, bitmap, cover: coverOf(bitmap) };
  }
}

/**
 * Paints the parts of a face over each other.
 * @param {Uint8Array[]} masks of the parts, 0..255
 * @param {{color: string, strength: number}[]} parts "#rrggbb" and 0..1 for each
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA, alpha apart
 */
export function madeUp(masks, parts) {
  const colors = parts.map(({ color }) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
  const data = new Uint8ClampedArray(4 * masks[0].length);
  for (let i = 0, to = 0; i < masks[0].length; i++, to += 4) {
    let [red, green, blue, alpha] = [0, 0, 0, 0];
    for (let part = 0; part < masks.length; part++) {
      const cover = (masks[part][i] * parts[part].strength) / 255;
      if (cover === 0) continue;
      red += cover * (colors[part][0] - red);
      green += cover * (colors[part][1] - green);
      blue += cover * (colors[part][2] - blue);
      alpha += cover * (1 - alpha);
    }
    if (alpha === 0) continue;
    data[to] = red / alpha;
    data[to + 1] = green / alpha;
    data[to + 2] = blue / alpha;
    data[to + 3] = 255 * alpha;
  }
  return data;
}
