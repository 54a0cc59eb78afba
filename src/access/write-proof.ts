/**
 * The proof in a genesis (ledger.md "Identity"; FACTS.md 5.2): the owner let this key write this
 * partition of this stream. Judged at the recorded time of the genesis; later expiry changes nothing.
 */
import type { Crypto } from '../crypto.ts';
import { fault, type Place } from '../errors.ts';
import { didFromKey } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, PublicKey, StreamName, TimeMs } from '../types.ts';
import { decodeChain, verifyChain, type Chain } from './ucan-chain.ts';
import { fixedTo } from './ucan-policy.ts';

export interface WriteClaim {
  readonly owner: Did;
  readonly name: StreamName;
  readonly partition: number;
  readonly writerKey: PublicKey;
  /** Recorded time of the genesis. */
  readonly timeMs: TimeMs;
  /** Delegations, root first; empty exactly where the writer key is the owner's. */
  readonly proof: readonly Uint8Array[];
}

/**
 * `genesis-proof` unless the proof is a chain from the owner to the writer key for `/flow/write`
 * with args {name, partition}, one link of which fixes both. The message ends with the code of the
 * inner fault, `place.pointer` is `/proof/<link>`.
 */
export function checkWriteProof(crypto: Crypto, claim: WriteClaim): Result<void> {
  const holder = didFromKey(claim.writerKey);
  if (holder === claim.owner) {
    if (claim.proof.length === 0) return ok(undefined);
    return refuse("the proof must be empty where the writer key is the owner's");
  }
  if (claim.proof.length === 0) return refuse("no proof, and the writer key is not the owner's");
  const chain = decodeChain(claim.proof);
  if (!chain.ok) return refuse(`${chain.error.message} (${chain.error.code})`, chain.error.place);
  const verified = verifyChain(crypto, chain.value, {
    subject: claim.owner,
    holder,
    command: '/flow/write',
    args: { name: claim.name, partition: claim.partition },
    time: claim.timeMs,
  });
  if (!verified.ok) {
    return refuse(`${verified.error.message} (${verified.error.code})`, verified.error.place);
  }
  if (!fixesBoth(chain.value)) return refuse('no delegation fixes both name and partition');
  return verified;
}

/** After the policies hold, what they fix can only be the name and partition of the claim. */
function fixesBoth(chain: Chain): boolean {
  return chain.some(
    (link) =>
      fixedTo(link.policy, 'name') !== undefined && fixedTo(link.policy, 'partition') !== undefined,
  );
}

function refuse(message: string, place?: Place): Result<never> {
  const pointer = place?.index === undefined ? '/proof' : `/proof/${place.index}`;
  return err(fault('genesis-proof', message, { pointer }));
}
