/**
 * After a failed write nothing is accepted until a synced write and a guard write succeed; that is
 * tried every `storeRetryMs`. Then each log that was being written is loaded anew: what a failed
 * batch left behind is in the store or not, and only the store knows.
 */
import { utf8 } from '../bytes.ts';
import type { Fault } from '../errors.ts';
import { keyOf, keyspace } from '../keyspace.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { loadLog } from './open-log.ts';

const probeKey = keyOf(keyspace.meta, utf8('probe'));

export class StoreHealth implements Disposable {
  readonly #env: LedgerEnv;
  readonly #damaged = new Set<LogHandle>();
  readonly #recovered: (handle: LogHandle) => void;
  #timer: Disposable | undefined;
  #trying: Promise<void> = Promise.resolve();
  #closed = false;

  /** `recovered` is called for each log that may be written again. */
  constructor(env: LedgerEnv, recovered: (handle: LogHandle) => void) {
    this.#env = env;
    this.#recovered = recovered;
  }

  /** A write of this log failed: its handle is not to be used before `recovered`. */
  failed(handle: LogHandle, reason: Fault): void {
    this.#env.counters.storeFailures += 1;
    this.#env.storeFailure = reason;
    this.#damaged.add(handle);
    this.#schedule();
  }

  /** Waits for a try that is under way. */
  async close(): Promise<void> {
    this[Symbol.dispose]();
    await this.#trying;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    const { host, limits } = this.#env.options;
    this.#timer = host.timers.after(limits.storeRetryMs, () => {
      this.#trying = this.#try();
    });
  }

  async #try(): Promise<void> {
    const { store, guard } = this.#env.options;
    const written = await store.batch([{ key: probeKey, value: utf8('1') }], { sync: true });
    const guarded = written.ok ? await guard.advance([]) : written;
    this.#timer = undefined;
    if (!guarded.ok) {
      this.#env.storeFailure = guarded.error;
      this.#schedule();
      return;
    }
    for (const handle of this.#damaged) {
      await loadLog(this.#env, handle, handle.row);
      const { reason } = handle.row;
      if (reason?.code === 'store-failed' || reason?.code === 'disk-full') {
        this.#schedule(); // It could not be read: nothing is known of it yet.
        return;
      }
      this.#damaged.delete(handle);
      if (this.#damaged.size === 0) this.#env.storeFailure = undefined;
      this.#recovered(handle);
    }
  }
}
