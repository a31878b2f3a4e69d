// The page without a server: camera, worker and drawing, and what its buttons do.

import { Controls } from "./controls.js";
import { Engine } from "./engine.js";
import { LoadError, RequestCount, forbidRequests, hasSimd, loadFile, loadManifest, threadCount } from "./loader.js";
import { FrameLoop } from "./frame_loop.js";
import { LandmarkLog } from "./landmark_log.js";
import { Program } from "./program.js";
import { Renderer } from "./renderer.js";
import { Recording, save } from "./saving.js";
import { SourceError, listCameras, openCamera, openFile } from "./source.js";
import { StatusBar } from "./status.js";

/** @typedef {{stream: MediaStream, close?: () => void, isCamera: boolean}} Source */

/** @type {(id: string) => any} */
const $ = (id) => document.getElementById(id);
const [canvas, original, stage] = [$("pictures"), $("original"), $("stage")];
$("result").hidden = true;
canvas.hidden = false;

const statusBar = new StatusBar();
const requests = new RequestCount();
const log = new LandmarkLog();
/** @type {Source | null} */
let source = null;
let attempt = 0; // grows with every start and stop: what belongs to an older one is dropped
/** @type {Recording | null} */
let recording = null;
let requestsBefore = 0;
let drawnAt = 0;
const SHOW_EVERY_MS = 200;

/* ---- states ---- */

const STATUS = /** @type {Record<string, string>} */ ({ idle: "Ready", loading: "Loading", starting: "Starting", connecting: "Starting", live: "Live", trouble: "Stopped" });

/** @type {(state: string, status?: string) => void} */
function setState(state, status = STATUS[state]) {
  document.body.dataset.state = state;
  $("status").textContent = status;
  const isLive = state === "live";
  for (const id of ["compare", "shot", "record", "landmarks", "full"]) $(id).disabled = !isLive;
  $("sources").hidden = !source;
  if (!isLive) {
    stopRecording();
    stopLog();
  }
}

/** @type {(title: string, text: string, start?: string | null) => void} */
function showCard(title, text, start = "Use my camera") {
  $("card-title").textContent = title;
  $("card-text").textContent = text;
  $("start").textContent = start;
  $("start").hidden = $("play").hidden = start === null;
}

/** @type {(title: string, text: string, start?: string | null) => void} */
function stopWith(title, text, start = "Try again") {
  release();
  showCard(title, text, start);
  setState("trouble", title);
}

let toastTimer = 0;
/** @type {(text: string, isBad?: boolean) => void} */
function toast(text, isBad = false) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  $("toast").classList.toggle("bad", isBad);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("on"), isBad ? 7000 : 3500);
}

let release = () => {}; // what is set up once the page is loaded

/* ---- load ---- */

setState("loading");
showCard("Loading", "Everything runs in this browser. No picture leaves your machine.", null);
const loaded = await load().catch((error) => {
  const title = error instanceof LoadError ? "The page is not complete" : "This browser can't run the tracker";
  stopWith(title, error instanceof Error ? error.message : String(error), null);
  return null;
});
if (loaded) begin(loaded);

async function load() {
  if (!hasSimd()) throw new Error("The tracker needs WebAssembly with SIMD, which this browser does not have: use a Chrome, Edge, Firefox or Safari of 2023 or later.");
  if (!canvas.getContext || typeof OffscreenCanvas === "undefined") throw new Error("The tracker needs OffscreenCanvas, which this browser does not have: use a newer one.");
  const manifest = await loadManifest();
  const names = ["ort-wasm-simd-threaded.wasm.bin", "networks/registration.onnx.bin", "networks/detector.onnx.bin", "template.bin", ...manifest.pictures.map((/** @type {{file: string}} */ { file }) => file)];
  const total = names.reduce((sum, name) => sum + manifest.files[name].bytes, 0);
  let come = 0;
  /** @param {number} bytes */
  const told = (bytes) => {
    come += bytes;
    $("status").textContent = `Loading, ${Math.round((100 * come) / total)} %`;
  };
  const files = new Map(await Promise.all(names.map(async (name) => /** @type {[string, ArrayBuffer]} */ ([name, await loadFile(name, manifest.files, told)]))));
  const template = unpacked(manifest.template, /** @type {ArrayBuffer} */ (files.get("template.bin")));
  let renderer;
  try {
    renderer = new Renderer(canvas, template.mesh, manifest.template.triangles);
  } catch (error) {
    throw new Error(`The page draws with WebGL 2, which this browser does not give (${error instanceof Error ? error.message : error}): switch hardware acceleration on, or use another browser.`);
  }
  const engine = new Engine();
  const wasm = files.get(names[0]);
  const networks = { registration: files.get(names[1]), detector: files.get(names[2]) };
  const { threads } = await engine.ask("load", { runtime: wasm, networks, config: manifest.tracker, template, threads: threadCount() });
  return { manifest, files, template, renderer, engine, threads };
}

/**
 * The template's arrays: see template_file.py.
 * @param {{name: string, landmarks: number[], mesh: number[], is_painted: boolean}} description
 * @param {ArrayBuffer} content
 */
function unpacked({ name, landmarks, mesh, is_painted }, content) {
  const size = 65 * 80;
  const [labels, painted] = [new Float32Array(content, 0, 8 * size), new Float32Array(content, 32 * size, 8 * size)];
  const field = new Float32Array(content, 64 * size, 2 * size);
  const skin = new Uint8Array(content, 72 * size);
  return { name, labels, painted, worn: is_painted ? null : field, skin, landmarks: Float64Array.from(landmarks), mesh: Float64Array.from(mesh) };
}

/** @param {NonNullable<typeof loaded>} parts */
async function begin({ manifest, files, template, renderer, engine, threads }) {
  const loop = new FrameLoop(original, engine, renderer, (shown) => {
    if (document.body.dataset.state === "connecting") setState("live");
    log.add(shown);
    const now = performance.now();
    if (now - drawnAt < SHOW_EVERY_MS) return;
    drawnAt = now;
    statusBar.draw(shown.stats, shown.rate, shown.latency);
    showRequests();
  });
  const program = new Program(manifest, engine, template.painted, () => loop.grab(), (picture) => {
    renderer.setPicture(picture.name, picture.bitmap);
    const { cover, blend, spareEyes, isOccluded } = picture;
    engine.ask("usePicture", { cover, blend, spareEyes, isOccluded });
  });
  await program.decode(files);
  loop.look = () => ({ effect: program.settings.effect, opacity: program.settings.opacity, mirror: program.settings.mirror, blend: program.picture.blend });
  loop.addEventListener("trouble", (event) => stopWith("The tracker has stopped", /** @type {CustomEvent<string>} */ (event).detail, "Start again"));
  const controls = new Controls(toast, program);
  await controls.load();
  wireUp(loop, controls);
  forbidRequests();
  requestsBefore = requests.count;
  showRequests();
  const count = threads > 1 ? `${threads} threads` : "one thread";
  const how = globalThis.crossOriginIsolated ? count : "one thread: this server does not send the headers for more";
  $("foot").textContent = `facewarp ${manifest.version}, ${manifest.runtime}, ${how}`;
  showCard("See your face, registered", "Everything runs in this browser. No picture leaves your machine.");
  setState("idle");
  Object.assign(globalThis, { facewarp: { engine, loop, program } }); // for the console, and tests
}

function showRequests() {
  const since = requests.count - requestsBefore;
  $("requests").textContent = since === 0 ? "No request since the page was loaded" : `${since} requests since the page was loaded`;
}

/* ---- start and stop ---- */

/** @type {(loop: FrameLoop, controls: any) => void} */
function wireUp(loop, controls) {
  /** @param {() => Promise<Source>} open */
  async function start(open) {
    release();
    const mine = ++attempt;
    setState("starting");
    let opened;
    try {
      opened = await open();
    } catch (error) {
      if (mine !== attempt) return;
      if (!(error instanceof SourceError)) throw error;
      stopWith(error.title, error.message);
      return;
    }
    if (mine !== attempt) return close(opened);
    use(opened);
    setState("connecting");
    loop.start();
  }

  /** @param {Source} opened */
  function use(opened) {
    source = opened;
    original.srcObject = opened.stream;
    original.play().catch(() => {});
    const [track] = opened.stream.getVideoTracks();
    track.addEventListener("ended", () => {
      if (source !== opened) return;
      if (opened.isCamera) stopWith("The camera has gone", "It was unplugged, or another program took it.");
      else stopWith("The video has ended", "Play it again, or use your camera.", "Use my camera");
    });
    $("camera").hidden = $("resolution").hidden = !opened.isCamera;
    $("stop").hidden = $("sources").hidden = false;
    if (opened.isCamera) fillCameras();
  }

  /** @param {string} [deviceId] */
  async function camera(deviceId) {
    const [width, height] = $("resolution").value.split("x").map(Number);
    return { stream: await openCamera(deviceId, width, height), isCamera: true };
  }

  async function fillCameras() {
    const current = source?.stream.getVideoTracks()[0]?.getSettings().deviceId;
    $("camera").replaceChildren(...(await listCameras()).map(({ id, label }) => new Option(label, id, false, id === current)));
  }

  const again = () => source?.isCamera && start(() => camera($("camera").value));
  $("start").addEventListener("click", () => start(() => camera()));
  $("play").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", (/** @type {any} */ { target }) => {
    const [file] = target.files;
    target.value = "";
    if (file) start(async () => ({ ...(await openFile(file)), isCamera: false }));
  });
  $("stop").addEventListener("click", () => {
    release();
    showCard("Stopped", "Your camera is off.");
    setState("idle");
    $("start").focus();
  });
  $("camera").addEventListener("change", again);
  $("resolution").addEventListener("change", again);
  navigator.mediaDevices?.addEventListener?.("devicechange", () => source?.isCamera && fillCameras());
  release = () => {
    attempt += 1;
    loop.stop();
    if (source) close(source);
    source = null;
    original.srcObject = null;
    statusBar.clear();
    setComparing(false);
  };

  $("shot").addEventListener("click", async () => {
    const blob = await loop.picture();
    if (blob) save(blob, "png");
    if (blob) toast("Screenshot saved to your downloads");
  });
  $("record").addEventListener("click", () => (recording ? stopRecording() : startRecording()));
  $("landmarks").addEventListener("click", () => (log.isOn ? stopLog() : startLog()));

  for (const kind of ["dragenter", "dragover"]) {
    stage.addEventListener(kind, (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      stage.classList.add("dropping");
    });
  }
  stage.addEventListener("dragleave", (/** @type {DragEvent} */ event) => {
    if (!stage.contains(/** @type {Node | null} */ (event.relatedTarget))) stage.classList.remove("dropping");
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (/** @type {DragEvent} */ event) => {
    event.preventDefault(); // or the browser would leave for the file
    stage.classList.remove("dropping");
    const [file] = event.dataTransfer?.files ?? [];
    if (file) controls.give(file, "texture");
  });

  document.addEventListener("visibilitychange", () => {
    if (document.body.dataset.state !== "live") return;
    if (document.hidden) loop.pause();
    else loop.start();
    $("status").textContent = document.hidden ? PAUSED : STATUS.live;
  });

  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    const isTyping = target.matches("select, input:not([type=radio], [type=checkbox], [type=range])");
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping) return;
    const effect = controls.effects[Number(event.key) - 1];
    if (effect) controls.change({ effect });
    else if (KEYS[event.key]) $(KEYS[event.key]).click();
  });
}

const PAUSED = "Paused while this tab is in the background";
const KEYS = /** @type {Record<string, string>} */ ({ c: "compare", s: "shot", r: "record", l: "landmarks", f: "full", m: "mirror", t: "snapshot" });

/** @param {Source} opened */
function close(opened) {
  opened.stream.getTracks().forEach((track) => track.stop());
  opened.close?.();
}

/** @param {boolean} isOn */
function setComparing(isOn) {
  stage.classList.toggle("comparing", isOn);
  $("compare").setAttribute("aria-pressed", isOn);
}
$("compare").addEventListener("click", () => setComparing(!stage.classList.contains("comparing")));
$("split").addEventListener("input", (/** @type {any} */ { target }) => stage.style.setProperty("--split", `${target.value}%`));
$("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen?.()));
addEventListener("pagehide", () => release());

/* ---- recordings ---- */

function startRecording() {
  recording = Recording.of(canvas.captureStream(30), ["webm", "mp4"]);
  if (!recording) return toast("This browser can't record", true);
  $("record").setAttribute("aria-pressed", true);
  $("record-text").textContent = "Stop";
}

async function stopRecording() {
  const ended = recording;
  recording = null;
  $("record").setAttribute("aria-pressed", false);
  $("record-text").textContent = "Record";
  const file = await ended?.end();
  if (!file) return;
  save(file.blob, file.suffix);
  toast("Recording saved to your downloads");
}

function startLog() {
  log.start();
  $("landmarks").setAttribute("aria-pressed", true);
  $("landmarks-text").textContent = "Save";
}

function stopLog() {
  const blob = log.end();
  $("landmarks").setAttribute("aria-pressed", false);
  $("landmarks-text").textContent = "Landmarks";
  if (!blob) return;
  save(blob, "json");
  toast("Landmarks saved to your downloads");
}
