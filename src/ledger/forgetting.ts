/**
 * The work of forgetting in one log: what its control entries, its newest seal and its policy let
 * go is taken out of the stored blocks, in small batches, each with the row that says how far it has
 * come (retention-row.ts). A crash leaves the row behind the blocks: the rest is done again and
 * finds it done.
 */
import type { CborMap } from '../cbor.ts';
import { keyspace, logKey, numberKey } from '../keyspace.ts';
import { ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, type BlockNumber } from '../types.ts';
import { controlsOf } from './controls.ts';
import { dropBodies, type Dropped } from './drop-bodies.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { blockNumberAt } from './read-block.ts';
import { policyOf } from './retention-policy.ts';
import { encodeRetentionRow, type RetentionRow } from './retention-row.ts';
import { supersededBy } from './retention-subjects.ts';
import type { StoreRange, StoreWrite } from './store.ts';

type Range = Pick<StoreRange, 'gte' | 'lt'>;

/** Blocks of which some were rewritten: [first, end). */
export interface BlockSpan {
  readonly first: number;
  readonly end: number;
}

export class Forgetting {
  readonly #env: LedgerEnv;

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  /**
   * Does what control entries say that were not looked at yet. Redacted bytes are off the disk when
   * it resolves, but for what an open reader holds: the ranges of keys that it rewrote are to be
   * compacted once more. Codes: store-corrupt, those of the store.
   */
  async controls(handle: LogHandle): Promise<Result<readonly Range[]>> {
    const entries = await controlsOf(this.#env, handle, handle.kept.controls);
    if (!entries.ok) return entries;
    const ranges: Range[] = [];
    let { policy } = handle.kept;
    for (const { index, map } of entries.value) {
      policy = policyOf(map) ?? policy;
      const redacted = await this.#redact(handle, map, ranges);
      if (!redacted.ok) return redacted;
      const row = { ...handle.kept, policy, controls: index + 1 };
      const told = await this.#write(handle, [], row, true);
      if (!told.ok) return told;
    }
    return ok(ranges);
  }

  async #redact(handle: LogHandle, map: CborMap, ranges: Range[]): Promise<Result<void>> {
    const index = map['type'] === 'redact' ? map['index'] : undefined;
    if (typeof index !== 'number') return ok(undefined);
    const { store } = this.#env.options;
    const log = handle.row.number;
    const number = await blockNumberAt(this.#env, handle, asLogIndex(index));
    if (!number.ok) return number;
    const goes = (one: number): boolean => one === index;
    const dropped = await dropBodies(this.#env, handle, number.value, goes, true);
    if (!dropped.ok) return dropped;
    const block = blockRange(log, number.value, number.value + 1);
    const written = await this.#write(handle, [dropped.value], handle.kept, true);
    if (!written.ok) return written;
    for (const range of [block, ...dropped.value.writes.slice(1).map(({ key }) => keyRange(key))]) {
      const gone = await store.compact(range);
      if (!gone.ok) return gone;
      ranges.push(range);
    }
    this.#env.counters.redactedBodies += dropped.value.bodies;
    return ok(undefined);
  }

  /** Drops what the newest seal does not offer any more. Codes: those of the store. */
  async drop(handle: LogHandle, go: () => boolean): Promise<Result<void>> {
    const lowest = handle.stored?.state.lowest ?? 0;
    const blocks = handle.stored?.state.blocks ?? 0;
    if (handle.kept.dropped >= lowest) return ok(undefined);
    const first = await blockNumberAt(this.#env, handle, asLogIndex(handle.kept.dropped));
    if (!first.ok) return first;
    let number: number = first.value;
    let end = handle.kept.dropped;
    while (end < lowest && number < blocks && go()) {
      const batch: Dropped[] = [];
      const { retentionBatchBlocks } = this.#env.options.limits;
      for (; batch.length < retentionBatchBlocks && end < lowest && number < blocks; number++) {
        const dropped = await this.#dropOne(handle, asBlockNumber(number), (i) => i < lowest);
        if (!dropped.ok) return dropped;
        if (dropped.value === undefined) continue;
        batch.push(dropped.value);
        end = dropped.value.size;
      }
      const dropped = Math.min(end, lowest);
      // Blocks that came in the reduced form have nothing to free.
      const nothing = batch.every(({ bodies }) => bodies === 0);
      const freed = nothing && handle.kept.freed === handle.kept.dropped;
      const row = { ...handle.kept, dropped, ...(freed ? { freed: dropped } : {}) };
      const written = await this.#write(handle, batch, row, false);
      if (!written.ok) return written;
    }
    return ok(undefined);
  }

  /** Blocks that were dropped and whose files were not rewritten since. Codes: those of the store. */
  async unfreed(handle: LogHandle): Promise<Result<BlockSpan | undefined>> {
    const { freed, dropped } = handle.kept;
    if (freed >= dropped) return ok(undefined);
    const first = await blockNumberAt(this.#env, handle, asLogIndex(freed));
    if (!first.ok) return first;
    const last = await blockNumberAt(this.#env, handle, asLogIndex(dropped - 1));
    return last.ok ? ok({ first: first.value, end: last.value + 1 }) : last;
  }

  /** Drops bodies of whose subject there is a later event. Codes: those of the store. */
  async subjects(handle: LogHandle, go: () => boolean): Promise<Result<BlockSpan | undefined>> {
    let lowest: number | undefined;
    let highest = 0;
    while (handle.kept.compacted < handle.size && go()) {
      const found = await supersededBy(this.#env, handle, handle.kept.compacted);
      if (!found.ok) return found;
      const { indexes, next } = found.value;
      const gone = new Set(indexes);
      const batch: Dropped[] = [];
      for (let i = 0; i < indexes.length;) {
        const number = await blockNumberAt(this.#env, handle, asLogIndex(indexes[i] ?? 0));
        if (!number.ok) return number;
        const dropped = await this.#dropOne(handle, number.value, (index) => gone.has(index));
        if (!dropped.ok) return dropped;
        const size = dropped.value?.size ?? (indexes[i] ?? 0) + 1;
        while ((indexes[i] ?? Number.MAX_SAFE_INTEGER) < size) i += 1;
        if (dropped.value !== undefined) batch.push(dropped.value);
        lowest = Math.min(lowest ?? number.value, number.value);
        highest = Math.max(highest, number.value);
        if (batch.length < this.#env.options.limits.retentionBatchBlocks) continue;
        const written = await this.#write(handle, batch.splice(0), handle.kept, false);
        if (!written.ok) return written;
      }
      const row = { ...handle.kept, compacted: next };
      const written = await this.#write(handle, batch, row, false);
      if (!written.ok) return written;
    }
    return ok(lowest === undefined ? undefined : { first: lowest, end: highest + 1 });
  }

  /** A damaged block is passed over: the audit names it, and a repair brings its reduced form. */
  async #dropOne(
    handle: LogHandle,
    number: BlockNumber,
    goes: (index: number) => boolean,
  ): Promise<Result<Dropped | undefined>> {
    const dropped = await dropBodies(this.#env, handle, number, goes);
    if (dropped.ok || dropped.error.code !== 'store-corrupt') return dropped;
    this.#env.counters.retentionFailures += 1;
    return ok(undefined);
  }

  /** Keeps what was counted and how far it has come. Codes: those of the store. */
  async keep(handle: LogHandle, row: RetentionRow): Promise<Result<void>> {
    return this.#write(handle, [], row, false);
  }

  async #write(
    handle: LogHandle,
    batch: readonly Dropped[],
    row: RetentionRow,
    sync: boolean,
  ): Promise<Result<void>> {
    const log = handle.row.number;
    const value = encodeRetentionRow(row);
    const writes: StoreWrite[] = batch.flatMap((dropped) => dropped.writes);
    writes.push({ key: logKey(keyspace.retention, log), value });
    if (!sync) this.#env.unsynced = true;
    const written = await this.#env.options.store.batch(writes, { sync });
    if (!written.ok) return written;
    handle.kept = row;
    for (const { firstIndex, bodies } of batch) {
      if (bodies > 0) this.#env.recent.forget(log, firstIndex);
      this.#env.counters.droppedBodies += bodies;
    }
    return ok(undefined);
  }
}

/** Keys of the blocks [first, end). */
export function blockRange(log: number, first: number, end: number): Range {
  return {
    gte: numberKey(keyspace.blocks, log, first),
    lt: numberKey(keyspace.blocks, log, end),
  };
}

function keyRange(key: Uint8Array): Range {
  return { gte: key, lt: Uint8Array.of(...key, 0) };
}
