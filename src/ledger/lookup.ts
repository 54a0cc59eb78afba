/** Finding entries by recorded time, by source and id, by subject. */
import { readUint48 } from '../bytes.ts';
import { HeadwaterError, fault } from '../errors.ts';
import { keyspace, logKey, pairKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, type LogIndex, type TimeMs } from '../types.ts';
import { subjectRowKey } from './append-batch.ts';
import { lookUpIds } from './id-rows.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { recordOf } from './read-block.ts';

/** Slices that are asked at once for an id. */
const slicePage = 64;
/** Rows of the subject index that are read at once. */
const subjectPage = 1000;

/** First entry recorded at or after the time; the size where there is none. */
export async function indexAtTime(
  env: LedgerEnv,
  handle: LogHandle,
  time: TimeMs,
): Promise<Result<LogIndex>> {
  const size = asLogIndex(handle.size);
  const log = handle.row.number;
  // The first block whose seal is not older holds the entry, or it is the block's first.
  await using scan = env.options.store.scan({
    gte: pairKey(keyspace.times, log, time, 0),
    lt: logKey(keyspace.times, log + 1),
  });
  const found = await scan.next(1);
  if (!found.ok) return found;
  const key = found.value[0]?.key;
  if (key === undefined) return ok(size);
  const number = readUint48(key, 11);
  if (number >= (handle.stored?.state.blocks ?? 0)) return ok(size); // Not yet for readers.
  const record = await recordOf(env, handle, asBlockNumber(number));
  if (!record.ok) return record;
  for (let i = 0; i < record.value.count; i++) {
    if (record.value.time(i) >= time) return ok(asLogIndex(record.value.firstIndex + i));
  }
  return err(fault('store-corrupt', 'the index of times names the wrong block'));
}

/** Index of the newest event with this source and id, over the whole log. */
export async function findById(
  env: LedgerEnv,
  handle: LogHandle,
  source: string,
  id: string,
): Promise<Result<LogIndex | undefined>> {
  const idKey = env.ids.idKey(source, id);
  const newest = handle.stored?.slices.at(-1)?.number ?? -1;
  for (let end = newest; end >= 0; end -= slicePage) {
    const from = Math.max(0, end - slicePage + 1);
    const slices = Array.from({ length: end - from + 1 }, (_, i) => ({ number: from + i }));
    const rows = await lookUpIds(env.options.store, handle.row.number, () => slices, [idKey]);
    if (!rows.ok) return rows;
    const [row] = rows.value;
    if (row !== undefined && row.index < handle.size) return ok(row.index);
  }
  return ok(undefined);
}

export interface SubjectRange {
  readonly from?: LogIndex;
  readonly to?: LogIndex;
  /** Newest first. */
  readonly reverse?: boolean;
}

/** Throws HeadwaterError: those of the store. */
export async function* subjectIndexes(
  env: LedgerEnv,
  handle: LogHandle,
  subject: string,
  range: SubjectRange = {},
): AsyncGenerator<LogIndex> {
  const key = env.ids.subjectKey(subject);
  const log = handle.row.number;
  const to = Math.min(range.to ?? handle.size, handle.size);
  await using scan = env.options.store.scan({
    gte: subjectRowKey(log, key, range.from ?? 0),
    lt: subjectRowKey(log, key, to),
    reverse: range.reverse ?? false,
    keysOnly: true,
  });
  for (;;) {
    const rows = await scan.next(subjectPage);
    if (!rows.ok) throw new HeadwaterError(rows.error);
    if (rows.value.length === 0) return;
    for (const row of rows.value) yield asLogIndex(readUint48(row.key, row.key.length - 6));
  }
}
