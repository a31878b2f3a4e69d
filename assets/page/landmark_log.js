// The landmarks of the frames shown, as JSON.

const PLACES = 100; // of a px

export class LandmarkLog {
  /** @type {object[] | null} */
  #frames = null;
  #began = 0;

  get isOn() {
    return this.#frames !== null;
  }

  start() {
    this.#frames = [];
    this.#began = 0;
  }

  /**
   * Adds the faces of a frame, if landmarks are kept.
   * @param {{time: number, faces: any[], stats: {size: [number, number]}}} shown
   */
  add({ time, faces, stats }) {
    if (!this.#frames) return;
    if (!this.#frames.length) this.#began = time;
    const { size } = stats;
    this.#frames.push({ index: this.#frames.length, time_s: rounded(time - this.#began, 1e4), size, faces: faces.map(recordOf) });
  }

  /**
   * Ends; null where nothing was kept.
   * @returns {Blob | null}
   */
  end() {
    const frames = this.#frames;
    this.#frames = null;
    if (!frames?.length) return null;
    return new Blob([JSON.stringify({ landmarks: "68 iBUG, x and y in px of the frame", frames })], { type: "application/json" });
  }
}

/**
 * A face as the program's track records have it.
 * @param {{id: number, state: string, confidence: number, box: number[], landmarks: ArrayLike<number>, folds: number}} face
 */
export function recordOf({ id, state, confidence, box, landmarks, folds }) {
  const points = Array.from({ length: landmarks.length / 2 }, (_, i) => [rounded(landmarks[2 * i]), rounded(landmarks[2 * i + 1])]);
  return { id, state, confidence: rounded(confidence, 1e3), box: box.map((value) => rounded(value)), landmarks: points, folds_percent: rounded(folds) };
}

/** @type {(value: number, places?: number) => number} */
const rounded = (value, places = PLACES) => Math.round(value * places) / places;
