/** `hw grant hand-on` and `hw grant renew`: what a holder does with a grant. */
import { fault } from '../../errors.ts';
import { err } from '../../result.ts';
import type { Action } from './command.ts';
import { actor, callNode } from './endpoints.ts';
import { secondsOf, tellGrant, tellRequest } from './grant.ts';

export const handOn: Action = async (context, [id = ''], options) => {
  const peer = options.text('peer');
  if (peer === undefined) {
    const message = '--peer says who reads with it: a peer id or a did:key';
    return err(fault('usage', message, { pointer: '--peer' }));
  }
  const path = `/grants/${encodeURIComponent(id)}/hand-on`;
  const made = await callNode(context, { method: 'POST', path, body: { peer, ...actor(options) } });
  return made.ok ? tellGrant(context, made.value, options) : made;
};

export const renew: Action = async (context, [id = ''], options) => {
  const seconds = secondsOf(options);
  if (!seconds.ok) return seconds;
  const path = `/grants/${encodeURIComponent(id)}/renew`;
  const purpose = options.text('purpose');
  const body = { seconds: seconds.value, purpose, ...actor(options) };
  const made = await callNode(context, { method: 'POST', path, body });
  return made.ok ? tellRequest(context, made.value) : made;
};
