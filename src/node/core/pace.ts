/** Which deliveries of a history are wanted, and how fast they go (ledger.md "Replay"). */
import type { Timers } from '../../host.ts';
import { contextOf } from '../../event/render.ts';
import { fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { rfc3339ToMs } from '../../time.ts';
import type { Delivery, ReadRequest } from '../node-api.ts';

/** True for deliveries that the request wants by the event's own `time` and `subject`. */
export function wanted(request: ReadRequest): Result<((item: Delivery) => boolean) | undefined> {
  const { eventFrom, eventTo, subject } = request;
  const bounds = [eventFrom, eventTo].map((text) =>
    text === undefined ? text : rfc3339ToMs(text),
  );
  const [from, to] = bounds;
  if (
    (eventFrom !== undefined && from === undefined) ||
    (eventTo !== undefined && to === undefined)
  ) {
    return err(fault('bad-time', `${eventFrom ?? ''} ${eventTo ?? ''}: not RFC 3339 times`));
  }
  if (from === undefined && to === undefined && subject === undefined) return ok(undefined);
  return ok((item) => {
    if (item.event === undefined) return false; // What is sealed says none of it.
    const context = contextOf(item.event);
    if (subject !== undefined && context['subject'] !== subject) return false;
    if (from === undefined && to === undefined) return true;
    const time = eventTime(context['time']);
    return time !== undefined && time >= (from ?? -Infinity) && time < (to ?? Infinity);
  });
}

/** Lets deliveries through at the pace of their own `time`, `speed` times as fast. */
export async function* paced(
  source: AsyncIterable<readonly Delivery[]>,
  speed: number,
  timers: Timers,
  signal: AbortSignal,
): AsyncGenerator<readonly Delivery[]> {
  let last: number | undefined;
  for await (const batch of source) {
    for (const item of batch) {
      const time = item.event && eventTime(contextOf(item.event)['time']);
      if (time !== undefined && last !== undefined && time > last) {
        await timers.sleep(Math.min(time - last, limits.maxReplayGapMs) / speed, signal);
      }
      last = time ?? last;
      if (signal.aborted) return;
      yield [item];
    }
  }
}

/** Ends after `limit` deliveries. */
export async function* limited(
  source: AsyncIterable<readonly Delivery[]>,
  limit: number,
): AsyncGenerator<readonly Delivery[]> {
  let left = limit;
  if (left <= 0) return;
  for await (const batch of source) {
    yield batch.length <= left ? batch : batch.slice(0, left);
    left -= batch.length;
    if (left <= 0) return;
  }
}

/** Keeps what passes; empty batches are left out. */
export async function* kept(
  source: AsyncIterable<readonly Delivery[]>,
  keep: (item: Delivery) => boolean,
): AsyncGenerator<readonly Delivery[]> {
  for await (const batch of source) {
    const some = batch.filter((item) => keep(item));
    if (some.length > 0) yield some;
  }
}

function eventTime(value: unknown): number | undefined {
  return typeof value === 'string' ? rfc3339ToMs(value) : undefined;
}
