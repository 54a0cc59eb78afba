/**
 * Time that moves only when the simulator moves it. Events lie in a heap by due time and order of
 * arrival; all that are due in one millisecond run, then every microtask they began, then the next.
 * Nothing here waits for the real clock, so a run depends on its seed alone.
 */
import type { Host } from '../../src/host.ts';
import { asTimeMs } from '../../src/types.ts';
import type { Dice } from './dice.ts';

interface Event {
  readonly dueMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** 2026-03-01T00:00:00Z: where every simulation begins. */
export const epochMs = 1_772_323_200_000;

export class VirtualTime {
  #heap: Event[] = [];
  #nowMs = 0;
  #order = 0;

  /** Milliseconds since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `run` in `ms`; a fraction counts as the next full millisecond. */
  after(ms: number, run: () => void): Disposable {
    const dueMs = this.#nowMs + Math.max(0, Math.ceil(ms));
    const event: Event = { dueMs, order: this.#order++, run };
    this.#push(event);
    return {
      [Symbol.dispose]: () => {
        event.run = undefined;
      },
    };
  }

  /** Runs until the condition holds (checked after each millisecond with events) or the time is up. */
  async until(done: () => boolean, limitMs: number): Promise<boolean> {
    await settle();
    const endMs = this.#nowMs + limitMs;
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined || next.dueMs > endMs) {
        this.#nowMs = endMs;
        return done();
      }
      this.#nowMs = next.dueMs;
      while (this.#heap[0]?.dueMs === next.dueMs) this.#pop()?.run?.();
      await settle();
    }
    return true;
  }

  async pass(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  /** What `work` gives, once as much virtual time has gone by as it takes. */
  async run<T>(work: Promise<T>, what = 'it'): Promise<T> {
    let settled = false;
    const watched = work.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    if (!(await this.until(() => settled, 600_000))) throw new Error(`${what} never ended`);
    return watched;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && before(right, left)) child += 1;
      const least = heap[child];
      if (least === undefined || !before(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** Lets every microtask run: a turn of the real event loop, which nothing else uses. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A node's own clock, timers and randomness; `stop` is its sudden death. */
export class VirtualHost implements Host {
  readonly clock: Host['clock'];
  readonly timers: Host['timers'];
  readonly random: Host['random'];
  #stopped = false;

  /** `skewMs` is added to the wall clock. */
  constructor(time: VirtualTime, dice: Dice, skewMs = 0) {
    this.clock = {
      now: () => asTimeMs(epochMs + time.nowMs + skewMs),
      monotonic: () => time.nowMs,
    };
    const after = (ms: number, run: () => void): Disposable =>
      time.after(ms, () => {
        if (!this.#stopped) run();
      });
    this.timers = {
      after,
      every: (ms, run) => every(after, ms, run),
      sleep: (ms, signal) => sleep(after, ms, signal),
    };
    this.random = { bytes: (length) => dice.bytes(length) };
  }

  /** No timer of this node fires any more. */
  stop(): void {
    this.#stopped = true;
  }
}

type After = (ms: number, run: () => void) => Disposable;

function every(after: After, ms: number, run: () => void): Disposable {
  let timer = after(ms, tick);
  function tick(): void {
    timer = after(ms, tick);
    run();
  }
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

function sleep(after: After, ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      timer[Symbol.dispose]();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = after(ms, end);
    signal?.addEventListener('abort', end);
  });
}
