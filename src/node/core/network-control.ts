/**
 * The network that this home belongs to, as its operator handles it: who is let in, invites, and the
 * newest document kept in the home.
 */
import type { Crypto } from '../../crypto.ts';
import { fault } from '../../errors.ts';
import { formatInvite } from '../../gossip/invite.ts';
import { KnownNetwork, parseNetworkId, reviseNetwork } from '../../gossip/network-document.ts';
import type { Clock } from '../../host.ts';
import { didFromKey, parseDid } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTimeMs, type Did, type PeerId } from '../../types.ts';
import { saveNetwork, type Home } from '../home.ts';
import type { NetworkView } from '../node-api.ts';
import { organisationKey, type KeySource } from '../organisation-key.ts';

/** What an invite tells others of us. */
export interface Reachable {
  readonly peer: PeerId;
  readonly addresses: readonly string[];
}

export class NetworkControl {
  readonly known: KnownNetwork;
  readonly #home: Home;
  readonly #crypto: Crypto;
  readonly #clock: Clock;
  readonly #announce: (document: Uint8Array) => Promise<Result<void>>;

  private constructor(
    known: KnownNetwork,
    home: Home,
    crypto: Crypto,
    clock: Clock,
    announce: (document: Uint8Array) => Promise<Result<void>>,
  ) {
    this.known = known;
    this.#home = home;
    this.#crypto = crypto;
    this.#clock = clock;
    this.#announce = announce;
  }

  /** Undefined for a home without a network; `announce` tells the peers of a newer document. */
  static open(
    home: Home,
    crypto: Crypto,
    clock: Clock,
    announce: (document: Uint8Array) => Promise<Result<void>>,
  ): Result<NetworkControl | undefined> {
    if (home.network === undefined) return ok(undefined);
    const id = parseNetworkId(home.network.id);
    if (!id.ok) return id;
    const known = new KnownNetwork(crypto, id.value);
    const { document } = home.network;
    const taken = document === undefined ? ok(false) : known.offer(document);
    if (!taken.ok) return taken;
    return ok(new NetworkControl(known, home, crypto, clock, announce));
  }

  view(): NetworkView {
    const { current, text } = this.known;
    return {
      id: text,
      name: current?.name ?? '',
      version: this.known.version(),
      founder: current?.founder ?? this.#home.identity.organisation,
      membership: current?.membership ?? 'open',
      members: current?.members ?? [],
      bootstrap: current?.bootstrap ?? [],
    };
  }

  /** Keeps the newest document in the home. */
  save(): Promise<Result<void>> {
    const document = this.known.document();
    const base = { id: this.known.text };
    return saveNetwork(this.#home.paths, document === undefined ? base : { ...base, document });
  }

  /** The invite line; a `member` is listed first. */
  async invite(
    self: Reachable,
    member: string | undefined,
    key: KeySource = {},
  ): Promise<Result<string>> {
    if (member !== undefined) {
      const accepted = await this.accept(member, key);
      if (!accepted.ok) return accepted;
    }
    const line = formatInvite({
      network: this.known.id,
      addresses: self.addresses.slice(0, limits.maxCardAddresses),
      peers: [self.peer],
      inviter: this.#home.identity.organisation,
      name: this.#home.config.organisation,
      expires: asTimeMs(this.#clock.now() + limits.inviteLifeMs),
    });
    return ok(line);
  }

  /** Lists a member: needs the key of the founder, whatever that is called now. Codes: network-not-founder, those of `organisationKey`. */
  async accept(text: string, key: KeySource = {}): Promise<Result<NetworkView>> {
    const member = parseDid(text);
    if (!member.ok) return member;
    const { current } = this.known;
    if (current === undefined) return err(fault('network-none', 'the document has not come yet'));
    if (!this.known.also(this.#home.identity.organisation).includes(current.founder)) {
      return err(fault('network-not-founder', 'only the founder changes the network'));
    }
    const signer = await organisationKey(this.#home, key);
    if (!signer.ok) return signer;
    if (didFromKey(signer.value.publicKey) !== current.founder) {
      const message = `the document is signed by the key of ${current.founder}, and by no other`;
      return err(fault('network-not-founder', message));
    }
    if (!this.#isMember(member.value)) {
      const members = [...current.members, member.value];
      const next = reviseNetwork(this.#crypto, signer.value, current, {
        members,
        created: this.#clock.now(),
      });
      if (!next.ok) return next;
      const taken = this.known.offer(next.value.wire);
      if (!taken.ok) return taken;
      const saved = await this.save();
      if (!saved.ok) return saved;
      const told = await this.#announce(next.value.wire);
      if (!told.ok) return told;
    }
    return ok(this.view());
  }

  #isMember(did: Did): boolean {
    const { current } = this.known;
    return current !== undefined && (current.founder === did || current.members.includes(did));
  }
}
