// The frame rate to send: as many frames as are returned, and a few more to notice when the
// connection gets better. Any more would only delay all of them.

const FULL = 30;
const LEAST = 6;
const LATE_MS = 120; // over the best latency measured

export class FrameRate {
  rate = FULL;
  #best = Infinity;
  #before = { framesSent: 0, framesReturned: 0 };

  /** Returns the next rate, from the frames sent and returned so far; called once a second. */
  next({ framesSent, framesReturned }, latency) {
    const sent = framesSent - this.#before.framesSent;
    const shown = framesReturned - this.#before.framesReturned;
    this.#before = { framesSent, framesReturned };
    if (!latency || shown <= 0) return this.rate;
    this.#best = Math.min(this.#best, latency.median) + 1; // forgets slowly
    if (latency.median > this.#best + LATE_MS) this.rate = 0.8 * Math.min(this.rate, shown);
    else if (shown < 0.85 * sent) this.rate = 1.1 * Math.min(this.rate, shown);
    else this.rate += 2;
    this.rate = Math.round(Math.min(FULL, Math.max(LEAST, this.rate)));
    return this.rate;
  }
}
