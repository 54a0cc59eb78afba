/** `hw tail` and `hw replay`: events as NDJSON, from the node that keeps the stream. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { problemFault } from '../api-client.ts';
import { JsonView } from '../json-view.ts';
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
  return answer.ok ? await print(context, answer.value.chunks) : answer;
}

/**
 * Passes whole lines on as they come. The node ends a stream that it cannot go on with by a line
 * {"error":{…}}, which is no event: attributes are never objects.
 */
async function print(context: Context, chunks: AsyncIterable<Uint8Array>): Promise<Result<number>> {
  const { stdout } = context.runtime;
  let part: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of chunks) {
      const bytes = part.length === 0 ? Buffer.from(chunk) : Buffer.concat([part, chunk]);
      const found = errorLine(bytes);
      const end = found ?? bytes.lastIndexOf(0x0a) + 1;
      if (end > 0) await stdout.write(bytes.subarray(0, end));
      part = bytes.subarray(end);
      if (context.signal.aborted) break;
    }
  } catch {
    return err(fault('node-unreachable', 'the node broke off in the middle of the stream'));
  }
  if (errorLine(part) === 0) {
    const problem = JsonView.parse(part.toString('utf8')).at('error').value;
    return err(problemFault(500, JSON.stringify(problem)));
  }
  if (part.length > 0) await stdout.write(part);
  return ok(0);
}

const errorMark = Buffer.from('{"error":{');

/** Where an error line begins in bytes that begin with a line. */
function errorLine(bytes: Buffer): number | undefined {
  for (let from = bytes.indexOf(errorMark); from >= 0; from = bytes.indexOf(errorMark, from + 1)) {
    if (from === 0 || bytes[from - 1] === 0x0a) return from;
  }
  return undefined;
}
