// The controls: built from the choices of the program, sent as they change.
//
// The program answers each request with its state: it is behind `facewarp live --web`, see api.js,
// or runs in the page itself.

import { Look } from "./look.js";
import { $ } from "./shell.js";
import { button, checkTile, icon, label, tile } from "./tiles.js";

/** @import { Looks } from "./look.js" */
/** @typedef {Record<string, any>} Settings effect, texture, opacity and the like, by their names */
/** @typedef {Record<string, string[]>} Choices what can be chosen for a setting, by its name */
/** @typedef {{settings: Settings, choices: Choices, looks?: Looks, options: Record<string, string[]>, version: string, max_bytes: number, line?: string}} State */

/**
 * The program, wherever it runs.
 * @typedef {object} Program
 * @property {string} [waiting] what is said while a picture is on its way
 * @property {() => Promise<State>} state
 * @property {(settings: Settings) => Promise<State>} change
 * @property {() => Promise<State>} [neutral]
 * @property {() => Promise<State>} snapshot
 * @property {(file: File) => Promise<State>} texture
 * @property {(file: File) => Promise<State>} [style]
 * @property {(file: File) => Promise<State>} templatePicture
 * @property {(name: string, version: number) => string} preview the address of a texture's picture
 * @property {(name: string, version: number) => string} [stylePreview] that of a style's
 */

export class Controls {
  /** @type {Settings} */
  #settings = {};
  /** @type {Choices} */
  #choices = {};
  /** @type {Record<string, string[]>} */
  #options = {}; // of each effect, by its name
  /** @type {Looks} */
  #looks = {};
  #pending = 0;
  #maxBytes = 0;
  #previews = 0;

  /**
   * @param {(text: string, isBad?: boolean) => void} toast shows a message
   * @param {Program} program
   */
  constructor(toast, program) {
    this.toast = toast;
    this.program = program;
    const preview = (/** @type {string} */ name) => program.stylePreview?.(name, this.#previews) ?? "";
    this.look = new Look((settings) => this.change(settings), preview, () => $("style-file").click());
    $("opacity").addEventListener("input", () => {
      $("opacity-value").textContent = `${$("opacity").value} %`;
      this.#slide();
    });
    for (const name of ["smoothing", "mirror"]) {
      $(name).addEventListener("change", () => this.change({ [name]: $(name).checked }));
    }
    $("template").addEventListener("change", () => this.change({ template: $("template").value }));
    $("snapshot").addEventListener("click", () => this.#do(() => program.snapshot()));
    $("neutral")?.addEventListener("click", () => this.#do(() => this.#able(program.neutral).call(program)));
    $("from-picture").addEventListener("click", () => $("template-file").click());
    $("template-file").addEventListener("change", () => this.#upload($("template-file"), "template"));
    $("texture-file").addEventListener("change", () => this.#upload($("texture-file"), "texture"));
    $("style-file").addEventListener("change", () => this.#upload($("style-file"), "style"));
  }

  get settings() {
    return this.#settings;
  }

  get effects() {
    return this.#choices.effect ?? [];
  }

  async load() {
    this.#take(await this.program.state());
  }

  /**
   * Changes settings; returns whether the program took them.
   * @param {Settings} settings
   */
  change(settings) {
    return this.#do(() => this.program.change(settings));
  }

  /**
   * Shows the program's settings, unless the page is just changing some.
   * @param {Settings} settings
   */
  follow(settings) {
    const isKnown = ["effect", "texture", "template", "style"].every((name) => this.#choices[name]?.includes(settings[name]) ?? true);
    if (this.#pending || this.#isSliding || this.look.isBusy) return;
    if (!isKnown) {
      this.load().catch(() => {});
      return;
    }
    this.#show(settings);
  }

  /** @type {ReturnType<typeof setTimeout> | null} */
  #sliding = null;
  #isSliding = false;

  #slide() {
    this.#isSliding = true;
    if (this.#sliding) return;
    this.#sliding = setTimeout(async () => {
      this.#sliding = null;
      await this.change({ opacity: Number($("opacity").value) / 100 });
      this.#isSliding = this.#sliding !== null;
    }, 60);
  }

  /**
   * @param {(() => Promise<State>) | undefined} request
   * @returns {() => Promise<State>}
   */
  #able(request) {
    if (!request) throw new Error("this program can't do that");
    return request;
  }

  /**
   * @param {() => Promise<State>} request
   * @returns {Promise<boolean>} whether it was answered
   */
  async #do(request) {
    this.#pending += 1;
    try {
      const answer = await request();
      this.#pending -= 1;
      this.#take(answer);
      if (answer.line) this.toast(answer.line);
      return true;
    } catch (error) {
      this.#pending -= 1;
      this.toast(error instanceof Error ? error.message : String(error), true);
      this.#show(this.#settings);
      return false;
    }
  }

  /**
   * @param {HTMLInputElement} input
   * @param {"texture" | "style" | "template"} kind
   */
  async #upload(input, kind) {
    const [file] = input.files ?? [];
    input.value = "";
    if (file) await this.give(file, kind);
  }

  /**
   * Gives the program a picture.
   * @param {File} file
   * @param {"texture" | "style" | "template"} kind what it is to be
   */
  async give(file, kind) {
    if (file.size > this.#maxBytes) {
      this.toast(`${file.name} is too large: up to ${this.#maxBytes >> 20} MB are taken.`, true);
      return;
    }
    if (this.program.waiting) this.toast(this.program.waiting);
    const give = { texture: this.program.texture, style: this.program.style, template: this.program.templatePicture }[kind];
    await this.#do(() => this.#able(give && (() => give.call(this.program, file)))());
    if (kind !== "template") this.#draw(); // an own picture keeps its name when it is replaced
  }

  /** @param {State} state */
  #take({ settings, choices, looks, options, version, max_bytes: maxBytes }) {
    const isNew = JSON.stringify(choices) !== JSON.stringify(this.#choices);
    this.#choices = choices;
    this.#looks = looks ?? {};
    this.#options = options;
    this.#maxBytes = maxBytes;
    if (isNew) this.#draw();
    $("foot").textContent = `facewarp ${version}`;
    this.#show(settings);
  }

  /** @param {Settings} settings */
  #show(settings) {
    this.#settings = settings;
    checkTile($("effects"), settings.effect);
    checkTile($("textures"), settings.texture);
    this.look.show(settings);
    $("textures").classList.toggle("applied", settings.effect === "texture");
    const share = Math.round(100 * (settings.opacity ?? 1));
    if (!this.#isSliding) $("opacity").value = share;
    $("opacity-value").textContent = `${$("opacity").value} %`;
    $("opacity").disabled = !(this.#options[settings.effect]?.includes("opacity") ?? true);
    $("opacity").closest("label").classList.toggle("off", $("opacity").disabled);
    for (const name of ["smoothing", "mirror"]) $(name).checked = Boolean(settings[name]);
    $("template").value = settings.template ?? "";
    $("stage").classList.toggle("mirrored", Boolean(settings.mirror)); // the view alone: what is saved is not
  }

  #draw() {
    const effects = (this.#choices.effect ?? []).map((name) =>
      tile("effect", name, icon(document.getElementById(`i-${name}`) ? name : "other"), () => this.change({ effect: name })),
    );
    $("effects").replaceChildren(...effects);
    this.#previews += 1;
    this.#drawTextures();
    this.look.draw(this.#choices, this.#looks);
    this.look.show(this.#settings);
    const options = (this.#choices.template ?? []).map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name }));
    $("template").replaceChildren(...options);
  }

  #drawTextures() {
    const tiles = (this.#choices.texture ?? []).map((name) =>
      tile("texture", name, this.program.preview(name, this.#previews), () => this.change({ effect: "texture", texture: name })),
    );
    const add = button("add-texture", () => $("texture-file").click(), icon("plus"), label("Add…"));
    $("textures").replaceChildren(...tiles, add);
    checkTile($("textures"), this.#settings.texture);
  }
}
