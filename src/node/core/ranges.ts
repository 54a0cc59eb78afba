/**
 * Where a reading begins and ends: `--from`, `--to`, cursors (ledger.md "Positions"). A place is one log
 * and index for each partition; a partition may be a chain of logs.
 */
import { fault } from '../../errors.ts';
import { formatPosition, parsePosition, type Position } from '../../ledger/cursors.ts';
import { err, ok, type Result } from '../../result.ts';
import { parseTime, rfc3339ToMs } from '../../time.ts';
import { asLogIndex, type LogId, type LogIndex, type TimeMs } from '../../types.ts';
import type { LogView, ReadRequest, StreamView } from '../node-api.ts';
import { chainsOf } from './chains.ts';
import type { PartitionRange } from './reader.ts';
import { oneLog } from './streams.ts';

export interface RangeLedger {
  indexAtTime(logId: LogId, time: TimeMs): Promise<Result<LogIndex>>;
  cursor(name: string): Promise<Result<Position | undefined>>;
}

interface Place {
  readonly log: LogId;
  readonly next: number;
}
type Chain = readonly LogView[];
/** The place in a chain; undefined: its beginning. */
type Places = (chain: Chain) => Place | undefined;

/** One range for each partition of the stream that is here, in their order. */
export async function resolveRanges(
  ledger: RangeLedger,
  stream: StreamView,
  request: ReadRequest,
): Promise<Result<readonly PartitionRange[]>> {
  const from = await startOf(ledger, stream, request);
  if (!from.ok) return from;
  const to = request.to === undefined ? undefined : await pointOf(ledger, stream, request.to);
  if (to !== undefined && !to.ok) return to;
  return ok(
    chainsOf(stream).map((chain) => {
      const begin = from.value(chain) ?? beginningOf(chain);
      const range = { logId: begin.log, next: begin.next };
      if (to === undefined && request.follow === true) return range;
      const end = to === undefined ? endOf(chain) : (to.value(chain) ?? beginningOf(chain));
      // An end in a log before that of the beginning: nothing lies between.
      const place = (log: LogId): number => chain.findIndex((one) => one.log === log);
      if (place(end.log) < place(begin.log)) return { ...range, end: 0 };
      return { ...range, end: end.next, last: end.log };
    }),
  );
}

/** What ranges of partitions cover of each log of their chains, in order; empty parts are left out. */
export function partsOf(
  stream: StreamView,
  ranges: readonly PartitionRange[],
): readonly { readonly logId: LogId; readonly from: number; readonly to: number }[] {
  return ranges.flatMap(({ logId, next, end, last = logId }) => {
    const chain = chainsOf(stream).find((logs) => logs.some(({ log }) => log === logId)) ?? [];
    const place = (log: LogId): number => chain.findIndex((one) => one.log === log);
    const [first, final] = [place(logId), place(last)];
    return chain.slice(first, final + 1).flatMap(({ log, size, closing }) => {
      const held = Math.min(size, closing?.size ?? size);
      const from = log === logId ? next : 0;
      const to = log === last ? Math.min(end ?? held, held) : held;
      return from < to ? [{ logId: log, from, to }] : [];
    });
  });
}

/** The token of a position: one log and index for each partition, in their order. */
export function positionText(next: ReadonlyMap<LogId, number>): string {
  return formatPosition([...next].map(([logId, index]) => ({ logId, next: asLogIndex(index) })));
}

function beginningOf(chain: Chain): Place {
  const [first] = chain;
  if (first === undefined) throw new Error('a chain has a log');
  return { log: first.log, next: 0 };
}

function endOf(chain: Chain): Place {
  const last = chain.at(-1);
  if (last === undefined) throw new Error('a chain has a log');
  return { log: last.log, next: last.size };
}

async function startOf(
  ledger: RangeLedger,
  stream: StreamView,
  request: ReadRequest,
): Promise<Result<Places>> {
  if (request.resume !== undefined) {
    const position = parsePosition(request.resume);
    return position.ok ? fitting(stream, position.value) : position;
  }
  if (request.cursor !== undefined) {
    const stored = await ledger.cursor(request.cursor);
    if (!stored.ok) return stored;
    if (stored.value !== undefined) return fitting(stream, stored.value);
  }
  return pointOf(ledger, stream, request.from ?? 'start');
}

/** `start`, `now`, an index (one log only), an RFC 3339 time, or a position token. */
async function pointOf(
  ledger: RangeLedger,
  stream: StreamView,
  text: string,
): Promise<Result<Places>> {
  if (text === 'start') return ok(() => undefined);
  if (text === 'now') return ok(endOf);
  if (/^\d{1,16}$/.test(text)) {
    const log = oneLog(stream);
    return log.ok ? ok(() => ({ log: log.value.log, next: Number(text) })) : log;
  }
  if (rfc3339ToMs(text) !== undefined) return timePoint(ledger, stream, text);
  const position = parsePosition(text);
  if (position.ok) return fitting(stream, position.value);
  const message = `${JSON.stringify(text)} is not start, now, an index, a time or a position token`;
  return err(fault('bad-position', message));
}

/**
 * The first entry of the chain that was recorded at or after the time. Time never goes back within a log;
 * a successor may begin before the last time of a predecessor whose clock was wrong.
 */
async function timePoint(
  ledger: RangeLedger,
  stream: StreamView,
  text: string,
): Promise<Result<Places>> {
  const time = parseTime(text);
  if (!time.ok) return time;
  const places = new Map<LogId, Place>();
  for (const chain of chainsOf(stream)) {
    let place = endOf(chain);
    for (const { log, size } of chain) {
      const index = await ledger.indexAtTime(log, time.value);
      if (!index.ok) return index;
      if (index.value >= size) continue;
      place = { log, next: index.value };
      break;
    }
    places.set(beginningOf(chain).log, place);
  }
  return ok((chain) => places.get(beginningOf(chain).log));
}

/** A position counts only for the stream that it was made for. */
function fitting(stream: StreamView, position: Position): Result<Places> {
  const chains = chainsOf(stream);
  const places = new Map<LogId, Place>();
  for (const { logId, next } of position) {
    const chain = chains.find((logs) => logs.some(({ log }) => log === logId));
    if (chain === undefined) {
      return err(fault('bad-position', `the position belongs to another stream (${logId})`));
    }
    places.set(beginningOf(chain).log, { log: logId, next });
  }
  return ok((chain) => places.get(beginningOf(chain).log));
}
