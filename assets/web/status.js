// Measurements of the program and of the page: frame rate, latency, confidence, stages.

import { $ } from "./shell.js";

/** @typedef {{size: [number, number], dropped?: number, faces: {state: string, confidence: number}[], detect_ms: number | null, register_ms: number | null, render_ms: number | null, present_ms: number | null, age_ms: number | null}} Stats */
/** @typedef {{median: number, high: number}} Latency ms */

const KEPT = 60;
const STAGES = [
  ["wait", "wait"],
  ["detect", "find"],
  ["register", "register"],
  ["render", "draw"],
  ["present", "hand on"],
  ["way", "travel"],
];

export class StatusBar {
  /** @type {(number | null)[]} */
  #confidences = [];
  /** @type {Map<string, {piece: HTMLElement, value: HTMLElement, title: string}>} */
  #parts = new Map();

  constructor() {
    STAGES.forEach(([name, title], i) => {
      const piece = document.createElement("i");
      piece.className = `s${i}`;
      const entry = document.createElement("li");
      const mark = Object.assign(document.createElement("i"), { className: `s${i}` });
      const value = document.createElement("b");
      entry.append(mark, title, value);
      $("bar").append(piece);
      $("legend").append(entry);
      this.#parts.set(name, { piece, value, title });
    });
    this.clear();
  }

  clear() {
    this.#confidences = [];
    for (const id of ["fps", "latency", "confidence"]) $(id).textContent = "–";
    $("size").textContent = $("skipped").textContent = "";
    $("latency-note").textContent = "camera to screen";
    this.#drawConfidence();
    this.#drawStages({});
  }

  /**
   * Shows statistics; called a few times a second while images come back.
   * @param {Stats} stats
   * @param {number | null} rate
   * @param {Latency | null} latency
   */
  draw(stats, rate, latency) {
    $("fps").textContent = rate === null ? "–" : Math.round(rate);
    const [width, height] = stats.size;
    $("size").textContent = `${width} × ${height}`;
    $("skipped").textContent = stats.dropped ? `${stats.dropped} skipped` : "";
    $("latency").textContent = latency ? Math.round(latency.median) : "–";
    $("latency-note").textContent = latency ? `95 % within ${Math.round(latency.high)}` : "camera to screen";
    const followed = stats.faces.filter((face) => face.state !== "lost").map((face) => face.confidence);
    const best = followed.length ? Math.max(...followed) : null;
    $("confidence").textContent = best === null ? "–" : Math.round(100 * best);
    this.#confidences.push(best);
    if (this.#confidences.length > KEPT) this.#confidences.shift();
    this.#drawConfidence();
    const { detect_ms: detect, register_ms: register, render_ms: render, present_ms: present, age_ms: age } = stats;
    const inside = [detect, register, render, present].reduce((/** @type {number} */ sum, ms) => sum + (ms ?? 0), 0);
    const wait = age === null ? null : Math.max(0, age - inside);
    const way = latency && age !== null ? Math.max(0, latency.median - age) : null;
    this.#drawStages({ wait, detect, register, render, present, way });
  }

  #drawConfidence() {
    const [width, height] = [120, 32];
    /** @type {(value: number, i: number) => string} */
    const at = (value, i) => `${((KEPT - this.#confidences.length + i) / (KEPT - 1)) * width},${(2 + (1 - value) * (height - 4)).toFixed(1)}`;
    let [line, area] = ["", ""];
    /** @type {string[]} */
    let run = [];
    const end = () => {
      if (run.length > 1) {
        line += `M${run.join("L")}`;
        area += `M${run[0].split(",")[0]},${height}L${run.join("L")}L${run[run.length - 1].split(",")[0]},${height}Z`;
      }
      run = [];
    };
    this.#confidences.forEach((value, i) => (value === null ? end() : run.push(at(value, i))));
    end();
    $("spark").querySelector(".line").setAttribute("d", line);
    $("spark").querySelector(".area").setAttribute("d", area);
  }

  /** @param {Record<string, number | null>} times ms */
  #drawStages(times) {
    const words = [];
    for (const [name, { piece, value, title }] of this.#parts) {
      const ms = times[name] ?? null;
      piece.style.flexGrow = String(ms ?? 0);
      value.textContent = ms === null ? "–" : `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
      if (ms !== null) words.push(`${title} ${Math.round(ms)} ms`);
    }
    $("bar").setAttribute("aria-label", words.length ? `Time of each stage: ${words.join(", ")}` : "Time of each stage");
  }
}
