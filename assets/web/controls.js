// The controls: built from the choices of the program, sent as they change.
//
// The program answers each request with its state: it is behind `facewarp live --web`, see api.js,
// or runs in the page itself.
// @ts-nocheck -- elements of index.html, by their ids; the tests look at it in a browser

const $ = (id) => document.getElementById(id);

export class Controls {
  #settings = {};
  #choices = {};
  #options = {}; // of each effect, by its name
  #pending = 0;
  #maxBytes = 0;
  #previews = 0;

  constructor(toast, program) {
    this.toast = toast;
    this.program = program;
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
    const isKnown = ["effect", "texture", "template"].every((name) => this.#choices[name]?.includes(settings[name]) ?? true);
    if (this.#pending || this.#isSliding) return;
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

  /** Gives the program a picture as a "texture" or a "template". */
  async give(file, kind) {
    if (file.size > this.#maxBytes) {
      this.toast(`${file.name} is too large: up to ${this.#maxBytes >> 20} MB are taken.`, true);
      return;
    }
    if (this.program.waiting) this.toast(this.program.waiting);
    const isTexture = kind === "texture";
    await this.#do(() => (isTexture ? this.program.texture(file) : this.program.templatePicture(file)));
    if (isTexture) this.#drawTextures();
  }

  #take({ settings, choices, options, version, max_bytes: maxBytes }) {
    const isNew = JSON.stringify(choices) !== JSON.stringify(this.#choices);
    this.#choices = choices;
    this.#options = options;
    this.#maxBytes = maxBytes;
    if (isNew) this.#draw();
    $("foot").textContent = `facewarp ${version}`;
    this.#show(settings);
  }

  #show(settings) {
    this.#settings = settings;
    check("effects", settings.effect);
    check("textures", settings.texture);
    $("textures").classList.toggle("applied", settings.effect === "texture");
    const share = Math.round(100 * (settings.opacity ?? 1));
    if (!this.#isSliding) $("opacity").value = share;
    $("opacity-value").textContent = `${$("opacity").value} %`;
    $("opacity").disabled = !(this.#options[settings.effect]?.includes("opacity") ?? true);
    $("opacity").closest("label").classList.toggle("off", $("opacity").disabled);
    for (const name of ["smoothing", "mirror"]) $(name).checked = Boolean(settings[name]);
    $("template").value = settings.template ?? "";
    document.getElementById("original").classList.toggle("mirrored", Boolean(settings.mirror));
  }

  #draw() {
    const effects = (this.#choices.effect ?? []).map((name) =>
      tile("effect", name, icon(document.getElementById(`i-${name}`) ? name : "other"), () => this.change({ effect: name })),
    );
    $("effects").replaceChildren(...effects);
    this.#drawTextures();
    const options = (this.#choices.template ?? []).map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name }));
    $("template").replaceChildren(...options);
  }

  #drawTextures() {
    this.#previews += 1; // an own texture keeps its name when it is replaced
    const tiles = (this.#choices.texture ?? []).map((name) => {
      const picture = Object.assign(new Image(), { alt: "", src: this.program.preview(name, this.#previews) });
      return tile("texture", name, picture, () => this.change({ effect: "texture", texture: name }));
    });
    const add = document.createElement("button");
    add.type = "button";
    add.className = "tile";
    add.id = "add-texture";
    add.append(icon("plus"), label("Add…"));
    add.addEventListener("click", () => $("texture-file").click());
    $("textures").replaceChildren(...tiles, add);
    check("textures", this.#settings.texture);
  }
}

function tile(group, name, picture, choose) {
  const box = document.createElement("label");
  box.className = "tile";
  const input = Object.assign(document.createElement("input"), { type: "radio", name: group, value: name });
  input.addEventListener("change", choose);
  if (group === "texture") input.addEventListener("click", choose); // also when it is applied no more
  box.append(input, picture, label(name));
  return box;
}

function label(text) {
  return Object.assign(document.createElement("span"), { textContent: text });
}

function icon(name) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

function check(id, value) {
  for (const input of $(id).querySelectorAll("input")) input.checked = input.value === value;
}
