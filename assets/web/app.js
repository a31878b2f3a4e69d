// The page: its state, and what its buttons do.

import { Connection } from "./connection.js";
import { StatusBar } from "./status.js";
import { program } from "./api.js";
import { Controls } from "./controls.js";
import { savePicture } from "./saving.js";
import { $, RecordButton, SourceChooser, setComparing, showCard, toast, wireKeys, wireView } from "./shell.js";

history.replaceState(null, "", location.pathname + location.hash); // the token leaves the address

const RETRY_MS = 2000;
const [result, pictures, original] = [$("result"), $("pictures"), $("original")];
const connection = new Connection(original, pictures);
const statusBar = new StatusBar();
const controls = new Controls(toast, program);
const imagesOnly = location.hash === "#pictures";
const recordButton = new RecordButton(() => result.srcObject ?? pictures.captureStream?.(30), ["mp4", "webm"]);
const sources = new SourceChooser({
  starting: () => {
    release();
    setState("starting");
  },
  opened: (source, mine) => connect(mine),
  stopped: stopWith,
  cameraChanged: async () => {
    const opened = await sources.changeCamera(); // the connection stays
    if (opened) await connection.replace(opened.stream);
  },
});
let takeOver = false;

/* ---- states ---- */

const STATUS = { idle: "Not started", starting: "Starting", connecting: "Connecting", live: "Live", trouble: "Stopped" };

function setState(state, status = STATUS[state]) {
  document.body.dataset.state = state;
  $("status").textContent = status;
  const isLive = state === "live";
  for (const id of ["compare", "shot", "record", "full"]) $(id).disabled = !isLive;
  $("sources").hidden = !sources.source;
  if (!isLive) recordButton.stop();
}

function stopWith(title, text, start = "Try again") {
  release();
  showCard(title, text, start);
  setState("trouble", title);
}

/* ---- start and stop ---- */

async function connect(mine) {
  setState("connecting");
  try {
    if (!connection.isOpen) await connection.open(takeOver);
  } catch {
    return; // the event "closed" says why
  }
  takeOver = false;
  if (mine !== sources.attempt || !sources.source) return;
  await connection.send(sources.source.stream, { imagesOnly });
}

function release() {
  connection.hangUp();
  sources.release();
  result.srcObject = null;
  statusBar.clear();
  setComparing(false);
}

/* ---- the connection ---- */

connection.addEventListener("stream", ({ detail: stream }) => {
  result.srcObject = stream;
  result.hidden = !stream;
  pictures.hidden = Boolean(stream);
  if (stream) result.play().catch(() => {});
});
const isBack = () => document.body.dataset.state === "connecting" && sources.source && setState("live");
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
  const mine = ++sources.attempt;
  if (sources.source && !hasEnded) {
    statusBar.clear();
    setState("connecting", "Connection lost, trying again");
    await pause(500);
    if (mine === sources.attempt && (await isThere()) === true) return connect(mine);
  }
  if (mine !== sources.attempt) return;
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

$("stop").addEventListener("click", () => {
  release();
  showCard("Stopped", "Your camera is off.");
  setState("idle");
  $("start").focus();
});

function shown() {
  return result.srcObject ? [result, result.videoWidth, result.videoHeight] : [pictures, pictures.width, pictures.height];
}

$("shot").addEventListener("click", async () => {
  if (await savePicture(...shown())) toast("Screenshot saved to your downloads");
});
wireView();
wireKeys(controls, { c: "compare", s: "shot", r: "record", f: "full", m: "mirror", t: "snapshot", n: "neutral" });

/* ---- begin ---- */

addEventListener("pagehide", () => connection.hangUp());
setState("idle");
const there = await isThere();
if (there === true) connection.open().catch(() => {});
else if (there === "other") outOfDate();
else programGone(true);
