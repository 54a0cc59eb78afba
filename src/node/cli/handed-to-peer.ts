/**
 * `hw grant import --key FILE`: a grant that was made out to the organisation, whose key is offline. It
 * hands the grant to the peer here, in this process; the node gets the finished chain and never the key.
 */
import { handOn, orderGrant } from '../../access/grant.ts';
import { formatContainer, parseContainer } from '../../access/ucan-container.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { didFromKey } from '../../ids.ts';
import { ok, type Result } from '../../result.ts';
import type { Context } from './context.ts';
import { keyOf } from './key-option.ts';
import type { Options } from './options.ts';

/** The text as it came, where there is no `--key` or the grant is made out to somebody else. */
export async function handedToPeer(
  context: Context,
  options: Options,
  text: string,
): Promise<Result<string>> {
  if (options.text('key') === undefined) return ok(text);
  const home = await context.readHome();
  if (!home.ok) return home;
  const tokens = parseContainer(text.trim());
  if (!tokens.ok) return tokens;
  const grant = orderGrant(nodeCrypto, tokens.value);
  if (!grant.ok) return grant;
  const [root, last] = [grant.value.chain[0], grant.value.chain.at(-1)];
  if (root === undefined || last === undefined) return ok(text);
  const signer = await keyOf(context, options, last.audience);
  if (!signer.ok) return signer;
  if (signer.value === undefined) return ok(text);
  const next = { owner: root.issuer, audience: didFromKey(home.value.identity.peerKey) };
  const chain = handOn(signer.value, context.runtime.random, grant.value.tokens, next);
  return ok(formatContainer(chain));
}
