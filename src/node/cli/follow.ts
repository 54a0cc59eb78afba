/** `hw follow` and `hw unfollow`: durable, the node goes on by itself. */
import { fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import type { Connection } from './connect.ts';
import type { Context } from './context.ts';
import { actor, callNode, callOn, callStream, streamPath } from './endpoints.ts';
import { importGrant } from './grant.ts';
import type { Options } from './options.ts';
import { displayName } from './stream.ts';

export const follow: Action = async (context, [target], options) => {
  const file = options.text('grant');
  if (file !== undefined) return followByGrant(context, target, file, options);
  const what = subject(target, options);
  if (!what.ok) return what;
  const body = { ...what.value, ...actor(options) };
  const answer = await callNode(context, { method: 'POST', path: '/follows', body });
  if (!answer.ok) return answer;
  const url = options.text('url');
  if (url === undefined) {
    return tell(context, await withStream(context, target, answer.value), 'following');
  }
  await context.value(answer.value.value);
  await context.say(`following ${answer.value.text('name') ?? ''} from ${url}`);
  return ok(0);
};

/** The grant names owner and stream; a target that is given must be the same. */
async function followByGrant(
  context: Context,
  target: string | undefined,
  file: string,
  options: Options,
): Promise<Result<number>> {
  const grant = await importGrant(context, file, options);
  if (!grant.ok) return grant;
  const stream = grant.value.text('stream') ?? '';
  const named = stream.slice(stream.lastIndexOf('/') + 1);
  if (target !== undefined && target.slice(target.lastIndexOf('/') + 1) !== named) {
    return err(fault('usage', `the grant is for ${stream}, not for ${target}`));
  }
  const body = { target: `${grant.value.text('owner') ?? ''}/${named}`, ...actor(options) };
  const answer = await callNode(context, { method: 'POST', path: '/follows', body });
  return answer.ok ? tell(context, answer.value, 'following') : answer;
}

export const unfollow: Action = async (context, [target], options) => {
  const what = subject(target, options);
  if (!what.ok) return what;
  const body = { ...what.value, purge: options.flag('purge'), ...actor(options) };
  const answer = await callNode(context, { method: 'DELETE', path: '/follows', body });
  return answer.ok ? tell(context, answer.value, 'no longer following') : answer;
};

/** A target by name, a URL, or for `follow` both: then the target must lie at the URL. */
function subject(target: string | undefined, options: Options): Result<Record<string, string>> {
  const url = options.text('url');
  if (target === undefined && url === undefined) {
    return err(fault('usage', 'name a stream, an organisation, or a place with --url'));
  }
  return ok({ ...(target === undefined ? {} : { target }), ...(url === undefined ? {} : { url }) });
}

/** The path of a stream for `tail`, `replay` and `verify`; with `--follow` it is followed first. */
export async function readablePath(
  connection: Connection,
  context: Context,
  stream: string,
  options: Options,
): Promise<Result<string>> {
  if (options.flag('follow')) {
    const body = { target: stream };
    const followed = await callOn(connection, context, { method: 'POST', path: '/follows', body });
    if (!followed.ok) return followed;
  }
  return streamPath(connection, context, stream);
}

/** A node that has just started hears of a stream in a moment: who follows one is told of it by name. */
async function withStream(
  context: Context,
  target: string | undefined,
  answer: JsonView,
): Promise<JsonView> {
  if (target?.includes('/') !== true || answer.list('streams').length > 0) return answer;
  const { clock, timers } = context.runtime;
  const deadline = clock.monotonic() + limits.followWaitMs;
  while (clock.monotonic() < deadline && !context.signal.aborted) {
    await timers.sleep(limits.pollMs, context.signal);
    const view = await callStream(context, target, (path) => ({ method: 'GET', path }));
    if (view.ok) return new JsonView({ streams: [view.value.value] });
  }
  return answer;
}

async function tell(context: Context, answer: JsonView, words: string): Promise<Result<number>> {
  await context.value(answer.value);
  const streams = answer.list('streams');
  await context.say(...streams.map((view) => `${words} ${displayName(view)}`));
  if (streams.length === 0)
    await context.say(`${words}: no stream is known yet; it comes with its registry`);
  return ok(0);
}
