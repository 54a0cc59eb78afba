/** `hw grant verify FILE`: a grant checked with no node and no home. */
import { checkGrant, keyCommand, orderGrant } from '../../access/grant.ts';
import { parseContainer } from '../../access/ucan-container.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { ok } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { asTimeMs } from '../../types.ts';
import type { Action } from './command.ts';
import { fileText } from './file-input.ts';

const time = (ms: number): string => formatTime(asTimeMs(ms));

export const verify: Action = async (context, [file = '']) => {
  const text = await fileText(context, file);
  if (!text.ok) return text;
  const tokens = parseContainer(text.value.trim());
  if (!tokens.ok) return tokens;
  const grant = orderGrant(nodeCrypto, tokens.value);
  if (!grant.ok) return grant;
  const scope = checkGrant(nodeCrypto, grant.value, context.runtime.clock.now());
  if (!scope.ok) return scope;
  const { id, command, owner, holder, stream, from, to, expires, purpose, handOns } = scope.value;
  const { fields, within } = scope.value;
  const links = grant.value.chain.map((link) => ({
    issuer: link.issuer,
    audience: link.audience,
    command: link.command,
  }));
  await context.value({ ...scope.value, links });
  await context.say(
    `grant ${id} is valid`,
    `  owner       ${owner}`,
    `  stream      ${stream}${command === keyCommand ? ' (epoch keys)' : ''}`,
    `  holder      ${holder}`,
    `  recorded    ${from === 0 ? 'from the beginning' : time(from)} to ${to === undefined ? 'without end' : time(to)}`,
    `  expires     ${expires === undefined ? 'never' : time(expires * 1000)}`,
    ...(purpose === undefined ? [] : [`  purpose     ${purpose}`]),
    ...(fields === undefined ? [] : ['  fields      attributes, as proofs']),
    ...(within === undefined ? [] : [`  for peers   of ${within} alone`]),
    ...(handOns === undefined ? [] : [`  handed on   ${handOns} more time(s)`]),
    ...links.map(({ issuer, audience }, i) => `  link ${i}      ${issuer} → ${audience}`),
  );
  await context.note('whether it was revoked only peers of the owner know for certain');
  return ok(0);
};
