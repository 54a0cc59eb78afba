/**
 * A registry is one log with one writer (access.md "Tokens"). A peer whose delegation names a registry
 * that it has never written is one of several of its organisation: it makes none of its own, follows the
 * named one, and submits to the peer that writes it.
 */
import { verifyPeerDelegation } from '../../access/peer-delegation.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import { err, type Result } from '../../result.ts';
import type { LogId, ParsedEvent, TimeMs } from '../../types.ts';
import type { Home } from '../home.ts';

/** The log that the organisation's delegation to this peer names, where it is sound. */
export function namedRegistry(
  { peerDelegation, identity }: Pick<Home, 'peerDelegation' | 'identity'>,
  now: TimeMs,
): LogId | undefined {
  const { peerKey } = identity;
  const standing = verifyPeerDelegation(nodeCrypto, { proof: peerDelegation, peerKey, now });
  return standing.ok ? standing.value.registry : undefined;
}

/** Hands events to the peer of our organisation that writes the log. */
export type Forward = (
  logId: LogId,
  events: readonly ParsedEvent[],
) => Promise<Result<readonly Result<unknown>[]>>;

/** Before there is a network, and in a home without one. */
export const nowhere: Forward = () =>
  Promise.resolve(err(fault('writer-unreachable', 'another peer of ours writes the registry')));
