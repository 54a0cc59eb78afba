/**
 * Reading a log forwards, block by block. A scan sees the store as it was when it began and ends at
 * the head of that moment, so blocks that are appended meanwhile neither appear twice nor tear a
 * gap: whoever wants more begins again at the next index (`tail` does). While a page of blocks is
 * being used the next one is read.
 *
 * Damage throws HeadwaterError `store-corrupt` with the first index that cannot be read; what came
 * before was right.
 */
import { HeadwaterError, at, fault } from '../errors.ts';
import { keyspace, numberKey } from '../keyspace.ts';
import { caught, ok, type Result } from '../result.ts';
import { asLogIndex, asTreeSize, type LogIndex } from '../types.ts';
import { BlockRecord } from './block-record.ts';
import { RecordBatch, type MissingBodies } from './entry-batch.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { EntryBatch, LedgerEntry, ReadOptions, StoredBlock } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import { missingBodies, nothingMissing } from './missing-bodies.ts';
import { blockNumberAt, recordAt } from './read-block.ts';

const pageBlocks = 16;

/** Sound records from the one that holds `from` to the one that holds `to - 1`. */
async function* records(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  to: number,
  recent: boolean = false,
): AsyncGenerator<BlockRecord> {
  const end = Math.min(to, handle.size);
  if (from >= end) return;
  let next = from;
  for (const record of recent ? recentRecords(env, handle, from) : []) {
    yield record;
    next = asLogIndex(record.size);
    if (next >= end) return;
  }
  yield* storedRecords(env, handle, next, end);
}

/** What was made or verified a moment ago and has not left the memory, from a block's start on. */
function* recentRecords(env: LedgerEnv, handle: LogHandle, from: LogIndex): Generator<BlockRecord> {
  for (let next: number = from; ;) {
    const bytes = env.recent.get(handle.row.number, next);
    const record = bytes && BlockRecord.read(env.options.crypto, bytes, true);
    if (record?.ok !== true) return;
    yield record.value;
    next = record.value.size;
  }
}

async function* storedRecords(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  end: number,
): AsyncGenerator<BlockRecord> {
  const begin = await blockNumberAt(env, handle, from);
  if (!begin.ok) throw new HeadwaterError(begin.error);
  let number: number = begin.value;
  let next: number | undefined;
  for await (const read of values(env, handle, begin.value)) {
    const index = asLogIndex(next ?? from);
    const record = read.ok ? BlockRecord.read(env.options.crypto, read.value) : read;
    if (!record.ok) throw new HeadwaterError(at(record.error, { index }));
    const { firstIndex, size } = record.value;
    const placed = next === undefined ? firstIndex <= from && size > from : firstIndex === next;
    if (!placed || record.value.number !== number) throw new HeadwaterError(gap(index));
    yield record.value;
    number += 1;
    next = size;
    if (next >= end) return;
  }
  throw new HeadwaterError(gap(asLogIndex(next ?? from)));
}

/** Stored values of the blocks from `first` on; ends behind a failure. */
async function* values(
  env: LedgerEnv,
  handle: LogHandle,
  first: number,
): AsyncGenerator<Result<Uint8Array>> {
  const log = handle.row.number;
  const blocks = handle.stored?.state.blocks ?? 0;
  await using scan = env.options.store.scan({
    gte: numberKey(keyspace.blocks, log, first),
    lt: numberKey(keyspace.blocks, log, blocks),
  });
  let number = first;
  let page = await scan.next(pageBlocks);
  while (page.ok && page.value.length > 0) {
    const following = scan.next(pageBlocks);
    for (const { value } of page.value) yield ok(value);
    number += page.value.length;
    page = await following;
  }
  // A page fails as a whole: one by one its sound blocks can be read.
  for (; !page.ok && number < blocks; number++) {
    const value = await env.options.store.get(numberKey(keyspace.blocks, log, number));
    if (value.ok && value.value === undefined) return;
    yield value.ok ? ok(value.value ?? empty) : value;
  }
}

const empty = new Uint8Array(0);

function gap(index: LogIndex): ReturnType<typeof fault> {
  return fault('store-corrupt', 'a block is missing in the store', { index });
}

export async function* batchesOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  to: number = Number.MAX_SAFE_INTEGER,
  options: ReadOptions = {},
): AsyncGenerator<EntryBatch> {
  const range = { from, to: Math.min(to, handle.size) };
  let missing = nothingMissing;
  let known = false;
  let bytes = 0;
  for await (const record of records(env, handle, from, range.to, options.recent)) {
    if (options.signal?.aborted === true) return;
    if (record.form === 'reduced' && !known) {
      missing = await whyMissing(env, handle);
      known = true;
    }
    yield new RecordBatch(env.options.crypto, handle.logId, record, range, missing);
    bytes += record.wire.length;
    if (options.maxBytes !== undefined && bytes >= options.maxBytes) return;
  }
}

export async function* entriesOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  to?: number,
  options?: ReadOptions,
): AsyncGenerator<LedgerEntry> {
  for await (const batch of batchesOf(env, handle, from, to, options)) {
    for (let index: number = batch.from; index < batch.to; index++) {
      if (options?.signal?.aborted === true) return;
      yield batch.entry(index);
    }
  }
}

export async function* blocksOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  options: ReadOptions = {},
): AsyncGenerator<StoredBlock> {
  let bytes = 0;
  for await (const record of records(env, handle, from, handle.size)) {
    if (options.signal?.aborted === true) return;
    const { number, firstIndex, size, wire, bodies } = record;
    yield { logId: handle.logId, number, firstIndex, size: asTreeSize(size), wire, bodies };
    bytes += wire.length;
    if (options.maxBytes !== undefined && bytes >= options.maxBytes) return;
  }
}

/** History and then live: woken by each block that is announced for the log. */
export async function* tailOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  signal: AbortSignal,
): AsyncGenerator<EntryBatch> {
  let next = from;
  let wake = Promise.withResolvers<void>();
  const aborted = (): void => wake.resolve();
  using _listener = env.listen((block) => {
    if (block.logId === handle.logId) wake.resolve();
  });
  signal.addEventListener('abort', aborted, { once: true });
  try {
    while (!signal.aborted) {
      // Renewed before reading, so that a block that comes during it is not missed.
      wake = Promise.withResolvers<void>();
      for await (const batch of batchesOf(env, handle, next, undefined, { signal, recent: true })) {
        yield batch;
        next = batch.to;
      }
      if (next >= handle.size && !signal.aborted) await wake.promise;
    }
  } finally {
    signal.removeEventListener('abort', aborted);
  }
}

/** The whole block that holds an index. Codes: index-over-head, store-corrupt, those of the store. */
export async function batchAt(
  env: LedgerEnv,
  handle: LogHandle,
  index: LogIndex,
): Promise<Result<RecordBatch>> {
  const record = await recordAt(env, handle, index);
  if (!record.ok) return record;
  const { firstIndex, size, form } = record.value;
  return caught(async () => {
    const missing = form === 'reduced' ? await whyMissing(env, handle) : nothingMissing;
    const range = { from: firstIndex, to: size };
    return ok(new RecordBatch(env.options.crypto, handle.logId, record.value, range, missing));
  });
}

/** One entry. Codes: index-over-head, store-corrupt, those of the store. */
export async function entryOf(
  env: LedgerEnv,
  handle: LogHandle,
  index: LogIndex,
): Promise<Result<LedgerEntry>> {
  const batch = await batchAt(env, handle, index);
  return batch.ok ? caught(() => ok(batch.value.entry(index))) : batch;
}

async function whyMissing(env: LedgerEnv, handle: LogHandle): Promise<MissingBodies> {
  const missing = await missingBodies(env, handle);
  if (!missing.ok) throw new HeadwaterError(missing.error);
  return missing.value;
}
