/** `hw tail` and `hw replay`: events as NDJSON, from the node that keeps the stream. */
import { ok, type Result } from '../../result.ts';
import { fault } from '../../errors.ts';
import { err } from '../../result.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { streamPath } from './endpoints.ts';
import { followFirst } from './follow.ts';
import type { Options } from './options.ts';

export const tail: Action = (context, [stream = ''], options) =>
  read(context, stream, options, { from: options.text('from') ?? 'now', follow: true });

export const replay: Action = (context, [stream = ''], options) =>
  read(context, stream, options, { from: options.text('from') ?? 'start', follow: false });

interface Mode {
  readonly from: string;
  readonly follow: boolean;
}

async function read(
  context: Context,
  stream: string,
  options: Options,
  mode: Mode,
): Promise<Result<number>> {
  const limit = options.count('limit', 1);
  if (!limit.ok) return limit;
  const speed = options.positive('speed');
  if (!speed.ok) return speed;
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  if (options.flag('follow')) {
    const followed = await followFirst(open, context, stream);
    if (!followed.ok) return followed;
  }
  const path = await streamPath(open, context, stream);
  if (!path.ok) return path;
  const answer = await open.client.open({
    method: 'GET',
    path: `${path.value}/events`,
    query: {
      // `tail` ends only by its limit, its `to`, or its user.
      from: mode.from,
      to: options.text('to'),
      cursor: options.text('cursor'),
      limit: limit.value,
      subject: options.text('subject'),
      speed: speed.value,
      follow: mode.follow ? true : undefined,
      envelope: context.json ? true : undefined,
    },
    accept: 'application/x-ndjson',
    signal: context.signal,
  });
  return answer.ok ? print(context, answer.value.chunks) : answer;
}

/** Passes bytes on as they come; the node has written one line an event. */
async function print(context: Context, chunks: AsyncIterable<Uint8Array>): Promise<Result<number>> {
  try {
    for await (const chunk of chunks) {
      await context.runtime.stdout.write(chunk);
      if (context.signal.aborted) break;
    }
  } catch {
    return err(fault('node-unreachable', 'the node broke off in the middle of the stream'));
  }
  return ok(0);
}
