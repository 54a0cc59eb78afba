/**
 * How long a block waits for more events: as long as the present rate would need to fill it, within
 * the limits. Where not even half an event is to be expected within the shortest wait, it does not
 * wait at all, so a quiet stream is prompt (what comes while its block is written goes into the
 * next); at a high rate blocks are full before the wait is over.
 */
export interface LingerLimits {
  readonly minLingerMs: number;
  readonly maxLingerMs: number;
  readonly maxBlockEvents: number;
}

/** Events within the shortest wait below which waiting gains nothing. */
const leastExpected = 0.5;

export class RateLinger {
  readonly #limits: LingerLimits;
  readonly #monotonic: () => number;
  /** Events per millisecond, smoothed. */
  #rate = 0;
  #lastCut: number | undefined;

  constructor(limits: LingerLimits, monotonic: () => number) {
    this.#limits = limits;
    this.#monotonic = monotonic;
  }

  /** Milliseconds for the block that begins now: 0, or between the limits. */
  ms(): number {
    const { minLingerMs, maxLingerMs, maxBlockEvents } = this.#limits;
    // A pause since the last block means that the rate has fallen.
    const quiet = this.#lastCut === undefined ? 0 : this.#monotonic() - this.#lastCut;
    const rate = quiet > 10 * maxLingerMs ? 0 : this.#rate;
    if (rate * minLingerMs < leastExpected) return 0;
    const share = Math.min(1, (rate * maxLingerMs) / maxBlockEvents);
    return minLingerMs + (maxLingerMs - minLingerMs) * share;
  }

  /** A block was cut with so many events. */
  cut(events: number): void {
    const now = this.#monotonic();
    if (this.#lastCut !== undefined) {
      const sample = events / Math.max(0.1, now - this.#lastCut);
      this.#rate = 0.7 * this.#rate + 0.3 * sample;
    }
    this.#lastCut = now;
  }
}
