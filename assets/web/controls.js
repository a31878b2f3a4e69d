// The controls: built from the choices of the program, sent as they change.
//
// The program answers each request with its state: it is behind `facewarp live --web`, see api.js,
// or runs in the page itself.
// @ts-nocheck -- elements of index.html, by their ids; the tests look at it in a browser

import { Look } from "./look.js";
import { button, checkTile, icon, label, tile } from "./tiles.js";

const $ = (id) => document.getElementById(id);

export class Controls {
  #settings = {};
  #choices = {};
  #options = {}; // of each effect, by its name
  #looks = {};
  #pending = 0;
  #maxBytes = 0;
  #previews = 0;

  constructor(toast, program) {
    this.toast = toast;
    this.program = program;
    this.look = new Look((settings) => this.change(settings), (name) => program.stylePreview(name, this.#previews), () => $("style-file").click());
    $("opacity").addEventListener("input", () => {
      $("opacity-value").textContent = `${$("opacity").value} %`;
      this.#slide();
    });
    for (const name of ["smoothing", "mirror"]) {
      $(name).addEventListener("change", () => this.change({ [name]: $(name).checked }));
    }
    $("template").addEventListener("change", () => this.change({ template: $("template").value }));
    $("snapshot").addEventListener("click", () => this.#do(() => program.snapshot()));
    $("neutral")?.addEventListener("click", () => this.#do(() => program.neutral()));
    $("from-picture").addEventListener("click", () => $("template-file").click());
    $("template-file").addEventListener("change", (event) => this.#upload(event.target, "template"));
    $("texture-file").addEventListener("change", (event) => this.#upload(event.target, "texture"));
    $("style-file").addEventListener("change", (event) => this.#upload(event.target, "style"));
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

  change(settings) {
    return this.#do(() => this.program.change(settings));
  }

  /** Shows the program's settings, unless the page is just changing some. */
  follow(settings) {
    const isKnown = ["effect", "texture", "template", "style"].every((name) => this.#choices[name]?.includes(settings[name]) ?? true);
    if (this.#pending || this.#isSliding || this.look.isBusy) return;
    if (!isKnown) {
      this.load().catch(() => {});
      return;
    }
    this.#show(settings);
  }

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
      this.toast(error.message, true);
      this.#show(this.#settings);
      return false;
    }
  }

  async #upload(input, kind) {
    const [file] = input.files;
    input.value = "";
    if (file) await this.give(file, kind);
  }

  /** Gives the program a picture as a "texture", a "style" or a "template". */
  async give(file, kind) {
    if (file.size > this.#maxBytes) {
      this.toast(`${file.name} is too large: up to ${this.#maxBytes >> 20} MB are taken.`, true);
      return;
    }
    if (this.program.waiting) this.toast(this.program.waiting);
    const give = { texture: this.program.texture, style: this.program.style, template: this.program.templatePicture }[kind];
    await this.#do(() => give.call(this.program, file));
    if (kind !== "template") this.#draw(); // an own picture keeps its name when it is replaced
  }

  #take({ settings, choices, looks, options, version, max_bytes: maxBytes }) {
    const isNew = JSON.stringify(choices) !== JSON.stringify(this.#choices);
    this.#choices = choices;
    this.#looks = looks;
    this.#options = options;
    this.#maxBytes = maxBytes;
    if (isNew) this.#draw();
    $("foot").textContent = `facewarp ${version}`;
    this.#show(settings);
  }

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
