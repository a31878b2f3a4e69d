// The page: its state, and what its buttons do.

import { Connection } from "./connection.js";
import { StatusBar } from "./status.js";
import { program } from "./api.js";
import { Controls } from "./controls.js";
import { Recording, save, savePicture } from "./saving.js";
import { SourceError, listCameras, openCamera, openFile } from "./source.js";

history.replaceState(null, "", location.pathname + location.hash); // the token leaves the address

const $ = (id) => document.getElementById(id);
const RETRY_MS = 2000;
const [result, pictures, original, stage] = [$("result"), $("pictures"), $("original"), $("stage")];
const connection = new Connection(original, pictures);
const statusBar = new StatusBar();
const controls = new Controls(toast, program);
const imagesOnly = location.hash === "#pictures";

let source = null; // {stream, close, isCamera}
let attempt = 0; // grows with every start and stop: what belongs to an older one is dropped
let recorder = null;
let takeOver = false;

/* ---- states ---- */

const STATUS = { idle: "Not started", starting: "Starting", connecting: "Connecting", live: "Live", trouble: "Stopped" };

function setState(state, status = STATUS[state]) {
  document.body.dataset.state = state;
  $("status").textContent = status;
  const isLive = state === "live";
  for (const id of ["compare", "shot", "record", "full"]) $(id).disabled = !isLive;
  $("sources").hidden = !source;
  if (!isLive) stopRecording();
}

function showCard(title, text, start = "Use my camera") {
  $("card-title").textContent = title;
  $("card-text").textContent = text;
  $("start").textContent = start;
  $("start").hidden = $("play").hidden = start === null;
}

function stopWith(title, text, start = "Try again") {
  release();
  showCard(title, text, start);
  setState("trouble", title);
}

let toastTimer = 0;
function toast(text, isBad = false) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  $("toast").classList.toggle("bad", isBad);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("on"), isBad ? 7000 : 3500);
}

/* ---- start and stop ---- */

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
  if (mine !== attempt) {
    close(opened);
    return;
  }
  use(opened);
  await connect(mine);
}

async function connect(mine) {
  setState("connecting");
  try {
    if (!connection.isOpen) await connection.open(takeOver);
  } catch {
    return; // the event "closed" says why
  }
  takeOver = false;
  if (mine !== attempt || !source) return;
  await connection.send(source.stream, { imagesOnly });
}

function use(opened) {
  source = opened;
  original.srcObject = opened.stream;
  original.play().catch(() => {});
  const [track] = opened.stream.getVideoTracks();
  track.addEventListener("ended", () => {
    if (source !== opened) return;
    stopWith(opened.isCamera ? "The camera has gone" : "The video has ended", opened.isCamera ? "It was unplugged, or another program took it." : "Play it again, or use your camera.", opened.isCamera ? "Try again" : "Use my camera");
  });
  $("camera").hidden = $("resolution").hidden = !opened.isCamera;
  $("stop").hidden = false;
  if (opened.isCamera) fillCameras();
}

function close(opened) {
  opened.stream.getTracks().forEach((track) => track.stop());
  opened.close?.();
}

function release() {
  attempt += 1;
  connection.hangUp();
  if (source) close(source);
  source = null;
  original.srcObject = result.srcObject = null;
  statusBar.clear();
  setComparing(false);
}

async function camera(deviceId) {
  const [width, height] = $("resolution").value.split("x").map(Number);
  return { stream: await openCamera(deviceId, width, height), isCamera: true };
}

async function fillCameras() {
  const current = source?.stream.getVideoTracks()[0]?.getSettings().deviceId;
  const options = (await listCameras()).map(({ id, label }) => new Option(label, id, false, id === current));
  $("camera").replaceChildren(...options);
}

/** Opens another camera or size; the connection stays. */
async function changeCamera() {
  if (!source?.isCamera) return;
  const before = source;
  close(before); // many cameras can't be opened twice
  try {
    const opened = await camera($("camera").value);
    if (source !== before) return close(opened);
    use(opened);
    await connection.replace(opened.stream);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    stopWith(error.title, error.message);
  }
}

/* ---- the connection ---- */

connection.addEventListener("stream", ({ detail: stream }) => {
  result.srcObject = stream;
  result.hidden = !stream;
  pictures.hidden = Boolean(stream);
  if (stream) result.play().catch(() => {});
});
const isBack = () => document.body.dataset.state === "connecting" && source && setState("live");
result.addEventListener("playing", isBack);
connection.addEventListener("displayed", isBack);
connection.addEventListener("stats", ({ detail: stats }) => {
  controls.follow(stats.settings);
  if (document.body.dataset.state !== "live") return;
  statusBar.draw(stats, connection.latency.rate, connection.latency.percentiles());
  const status = stats.recording ? `Live, recorded to ${stats.recording}` : (stats.notice ?? STATUS.live);
  if ($("status").textContent !== status) $("status").textContent = status;
});
connection.addEventListener("trouble", ({ detail }) => toast(detail, true));
connection.addEventListener("closed", ({ detail: reason }) => {
  if (reason === "busy") {
    takeOver = true;
    stopWith("Another page is being served", "The program serves one page at a time. You can take over; the other one stops.", "Take over");
  } else if (reason === "taken") {
    takeOver = true;
    stopWith("Another page has taken over", "The program serves one page at a time.", "Take it back");
  } else programGone(reason === "ended");
});

/** Reconnects after the connection broke or the program ended, once the program is back. */
async function programGone(hasEnded) {
  const mine = ++attempt;
  if (source && !hasEnded) {
    statusBar.clear();
    setState("connecting", "Connection lost, trying again");
    await pause(500);
    if (mine === attempt && (await isThere()) === true) return connect(mine);
  }
  if (mine !== attempt) return;
  stopWith("The program has ended", "Start facewarp live --web again, and open the address that it prints.", null);
  $("controls").inert = true;
  let there = false;
  while (there === false) {
    await pause(RETRY_MS);
    there = await isThere();
  }
  if (there === "other") return outOfDate();
  $("controls").inert = false;
  showCard("The program is back", "You can start again.");
  setState("idle");
  connection.open().catch(() => {});
}

function outOfDate() {
  stopWith("This page is out of date", "The program was started anew. Open the address that it prints now: it has another token.", null);
  $("controls").inert = true;
}

/** Returns whether the program answers; "other" if it does not know this page's token. */
async function isThere() {
  try {
    await controls.load();
    return true;
  } catch (error) {
    return error.status === 401 ? "other" : false;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const onShown = (now, frame) => {
  result.requestVideoFrameCallback(onShown);
  if (frame.rtpTimestamp !== undefined) connection.latency.shown(frame.rtpTimestamp, frame.expectedDisplayTime);
};
const onCaptured = (now, frame) => {
  original.requestVideoFrameCallback(onCaptured);
  if (frame.captureTime !== undefined) connection.latency.captured(frame.captureTime);
};
result.requestVideoFrameCallback?.(onShown);
original.requestVideoFrameCallback?.(onCaptured);

/* ---- buttons ---- */

$("start").addEventListener("click", () => start(() => camera()));
$("play").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => {
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
$("camera").addEventListener("change", changeCamera);
$("resolution").addEventListener("change", changeCamera);
navigator.mediaDevices?.addEventListener?.("devicechange", () => source?.isCamera && fillCameras());

function setComparing(isOn) {
  stage.classList.toggle("comparing", isOn);
  $("compare").setAttribute("aria-pressed", isOn);
}
$("compare").addEventListener("click", () => setComparing(!stage.classList.contains("comparing")));
$("split").addEventListener("input", ({ target }) => stage.style.setProperty("--split", `${target.value}%`));

function shown() {
  return result.srcObject ? [result, result.videoWidth, result.videoHeight] : [pictures, pictures.width, pictures.height];
}

$("shot").addEventListener("click", async () => {
  if (await savePicture(...shown())) toast("Screenshot saved to your downloads");
});

function startRecording() {
  const stream = result.srcObject ?? pictures.captureStream?.(30);
  recorder = stream ? Recording.of(stream, ["mp4", "webm"]) : null;
  if (!recorder) return toast("This browser can't record", true);
  $("record").setAttribute("aria-pressed", true);
  $("record-text").textContent = "Stop";
}
async function stopRecording() {
  const ended = recorder;
  recorder = null;
  $("record").setAttribute("aria-pressed", false);
  $("record-text").textContent = "Record";
  const file = await ended?.end();
  if (file) {
    save(file.blob, file.suffix);
    toast("Recording saved to your downloads");
  }
}
$("record").addEventListener("click", () => (recorder ? stopRecording() : startRecording()));
$("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen?.()));

const KEYS = { c: "compare", s: "shot", r: "record", f: "full", m: "mirror", t: "snapshot", n: "neutral" };
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("select, input:not([type=radio], [type=checkbox], [type=range])");
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping) return;
  const effect = controls.effects[Number(event.key) - 1];
  if (effect) controls.change({ effect });
  else if (KEYS[event.key]) $(KEYS[event.key]).click();
});

/* ---- begin ---- */

addEventListener("pagehide", () => connection.hangUp());
setState("idle");
const there = await isThere();
if (there === true) connection.open().catch(() => {});
else if (there === "other") outOfDate();
else programGone(true);
