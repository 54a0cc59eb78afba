/**
 * How long a block waits for more events: as long as the present rate would need to fill it, within
 * the limits. At a low rate waiting gains nothing, so it is short and a quiet stream prompt; at a
 * high rate blocks are full before it is over.
 */
export interface LingerLimits {
  readonly minLingerMs: number;
  readonly maxLingerMs: number;
  readonly maxBlockEvents: number;
}

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

  /** Milliseconds for the block that begins now. */
  ms(): number {
    const { minLingerMs, maxLingerMs, maxBlockEvents } = this.#limits;
    // A pause since the last block means that the rate has fallen.
    const quiet = this.#lastCut === undefined ? 0 : this.#monotonic() - this.#lastCut;
    const rate = quiet > 10 * maxLingerMs ? 0 : this.#rate;
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
