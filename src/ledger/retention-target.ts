/** What the writer of a log no longer has to offer, by its policy: the lowest index of its next seal. */
import { readUint48 } from '../bytes.ts';
import { keyspace, logKey, pairKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex } from '../types.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { AppendedBlock } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import { blockNumberAt, recordOf } from './read-block.ts';
import { ByteTally } from './retention-bytes.ts';
import type { RetentionPolicy } from './retention-policy.ts';

const page = 64;

export class RetentionTarget {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  #tally: { readonly maxBytes: number; readonly tally: ByteTally } | undefined;

  constructor(env: LedgerEnv, handle: LogHandle) {
    this.#env = env;
    this.#handle = handle;
  }

  /** Counts a block while it is in memory. */
  appended({ firstIndex, size, wire }: AppendedBlock): void {
    this.#tally?.tally.add(firstIndex, size, wire.length);
  }

  /** What the row is to remember of the count; undefined where nothing is counted. */
  counted(): { readonly counted: number; readonly segments: ByteTally['segments'] } | undefined {
    const tally = this.#tally?.tally;
    return tally === undefined ? undefined : { counted: tally.counted, segments: tally.segments };
  }

  /** Never below what the seals say already, never above the size. Codes: those of the store. */
  async lowest(): Promise<Result<number>> {
    const policy = this.#handle.retention;
    const { maxAgeMs, maxBytes, below } = policy;
    const size = this.#handle.size;
    let lowest: number = this.#handle.stored?.state.lowest ?? 0;
    if (below !== undefined) lowest = Math.max(lowest, Math.min(below, size));
    if (maxAgeMs !== undefined) {
      const now = this.#env.options.host.clock.now();
      const old = await this.#youngerThan(now - maxAgeMs);
      if (!old.ok) return old;
      lowest = Math.max(lowest, old.value);
    }
    if (maxBytes === undefined) {
      this.#tally = undefined;
      return ok(lowest);
    }
    const tally = await this.#count(maxBytes, lowest);
    if (!tally.ok) return tally;
    lowest = Math.max(lowest, Math.min(tally.value.lowest(maxBytes), size));
    tally.value.forget(lowest);
    return ok(lowest);
  }

  /** True where an event in front of this index still has its body: what a seal would let go. */
  async hasBodies(from: number, to: number): Promise<Result<boolean>> {
    if (from >= to) return ok(false);
    const first = await blockNumberAt(this.#env, this.#handle, asLogIndex(from));
    if (!first.ok) return first;
    const blocks = this.#handle.stored?.state.blocks ?? 0;
    for (let number: number = first.value; number < blocks; number++) {
      const record = await recordOf(this.#env, this.#handle, asBlockNumber(number));
      if (!record.ok) return record.error.code === 'store-corrupt' ? ok(true) : record;
      const { firstIndex, count, size } = record.value;
      for (let i = Math.max(0, from - firstIndex); i < count && firstIndex + i < to; i++) {
        if (record.value.body(i) !== undefined) return ok(true);
      }
      if (size >= to) break;
    }
    return ok(false);
  }

  /** First index of the first block whose seal is not older than the time; the size where none is. */
  async #youngerThan(time: number): Promise<Result<number>> {
    if (time <= 0) return ok(0);
    const log = this.#handle.row.number;
    await using scan = this.#env.options.store.scan({
      gte: pairKey(keyspace.times, log, time, 0),
      lt: logKey(keyspace.times, log + 1),
    });
    const found = await scan.next(1);
    if (!found.ok) return found;
    const value = found.value[0]?.value;
    const index = value?.length === 6 ? readUint48(value, 0) : this.#handle.size;
    return ok(Math.min(index, this.#handle.size));
  }

  async #count(maxBytes: number, lowest: number): Promise<Result<ByteTally>> {
    const { kept, stored, size } = this.#handle;
    if (this.#tally?.maxBytes !== maxBytes) {
      // Another limit has other segments: they may stay, only the new ones are of the new size.
      const tally = new ByteTally(maxBytes, kept.counted, kept.segments);
      this.#tally = { maxBytes, tally };
    }
    const { tally } = this.#tally;
    tally.forget(lowest);
    const blocks = stored?.state.blocks ?? 0;
    while (tally.counted < size) {
      const first = await blockNumberAt(this.#env, this.#handle, asLogIndex(tally.counted));
      if (!first.ok) return first;
      const end = Math.min(blocks, first.value + page);
      for (let number: number = first.value; number < end; number++) {
        const record = await recordOf(this.#env, this.#handle, asBlockNumber(number));
        if (!record.ok) return record;
        const { firstIndex, wire } = record.value;
        // A block that was counted meanwhile is passed over; one that began before is cut off.
        tally.add(Math.max(firstIndex, tally.counted), record.value.size, wire.length);
      }
    }
    return ok(tally);
  }
}

/** True where a policy makes the writer move the lowest index. */
export function movesLowest({ maxAgeMs, maxBytes, below }: RetentionPolicy): boolean {
  return maxAgeMs !== undefined || maxBytes !== undefined || below !== undefined;
}
