/** Waiting for a condition by looking again and again: how the testnet waits for other processes. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  /** 30 s unless said: generous, because it only ever ends in a failed run. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * The first value of `probe` that is neither undefined nor false. A probe that throws counts as `not yet`; what it
 * said last is part of the error when time runs out.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 30_000, everyMs = 40, signal }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    signal?.throwIfAborted();
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (cause) {
      signal?.throwIfAborted();
      last = ` (${cause instanceof Error ? cause.message : String(cause)})`;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${Math.round(timeoutMs / 1000)} s in vain for ${what}${last}`);
    }
    await sleep(everyMs);
  }
}

/** Runs `work` over the items, at most `width` at a time; ends at the first failure. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      const item = items[at];
      if (item === undefined) continue;
      results[at] = await work(item).catch((cause: unknown) => {
        next = items.length;
        throw cause;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}
