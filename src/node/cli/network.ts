/** `hw network …` and `hw invite`: the network that this home belongs to. */
import { nodeCrypto } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import { networkIdText, readNetworkDocument } from '../../gossip/network-document.ts';
import { err, ok, type Result } from '../../result.ts';
import { lockHolder } from '../home-lock.ts';
import { readNetwork } from '../home.ts';
import { JsonView } from '../json-view.ts';
import type { Action } from './command.ts';
import type { Context } from './context.ts';
import { actor, callNode } from './endpoints.ts';
import { keySource } from './key-option.ts';

export const show: Action = async (context) => {
  const view = await networkView(context);
  if (!view.ok) return view;
  await context.value(view.value.value);
  const members = view.value.list('members').map((member) => String(member.value));
  await context.say(
    view.value.text('name') ?? 'a network whose document has not come yet',
    `  id          ${view.value.text('id') ?? ''}`,
    `  version     ${view.value.number('version') ?? 0}`,
    `  founder     ${view.value.text('founder') ?? 'not known yet'}`,
    `  membership  ${view.value.text('membership') ?? 'not known yet'}`,
    ...members.map((did) => `  member      ${did}`),
  );
  return ok(0);
};

/** From the running node, else from what the home last stored. */
async function networkView(context: Context): Promise<Result<JsonView>> {
  if ((await lockHolder(context.paths, context.runtime)) !== undefined) {
    return callNode(context, { method: 'GET', path: '/network' });
  }
  const home = await context.readHome();
  if (!home.ok) return home;
  const network = await readNetwork(context.paths);
  if (!network.ok) return network;
  if (network.value === undefined) {
    return err(fault('network-none', 'this home is in no network'));
  }
  const { id, document } = network.value;
  if (document === undefined) return ok(new JsonView({ id, version: 0 }));
  const read = readNetworkDocument(nodeCrypto, document);
  if (!read.ok) return read;
  const { name, version, founder, membership, members, bootstrap } = read.value;
  const text = networkIdText(read.value.id);
  return ok(new JsonView({ id: text, name, version, founder, membership, members, bootstrap }));
}

export const accept: Action = async (context, [did = ''], options) => {
  const key = await keySource(context, options);
  if (!key.ok) return key;
  const body = { member: did, ...key.value, ...actor(options) };
  const answer = await callNode(context, { method: 'POST', path: '/network/members', body });
  if (!answer.ok) return answer;
  await context.value(answer.value.value);
  await context.say(
    `${did} is a member (document version ${answer.value.number('version') ?? '?'})`,
  );
  return ok(0);
};

export const invite: Action = async (context, _args, options) => {
  const key = await keySource(context, options);
  if (!key.ok) return key;
  const body = { member: options.text('member'), ...key.value, ...actor(options) };
  const answer = await callNode(context, { method: 'POST', path: '/network/invites', body });
  if (!answer.ok) return answer;
  const line = answer.value.text('invite') ?? '';
  await context.value({ invite: line });
  await context.say(line);
  return ok(0);
};
