/** `hw peer …`: who is connected, and who may be. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { JsonView } from '../json-view.ts';
import { pastLines } from '../succession-view.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { actor, callNode } from './endpoints.ts';
import type { Options } from './options.ts';
import { withOwn } from './own-peers.ts';
import { shortId, table } from './table.ts';

export const list: Action = async (context) => {
  const answer = await callNode(context, { method: 'GET', path: '/peers' });
  if (!answer.ok) return answer;
  const peers = await withOwn(context, answer.value.list('peers'));
  await context.value({ peers: peers.map(({ value }) => value) });
  await context.say(...peerTable(peers));
  return ok(0);
};

export const show: Action = async (context, [peer = '']) => {
  const answer = await callNode(context, { method: 'GET', path: '/peers' });
  if (!answer.ok) return answer;
  const found = answer.value.list('peers').find((view) => view.text('peer') === peer);
  if (found === undefined) {
    return err(
      fault('peer-unknown', `${peer} is not a known peer`, undefined, 'hw peer list names them.'),
    );
  }
  await context.value(found.value);
  const lines = ['organisation', 'name', 'address', 'state', 'version', 'reason']
    .map((name) => [name, found.text(name)] as const)
    .filter(([, text]) => text !== undefined)
    .map(([name, text]) => `  ${name.padEnd(13)}${text}`);
  await context.say(
    peer,
    ...lines,
    ...pastLines(found, 13),
    `  connected    ${found.flag('connected') ? 'yes' : 'no'}`,
  );
  return ok(0);
};

export const ban: Action = (context, [peer = ''], options) =>
  setState(context, peer, 'banned', options);
export const unban: Action = (context, [peer = ''], options) =>
  setState(context, peer, 'ok', options);
export const pause: Action = (context, [peer = ''], options) =>
  setState(context, peer, 'paused', options);
export const resume: Action = (context, [peer = ''], options) =>
  setState(context, peer, 'ok', options);

async function setState(
  context: Context,
  peer: string,
  state: 'ok' | 'paused' | 'banned',
  options: Options,
): Promise<Result<number>> {
  const path = `/peers/${encodeURIComponent(peer)}`;
  const body = { state, ...actor(options) };
  const answer = await callNode(context, { method: 'PATCH', path, body });
  if (!answer.ok) return answer;
  await context.value(answer.value.value);
  await context.say(`${peer} is ${state}`);
  return ok(0);
}

/** One line a peer. */
export function peerTable(peers: readonly JsonView[]): readonly string[] {
  if (peers.length === 0) return ['no peers yet; let others join with hw invite'];
  const rows = peers.map((view) => [
    shortId(view.text('peer') ?? ''),
    `${view.text('name') ?? shortId(view.text('organisation') ?? '?')}${view.flag('own') ? ' (ours)' : ''}`,
    view.flag('connected') ? 'connected' : 'away',
    view.text('state') ?? '',
    view.text('reason') ?? view.text('address') ?? '',
  ]);
  return table(['PEER', 'ORGANISATION', 'LINK', 'STATE', 'ADDRESS'], rows);
}
