// The program in the page: what the controls ask for, answered here instead of by a server.

import { OWN, ownPicture, shippedPicture } from "./pictures.js";

/** @typedef {import("./pictures.js").Picture} Picture */
/** @typedef {{effect: string, texture: string, opacity: number, smoothing: boolean, mirror: boolean, template: string}} Settings */

const MAX_BYTES = 12 << 20;
const SNAPSHOT = "my face";
const PHOTO = "picture";

export class Program {
  /** @type {Settings} */
  settings;
  /** @type {Map<string, Picture>} */
  pictures = new Map();
  #manifest;
  #engine;
  #labels;
  #grab;
  /** @type {string[]} */
  #templates;
  /** @type {(picture: Picture) => void} */
  #usePicture;

  /**
   * @param {any} manifest
   * @param {import("./engine.js").Engine} engine
   * @param {Float32Array} labels of the template that textures are painted on
   * @param {() => Promise<ImageBitmap | null>} grab takes the frame that is shown; null without one
   * @param {(picture: Picture) => void} usePicture draws with another picture
   */
  constructor(manifest, engine, labels, grab, usePicture) {
    this.#manifest = manifest;
    this.#engine = engine;
    this.#labels = labels;
    this.#grab = grab;
    this.#usePicture = usePicture;
    this.#templates = [manifest.template.name];
    this.settings = { effect: manifest.effects[0], texture: manifest.defaults.texture, opacity: manifest.defaults.opacity, smoothing: true, mirror: false, template: this.#templates[0] };
  }

  /**
   * Decodes the page's pictures.
   * @param {Map<string, ArrayBuffer>} files by their names
   */
  async decode(files) {
    const entries = /** @type {any[]} */ (this.#manifest.pictures);
    const decoded = await Promise.all(entries.map((entry) => shippedPicture(entry, /** @type {ArrayBuffer} */ (files.get(entry.file)))));
    for (const picture of decoded) this.pictures.set(picture.name, picture);
    this.#show();
  }

  /** The picture that is drawn with. */
  get picture() {
    return /** @type {Picture} */ (this.pictures.get(this.settings.effect === "texture" ? this.settings.texture : "labels"));
  }

  async state() {
    return this.#state();
  }

  /** @param {Partial<Settings>} settings */
  async change(settings) {
    Object.assign(this.settings, settings);
    if (settings.smoothing !== undefined) await this.#engine.ask("smooth", { isOn: settings.smoothing });
    if (settings.template !== undefined) await this.#engine.ask("useTemplate", { name: settings.template });
    this.#show();
    return this.#state();
  }

  /** Takes the face that is seen as the template. */
  async snapshot() {
    const bitmap = await this.#grab();
    if (!bitmap) throw new Error("Start the camera first: the template is made of the face in its picture.");
    return this.#makeTemplate(bitmap, SNAPSHOT, false, "No face is followed well enough just now: look into the camera, and try again.");
  }

  /** @param {File} file */
  async templatePicture(file) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      throw new Error(`${file.name} is no picture that this browser can read: save it as a JPEG or PNG.`);
    }
    return this.#makeTemplate(bitmap, PHOTO, true, `No face was found in ${file.name}: take one that shows a face from the front.`);
  }

  /** @param {File} file */
  async texture(file) {
    const picture = await ownPicture(file, this.#labels);
    const before = this.pictures.get(OWN);
    if (before) URL.revokeObjectURL(before.address);
    this.pictures.set(OWN, picture);
    Object.assign(this.settings, { effect: "texture", texture: OWN });
    this.#show();
    return this.#state(`Texture: ${file.name}`);
  }

  /** @param {string} name */
  preview(name) {
    return this.pictures.get(name)?.address ?? "";
  }

  /**
   * @param {ImageBitmap} bitmap
   * @param {string} name
   * @param {boolean} isPhoto
   * @param {string} failure what is said where there is no face
   */
  async #makeTemplate(bitmap, name, isPhoto, failure) {
    try {
      const { templates } = await this.#engine.ask("makeTemplate", { bitmap, name, isPhoto }, [bitmap]);
      this.#templates = templates;
    } catch (error) {
      throw error instanceof Error && error.message === "no face" ? new Error(failure) : error;
    }
    this.settings.template = name;
    return this.#state(`Template: ${name}`);
  }

  #show() {
    this.#usePicture(this.picture);
  }

  /** @param {string} [line] what is said about it */
  #state(line) {
    const { effects, options, version } = this.#manifest;
    const textures = [...this.pictures.keys()].filter((name) => name !== "labels");
    return { settings: this.settings, choices: { effect: effects, texture: textures, template: this.#templates }, options, version, max_bytes: MAX_BYTES, line };
  }
}

