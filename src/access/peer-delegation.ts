/**
 * What an organisation gives its peers, so that its own key can stay offline:
 *
 *   `/flow/peer`    be seen as its peer. Args of the check are {network, registry}: the id of the
 *                   network (32 bytes) and the registry log that the delegation itself names
 *                   (32 bytes), so a policy may fix either: ["==", ".registry", <32 bytes>].
 *   `/flow/write`   open logs for it; one link must fix .name and .partition (write-proof.ts). A
 *                   peer with an open one makes out the fixed one to its writer keys itself.
 */
import type { Crypto, Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { didFromKey, logIdFromHash, logIdHash } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asHash,
  asTimeMs,
  type Did,
  type Hash,
  type LogId,
  type PublicKey,
  type StreamName,
  type TimeMs,
} from '../types.ts';
import type { UcanValue } from './ucan-cbor.ts';
import { decodeChain, verifyChain, type Chain } from './ucan-chain.ts';
import { mintDelegation } from './ucan-delegation.ts';
import { fixedTo, is, type Statement } from './ucan-policy.ts';

interface Terms {
  /** Whose powers are handed on; absent: the signer's own. */
  readonly subject?: Did;
  /** Cut to whole seconds. */
  readonly notBefore?: TimeMs;
  /** Cut to whole seconds; absent: never. */
  readonly expires?: TimeMs;
}

export interface PeerTerms extends Terms {
  readonly peerKey: PublicKey;
  /** Only in this network. */
  readonly network?: Hash;
  /** The organisation's registry, of all that claim to be it. */
  readonly registry?: LogId;
}

export interface WriteTerms extends Terms {
  /** The writer key of a log, or the key of a peer that hands it on. */
  readonly audience: PublicKey;
  readonly name?: StreamName;
  /** One of these, where it is to be more than one; as a genesis proof it needs a link that fixes it. */
  readonly names?: readonly StreamName[];
  readonly partition?: number;
}

/** A token of `/flow/peer` for a peer's libp2p key. */
export function mintPeerDelegation(signer: Signer, random: Random, terms: PeerTerms): Uint8Array {
  const policy: Statement[] = [];
  if (terms.network !== undefined) policy.push(is('network', terms.network));
  if (terms.registry !== undefined) policy.push(is('registry', logIdHash(terms.registry)));
  return mint(signer, random, '/flow/peer', terms.peerKey, policy, terms);
}

/** A token of `/flow/write`; as a genesis proof alone it needs name and partition. */
export function mintWriteDelegation(signer: Signer, random: Random, terms: WriteTerms): Uint8Array {
  const policy: Statement[] = [];
  if (terms.name !== undefined) policy.push(is('name', terms.name));
  if (terms.names !== undefined) {
    policy.push({ operator: 'or', statements: terms.names.map((name) => is('name', name)) });
  }
  if (terms.partition !== undefined) policy.push(is('partition', terms.partition));
  return mint(signer, random, '/flow/write', terms.audience, policy, terms);
}

function mint(
  signer: Signer,
  random: Random,
  command: string,
  audience: PublicKey,
  policy: readonly Statement[],
  terms: Terms,
): Uint8Array {
  return mintDelegation(signer, {
    audience: didFromKey(audience),
    subject: terms.subject ?? didFromKey(signer.publicKey),
    command,
    policy,
    nonce: random.bytes(12),
    ...(terms.notBefore === undefined ? {} : { notBefore: Math.floor(terms.notBefore / 1000) }),
    expires: terms.expires === undefined ? null : Math.floor(terms.expires / 1000),
  });
}

export interface PeerClaim {
  /** Tokens as they came in `hello`, root first. */
  readonly proof: readonly Uint8Array[];
  /** The key of the connection. */
  readonly peerKey: PublicKey;
  /** Our network's id, where we are in one. */
  readonly network?: Hash;
  readonly now: TimeMs;
}

export interface PeerStanding {
  readonly organisation: Did;
  /** The registry log that the organisation's delegation names. */
  readonly registry?: LogId;
  /** When the first link of the chain expires; the standing must be judged again by then. */
  readonly expires?: TimeMs;
}

/**
 * Whose peer this is, by its own delegation. Codes of `decodeChain` and `verifyChain`, with the
 * link in `place.index`.
 */
export function verifyPeerDelegation(crypto: Crypto, claim: PeerClaim): Result<PeerStanding> {
  const chain = decodeChain(claim.proof);
  if (!chain.ok) return chain;
  const organisation = chain.value[0]?.issuer;
  if (organisation === undefined) return err(fault('ucan-chain', 'no delegation'));
  const registry = namedRegistry(chain.value);
  if (!registry.ok) return registry;
  const args: Record<string, UcanValue> = {};
  if (claim.network !== undefined) args['network'] = claim.network;
  if (registry.value !== undefined) args['registry'] = registry.value;
  const verified = verifyChain(crypto, chain.value, {
    subject: organisation,
    holder: didFromKey(claim.peerKey),
    command: '/flow/peer',
    args,
    time: claim.now,
  });
  if (!verified.ok) return verified;
  const expires = firstExpiry(chain.value);
  return ok({
    organisation,
    ...(registry.value === undefined ? {} : { registry: logIdFromHash(registry.value) }),
    ...(expires === undefined ? {} : { expires }),
  });
}

/** Only the organisation itself names its registry; a later link that names one must agree. */
function namedRegistry(chain: Chain): Result<Hash | undefined> {
  const value = fixedTo(chain[0]?.policy ?? [], 'registry');
  if (value === undefined) return ok(undefined);
  if (value instanceof Uint8Array && value.length === 32) return ok(asHash(value));
  return err(fault('ucan-policy', 'the policy names a registry that is not a log', { index: 0 }));
}

function firstExpiry(chain: Chain): TimeMs | undefined {
  let first = Number.MAX_SAFE_INTEGER;
  for (const link of chain) if (link.expires !== null) first = Math.min(first, link.expires);
  const ms = Math.max(0, first * 1000);
  return ms < 2 ** 48 ? asTimeMs(ms) : undefined;
}
