/** What a read request means for the ledger: ranges, one subject, limits, pace, cursors. */
import type { Clock, Timers } from '../../host.ts';
import { HeadwaterError } from '../../errors.ts';
import type { Position } from '../../ledger/cursors.ts';
import type { LedgerEntry } from '../../ledger/ledger-types.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { parsePosition } from '../../ledger/cursors.ts';
import { ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId, type LogIndex } from '../../types.ts';
import type { Delivery, ReadRequest, StreamView } from '../node-api.ts';
import { kept, limited, paced, wanted } from './pace.ts';
import { positionText, resolveRanges, type RangeLedger } from './ranges.ts';
import { readStream, type PartitionRange, type ReadLedger } from './reader.ts';

export interface HistoryLedger extends RangeLedger, ReadLedger {
  entry(logId: LogId, index: LogIndex): Promise<Result<LedgerEntry>>;
  subjectIndexes(
    logId: LogId,
    subject: string,
    options: { readonly from?: LogIndex; readonly to?: LogIndex; readonly reverse?: boolean },
  ): AsyncIterable<LogIndex>;
  setCursor(name: string, position: Position): Promise<Result<void>>;
}

/** The ledger as readings need it. */
export function historyOf(ledger: Ledger): HistoryLedger {
  return {
    batches: (logId, from, to, options) => ledger.batches(logId, from, to, options),
    sizeOf: (logId) => ledger.log(logId)?.size ?? 0,
    onAppended: (listener) => ledger.onAppended(listener),
    indexAtTime: (logId, time) => ledger.indexAtTime(logId, time),
    cursor: (name) => ledger.cursors.get(name),
    setCursor: (name, position) => ledger.cursors.set(name, position),
    entry: (logId, index) => ledger.entry(logId, index),
    subjectIndexes: (logId, subject, options) => ledger.subjectIndexes(logId, subject, options),
  };
}

export interface ReadHost {
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Batches of deliveries as asked for; faults of the ledger throw while reading. */
export async function readHistory(
  ledger: HistoryLedger,
  host: ReadHost,
  stream: StreamView,
  request: ReadRequest,
  signal: AbortSignal,
): Promise<Result<AsyncIterable<readonly Delivery[]>>> {
  const keep = wanted(request);
  if (!keep.ok) return keep;
  const ranges = await resolveRanges(ledger, stream, request);
  if (!ranges.ok) return ranges;
  const position = (next: ReadonlyMap<LogId, number>): string => positionText(stream, next);
  const { subject, follow = false } = request;
  let source: AsyncIterable<readonly Delivery[]> =
    subject !== undefined && !follow
      ? readSubject(ledger, ranges.value, subject, request.last === true, position)
      : readStream(ledger, { partitions: ranges.value, live: follow, signal, position });
  if (keep.value !== undefined) source = kept(source, keep.value);
  if (request.limit !== undefined) source = limited(source, request.limit);
  if (request.speed !== undefined) source = paced(source, request.speed, host.timers, signal);
  if (request.cursor !== undefined && request.autoAcknowledge === true) {
    source = acknowledged(ledger, request.cursor, source);
  }
  return ok(source);
}

/** By the subject index: each partition in turn, since one subject has one partition as a rule. */
async function* readSubject(
  ledger: HistoryLedger,
  ranges: readonly PartitionRange[],
  subject: string,
  last: boolean,
  position: (next: ReadonlyMap<LogId, number>) => string,
): AsyncGenerator<readonly Delivery[]> {
  const after = new Map<LogId, number>(ranges.map(({ logId, next }) => [logId, next]));
  let newest: Delivery | undefined;
  for (const { logId, next, end } of ranges) {
    const range = { from: asLogIndex(next), ...(end === undefined ? {} : { to: asLogIndex(end) }) };
    for await (const index of ledger.subjectIndexes(logId, subject, { ...range, reverse: last })) {
      const entry = await ledger.entry(logId, index);
      if (!entry.ok) throw new HeadwaterError(entry.error);
      const { event, recordedTime } = entry.value;
      if (event === undefined) continue;
      after.set(logId, index + 1);
      const state = new Map(after);
      const item = { log: logId, index, recordedTime, event, position: () => position(state) };
      if (!last) yield [item];
      else if (newest === undefined || recordedTime > newest.recordedTime) newest = item;
      if (last) break;
    }
  }
  if (newest !== undefined) yield [newest];
}

/** Moves the cursor behind each batch once the next one is asked for: so it was taken. */
async function* acknowledged(
  ledger: HistoryLedger,
  cursor: string,
  source: AsyncIterable<readonly Delivery[]>,
): AsyncGenerator<readonly Delivery[]> {
  for await (const batch of source) {
    yield batch;
    const token = batch.at(-1)?.position();
    const position = token === undefined ? undefined : parsePosition(token);
    if (position?.ok !== true) continue;
    const moved = await ledger.setCursor(cursor, position.value);
    if (!moved.ok) throw new HeadwaterError(moved.error);
  }
}
