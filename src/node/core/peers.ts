/** Peers as the operator sees and controls them: paused, banned, refused, with a reason. */
import { fault, type Fault } from '../../errors.ts';
import { parseDid } from '../../ids.ts';
import type { GossipReport, PeerReport } from '../../gossip/gossip-report.ts';
import type { PeerControl } from '../../gossip/peer-control.ts';
import { isPeerId } from '../../gossip/peer-id.ts';
import { RecentMap } from '../../recent-map.ts';
import { err, ok, type Result } from '../../result.ts';
import { asPeerId, type Did, type PeerId, type TimeMs } from '../../types.ts';
import type { PeerView } from '../node-api.ts';
import { pastOf } from '../succession-view.ts';
import type { ControlState } from './control-state.ts';
import type { Registries } from './registries.ts';

/** The part of the gossip node that knows peers. */
export interface PeerPort {
  readonly control: PeerControl;
  enforce(): void;
  report(): GossipReport;
}

interface Refused {
  readonly organisation: Did | undefined;
  readonly reason: Fault;
  readonly since: TimeMs;
}

export class Peers {
  readonly #port: PeerPort;
  readonly #state: ControlState;
  readonly #registries: Registries;
  readonly #refused: RecentMap<PeerId, Refused>;

  /** At most `maxRefused` of those that were refused are remembered. */
  constructor(port: PeerPort, state: ControlState, registries: Registries, maxRefused: number) {
    this.#port = port;
    this.#state = state;
    this.#registries = registries;
    this.#refused = new RecentMap(maxRefused);
  }

  /** Puts what the operator decided in earlier runs in force. */
  restore(): void {
    for (const text of this.#state.all('banned')) {
      const who = this.#who(text);
      if (who.ok) this.#port.control.ban(who.value);
    }
    for (const text of this.#state.all('pausedPeers')) {
      if (isPeerId(text)) this.#port.control.pause(asPeerId(text));
    }
  }

  /** A peer that we did not let in, or that did not let us in. */
  refused(peer: PeerId, organisation: Did | undefined, reason: Fault, since: TimeMs): void {
    this.#refused.set(peer, { organisation, reason, since });
  }

  ready(peer: PeerId): void {
    this.#refused.delete(peer);
  }

  list(): readonly PeerView[] {
    const connected = this.#port.report().peers.map((report) => this.#connected(report));
    const seen = new Set<string>(connected.map(({ peer }) => peer));
    const away: PeerView[] = [];
    for (const [peer, { organisation, reason, since }] of this.#refused) {
      if (seen.has(peer)) continue;
      seen.add(peer);
      const named = this.#named(organisation);
      away.push({
        peer,
        ...named,
        connected: false,
        state: 'refused',
        roles: [],
        reason: reason.message,
        since,
      });
    }
    for (const list of ['banned', 'pausedPeers'] as const) {
      for (const text of this.#state.all(list)) {
        if (!seen.has(text))
          away.push(this.#decided(text, list === 'banned' ? 'banned' : 'paused'));
      }
    }
    return [...connected, ...away];
  }

  /** A peer id, or a DID for all peers of an organisation (ban only). */
  async set(text: string, state: 'ok' | 'paused' | 'banned'): Promise<Result<PeerView>> {
    const who = this.#who(text);
    if (!who.ok) return who;
    if (state === 'paused' && !isPeerId(text)) {
      return err(fault('peer-unknown', 'only a single peer can be paused'));
    }
    const banned = await this.#state.set('banned', text, state === 'banned');
    if (!banned.ok) return banned;
    const paused = await this.#state.set('pausedPeers', text, state === 'paused');
    if (!paused.ok) return paused;
    const { control } = this.#port;
    if (state === 'banned') control.ban(who.value);
    else control.unban(who.value);
    if (isPeerId(text)) {
      if (state === 'paused') control.pause(asPeerId(text));
      else control.resume(asPeerId(text));
    }
    this.#port.enforce();
    const found = this.list().find(({ peer }) => peer === text);
    return ok(found ?? this.#decided(text, state));
  }

  /** One that is not connected, or an organisation, which stands under the last part of its DID. */
  #decided(text: string, state: PeerView['state']): PeerView {
    const view = { connected: false, state, roles: [] };
    if (isPeerId(text)) return { peer: asPeerId(text), ...view };
    const did = parseDid(text);
    const named = did.ok ? this.#named(did.value) : {};
    return { peer: asPeerId(text.replace(/^did:key:/, '')), ...named, ...view };
  }

  #who(text: string): Result<PeerId | Did> {
    if (isPeerId(text)) return ok(asPeerId(text));
    if (text.startsWith('did:')) return parseDid(text);
    return err(fault('peer-unknown', `${JSON.stringify(text)} is neither a peer id nor a DID`));
  }

  #connected(report: PeerReport): PeerView {
    const { peer, address, state, roles, software, organisation } = report;
    const words = {
      greeting: 'ok',
      ready: 'ok',
      paused: 'paused',
      banned: 'banned',
      barred: 'refused',
    } as const;
    const reason =
      state === 'greeting'
        ? 'its hello has not come'
        : state === 'barred'
          ? 'it broke the rules'
          : undefined;
    return {
      peer,
      ...this.#named(organisation),
      address,
      connected: true,
      state: words[state],
      roles,
      ...(software === undefined ? {} : { version: software }),
      ...(reason === undefined ? {} : { reason }),
    };
  }

  #named(organisation: Did | undefined): Pick<PeerView, 'organisation' | 'name' | 'succeeded'> {
    if (organisation === undefined) return {};
    const name = this.#registries.nameOf(organisation);
    const known = { organisation, ...pastOf(this.#registries.identities, organisation) };
    return name === undefined ? known : { ...known, name };
  }
}
