// The page without a server: camera, workers and drawing, and what its buttons do.

import { CanvasRenderer } from "./canvas_renderer.js";
import { Controls } from "./controls.js";
import { Engine } from "./engine.js";
import { LoadError, RequestCount, forbidRequests, hasSimd, loadFile, loadManifest, threadCount } from "./loader.js";
import { FrameLoop } from "./frame_loop.js";
import { LandmarkLog } from "./landmark_log.js";
import { meshEdges } from "./mesh.js";
import { premultiplied } from "./pictures.js";
import { Program } from "./program.js";
import { Renderer, hasGpu } from "./renderer.js";
import { save } from "./saving.js";
import { $, RecordButton, SourceChooser, setComparing, showCard, toast, wireKeys, wireView } from "./shell.js";
import { StatusBar } from "./status.js";

const [canvas, original, stage] = [$("pictures"), $("original"), $("stage")];
$("result").hidden = true;
canvas.hidden = false;

const PROMISE = "Everything runs in this browser. No picture leaves your machine.";
const PAUSED = "Paused while this tab is in the background";
const SHOW_EVERY_MS = 400;
const statusBar = new StatusBar();
const requests = new RequestCount();
const log = new LandmarkLog();
/** @type {FrameLoop | null} */
let loop = null;
let drawnAt = 0;

/* ---- states ---- */

const STATUS = /** @type {Record<string, string>} */ ({ idle: "Ready", loading: "Loading", starting: "Starting", connecting: "Starting", live: "Live", trouble: "Stopped" });

/** @type {(state: string, status?: string) => void} */
function setState(state, status = STATUS[state]) {
  document.body.dataset.state = state;
  $("status").textContent = status;
  const isLive = state === "live";
  for (const id of ["compare", "shot", "record", "landmarks", "full"]) $(id).disabled = !isLive;
  $("sources").hidden = !sources.source;
  if (!isLive) {
    recordButton.stop();
    stopLog();
  }
}

/** @type {(title: string, text: string, start?: string | null) => void} */
function stopWith(title, text, start = "Try again") {
  release();
  showCard(title, text, start);
  setState("trouble", title);
}

function release() {
  loop?.stop();
  sources.release();
  statusBar.clear();
  setComparing(false);
}

const recordButton = new RecordButton(() => canvas.captureStream(30), ["webm", "mp4"]);
const sources = new SourceChooser({
  starting: () => {
    release();
    setState("starting");
  },
  opened: () => {
    setState("connecting");
    loop?.start();
  },
  stopped: stopWith,
  cameraChanged: () => sources.restart(),
});

/* ---- load ---- */

setState("loading");
showCard("Loading", PROMISE, null);
const loaded = await load().catch((error) => {
  const title = error instanceof LoadError ? "The page is not complete" : "This browser can't run the tracker";
  stopWith(title, error instanceof Error ? error.message : String(error), null);
  return null;
});
if (loaded) begin(loaded);

async function load() {
  if (!hasSimd()) throw new Error("The tracker needs WebAssembly with SIMD, which this browser does not have: use a Chrome, Edge, Firefox or Safari of 2023 or later.");
  if (typeof OffscreenCanvas === "undefined") throw new Error("The tracker needs OffscreenCanvas, which this browser does not have: use a newer one.");
  const manifest = await loadManifest();
  const pictures = manifest.pictures.map((/** @type {{file: string}} */ { file }) => file);
  const names = ["ort-wasm-simd-threaded.wasm.bin", "networks/registration.onnx.bin", "networks/detector.onnx.bin", "networks/matte.onnx.bin", "template.bin", "face.webp", ...pictures, ...manifest.makeup.files];
  const total = names.reduce((sum, name) => sum + manifest.files[name].bytes, 0);
  let come = 0;
  /** @param {number} bytes */
  const told = (bytes) => {
    come += bytes;
    $("status").textContent = `Loading, ${Math.round((100 * come) / total)} %`;
  };
  const files = new Map(await Promise.all(names.map(async (name) => /** @type {[string, ArrayBuffer]} */ ([name, await loadFile(name, manifest.files, told)]))));
  const template = unpacked(manifest.template, /** @type {ArrayBuffer} */ (files.get("template.bin")));
  const mesh = meshEdges(template.mesh, manifest.template.triangles);
  const renderer = rendererFor(mesh);
  const drawsPixels = renderer instanceof CanvasRenderer;
  const [follower, painter] = [new Engine("./worker.js"), new Engine("./paint_worker.js")];
  const runtime = files.get(names[0]);
  const networks = { registration: files.get(names[1]), detector: files.get(names[2]) };
  const [{ threads }] = await Promise.all([
    follower.ask("load", { runtime, networks, config: manifest.tracker, template, threads: threadCount(), drawsPixels }),
    painter.ask("load", { skin: template.skin, mesh, runtime, network: files.get(names[3]) }),
  ]);
  return { manifest, files, template, renderer, follower, painter, threads };
}

/**
 * What shows frames: WebGL where there is a GPU, else the processor. #webgl and #pixels at the end of
 * the address ask for one of them.
 * @param {{edges: [number, number, number][], levels: number[]}} mesh
 */
function rendererFor(mesh) {
  const isAsked = location.hash === "#webgl";
  if (location.hash === "#pixels" || !(isAsked || hasGpu())) return new CanvasRenderer(canvas);
  return new Renderer(canvas, mesh);
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
async function begin({ manifest, files, template, renderer, follower, painter, threads }) {
  const drawn = (loop = new FrameLoop(original, follower, painter, renderer, manifest.tracker.sure, show));
  const program = new Program(manifest, follower, template.painted, (picture) => {
    const { bitmap, cover, blend, spareEyes, isOccluded } = picture;
    const isSoftware = renderer instanceof CanvasRenderer;
    if (!isSoftware) renderer.setPicture(bitmap);
    painter.ask("usePicture", { cover, blend, spareEyes, isOccluded, pixels: isSoftware ? premultiplied(bitmap) : null });
  });
  await program.decode(files);
  const face = new Blob([/** @type {ArrayBuffer} */ (files.get("face.webp"))], { type: "image/webp" });
  document.documentElement.style.setProperty("--tile-face", `url("${URL.createObjectURL(face)}")`);
  const count = threads > 1 ? `${threads} threads` : "one thread";
  const how = globalThis.crossOriginIsolated ? count : "one thread: this server does not send the headers for more";
  const drawing = renderer instanceof CanvasRenderer ? ", drawn without a GPU" : "";
  program.about = `${manifest.version}, ${manifest.runtime}, ${how}${drawing}`;
  drawn.look = () => ({ effect: program.settings.effect, opacity: program.settings.opacity, blend: program.picture.blend });
  drawn.addEventListener("trouble", (event) => stopWith("The tracker has stopped", /** @type {CustomEvent<string>} */ (event).detail, "Start again"));
  const controls = new Controls(toast, program);
  await controls.load();
  wireUp(drawn, controls);
  forbidRequests();
  requests.begin();
  showRequests();
  showCard("See your face, registered", PROMISE);
  setState("idle");
  Object.assign(globalThis, { facewarp: { engine: follower, loop: drawn, program } }); // for the console, and tests
}

/** @param {import("./frame_loop.js").Told} told */
function show(told) {
  if (document.body.dataset.state === "connecting") setState("live");
  log.add(told);
  const now = performance.now();
  if (now - drawnAt < SHOW_EVERY_MS) return;
  drawnAt = now;
  statusBar.draw(told.stats, told.rate, told.latency);
  showRequests();
}

function showRequests() {
  const { count } = requests;
  $("requests").textContent = `${count || "No"} request${count > 1 ? "s" : ""} since the page was loaded`;
}

/* ---- buttons ---- */

/**
 * @param {FrameLoop} drawn
 * @param {Controls} controls
 */
function wireUp(drawn, controls) {
  $("stop").addEventListener("click", () => {
    release();
    showCard("Stopped", "Your camera is off.");
    setState("idle");
    $("start").focus();
  });
  $("shot").addEventListener("click", async () => {
    const blob = await drawn.picture();
    if (!blob) return;
    save(blob, "png");
    toast("Screenshot saved to your downloads");
  });
  $("landmarks").addEventListener("click", () => (log.isOn ? stopLog() : startLog()));
  $("faces").addEventListener("change", () => controls.change({ faces: Number($("faces").value) }));
  wireView();
  wireKeys(controls, { c: "compare", s: "shot", r: "record", l: "landmarks", f: "full", m: "mirror", t: "snapshot" });
  wireDrop(controls);
  document.addEventListener("visibilitychange", () => {
    if (document.body.dataset.state !== "live") return;
    if (document.hidden) drawn.pause();
    else drawn.start();
    $("status").textContent = document.hidden ? PAUSED : STATUS.live;
  });
  addEventListener("pagehide", release);
}

/**
 * Takes a texture that is dropped anywhere on the page.
 * @param {Controls} controls
 */
function wireDrop(controls) {
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
