/** Where a reading begins and ends: `--from`, `--to`, cursors (ledger.md "Positions"). */
import { fault } from '../../errors.ts';
import { formatPosition, parsePosition, type Position } from '../../ledger/cursors.ts';
import { err, ok, type Result } from '../../result.ts';
import { parseTime, rfc3339ToMs } from '../../time.ts';
import { asLogIndex, type LogId, type LogIndex, type TimeMs } from '../../types.ts';
import type { ReadRequest, StreamView } from '../node-api.ts';
import type { PartitionRange } from './reader.ts';
import { oneLog } from './streams.ts';

export interface RangeLedger {
  indexAtTime(logId: LogId, time: TimeMs): Promise<Result<LogIndex>>;
  cursor(name: string): Promise<Result<Position | undefined>>;
}

/** One range for each local log of the stream, in the order of its partitions. */
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
    stream.logs.map(({ log, size }) => {
      const next = from.value.get(log) ?? 0;
      if (to !== undefined) return { logId: log, next, end: to.value.get(log) ?? 0 };
      return request.follow === true ? { logId: log, next } : { logId: log, next, end: size };
    }),
  );
}

/** The token of a position; logs that are missing in `next` stand at 0. */
export function positionText(stream: StreamView, next: ReadonlyMap<LogId, number>): string {
  return formatPosition(
    stream.logs.map(({ log }) => ({ logId: log, next: asLogIndex(next.get(log) ?? 0) })),
  );
}

async function startOf(
  ledger: RangeLedger,
  stream: StreamView,
  request: ReadRequest,
): Promise<Result<ReadonlyMap<LogId, number>>> {
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
): Promise<Result<ReadonlyMap<LogId, number>>> {
  if (text === 'start') return ok(new Map());
  if (text === 'now') return ok(new Map(stream.logs.map(({ log, size }) => [log, size])));
  if (/^\d{1,16}$/.test(text)) {
    const log = oneLog(stream);
    return log.ok ? ok(new Map([[log.value.log, Number(text)]])) : log;
  }
  if (rfc3339ToMs(text) !== undefined) return timePoint(ledger, stream, text);
  const position = parsePosition(text);
  if (position.ok) return fitting(stream, position.value);
  const message = `${JSON.stringify(text)} is not start, now, an index, a time or a position token`;
  return err(fault('bad-position', message));
}

async function timePoint(
  ledger: RangeLedger,
  stream: StreamView,
  text: string,
): Promise<Result<ReadonlyMap<LogId, number>>> {
  const time = parseTime(text);
  if (!time.ok) return time;
  const next = new Map<LogId, number>();
  for (const { log } of stream.logs) {
    const index = await ledger.indexAtTime(log, time.value);
    if (!index.ok) return index;
    next.set(log, index.value);
  }
  return ok(next);
}

/** A position counts only for the stream that it was made for. */
function fitting(stream: StreamView, position: Position): Result<ReadonlyMap<LogId, number>> {
  const logs = new Set(stream.logs.map(({ log }) => log));
  const stranger = position.find(({ logId }) => !logs.has(logId));
  if (stranger === undefined) return ok(new Map(position.map(({ logId, next }) => [logId, next])));
  return err(fault('bad-position', `the position belongs to another stream (${stranger.logId})`));
}
