/** A store that fails when told to, and one whose writes wait for the test. */
import { fault, type Code } from '../../src/errors.ts';
import type { Store, StoreRange, StoreScan, StoreWrite } from '../../src/ledger/store.ts';
import { err, type Result } from '../../src/result.ts';

export class FailingStore implements Store {
  readonly inner: Store;
  /** Set: every write fails with it. */
  failWrites: Code | undefined;
  /** With `failWrites`: the write is done all the same, only its success is not told. */
  writeAnyway = false;
  /** Set: reads fail with it. */
  failReads: Code | undefined;
  /** Writes wait until this resolves. */
  gate: Promise<void> | undefined;
  /** A write has come to the gate. */
  waits = false;
  /** Sizes of the batches that were written, and whether they were synced. */
  readonly batches: { readonly writes: number; readonly sync: boolean }[] = [];

  constructor(inner: Store) {
    this.inner = inner;
  }

  async get(key: Uint8Array): Promise<Result<Uint8Array | undefined>> {
    return this.#readFault() ?? this.inner.get(key);
  }
  async getMany(keys: readonly Uint8Array[]): Promise<Result<readonly (Uint8Array | undefined)[]>> {
    return this.#readFault() ?? this.inner.getMany(keys);
  }
  async batch(
    writes: readonly StoreWrite[],
    options: { readonly sync: boolean },
  ): Promise<Result<void>> {
    if (this.gate !== undefined) {
      this.waits = true;
      await this.gate;
    }
    const code = this.failWrites;
    if (code === undefined || this.writeAnyway) {
      this.batches.push({ writes: writes.length, sync: options.sync });
      const done = await this.inner.batch(writes, options);
      if (code === undefined) return done;
    }
    return err(fault(code ?? 'store-failed', 'told to fail'));
  }
  scan(range: StoreRange): StoreScan {
    const scan = this.inner.scan(range);
    return {
      next: async (max) => this.#readFault() ?? scan.next(max),
      [Symbol.asyncDispose]: () => scan[Symbol.asyncDispose](),
    };
  }
  compact(range: StoreRange): Promise<Result<void>> {
    return this.inner.compact(range);
  }
  close(): Promise<void> {
    return this.inner.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #readFault(): Result<never> | undefined {
    return this.failReads === undefined ? undefined : err(fault(this.failReads, 'told to fail'));
  }
}
