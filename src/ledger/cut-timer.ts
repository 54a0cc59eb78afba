/**
 * When a block of an own log is cut although it is not full: when its linger (rate-linger.ts) is over, or
 * before that when nothing has come for `minLingerMs`: publishers who wait for their receipts send
 * nothing more.
 */
import type { Host } from '../host.ts';
import { RateLinger, type LingerLimits } from './rate-linger.ts';

export class CutTimer implements Disposable {
  readonly #host: Pick<Host, 'clock' | 'timers'>;
  readonly #limits: LingerLimits;
  readonly #linger: RateLinger;
  #timer: Disposable | undefined;
  /** Items that ever came: tells whether more came while a block waited. */
  #taken = 0;
  /** A block may be cut. */
  over = false;

  constructor(host: Pick<Host, 'clock' | 'timers'>, limits: LingerLimits) {
    this.#host = host;
    this.#limits = limits;
    this.#linger = new RateLinger(limits, () => host.clock.monotonic());
  }

  took(items: number): void {
    this.#taken += items;
  }

  /** The first item of a block is there; `cut` is called when it is over, not where it is at once. */
  start(cut: () => void): void {
    this[Symbol.dispose]();
    const ms = this.#linger.ms();
    this.over = ms === 0;
    if (ms > 0) this.#waitForMore(this.#host.clock.monotonic() + ms, cut);
  }

  /** A block with so many items was cut. */
  cut(items: number): void {
    this.#linger.cut(items);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  /** Until then, or until nothing has come for `minLingerMs`. */
  #waitForMore(until: number, cut: () => void): void {
    const { clock, timers } = this.#host;
    const taken = this.#taken;
    const ms = Math.min(this.#limits.minLingerMs, until - clock.monotonic());
    this.#timer = timers.after(Math.max(0, ms), () => {
      if (this.#taken > taken && clock.monotonic() < until) {
        this.#waitForMore(until, cut);
        return;
      }
      this.over = true;
      cut();
    });
  }
}
