/**
 * Threads for the audit, and for nothing else: a full check of a log is the one piece of work that
 * takes minutes and splits by itself (audit-range.ts). Started for one audit and ended with it. A
 * thread that fails gives nothing more; its stretches are then checked where the audit runs.
 */
import { Worker } from 'node:worker_threads';
import type { CheckedRange, RangeJob, RangeWorkers } from '../ledger/audit-range.ts';

type Done = (range: CheckedRange | undefined) => void;

class Thread {
  readonly #worker: Worker;
  /** Stretches under way, oldest first. */
  readonly #waiting: Done[] = [];
  #failed = false;

  constructor() {
    // In a clone this file is TypeScript, in an installed package it is not.
    const name = import.meta.url.endsWith('.ts') ? './audit-worker.ts' : './audit-worker.js';
    this.#worker = new Worker(new URL(name, import.meta.url), { stdout: false, stderr: false });
    this.#worker.unref();
    this.#worker.on('message', (range: CheckedRange | undefined) => {
      this.#waiting.shift()?.(range);
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    this.#worker.on('error', () => this.#fail());
    this.#worker.on('exit', () => this.#fail());
  }

  get load(): number {
    return this.#failed ? Infinity : this.#waiting.length;
  }

  check(job: RangeJob): Promise<CheckedRange | undefined> {
    if (this.#failed) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<CheckedRange | undefined>();
    this.#waiting.push(resolve);
    this.#worker.ref();
    this.#worker.postMessage(job, buffersOf(job));
    return promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(): void {
    this.#failed = true;
    for (const done of this.#waiting.splice(0)) done(undefined);
  }
}

/** Records that have a buffer of their own are handed over, not copied. */
function buffersOf({ records }: RangeJob): ArrayBuffer[] {
  return records.flatMap(({ buffer, byteLength }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
}

/** Entries below which a check is done before threads have started. */
const worthIt = 100_000;
const maxThreads = 16;

/** Threads for a check that nobody gave a number for: one a core, where it takes long. */
export function usualWorkers(entries: number, cores: number): number {
  return entries < worthIt ? 0 : Math.min(cores, maxThreads);
}

/** Runs with so many threads; without any where `count` is 0. */
export async function withWorkers<T>(
  count: number,
  run: (workers: RangeWorkers | undefined) => Promise<T>,
): Promise<T> {
  if (count === 0) return run(undefined);
  await using workers = new AuditWorkers(count);
  return await run(workers);
}

export class AuditWorkers implements RangeWorkers, AsyncDisposable {
  readonly #threads: readonly Thread[];

  /** At least one thread, at most `maxThreads`. */
  constructor(count: number) {
    const length = Math.min(Math.max(1, count), maxThreads);
    this.#threads = Array.from({ length }, () => new Thread());
  }

  get count(): number {
    return this.#threads.length;
  }

  /** Given to the thread with the least to do. */
  check(job: RangeJob): Promise<CheckedRange | undefined> {
    let least = this.#threads[0];
    for (const thread of this.#threads) if (thread.load < (least?.load ?? 0)) least = thread;
    return least?.check(job) ?? Promise.resolve(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}
