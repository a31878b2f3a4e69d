// The latency of frames from the camera to the program and back to the screen, and their number.
//
// The program returns every frame with its RTP timestamp plus an unknown constant. Frames come at
// uneven times, so only one constant maps the timestamps shown to the timestamps sent. In the same
// way, to a millisecond, the timestamps sent are mapped to the times of capture.

const KEPT = 240;
const SHOWN = 24;
const TICKS_PER_MS = 90;
const WRAP = 2 ** 32;

const wrapped = (value) => ((value % WRAP) + WRAP) % WRAP;

/** Returns the difference that most of `later` have to one of `earlier`; null if none stands out. */
export function commonShift(earlier, later, difference) {
  const votes = new Map();
  for (const b of later) {
    for (const a of earlier) {
      const shift = difference(b, a);
      votes.set(shift, (votes.get(shift) ?? 0) + 1);
    }
  }
  let [best, most, second] = [null, 0, 0];
  for (const [shift, count] of votes) {
    if (count > most) [best, most, second] = [shift, count, most];
    else if (count > second) second = count;
  }
  return most >= 8 && most >= 0.75 * later.length && second < 0.85 * most ? best : null;
}

export class LatencyMeter {
  framesSent = 0;
  framesReturned = 0; // shown
  #sent = []; // {stamp, at}: encoded frames, at in ms of performance.now
  #shown = []; // stamps
  #captured = []; // ms
  #shift = null;
  #lead = null; // stamp in ms + lead = time of capture
  #misses = 0;
  #recent = []; // latencies, ms
  #times = []; // ms at which frames were shown

  sent({ stamp, at }) {
    this.framesSent += 1;
    this.#sent.push({ stamp, at: at - performance.timeOrigin });
    if (this.#sent.length > KEPT) this.#sent.shift();
  }

  captured(time) {
    this.#captured.push(time);
    if (this.#captured.length > 60) this.#captured.shift();
    if (this.#captured.length % 20 === 0) this.#fitCapture();
  }

  /** Takes the timestamp of a returned frame, shown at a time (ms of performance.now). */
  shown(stamp, at) {
    this.#countReturned(at);
    this.#shown.push(stamp);
    if (this.#shown.length > SHOWN) this.#shown.shift();
    if (this.#shift === null) this.#shift = this.#fit();
    if (this.#shift === null) return;
    const wanted = wrapped(stamp - this.#shift);
    const frame = this.#sent.findLast((one) => one.stamp === wanted);
    if (!frame) {
      this.#misses += 1;
      if (this.#misses > 5) this.#shift = null;
      return;
    }
    this.#misses = 0;
    const begun = this.#lead === null ? frame.at : frame.stamp / TICKS_PER_MS + this.#lead;
    const isSound = begun <= frame.at && frame.at - begun < 500;
    this.#add(at - (isSound ? begun : frame.at));
  }

  /** Takes a frame whose time of capture is known, as it is shown. */
  displayed(captured, at) {
    this.framesSent += 1;
    this.#countReturned(at);
    this.#add(at - captured);
  }

  /** Frames shown a second over the last two seconds; null before there are any. */
  get rate() {
    const now = performance.now();
    const last = this.#times.filter((time) => now - time < 2000);
    return last.length < 2 ? null : (1000 * (last.length - 1)) / (last.at(-1) - last[0]);
  }

  #countReturned(at) {
    this.framesReturned += 1;
    this.#times.push(at);
    if (this.#times.length > 120) this.#times.shift();
  }

  #add(milliseconds) {
    if (milliseconds < 0 || milliseconds > 10_000) return;
    this.#recent.push(milliseconds);
    if (this.#recent.length > 90) this.#recent.shift();
  }

  /** Returns {median, high} (95 %) latency of the last frames, ms; null before there are enough. */
  percentiles(count = KEPT) {
    const last = this.#recent.slice(-count).sort((a, b) => a - b);
    const at = (share) => last[Math.floor(share * (last.length - 1))];
    return last.length < 5 ? null : { median: at(0.5), high: at(0.95) };
  }

  reset() {
    [this.#sent, this.#shown, this.#captured, this.#recent, this.#times] = [[], [], [], [], []];
    [this.#shift, this.#lead, this.#misses] = [null, null, 0];
  }

  #fit() {
    if (this.#shown.length < 12) return null;
    return commonShift(this.#sent, this.#shown, (shown, sent) => wrapped(shown - sent.stamp));
  }

  #fitCapture() {
    const step = 2; // ms that the two clocks may disagree by
    const recent = this.#sent.slice(-60);
    const shift = commonShift(recent, this.#captured, (time, sent) =>
      Math.round((time - sent.stamp / TICKS_PER_MS) / step),
    );
    if (shift !== null) this.#lead = shift * step;
  }
}
