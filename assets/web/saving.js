// Pictures and recordings, saved to the browser's downloads.

const KINDS = {
  mp4: ["video/mp4;codecs=avc1.42E01F"],
  webm: ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"],
};
const BITS_PER_S = 6_000_000;

/**
 * Saves a file under the time of day.
 * @param {Blob} blob
 * @param {string} suffix
 */
export function save(blob, suffix) {
  const address = URL.createObjectURL(blob);
  const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
  Object.assign(document.createElement("a"), { href: address, download: `facewarp-${stamp}.${suffix}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * Saves what is shown as a PNG; returns whether there was anything.
 * @param {CanvasImageSource} picture
 * @param {number} width
 * @param {number} height
 * @returns {Promise<boolean>}
 */
export function savePicture(picture, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  return new Promise((resolve) => {
    canvas.toBlob((blob) => {
      if (blob) save(blob, "png");
      resolve(Boolean(blob));
    }, "image/png");
  });
}

/** A recording of a stream, kept in memory until it ends. */
export class Recording {
  /** @type {Blob[]} */
  #pieces = [];
  #recorder;
  #suffix;

  /**
   * @param {MediaRecorder} recorder
   * @param {string} suffix
   */
  constructor(recorder, suffix) {
    this.#recorder = recorder;
    this.#suffix = suffix;
    recorder.ondataavailable = ({ data }) => data.size && this.#pieces.push(data);
    recorder.start(1000);
  }

  /**
   * Starts a recording; null where the browser can't.
   * @param {MediaStream} stream
   * @param {("mp4" | "webm")[]} suffixes wanted, the best first
   */
  static of(stream, suffixes) {
    for (const suffix of suffixes) {
      const kind = window.MediaRecorder && KINDS[suffix].find((one) => MediaRecorder.isTypeSupported(one));
      if (kind) return new Recording(new MediaRecorder(stream, { mimeType: kind, videoBitsPerSecond: BITS_PER_S }), suffix);
    }
    return null;
  }

  /**
   * Ends it; null where nothing was recorded.
   * @returns {Promise<{blob: Blob, suffix: string} | null>}
   */
  async end() {
    if (this.#recorder.state === "recording") {
      const ended = new Promise((resolve) => (this.#recorder.onstop = resolve));
      this.#recorder.stop();
      await ended;
    }
    if (!this.#pieces.length) return null;
    return { blob: new Blob(this.#pieces, { type: this.#recorder.mimeType }), suffix: this.#suffix };
  }
}
