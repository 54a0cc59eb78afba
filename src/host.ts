/**
 * What the outside world gives us: time, timers and randomness. `src/node/runtime.ts` has the real
 * ones, the simulator virtual ones; nothing else may read a clock or draw a random byte.
 */
import type { TimeMs } from './types.ts';

export interface Clock {
  /** Wall-clock time; may jump. */
  now(): TimeMs;
  /** Milliseconds from an arbitrary start; never goes back. For measuring and time limits. */
  monotonic(): number;
}

export interface Timers {
  /** Calls `run` once after `ms`; disposing cancels it. A timer never keeps the process alive. */
  after(ms: number, run: () => void): Disposable;
  /** Calls `run` every `ms` until disposed. */
  every(ms: number, run: () => void): Disposable;
  /** Resolves after `ms`, or at once when the signal aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** `length` fresh bytes, owned by the caller. */
  bytes(length: number): Uint8Array;
}

export interface Host {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}
