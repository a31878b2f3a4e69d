// What the live page and the page without a server have in common around the picture: its card and
// messages, the camera or video file, comparing, recording, keys.

import { Recording, save } from "./saving.js";
import { SourceError, listCameras, openCamera, openFile } from "./source.js";

/** @typedef {{stream: MediaStream, close?: () => void, isCamera: boolean}} Source */

/**
 * An element of the page, by its id. All are in index.html, and tests look at them in a browser.
 * @param {string} id
 * @returns {any}
 */
export const $ = (id) => document.getElementById(id);

/**
 * Shows what stands in place of the picture.
 * @param {string} title
 * @param {string} text
 * @param {string | null} start what the button says; null for no buttons
 */
export function showCard(title, text, start = "Use my camera") {
  $("card-title").textContent = title;
  $("card-text").textContent = text;
  $("start").textContent = start;
  $("start").hidden = $("play").hidden = start === null;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let toastTimer;

/**
 * Shows a message over the picture for a while.
 * @param {string} text
 * @param {boolean} isBad
 */
export function toast(text, isBad = false) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  $("toast").classList.toggle("bad", isBad);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("on"), isBad ? 7000 : 3500);
}

/** @param {boolean} isOn */
export function setComparing(isOn) {
  $("stage").classList.toggle("comparing", isOn);
  $("compare").setAttribute("aria-pressed", isOn);
}

/** Connects the buttons that change how the picture is seen. */
export function wireView() {
  const stage = $("stage");
  $("compare").addEventListener("click", () => setComparing(!stage.classList.contains("comparing")));
  $("split").addEventListener("input", () => stage.style.setProperty("--split", `${$("split").value}%`));
  $("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen?.()));
}

/**
 * Connects the keys: digits choose effects, letters press buttons.
 * @param {{effects: string[], change: (settings: object) => unknown}} controls
 * @param {Record<string, string>} keys ids of buttons by their keys
 */
export function wireKeys(controls, keys) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    const isTyping = target.matches("select, input:not([type=radio], [type=checkbox], [type=range])");
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping) return;
    const effect = controls.effects[Number(event.key) - 1];
    if (effect) controls.change({ effect });
    else if (keys[event.key]) $(keys[event.key]).click();
  });
}

/** The button that records what is shown. */
export class RecordButton {
  /** @type {Recording | null} */
  #recording = null;

  /**
   * @param {() => MediaStream | null | undefined} stream of what is shown
   * @param {("mp4" | "webm")[]} kinds of files, the best first
   */
  constructor(stream, kinds) {
    $("record").addEventListener("click", () => (this.#recording ? this.stop() : this.#start(stream(), kinds)));
  }

  /**
   * @param {MediaStream | null | undefined} stream
   * @param {("mp4" | "webm")[]} kinds
   */
  #start(stream, kinds) {
    this.#recording = stream ? Recording.of(stream, kinds) : null;
    if (this.#recording) this.#show(true);
    else toast("This browser can't record", true);
  }

  /** Ends a recording, if there is one, and saves it. */
  async stop() {
    const ended = this.#recording;
    this.#recording = null;
    this.#show(false);
    const file = await ended?.end();
    if (!file) return;
    save(file.blob, file.suffix);
    toast("Recording saved to your downloads");
  }

  /** @param {boolean} isOn */
  #show(isOn) {
    $("record").setAttribute("aria-pressed", isOn);
    $("record-text").textContent = isOn ? "Stop" : "Record";
  }
}

/**
 * @param {string | undefined} deviceId
 * @returns {Promise<Source>}
 */
async function camera(deviceId) {
  const [width, height] = $("resolution").value.split("x").map(Number);
  return { stream: await openCamera(deviceId, width, height), isCamera: true };
}

/** @param {Source} source */
function close({ stream, close: free }) {
  stream.getTracks().forEach((track) => track.stop());
  free?.();
}

/**
 * The camera or the video file whose pictures are shown.
 *
 * What belongs to an older start or stop is dropped: `attempt` grows with each.
 */
export class SourceChooser {
  /** @type {Source | null} */
  source = null;
  attempt = 0;
  #told;

  /**
   * @param {{starting: () => void, opened: (source: Source, attempt: number) => void, stopped: (title: string, text: string, start?: string) => void, cameraChanged: () => void}} told
   *   starting: a source is being opened; opened: it is there; stopped: it is not, or has ended;
   *   cameraChanged: another camera or size is asked for
   */
  constructor(told) {
    this.#told = told;
    $("start").addEventListener("click", () => this.start(() => camera(undefined)));
    $("play").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => {
      const [file] = $("file").files;
      $("file").value = "";
      if (file) this.start(async () => ({ ...(await openFile(file)), isCamera: false }));
    });
    for (const id of ["camera", "resolution"]) $(id).addEventListener("change", () => this.source?.isCamera && told.cameraChanged());
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.source?.isCamera && this.#fillCameras());
  }

  /**
   * Opens a source in place of the one there is.
   * @param {() => Promise<Source>} open
   */
  async start(open) {
    this.#told.starting();
    const mine = ++this.attempt;
    const opened = await this.#open(open, () => mine === this.attempt);
    if (!opened) return;
    this.#use(opened);
    this.#told.opened(opened, mine);
  }

  /** Opens the camera that is chosen anew, as a new start. */
  restart() {
    return this.start(() => camera($("camera").value));
  }

  /**
   * Opens the camera that is chosen in place of the one there is, without a new start.
   * @returns {Promise<Source | null>} null where it does not come
   */
  async changeCamera() {
    const before = this.source;
    if (!before) return null;
    close(before); // many cameras can't be opened twice
    const opened = await this.#open(() => camera($("camera").value), () => this.source === before);
    if (opened) this.#use(opened);
    return opened;
  }

  /** Ends the source; the video that shows it is emptied. */
  release() {
    this.attempt += 1;
    if (this.source) close(this.source);
    this.source = null;
    $("original").srcObject = null;
  }

  /**
   * @param {() => Promise<Source>} open
   * @param {() => boolean} isWanted still
   * @returns {Promise<Source | null>}
   */
  async #open(open, isWanted) {
    let opened;
    try {
      opened = await open();
    } catch (error) {
      if (!isWanted()) return null;
      if (!(error instanceof SourceError)) throw error;
      this.#told.stopped(error.title, error.message);
      return null;
    }
    if (isWanted()) return opened;
    close(opened);
    return null;
  }

  /** @param {Source} opened */
  #use(opened) {
    this.source = opened;
    $("original").srcObject = opened.stream;
    $("original").play().catch(() => {});
    const [track] = opened.stream.getVideoTracks();
    track.addEventListener("ended", () => {
      if (this.source !== opened) return;
      if (opened.isCamera) this.#told.stopped("The camera has gone", "It was unplugged, or another program took it.");
      else this.#told.stopped("The video has ended", "Play it again, or use your camera.", "Use my camera");
    });
    $("camera").hidden = $("resolution").hidden = !opened.isCamera;
    $("stop").hidden = $("sources").hidden = false;
    if (opened.isCamera) this.#fillCameras();
  }

  async #fillCameras() {
    const current = this.source?.stream.getVideoTracks()[0]?.getSettings().deviceId;
    $("camera").replaceChildren(...(await listCameras()).map(({ id, label }) => new Option(label, id, false, id === current)));
  }
}
