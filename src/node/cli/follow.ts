/** `hw follow` and `hw unfollow`: durable, the node goes on by itself. */
import { ok, type Result } from '../../result.ts';
import type { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import type { Connection } from './connect.ts';
import type { Context } from './context.ts';
import { actor, callNode, callOn } from './endpoints.ts';
import { displayName } from './stream.ts';

export const follow: Action = async (context, [target = ''], options) => {
  const body = { target, ...actor(options) };
  const answer = await callNode(context, { method: 'POST', path: '/follows', body });
  return answer.ok ? tell(context, answer.value, 'following') : answer;
};

export const unfollow: Action = async (context, [target = ''], options) => {
  const body = { target, purge: options.flag('purge'), ...actor(options) };
  const answer = await callNode(context, { method: 'DELETE', path: '/follows', body });
  return answer.ok ? tell(context, answer.value, 'no longer following') : answer;
};

/** What `--follow` of `tail`, `replay` and `verify` does first. */
export async function followFirst(
  connection: Connection,
  context: Context,
  stream: string,
): Promise<Result<void>> {
  const body = { target: stream };
  const answer = await callOn(connection, context, { method: 'POST', path: '/follows', body });
  return answer.ok ? ok(undefined) : answer;
}

async function tell(context: Context, answer: JsonView, words: string): Promise<Result<number>> {
  await context.value(answer.value);
  const streams = answer.list('streams');
  await context.say(...streams.map((view) => `${words} ${displayName(view)}`));
  if (streams.length === 0) await context.say(`${words}: no stream is known yet`);
  return ok(0);
}
