/**
 * What peers show to prove whose peers they are, held against what was revoked. Of peers of our own
 * organisation it is remembered in this run, so that it can be taken back.
 */
import { decodeChain, type Chain } from '../../access/ucan-chain.ts';
import { tokenCid } from '../../access/ucan-envelope.ts';
import type { Revocations } from '../../access/ucan-revocations.ts';
import type { Hasher } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import { limits } from '../../limits.ts';
import type { Did, PeerId } from '../../types.ts';

export interface Standing {
  readonly chain: Chain;
  readonly cids: readonly string[];
}

export class Standings {
  readonly #hasher: Hasher;
  readonly #revocations: Revocations;
  readonly #organisation: Did;
  readonly #read = new WeakMap<readonly Uint8Array[], Standing>();
  readonly #own = new Map<PeerId, Standing>();

  constructor(hasher: Hasher, revocations: Revocations, organisation: Did) {
    this.#hasher = hasher;
    this.#revocations = revocations;
    this.#organisation = organisation;
  }

  /** `shown` has been verified. Code: ucan-revoked. */
  revoked(peer: PeerId, shown: readonly Uint8Array[]): Fault | undefined {
    const standing = this.#read.get(shown) ?? this.#open(shown);
    if (standing === undefined) return undefined;
    this.#read.set(shown, standing);
    const isOwn = standing.chain[0]?.issuer === this.#organisation;
    if (isOwn && (this.#own.has(peer) || this.#own.size < limits.maxCardPeers)) {
      this.#own.set(peer, standing);
    }
    const index = this.#revocations.first(standing);
    if (index === undefined) return undefined;
    return fault('ucan-revoked', 'that this is a peer of its organisation was taken back', {
      index,
    });
  }

  /** Of a peer of our organisation that has said hello in this run. */
  of(peer: PeerId): Standing | undefined {
    return this.#own.get(peer);
  }

  #open(shown: readonly Uint8Array[]): Standing | undefined {
    const chain = decodeChain(shown);
    if (!chain.ok) return undefined;
    return { chain: chain.value, cids: shown.map((token) => tokenCid(this.#hasher, token)) };
  }
}
