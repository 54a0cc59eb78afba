/** Grants and requests as the API shows them. */
import { formatContainer } from '../../access/ucan-container.ts';
import { decodeDelegation } from '../../access/ucan-delegation.ts';
import type { Fault } from '../../errors.ts';
import { peerIdFromKey } from '../../gossip/peer-id.ts';
import { didKey } from '../../ids.ts';
import { asTimeMs, type Did, type TimeMs } from '../../types.ts';
import type { Registries } from '../core/registries.ts';
import type { GrantText, GrantView, RequestView } from '../grants-api.ts';
import type { KeptGrant } from './grant-book.ts';
import type { KeptRequest } from './request-book.ts';

export interface ViewParts {
  readonly organisation: Did;
  /** did:key of the peer key. */
  readonly peer: Did;
  readonly registries: Pick<Registries, 'nameOf' | 'profile'> & Partial<Pick<Registries, 'now'>>;
  readonly now: () => TimeMs;
  readonly isRevoked: (kept: KeptGrant) => boolean;
  readonly isDirect: (stream: string) => boolean;
  readonly problemOf: (grantId: string) => Fault | undefined;
}

export class Views {
  readonly #parts: ViewParts;

  constructor(parts: ViewParts) {
    this.#parts = parts;
  }

  /** Ours, by the DID that we have now or by one that we had. */
  #isOwn(owner: Did): boolean {
    const { registries, organisation } = this.#parts;
    return owner === organisation || registries.now?.(owner) === organisation;
  }

  nameOf(owner: Did, stream: string): string {
    if (this.#isOwn(owner)) return stream;
    return `${this.#parts.registries.nameOf(owner) ?? owner}/${stream}`;
  }

  text(kept: KeptGrant): GrantText {
    return { ...this.grant(kept), grant: formatContainer(kept.tokens) };
  }

  grant(kept: KeptGrant): GrantView {
    const { scope, side, since } = kept;
    const { peer } = this.#parts;
    const holderName = scope.holder === peer ? 'this peer' : this.#called(scope.holder, scope);
    const problem = this.#parts.problemOf(scope.id);
    const { from, to, expires, purpose, handOns, fields, within } = scope;
    const through = this.#through(kept);
    return {
      id: scope.id,
      side,
      stream: this.nameOf(scope.owner, scope.stream),
      command: scope.command,
      owner: scope.owner,
      holder: scope.holder,
      ...(holderName === undefined ? {} : { holderName }),
      ...(through.length === 0 ? {} : { through }),
      ...(fields === undefined ? {} : { fields }),
      ...(within === undefined ? {} : { within }),
      ...(from === 0 ? {} : { from: asTimeMs(from) }),
      ...(to === undefined ? {} : { to: asTimeMs(to) }),
      ...(expires === undefined ? {} : { expires: asTimeMs(expires * 1000) }),
      ...(purpose === undefined ? {} : { purpose }),
      ...(handOns === undefined ? {} : { handOns }),
      state: this.#state(kept, this.#parts.now()),
      since,
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** Organisations, and peers of which it is not known whose they are, between the owner and the holder. */
  #through({ side, scope, tokens }: KeptGrant): readonly string[] {
    const { organisation } = this.#parts;
    // What we gave of our own came from our peer.
    if (side === 'given' && this.#isOwn(scope.owner)) return [];
    const through: string[] = [];
    let before = scope.owner;
    for (const token of tokens.slice(0, -1)) {
      const link = decodeDelegation(token);
      if (!link.ok) break;
      const { audience, issuer } = link.value;
      // The first link is the owner's to its own peer.
      const own = issuer === scope.owner || this.#isPeer(before, audience);
      const us = audience === organisation || audience === this.#parts.peer;
      if (!own && !us) through.push(this.#called(audience, scope) ?? audience);
      if (!own) before = audience;
    }
    return through;
  }

  /** The name of an organisation; of one of its peers, where the grant stays within one. */
  #called(did: Did, { within }: KeptGrant['scope']): string | undefined {
    const { registries, organisation } = this.#parts;
    const name = registries.nameOf(did);
    if (name !== undefined || within === undefined || within === did) return name;
    if (within === organisation) return 'a sister peer';
    const whose = registries.nameOf(within);
    return whose === undefined ? undefined : `a peer of ${whose}`;
  }

  #isPeer(organisation: Did, did: Did): boolean {
    const peer = peerIdFromKey(didKey(did));
    return (
      this.#parts.registries.profile(organisation)?.peers.some(({ id }) => id === peer) === true
    );
  }

  #state(kept: KeptGrant, now: TimeMs): GrantView['state'] {
    const { expires, notBefore } = kept.scope;
    if (this.#parts.isRevoked(kept)) return 'revoked';
    if (expires !== undefined && now >= expires * 1000) return 'expired';
    return notBefore !== undefined && now < notBefore * 1000 ? 'waiting' : 'active';
  }

  request(request: KeptRequest): RequestView {
    const { side, id, owner, stream, organisation, purpose, seconds, state, since } = request;
    const organisationName = this.#parts.registries.nameOf(organisation);
    const unknown = side === 'in' && !this.#parts.isDirect(stream);
    return {
      id,
      side,
      stream: this.nameOf(owner, stream),
      owner,
      organisation,
      ...(organisationName === undefined ? {} : { organisationName }),
      purpose,
      seconds,
      state,
      ...(request.reason === '' ? {} : { reason: request.reason }),
      since,
      ...(request.grantId === '' ? {} : { grant: request.grantId }),
      ...(request.renews === '' ? {} : { renews: request.renews }),
      ...(unknown ? { unknownStream: true as const } : {}),
    };
  }
}
