// The connection to the program: one WebSocket, which carries signaling of WebRTC, or JPEGs where
// the browser can't reach the program by UDP (a tunnel, a firewall).

import { FrameRate } from "./frame_rate.js";
import { LatencyMeter } from "./latency.js";

const CONNECT_MS = 7000;
const GATHER_MS = 1500;
const IN_FLIGHT = 2; // JPEGs on their way: backpressure
const LOST_MS = 2000;
const TICKS_PER_MS = 90;
const CODES = { 1001: "ended", 4001: "busy", 4002: "taken" };

/** Events: stats (detail), stream (detail: MediaStream), displayed, closed (detail: reason), trouble. */
export class Connection extends EventTarget {
  latency = new LatencyMeter();
  kind = null;
  #socket = null;
  #peer = null;
  #sender = null;
  #worker = null;
  #answer = null;
  #stream = null;
  #stopGrabbing = null;
  #frameRate = new FrameRate();
  #rateSet = 0; // ms of performance.now

  constructor(original, canvas) {
    super();
    this.original = original;
    this.canvas = canvas;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Opens the WebSocket. The page keeps its name through reloads, so that it replaces itself. */
  open(takeOver = false) {
    const page = (sessionStorage.page ??= crypto.randomUUID?.() ?? String(Math.random()));
    const where = new URL("api/live", location.href);
    where.protocol = location.protocol.replace("http", "ws");
    where.hash = "";
    where.search = new URLSearchParams({ page, ...(takeOver && { take_over: "1" }) });
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(where);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => resolve();
      socket.onmessage = ({ data }) => (typeof data === "string" ? this.#receive(JSON.parse(data)) : this.#draw(data));
      socket.onclose = ({ code }) => {
        if (this.#socket !== socket) return;
        this.#socket = null;
        this.hangUp();
        reject(new Error("closed"));
        this.#emit("closed", CODES[code] ?? "lost");
      };
      this.#socket = socket;
    });
  }

  /** Sends a stream: by WebRTC if that connects, else as JPEGs. */
  async send(stream, { imagesOnly = false } = {}) {
    this.hangUp();
    this.#stream = stream;
    if (!imagesOnly && window.RTCPeerConnection && (await this.#call(stream))) return;
    if (this.#stream === stream && this.isOpen) this.#sendImages();
  }

  /** Sends another camera or size on the same connection. */
  async replace(stream) {
    this.#stream = stream;
    this.latency.reset();
    await this.#sender?.replaceTrack(stream.getVideoTracks()[0]);
  }

  /** Ends sending; the WebSocket stays open. */
  hangUp() {
    this.#peer?.close();
    this.#worker?.terminate();
    this.#stopGrabbing?.();
    [this.#peer, this.#sender, this.#worker, this.#stopGrabbing, this.#stream] = [null, null, null, null, null];
    this.kind = null;
    this.latency.reset();
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #post(message) {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  #receive(message) {
    if (message.type === "stats") {
      this.#emit("stats", message);
      this.#limitRate();
    } else if (message.type === "answer") this.#answer?.(message.sdp);
    else if (message.type === "refused") {
      this.#answer?.(null);
      this.#emit("trouble", message.text);
    }
  }

  /** Connects by WebRTC; returns whether it succeeded. */
  async #call(stream) {
    const peer = (this.#peer = new RTCPeerConnection({ iceServers: [] }));
    const [track] = stream.getVideoTracks();
    track.contentHint = "motion";
    const line = peer.addTransceiver(track, { direction: "sendrecv", streams: [stream], sendEncodings: [{ maxBitrate: 3_000_000, maxFramerate: 30 }] });
    this.#sender = line.sender;
    preferVP8(line);
    this.#timestampFrames(line.sender);
    if ("jitterBufferTarget" in line.receiver) line.receiver.jitterBufferTarget = 0;
    peer.ontrack = ({ track: back }) => this.#emit("stream", new MediaStream([back]));
    try {
      await peer.setLocalDescription();
      await gathered(peer);
      const answered = new Promise((resolve) => (this.#answer = resolve));
      this.#post({ type: "offer", sdp: peer.localDescription.sdp });
      const sdp = await within(answered, CONNECT_MS);
      if (!sdp || this.#peer !== peer) throw new Error("no answer");
      await peer.setRemoteDescription({ type: "answer", sdp });
      if (!(await connected(peer)) || this.#peer !== peer) throw new Error("no way through");
    } catch {
      if (this.#peer === peer) {
        peer.close();
        [this.#peer, this.#sender] = [null, null];
        this.latency.reset();
      }
      return false;
    }
    this.kind = "webrtc";
    this.#frameRate = new FrameRate();
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "failed" && this.#peer === peer) this.send(this.#stream);
    };
    return true;
  }

  /** Limits the frame rate sent to what comes back. */
  async #limitRate() {
    const now = performance.now();
    if (this.kind !== "webrtc" || now - this.#rateSet < 1000) return;
    this.#rateSet = now;
    const before = this.#frameRate.rate;
    const rate = this.#frameRate.next(this.latency, this.latency.percentiles(20));
    if (rate === before || !this.#sender) return;
    const parameters = this.#sender.getParameters();
    for (const encoding of parameters.encodings ?? []) encoding.maxFramerate = rate;
    await this.#sender.setParameters(parameters).catch(() => {});
  }

  #timestampFrames(sender) {
    if (!window.RTCRtpScriptTransform) return;
    this.#worker = new Worker("timestamp_worker.js");
    this.#worker.onmessage = ({ data }) => this.latency.sent(data);
    sender.transform = new RTCRtpScriptTransform(this.#worker, {});
  }

  /** Sends JPEGs on the WebSocket, a new one whenever fewer than `IN_FLIGHT` are on their way. */
  #sendImages() {
    this.#post({ type: "pictures" });
    this.kind = "pictures";
    this.inFlight = new Map(); // tick -> ms it was taken
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { alpha: false });
    const video = this.original;
    let [isOn, isBusy, last, handle] = [true, false, -1, 0];
    const take = async () => {
      if (!isOn) return;
      handle = video.requestVideoFrameCallback?.(take) ?? requestAnimationFrame(take);
      const now = performance.now();
      for (const [tick, since] of this.inFlight) if (now - since > LOST_MS) this.inFlight.delete(tick);
      if (isBusy || this.inFlight.size >= IN_FLIGHT || !video.videoWidth || !this.isOpen) return;
      isBusy = true;
      const scale = Math.min(1, 1280 / video.videoWidth);
      [canvas.width, canvas.height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
      const tick = Math.max(last + 1, Math.floor(now * TICKS_PER_MS)) % 2 ** 32;
      isBusy = false;
      if (!blob || !isOn || !this.isOpen) return;
      last = tick;
      this.inFlight.set(tick, now);
      const head = new DataView(new ArrayBuffer(4));
      head.setUint32(0, tick);
      this.#socket.send(new Blob([head.buffer, blob]));
    };
    this.#stopGrabbing = () => {
      isOn = false;
      video.cancelVideoFrameCallback?.(handle);
      cancelAnimationFrame(handle);
    };
    take();
    this.#emit("stream", null);
  }

  async #draw(data) {
    if (this.kind !== "pictures") return;
    const tick = new DataView(data).getUint32(0);
    const image = await createImageBitmap(new Blob([new Uint8Array(data, 4)], { type: "image/jpeg" })).catch(() => null);
    const taken = this.inFlight.get(tick);
    for (const older of this.inFlight.keys()) if (older <= tick) this.inFlight.delete(older);
    if (!image) return;
    const { canvas } = this;
    if (canvas.width !== image.width || canvas.height !== image.height) {
      [canvas.width, canvas.height] = [image.width, image.height];
    }
    canvas.getContext("2d").drawImage(image, 0, 0);
    image.close();
    if (taken !== undefined) this.latency.displayed(taken, performance.now());
    this.#emit("displayed");
  }
}

/** VP8 first: the program encodes it in a fraction of the time that H.264 takes. */
function preferVP8(line) {
  const codecs = RTCRtpSender.getCapabilities?.("video")?.codecs;
  if (!codecs || !line.setCodecPreferences) return;
  const rank = ({ mimeType }) => ["video/VP8", "video/rtx", "video/H264"].indexOf(mimeType);
  const known = codecs.filter((codec) => rank(codec) >= 0).sort((a, b) => rank(a) - rank(b));
  if (known.length) line.setCodecPreferences(known);
}

function within(promise, milliseconds) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
}

function gathered(peer) {
  const done = new Promise((resolve) => {
    const look = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", look);
    look();
  });
  return within(done, GATHER_MS);
}

async function connected(peer) {
  const done = new Promise((resolve) => {
    const look = () => {
      if (peer.connectionState === "connected") resolve(true);
      if (["failed", "closed"].includes(peer.connectionState)) resolve(false);
    };
    peer.addEventListener("connectionstatechange", look);
    look();
  });
  return (await within(done, CONNECT_MS)) === true;
}
