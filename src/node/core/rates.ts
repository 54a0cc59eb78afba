/** Events a second over the last few seconds, from counters that only grow. */
import type { Host } from '../../host.ts';
import type { Ledger } from '../../ledger/ledger.ts';

const windowMs = 5000;
const sampleMs = 500;

export class Rates implements Disposable {
  readonly #read: () => readonly number[];
  readonly #host: Host;
  readonly #samples: { readonly at: number; readonly counts: readonly number[] }[] = [];
  readonly #timer: Disposable;

  constructor(host: Host, read: () => readonly number[]) {
    this.#host = host;
    this.#read = read;
    this.#sample();
    this.#timer = host.timers.every(sampleMs, () => this.#sample());
  }

  /** One rate for each counter, in the order in which they are read. */
  perSecond(): readonly number[] {
    const [first] = this.#samples;
    const now = this.#host.clock.monotonic();
    if (first === undefined || now <= first.at) return this.#read().map(() => 0);
    const seconds = (now - first.at) / 1000;
    return this.#read().map((count, i) => Math.round((count - (first.counts[i] ?? 0)) / seconds));
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #sample(): void {
    const at = this.#host.clock.monotonic();
    this.#samples.push({ at, counts: this.#read() });
    while (at - (this.#samples[0]?.at ?? at) > windowMs) this.#samples.shift();
  }
}

/** Of events that are published and taken in here. */
export function ratesOf(
  host: ConstructorParameters<typeof Rates>[0],
  ledger: Pick<Ledger, 'stats'>,
): Rates {
  return new Rates(host, () => [ledger.stats().publishedEvents, ledger.stats().appliedEvents]);
}
