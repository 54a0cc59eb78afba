/**
 * The stored blocks of a log in their order, read in pages while those before are being judged. What
 * a scan cannot give (it fails as a whole on one damaged value) is read by itself.
 */
import { readUint48 } from '../bytes.ts';
import { keyspace, logKey, numberKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { StoreEntry, StoreScan } from './store.ts';

const page = 8;

export class BlockFeed implements AsyncDisposable {
  readonly #env: LedgerEnv;
  readonly #log: number;
  #scan: StoreScan | undefined;
  #ahead: Promise<Result<readonly StoreEntry[]>> | undefined;
  /** What was read and not yet taken, in order. */
  #rows: readonly StoreEntry[] = [];
  #at = 0;
  #started = false;

  constructor(env: LedgerEnv, log: number) {
    this.#env = env;
    this.#log = log;
  }

  /** The value of block `number`; numbers must go up. Codes: those of the store. */
  async take(number: number): Promise<Result<Uint8Array | undefined>> {
    if (!this.#started) this.#begin(number);
    for (;;) {
      const row = this.#rows[this.#at];
      if (row === undefined) {
        if (await this.#more()) continue;
        return this.#env.options.store.get(numberKey(keyspace.blocks, this.#log, number));
      }
      const found = readUint48(row.key, 5);
      if (found > number) return ok(undefined);
      this.#at += 1;
      if (found === number) return ok(row.value);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ahead;
    await this.#scan?.[Symbol.asyncDispose]();
  }

  #begin(number: number): void {
    this.#started = true;
    this.#scan = this.#env.options.store.scan({
      gte: numberKey(keyspace.blocks, this.#log, number),
      lt: logKey(keyspace.blocks, this.#log + 1),
    });
    this.#ahead = this.#scan.next(page);
  }

  /** False where the scan has ended or failed: it is not asked again. */
  async #more(): Promise<boolean> {
    const rows = await this.#ahead;
    this.#ahead = undefined;
    if (rows?.ok !== true || rows.value.length === 0) return false;
    this.#rows = rows.value;
    this.#at = 0;
    this.#ahead = this.#scan?.next(page);
    return true;
  }
}
