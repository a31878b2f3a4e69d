// What an effect looks like: styles and their modes, and the parts of a look of make-up.
//
// The panels show themselves where they are of use: that of styles for the effect "style", that of
// make-up where the texture is a look. A program without styles or looks leaves them away.

import { $ } from "./shell.js";
import { button, checkTile, icon, label, tile } from "./tiles.js";

/** @typedef {Record<string, {color: string, strength: number}>} Parts of a look: "#rrggbb" and 0..1 */
/** @typedef {Record<string, Parts>} Looks by their names */

const LATER_MS = 80;
/** @type {Record<string, string>} */
const MODES = { color: "Colors", texture: "Detail", full: "Both" };

export class Look {
  /** @type {Looks} */
  #looks = {};
  /** @type {Record<string, {color: HTMLInputElement, strength: HTMLInputElement}>} */
  #parts = {}; // what is shown
  #look = "";
  #shown = "";
  /** @type {ReturnType<typeof setTimeout> | null} */
  #later = null;

  /**
   * @param {(settings: object) => Promise<boolean>} change sends settings
   * @param {(name: string) => string} preview the address of a tile's picture
   * @param {() => void} add asks for a style of one's own
   */
  constructor(change, preview, add) {
    this.change = change;
    this.preview = preview;
    this.add = add;
  }

  /** Whether a part is being changed: what the program says of it then is old. */
  get isBusy() {
    return this.#later !== null;
  }

  /**
   * Draws what can be chosen.
   * @param {Record<string, string[]>} choices
   * @param {Looks} looks
   */
  draw(choices, looks) {
    this.#looks = looks ?? {};
    this.#look = "";
    const styles = (choices.style ?? []).map((name) =>
      tile("style", name, this.preview(name), () => this.change({ effect: "style", style: name })),
    );
    const add = button("add-style", this.add, icon("plus"), label("Add…"));
    $("styles").replaceChildren(...styles, ...(styles.length ? [add] : []));
    const modes = (choices.style_mode ?? []).map((name) => {
      const box = tile("style-mode", name, null, () => this.change({ effect: "style", style_mode: name }));
      box.querySelectorAll("span").forEach((text) => (text.textContent = MODES[name] ?? name));
      return box;
    });
    $("style-modes").replaceChildren(...modes);
  }

  /**
   * Shows what is chosen.
   * @param {Record<string, any>} settings
   */
  show(settings) {
    const isStyle = settings.effect === "style" && $("styles").childElementCount > 0;
    $("style-panel").hidden = !isStyle;
    $("texture-panel").hidden = isStyle;
    checkTile($("styles"), settings.style);
    checkTile($("style-modes"), settings.style_mode);
    const look = settings.effect === "texture" && this.#looks[settings.texture] ? settings.texture : "";
    $("makeup-panel").hidden = !look;
    if (!look || this.isBusy) return;
    const key = `${look}+${settings.makeup ?? ""}`;
    if (key === this.#shown && look === this.#look) return;
    this.#shown = key;
    if (look !== this.#look) this.#drawParts(look);
    this.#showParts(parse(this.#looks[look], settings.makeup ?? ""));
  }

  /** @param {string} look */
  #drawParts(look) {
    this.#look = look;
    this.#parts = {};
    const rows = Object.keys(this.#looks[look]).map((part) => {
      const color = Object.assign(document.createElement("input"), { type: "color", title: `Color of ${part}` });
      const strength = Object.assign(document.createElement("input"), { type: "range", min: "0", max: "100", step: "1" });
      color.setAttribute("aria-label", `Color of ${part}`);
      strength.setAttribute("aria-label", `Strength of ${part}`);
      for (const input of [color, strength]) input.addEventListener("input", () => this.#changed());
      this.#parts[part] = { color, strength };
      const row = document.createElement("div");
      row.className = "part";
      row.append(color, label(part), strength);
      return row;
    });
    $("makeup").replaceChildren(...rows);
  }

  /** @param {Parts} parts */
  #showParts(parts) {
    for (const [part, { color, strength }] of Object.entries(this.#parts)) {
      color.value = parts[part].color;
      strength.value = String(Math.round(100 * parts[part].strength));
      color.closest(".part")?.classList.toggle("bare", parts[part].strength === 0);
    }
  }

  #changed() {
    if (this.#later) clearTimeout(this.#later);
    for (const { color, strength } of Object.values(this.#parts)) {
      color.closest(".part")?.classList.toggle("bare", strength.value === "0");
    }
    this.#later = setTimeout(async () => {
      const mine = this.#later;
      const makeup = this.#spec();
      this.#shown = `${this.#look}+${makeup}`;
      await this.change({ effect: "texture", texture: this.#look, makeup });
      if (mine === this.#later) this.#later = null;
    }, LATER_MS);
  }

  /** The changes to the look, as the program takes them. */
  #spec() {
    const changes = [];
    for (const [part, { color, strength }] of Object.entries(this.#parts)) {
      const usual = this.#looks[this.#look][part];
      const share = Number(strength.value) / 100;
      const isSame = color.value === usual.color && Math.round(100 * usual.strength) === Number(strength.value);
      if (!isSame) changes.push(`${part}=${color.value}:${share.toFixed(2)}`);
    }
    return changes.join("+");
  }
}

/**
 * Returns the parts of a look with changes like "lips=#b02238:0.70+blush=#d66862:0.00".
 * @param {Parts} look
 * @param {string} makeup
 * @returns {Parts}
 */
export function parse(look, makeup) {
  const parts = Object.fromEntries(Object.entries(look).map(([part, usual]) => [part, { ...usual }]));
  for (const change of makeup.split("+")) {
    const [, part, color, strength] = /^(\w+)=(#[0-9a-f]{6}):([\d.]+)$/.exec(change) ?? [];
    if (part in parts) parts[part] = { color, strength: Number(strength) };
  }
  return parts;
}
