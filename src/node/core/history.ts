/** What a read request means for the ledger: ranges, one subject, limits, pace, cursors. */
import type { Clock, Timers } from '../../host.ts';
import { HeadwaterError } from '../../errors.ts';
import type { Position } from '../../ledger/cursors.ts';
import type { LedgerEntry } from '../../ledger/ledger-types.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { parsePosition } from '../../ledger/cursors.ts';
import { caught, ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId, type LogIndex } from '../../types.ts';
import type { Delivery, ReadRequest, StreamView } from '../node-api.ts';
import { kept, limited, paced, wanted } from './pace.ts';
import { positionText, resolveRanges, type RangeLedger } from './ranges.ts';
import type { SealedRoom } from '../sealed/sealed-room.ts';
import { readStream, type Content, type PartitionRange, type ReadLedger } from './reader.ts';

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
export function historyOf(ledger: Ledger, sealed?: Pick<SealedRoom, 'reader'>): HistoryLedger {
  return {
    ...(sealed === undefined ? {} : { sealed: (...args) => sealed.reader(...args) }),
    batches: (logId, from, to, options) => ledger.batches(logId, from, to, options),
    sizeOf: (logId) => ledger.log(logId)?.size ?? 0,
    successorOf: (logId) => {
      const { closing } = ledger.log(logId) ?? {};
      return closing?.whole === true ? closing : undefined;
    },
    onAppended: (listener) => {
      const listening = new DisposableStack();
      listening.use(ledger.onAppended(listener));
      listening.use(ledger.successors.onNews(listener));
      return listening;
    },
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
  const { subject, follow = false } = request;
  let source: AsyncIterable<readonly Delivery[]> =
    subject !== undefined && !follow && isIndexed(stream)
      ? readSubject(ledger, ranges.value, subject, request.last === true)
      : readStream(ledger, {
          partitions: ranges.value,
          live: follow,
          signal,
          position: positionText,
        });
  if (keep.value !== undefined) source = kept(source, keep.value);
  if (request.last === true && !isIndexed(stream)) source = lastOf(source);
  if (request.limit !== undefined) source = limited(source, request.limit);
  if (request.speed !== undefined) source = paced(source, request.speed, host.timers, signal);
  if (request.cursor !== undefined && request.autoAcknowledge === true) {
    source = acknowledged(ledger, request.cursor, source);
  }
  return ok(source);
}

/** Of copies of sealed logs there is no index of subjects: who made it would need the keys first. */
function isIndexed({ visibility, logs }: StreamView): boolean {
  return visibility !== 'sealed' || logs.every(({ role }) => role === 'writer');
}

async function* lastOf(
  source: AsyncIterable<readonly Delivery[]>,
): AsyncGenerator<readonly Delivery[]> {
  let last: Delivery | undefined;
  for await (const batch of source) last = batch.at(-1) ?? last;
  if (last !== undefined) yield [last];
}

/** By the subject index: each partition in turn, since one subject has one partition as a rule. */
async function* readSubject(
  ledger: HistoryLedger,
  ranges: readonly PartitionRange[],
  subject: string,
  last: boolean,
): AsyncGenerator<readonly Delivery[]> {
  // Where each partition stands, in their order.
  const places = ranges.map(({ logId, next }) => ({ logId, next }));
  let newest: Delivery | undefined;
  for (const [i, range] of ranges.entries()) {
    const logs = segments(ledger, range);
    for await (const item of subjectEntries(
      ledger,
      last ? logs.toReversed() : logs,
      subject,
      last,
    )) {
      places[i] = { logId: item.log, next: item.index + 1 };
      const state = new Map<LogId, number>(places.map(({ logId, next }) => [logId, next]));
      const delivery = { ...item, position: () => positionText(state) };
      if (!last) yield [delivery];
      else if (newest === undefined || item.recordedTime > newest.recordedTime) newest = delivery;
      if (last) break;
    }
  }
  if (newest !== undefined) yield [newest];
}

interface Segment {
  readonly logId: LogId;
  readonly from: number;
  readonly to: number | undefined;
}

/** The parts of the logs that a range goes through. */
function segments(ledger: HistoryLedger, range: PartitionRange): Segment[] {
  const parts: Segment[] = [];
  const last = range.end === undefined ? undefined : (range.last ?? range.logId);
  for (let [logId, from] = [range.logId, range.next]; ;) {
    if (logId === last) return [...parts, { logId, from, to: range.end }];
    parts.push({ logId, from, to: undefined });
    const successor = ledger.successorOf(logId);
    if (successor === undefined) return parts;
    [logId, from] = [successor.next, 0];
  }
}

async function* subjectEntries(
  ledger: HistoryLedger,
  logs: readonly Segment[],
  subject: string,
  reverse: boolean,
): AsyncGenerator<Omit<Delivery, 'position'>> {
  for (const { logId, from, to } of logs) {
    const range = { from: asLogIndex(from), ...(to === undefined ? {} : { to: asLogIndex(to) }) };
    for await (const index of ledger.subjectIndexes(logId, subject, { ...range, reverse })) {
      const read = await contentAt(ledger, logId, index);
      if (!read.ok) throw new HeadwaterError(read.error);
      if (read.value !== undefined) yield { log: logId, index, ...read.value };
    }
  }
}

type Found = Content & Pick<Delivery, 'recordedTime'>;

/** One entry; undefined where it is none that is delivered. Codes: those of `Ledger.entry`. */
export async function contentAt(
  ledger: Pick<HistoryLedger, 'batches' | 'sealed'>,
  logId: LogId,
  index: LogIndex,
): Promise<Result<Found | undefined>> {
  return caught<Found | undefined>(async () => {
    for await (const batch of ledger.batches(logId, index, asLogIndex(index + 1), {})) {
      const recordedTime = batch.recordedTime(index);
      const event = batch.event(index);
      if (event !== undefined) return ok({ recordedTime, event });
      if (batch.kind(index) !== 'sealed') return ok(undefined);
      const read = await ledger.sealed?.(logId, batch, undefined);
      const content = read?.(index);
      return ok(content && { recordedTime, ...content });
    }
    return ok(undefined);
  });
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
