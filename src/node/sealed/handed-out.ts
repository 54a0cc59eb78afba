/**
 * By which chains epoch keys went out, so that a revocation of any of their links is known to be about a
 * stream: grants that were given here, what others have made of them as far as it was shown, and the links
 * that organisations gave to their own peers.
 */
import { keyCommand } from '../../access/grant.ts';
import type { Permit } from '../../access/may.ts';
import type { Revocation } from '../../access/ucan-revocations.ts';
import type { Did, StreamName } from '../../types.ts';
import type { AccessGate } from '../access/access-gate.ts';
import type { GrantBook } from '../access/grant-book.ts';

export interface HandedOutParts {
  readonly grants: Pick<GrantBook, 'all'>;
  readonly gate: () => Pick<AccessGate, 'ended' | 'isRevoked' | 'isSame' | 'mentions'>;
  readonly organisation: Did;
  readonly limits: { readonly maxKeyChains: number };
}

export class HandedOut {
  readonly #parts: HandedOutParts;
  /** By the CIDs of their links, the newest permit of each; of this run of the node. */
  readonly #permits = new Map<string, Permit>();

  constructor(parts: HandedOutParts) {
    this.#parts = parts;
  }

  given(permit: Permit): void {
    for (const cid of permit.cids) {
      this.#permits.delete(cid);
      this.#permits.set(cid, permit);
    }
    for (const oldest of this.#permits.keys()) {
      if (this.#permits.size <= this.#parts.limits.maxKeyChains) break;
      this.#permits.delete(oldest);
    }
  }

  /** Streams of which a reader has just lost its grant: a revocation counts where its revoker issued a link. */
  streamsOf({ ucan }: Pick<Revocation, 'ucan'>): ReadonlySet<StreamName> {
    const { grants, gate, organisation } = this.#parts;
    const streams = new Set<StreamName>();
    const permit = this.#permits.get(ucan);
    if (permit !== undefined && gate().ended(permit)?.code === 'ucan-revoked') {
      streams.add(permit.args.stream);
    }
    for (const kept of grants.all()) {
      const { command, owner, stream } = kept.scope;
      if (command !== keyCommand || kept.side === 'got' || streams.has(stream)) continue;
      if (!gate().isSame(owner, organisation)) continue;
      if (gate().mentions(kept, ucan) && gate().isRevoked(kept)) streams.add(stream);
    }
    return streams;
  }
}
