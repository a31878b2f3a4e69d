// The program in the page: what the controls ask for, answered here instead of by a server.

import { parse } from "./look.js";
import { MakeupMasks } from "./makeup.js";
import { OWN, ownPicture, shippedPicture } from "./pictures.js";

/** @typedef {import("./pictures.js").Picture} Picture */
/** @typedef {{effect: string, texture: string, makeup: string, opacity: number, smoothing: boolean, mirror: boolean, template: string, faces: number}} Settings */

const MAX_BYTES = 12 << 20;
const SNAPSHOT = "my face";
const PHOTO = "picture";

export class Program {
  /** @type {Settings} */
  settings;
  /** @type {Map<string, Picture>} */
  pictures = new Map();
  /** what the foot of the controls says: version, runtime, threads */
  about = "";
  #manifest;
  #engine;
  #labels;
  /** @type {string[]} */
  #templates;
  /** @type {MakeupMasks | null} */
  #masks = null;
  /** @type {Picture | null} */
  #madeUp = null; // the look that is worn, as it was changed
  /** @type {(picture: Picture) => void} */
  #usePicture;

  /**
   * @param {any} manifest
   * @param {import("./engine.js").Engine} engine
   * @param {Float32Array} labels of the template that textures are painted on
   * @param {(picture: Picture) => void} usePicture draws with another picture
   */
  constructor(manifest, engine, labels, usePicture) {
    this.#manifest = manifest;
    this.#engine = engine;
    this.#labels = labels;
    this.#usePicture = usePicture;
    this.#templates = [manifest.template.name];
    this.settings = { effect: manifest.effects[0], texture: manifest.defaults.texture, makeup: "", opacity: manifest.defaults.opacity, smoothing: true, mirror: false, template: this.#templates[0], faces: 1 };
  }

  /**
   * Decodes the page's pictures.
   * @param {Map<string, ArrayBuffer>} files by their names
   */
  async decode(files) {
    const entries = /** @type {any[]} */ (this.#manifest.pictures);
    const decoded = await Promise.all(entries.map((entry) => shippedPicture(entry, /** @type {ArrayBuffer} */ (files.get(entry.file)))));
    for (const picture of decoded) this.pictures.set(picture.name, picture);
    const { parts, files: masks } = this.#manifest.makeup;
    const bitmaps = masks.map((/** @type {string} */ name) => createImageBitmap(new Blob([/** @type {ArrayBuffer} */ (files.get(name))], { type: "image/webp" })));
    this.#masks = new MakeupMasks(parts, await Promise.all(bitmaps));
    this.#show();
  }

  /** The picture that is drawn with. */
  get picture() {
    if (this.settings.effect !== "texture") return /** @type {Picture} */ (this.pictures.get("labels"));
    return this.#madeUp ?? /** @type {Picture} */ (this.pictures.get(this.settings.texture));
  }

  async state() {
    return this.#state();
  }

  /** @param {Partial<Settings>} settings */
  async change(settings) {
    if (settings.texture !== undefined && settings.texture !== this.settings.texture) this.settings.makeup = "";
    Object.assign(this.settings, settings);
    const { texture, makeup } = this.settings;
    const look = this.#manifest.looks[texture];
    const usual = this.pictures.get(texture);
    this.#madeUp = makeup && look && usual && this.#masks ? await this.#masks.madeUp(usual, parse(look, makeup)) : null;
    if (settings.faces !== undefined) await this.#engine.ask("followAtMost", { faces: settings.faces });
    if (settings.smoothing !== undefined) await this.#engine.ask("smooth", { isOn: settings.smoothing });
    if (settings.template !== undefined) await this.#engine.ask("useTemplate", { name: settings.template });
    this.#show();
    return this.#state();
  }

  /** Takes the face that is seen as the template. */
  snapshot() {
    return this.#makeTemplate(null, SNAPSHOT, "No face is followed well enough just now: look into the camera, and try again.");
  }

  /** @param {File} file */
  async templatePicture(file) {
    let frame;
    try {
      frame = await createImageBitmap(file);
    } catch {
      throw new Error(`${file.name} is no picture that this browser can read: save it as a JPEG or PNG.`);
    }
    return this.#makeTemplate(frame, PHOTO, `No face was found in ${file.name}: take one that shows a face from the front.`);
  }

  /** @param {File} file */
  async texture(file) {
    const picture = await ownPicture(file, this.#labels);
    const before = this.pictures.get(OWN);
    if (before) URL.revokeObjectURL(before.address);
    this.pictures.set(OWN, picture);
    this.#madeUp = null;
    Object.assign(this.settings, { effect: "texture", texture: OWN, makeup: "" });
    this.#show();
    return this.#state(`Texture: ${file.name}`);
  }

  /** @param {string} name */
  preview(name) {
    return this.pictures.get(name)?.address ?? "";
  }

  /**
   * @param {ImageBitmap | null} frame a photograph; null for what the camera shows
   * @param {string} name
   * @param {string} failure what is said where there is no face
   */
  async #makeTemplate(frame, name, failure) {
    try {
      const { templates } = await this.#engine.ask("makeTemplate", { frame, name }, frame ? [frame] : []);
      this.#templates = templates;
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      if (message === "no frame") throw new Error("Start the camera first: the template is made of the face in its picture.");
      throw message === "no face" ? new Error(failure) : error;
    }
    this.settings.template = name;
    return this.#state(`Template: ${name}`);
  }

  #show() {
    this.#usePicture(this.picture);
  }

  /** @param {string} [line] what is said about it */
  #state(line) {
    const { effects, options, looks } = this.#manifest;
    const textures = [...this.pictures.keys()].filter((name) => name !== "labels");
    return { settings: this.settings, choices: { effect: effects, texture: textures, template: this.#templates }, options, looks, version: this.about, max_bytes: MAX_BYTES, line };
  }
}

