// The controls: built from the choices of the program, sent as they change.

import { ask, send } from "./api.js";
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

  constructor(toast) {
    this.toast = toast;
    this.look = new Look((settings) => this.change(settings), (kind, name) => this.#preview(kind, name), () => $("style-file").click());
    $("opacity").addEventListener("input", () => {
      $("opacity-value").textContent = `${$("opacity").value} %`;
      this.#slide();
    });
    for (const name of ["smoothing", "mirror"]) {
      $(name).addEventListener("change", () => this.change({ [name]: $(name).checked }));
    }
    $("template").addEventListener("change", () => this.change({ template: $("template").value }));
    $("snapshot").addEventListener("click", () => this.#do(() => ask("api/template/snapshot", { method: "POST" })));
    $("neutral").addEventListener("click", () => this.#do(() => ask("api/neutral", { method: "POST" })));
    $("from-picture").addEventListener("click", () => $("template-file").click());
    $("template-file").addEventListener("change", (event) => this.#upload(event.target, "api/template"));
    $("texture-file").addEventListener("change", (event) => this.#upload(event.target, "api/texture"));
    $("style-file").addEventListener("change", (event) => this.#upload(event.target, "api/style"));
  }

  get settings() {
    return this.#settings;
  }

  get effects() {
    return this.#choices.effect ?? [];
  }

  async load() {
    this.#take(await ask("api/state"));
  }

  change(settings) {
    return this.#do(() => send("api/settings", settings));
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

  async #upload(input, where) {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    if (file.size > this.#maxBytes) {
      this.toast(`${file.name} is too large: up to ${this.#maxBytes >> 20} MB are taken.`, true);
      return;
    }
    this.toast("Sending the picture …");
    await this.#do(() => ask(where, { method: "POST", headers: { "Content-Type": file.type || "application/octet-stream" }, body: file }));
    if (!where.endsWith("template")) this.#draw(); // an own picture keeps its name when it is replaced
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

  #preview(kind, name) {
    return `api/${kind}/${encodeURIComponent(name)}?${this.#previews}`;
  }

  #drawTextures() {
    const tiles = (this.#choices.texture ?? []).map((name) =>
      tile("texture", name, this.#preview("texture", name), () => this.change({ effect: "texture", texture: name })),
    );
    const add = button("add-texture", () => $("texture-file").click(), icon("plus"), label("Add…"));
    $("textures").replaceChildren(...tiles, add);
    checkTile($("textures"), this.#settings.texture);
  }
}
