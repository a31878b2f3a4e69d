// How many frames a second to send: as many as come back, and a few more to notice when it gets
// better. What is sent beyond that only makes all of them late.

const FULL = 30;
const LEAST = 6;
const LATE_MS = 120; // over the best latency there was

export class Pace {
  rate = FULL;
  #best = Infinity;
  #before = { out: 0, back: 0 };

  /** Once a second, from the rounds so far: the rate to go on with. */
  next({ out, back }, latency) {
    const sent = out - this.#before.out;
    const shown = back - this.#before.back;
    this.#before = { out, back };
    if (!latency || shown <= 0) return this.rate;
    this.#best = Math.min(this.#best, latency.median) + 1; // forgets slowly
    if (latency.median > this.#best + LATE_MS) this.rate = 0.8 * Math.min(this.rate, shown);
    else if (shown < 0.85 * sent) this.rate = 1.1 * Math.min(this.rate, shown);
    else this.rate += 2;
    this.rate = Math.round(Math.min(FULL, Math.max(LEAST, this.rate)));
    return this.rate;
  }
}
