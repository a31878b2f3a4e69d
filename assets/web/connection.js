// The connection to the program: one WebSocket for a visit, and on it WebRTC, or JPEGs where the
// browser can't reach the program by UDP (a tunnel, a firewall).

import { Pace } from "./frame_rate.js";
import { Rounds } from "./latency.js";

const CONNECT_MS = 7000;
const GATHER_MS = 1500;
const IN_FLIGHT = 2; // JPEGs on their way; a new one is drawn only when one of these is back
const LOST_MS = 2000;
const TICKS_PER_MS = 90;
const CODES = { 1001: "ended", 4001: "busy", 4002: "taken" };

/** Events: stats (detail), stream (detail: MediaStream), drawn, closed (detail: reason), trouble. */
export class Link extends EventTarget {
  rounds = new Rounds();
  kind = null;
  #socket = null;
  #peer = null;
  #sender = null;
  #worker = null;
  #answer = null;
  #stream = null;
  #grabber = null;
  #pace = new Pace();
  #paced = 0; // ms of performance.now

  constructor(original, canvas) {
    super();
    this.original = original;
    this.canvas = canvas;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Opens the visit. The page keeps its name through reloads, so that it replaces itself. */
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
      socket.onmessage = ({ data }) => (typeof data === "string" ? this.#hear(JSON.parse(data)) : this.#draw(data));
      socket.onclose = ({ code }) => {
        if (this.#socket !== socket) return;
        this.#socket = null;
        this.hangUp();
        reject(new Error("closed"));
        this.#tell("closed", CODES[code] ?? "lost");
      };
      this.#socket = socket;
    });
  }

  /** Sends a stream: by WebRTC if that comes about, else as pictures. */
  async send(stream, { picturesOnly = false } = {}) {
    this.hangUp();
    this.#stream = stream;
    if (!picturesOnly && window.RTCPeerConnection && (await this.#call(stream))) return;
    if (this.#stream === stream && this.isOpen) this.#sendPictures();
  }

  /** Another camera or size, on the same connection. */
  async replace(stream) {
    this.#stream = stream;
    this.rounds.reset();
    await this.#sender?.replaceTrack(stream.getVideoTracks()[0]);
  }

  /** Ends sending; the visit stays. */
  hangUp() {
    this.#peer?.close();
    this.#worker?.terminate();
    this.#grabber?.();
    [this.#peer, this.#sender, this.#worker, this.#grabber, this.#stream] = [null, null, null, null, null];
    this.kind = null;
    this.rounds.reset();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #say(message) {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  #hear(message) {
    if (message.type === "stats") {
      this.#tell("stats", message);
      this.#keepPace();
    } else if (message.type === "answer") this.#answer?.(message.sdp);
    else if (message.type === "refused") {
      this.#answer?.(null);
      this.#tell("trouble", message.text);
    }
  }

  /** A WebRTC call; whether it came about. */
  async #call(stream) {
    const peer = (this.#peer = new RTCPeerConnection({ iceServers: [] }));
    const [track] = stream.getVideoTracks();
    track.contentHint = "motion";
    const line = peer.addTransceiver(track, { direction: "sendrecv", streams: [stream], sendEncodings: [{ maxBitrate: 3_000_000, maxFramerate: 30 }] });
    this.#sender = line.sender;
    preferVP8(line);
    this.#stampFrames(line.sender);
    if ("jitterBufferTarget" in line.receiver) line.receiver.jitterBufferTarget = 0;
    peer.ontrack = ({ track: back }) => this.#tell("stream", new MediaStream([back]));
    try {
      await peer.setLocalDescription();
      await gathered(peer);
      const answered = new Promise((resolve) => (this.#answer = resolve));
      this.#say({ type: "offer", sdp: peer.localDescription.sdp });
      const sdp = await within(answered, CONNECT_MS);
      if (!sdp || this.#peer !== peer) throw new Error("no answer");
      await peer.setRemoteDescription({ type: "answer", sdp });
      if (!(await connected(peer)) || this.#peer !== peer) throw new Error("no way through");
    } catch {
      if (this.#peer === peer) {
        peer.close();
        [this.#peer, this.#sender] = [null, null];
        this.rounds.reset();
      }
      return false;
    }
    this.kind = "webrtc";
    this.#pace = new Pace();
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "failed" && this.#peer === peer) this.send(this.#stream);
    };
    return true;
  }

  /** Sends no more frames than come back. */
  async #keepPace() {
    const now = performance.now();
    if (this.kind !== "webrtc" || now - this.#paced < 1000) return;
    this.#paced = now;
    const before = this.#pace.rate;
    const rate = this.#pace.next(this.rounds, this.rounds.latency(20));
    if (rate === before || !this.#sender) return;
    const parameters = this.#sender.getParameters();
    for (const encoding of parameters.encodings ?? []) encoding.maxFramerate = rate;
    await this.#sender.setParameters(parameters).catch(() => {});
  }

  #stampFrames(sender) {
    if (!window.RTCRtpScriptTransform) return;
    this.#worker = new Worker("timestamp_worker.js");
    this.#worker.onmessage = ({ data }) => this.rounds.sent(data);
    sender.transform = new RTCRtpScriptTransform(this.#worker, {});
  }

  /** JPEGs on the WebSocket, a new one whenever fewer than `IN_FLIGHT` are on their way. */
  #sendPictures() {
    this.#say({ type: "pictures" });
    this.kind = "pictures";
    this.flying = new Map(); // tick -> ms it was taken
    const paper = document.createElement("canvas");
    const pen = paper.getContext("2d", { alpha: false });
    const video = this.original;
    let [isOn, isBusy, last, handle] = [true, false, -1, 0];
    const take = async () => {
      if (!isOn) return;
      handle = video.requestVideoFrameCallback?.(take) ?? requestAnimationFrame(take);
      const now = performance.now();
      for (const [tick, since] of this.flying) if (now - since > LOST_MS) this.flying.delete(tick);
      if (isBusy || this.flying.size >= IN_FLIGHT || !video.videoWidth || !this.isOpen) return;
      isBusy = true;
      const scale = Math.min(1, 1280 / video.videoWidth);
      [paper.width, paper.height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
      pen.drawImage(video, 0, 0, paper.width, paper.height);
      const blob = await new Promise((resolve) => paper.toBlob(resolve, "image/jpeg", 0.85));
      const tick = Math.max(last + 1, Math.floor(now * TICKS_PER_MS)) % 2 ** 32;
      isBusy = false;
      if (!blob || !isOn || !this.isOpen) return;
      last = tick;
      this.flying.set(tick, now);
      const head = new DataView(new ArrayBuffer(4));
      head.setUint32(0, tick);
      this.#socket.send(new Blob([head.buffer, blob]));
    };
    this.#grabber = () => {
      isOn = false;
      video.cancelVideoFrameCallback?.(handle);
      cancelAnimationFrame(handle);
    };
    take();
    this.#tell("stream", null);
  }

  async #draw(data) {
    if (this.kind !== "pictures") return;
    const tick = new DataView(data).getUint32(0);
    const picture = await createImageBitmap(new Blob([new Uint8Array(data, 4)], { type: "image/jpeg" })).catch(() => null);
    const taken = this.flying.get(tick);
    for (const older of this.flying.keys()) if (older <= tick) this.flying.delete(older);
    if (!picture) return;
    const { canvas } = this;
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      [canvas.width, canvas.height] = [picture.width, picture.height];
    }
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    if (taken !== undefined) this.rounds.done(taken, performance.now());
    this.#tell("drawn");
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
