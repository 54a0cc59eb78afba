/** `hw tail` and `hw replay`: events as NDJSON, from the node that keeps the stream. */
import { fault, HeadwaterError } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { problemFault } from '../api-client.ts';
import { JsonView } from '../json-view.ts';
import { lockHolder } from '../home-lock.ts';
import type { ReadRequest } from '../node-api.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { readablePath } from './follow.ts';
import { callOn } from './endpoints.ts';
import type { Options } from './options.ts';
import { goneNote } from './retention.ts';
import { faultJson, faultText } from './render-fault.ts';
import { withStoppedHome } from './stopped.ts';

export const tail: Action = (context, [stream = ''], options) =>
  read(context, stream, options, { from: options.text('from') ?? 'now', follow: true });

/** By the running node, else from the store itself; only a cursor needs the node. */
export const replay: Action = async (context, [stream = ''], options) => {
  const fields = options.text('fields') ?? 'data';
  if (fields === 'attributes') {
    const { replayAttributes } = await import('./replay-attributes.ts');
    return replayAttributes(context, stream, options);
  }
  if (fields !== 'data') {
    return err(fault('fields-unsupported', `--fields ${fields}`, { pointer: '--fields' }));
  }
  const from = options.text('from') ?? 'start';
  const holder = await lockHolder(context.paths, context.runtime);
  const offline = holder === undefined && options.text('cursor') === undefined;
  return offline
    ? replayStopped(context, stream, options, from)
    : read(context, stream, options, { from, follow: false });
};

async function replayStopped(
  context: Context,
  stream: string,
  options: Options,
  from: string,
): Promise<Result<number>> {
  const asked = readRequest(options, from);
  if (!asked.ok) return asked;
  return withStoppedHome(context, options, async (home, ledger, sealed) => {
    const { replayOffline } = await import('../offline-replay.ts');
    const { runtime, signal, json } = context;
    const chunks = await replayOffline(home, ledger, stream, asked.value, {
      runtime,
      signal,
      json,
      sealed,
    });
    return chunks.ok ? print(context, chunks.value) : chunks;
  });
}

/** The range and pace that the options ask for. */
function readRequest(options: Options, from: string): Result<ReadRequest> {
  const limit = options.count('limit', 1);
  if (!limit.ok) return limit;
  const speed = options.positive('speed');
  if (!speed.ok) return speed;
  const [to, subject] = [options.text('to'), options.text('subject')];
  return ok({
    from,
    ...(to === undefined ? {} : { to }),
    ...(subject === undefined ? {} : { subject }),
    ...(limit.value === undefined ? {} : { limit: limit.value }),
    ...(speed.value === undefined ? {} : { speed: speed.value }),
  });
}

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
  const asked = readRequest(options, mode.from);
  if (!asked.ok) return asked;
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const path = await readablePath(open, context, stream, options);
  if (!path.ok) return path;
  const answer = await open.client.open({
    method: 'GET',
    path: `${path.value}/events`,
    query: {
      // `tail` ends only by its limit, its `to`, or its user.
      ...asked.value,
      cursor: options.text('cursor'),
      follow: mode.follow ? true : undefined,
      envelope: context.json ? true : undefined,
    },
    accept: 'application/x-ndjson',
    signal: context.signal,
  });
  if (!answer.ok) return answer;
  const printed = await print(context, answer.value.chunks);
  if (!printed.ok || mode.follow) return printed;
  const view = await callOn(open, context, { method: 'GET', path: path.value });
  const note = view.ok ? goneNote(view.value, mode.from) : undefined;
  if (note !== undefined) await context.note(note);
  return printed;
}

/**
 * Passes whole lines on as they come. What is no event begins with an object, which no attribute is:
 * {"error":{…}} ends a stream that the node cannot go on with, {"notice":{…}} goes to stderr.
 */
async function print(context: Context, chunks: AsyncIterable<Uint8Array>): Promise<Result<number>> {
  const { stdout } = context.runtime;
  let part: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of chunks) {
      const arrived = part.length === 0 ? Buffer.from(chunk) : Buffer.concat([part, chunk]);
      const bytes = await withoutNotices(context, arrived);
      const found = lineWith(errorMark, bytes);
      const end = found ?? bytes.lastIndexOf(0x0a) + 1;
      if (end > 0) await stdout.write(bytes.subarray(0, end));
      part = bytes.subarray(end);
      if (context.signal.aborted) break;
    }
  } catch (cause) {
    if (cause instanceof HeadwaterError) return err(cause.fault);
    return err(fault('node-unreachable', 'the node broke off in the middle of the stream'));
  }
  if (lineWith(errorMark, part) === 0) {
    const problem = JsonView.parse(part.toString('utf8')).at('error').value;
    return err(problemFault(500, JSON.stringify(problem)));
  }
  if (part.length > 0) await stdout.write(part);
  return ok(0);
}

/** The bytes without their whole notice lines, which are told. */
async function withoutNotices(context: Context, bytes: Buffer): Promise<Buffer> {
  let rest = bytes;
  for (;;) {
    const from = lineWith(noticeMark, rest);
    const to = from === undefined ? -1 : rest.indexOf(0x0a, from);
    if (from === undefined || to < 0) return rest;
    const notice = JsonView.parse(rest.toString('utf8', from, to)).at('notice').value;
    const told = problemFault(500, JSON.stringify(notice));
    const text = context.json ? faultJson(told) : faultText(told, false);
    await context.runtime.stderr.write(Buffer.from(text.replace(/^error:/, 'notice:')));
    rest = Buffer.concat([rest.subarray(0, from), rest.subarray(to + 1)]);
  }
}

const noticeMark = Buffer.from('{"notice":{');
const errorMark = Buffer.from('{"error":{');

/** Where a line that begins so is, in bytes that begin with a line. */
function lineWith(mark: Buffer, bytes: Buffer): number | undefined {
  for (let from = bytes.indexOf(mark); from >= 0; from = bytes.indexOf(mark, from + 1)) {
    if (from === 0 || bytes[from - 1] === 0x0a) return from;
  }
  return undefined;
}
