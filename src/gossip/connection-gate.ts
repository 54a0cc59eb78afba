/**
 * Who may connect. Three questions in the order in which they can be answered: the address before
 * anything is negotiated, the peer once its key is proved, the organisation once the layer above has
 * read its hello. Each refusal has a code and is counted.
 *
 * Limits per address count connections that are set up as well as open ones, so that a flood of half
 * connections is bounded too. An IPv6 /64 is one address: whoever has one has all of it.
 */
import { fault, type Code } from '../errors.ts';
import type { Clock } from '../host.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did, PeerId } from '../types.ts';
import { TokenBucket } from './token-bucket.ts';

export interface GateLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxConnectionsPerOrganisation: number;
  /** New inbound connections a second from one address; a second's worth may be saved up. */
  readonly maxInboundPerSecond: number;
  /** Bars remembered; the oldest goes. Bans are the operator's and are all kept. */
  readonly maxBarredPeers: number;
}

/** `ban` is the operator's word, `bar` that of the layer above (wrong network, no member, score). */
export interface Barrier {
  readonly kind: 'ban' | 'bar';
  readonly reason: string;
  /** Wall-clock end in ms; without it, until lifted. */
  readonly untilMs?: number;
}

export type Refusal = 'connections-full' | 'address-full' | 'organisation-full' | 'peer-barred';

/** One connection from its first byte on; disposing tells that it is gone. */
export interface Admission extends Disposable {
  /** Names the peer once its key is proved. */
  identified(peer: PeerId): void;
}

export class ConnectionGate {
  readonly #clock: Clock;
  readonly #limits: GateLimits;
  readonly #perAddress = new Map<string, number>();
  readonly #rates = new Map<string, TokenBucket>();
  readonly #peers = new Map<PeerId, { connections: number; organisation?: Did }>();
  readonly #organisations = new Map<Did, Set<PeerId>>();
  readonly #barriers = new Map<PeerId | Did, Barrier>();
  readonly #refusals = new Map<Refusal, number>();
  readonly #listeners = new Set<(peer: PeerId) => void>();
  #connections = 0;

  constructor(clock: Clock, limits: GateLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get connections(): number {
    return this.#connections;
  }

  /** How often each reason has refused somebody since the start. */
  refusals(): ReadonlyMap<Refusal, number> {
    return this.#refusals;
  }

  /**
   * A connection begins. Codes: `connections-full` and `address-full` (inbound only: what we dial is
   * counted and never refused for its address).
   */
  admit(address: string, direction: 'inbound' | 'outbound'): Result<Admission> {
    const key = addressKey(address);
    const here = this.#perAddress.get(key) ?? 0;
    if (this.#connections >= this.#limits.maxConnections) {
      return this.#refuse('connections-full', `${this.#connections} connections are open`);
    }
    if (direction === 'inbound') {
      if (here >= this.#limits.maxConnectionsPerAddress) {
        return this.#refuse('address-full', `${here} connections from ${key} are open`);
      }
      if (!this.#rate(key).take(this.#clock.monotonic())) {
        return this.#refuse('address-full', `too many new connections a second from ${key}`);
      }
    }
    this.#connections++;
    this.#perAddress.set(key, here + 1);
    return ok(this.#admission(key));
  }

  /** Whether this peer may connect now: `peer-barred` otherwise. */
  admitPeer(peer: PeerId): Result<void> {
    const organisation = this.#peers.get(peer)?.organisation;
    const barrier = this.barrier(peer) ?? (organisation && this.barrier(organisation));
    return barrier === undefined ? ok(undefined) : this.#refuse('peer-barred', barrier.reason);
  }

  /**
   * The layer above tells whose peer it is, once it is proved. `organisation-full` or `peer-barred`:
   * the caller hangs up.
   */
  setOrganisation(peer: PeerId, organisation: Did): Result<void> {
    const barrier = this.barrier(organisation);
    if (barrier !== undefined) return this.#refuse('peer-barred', barrier.reason);
    const known = this.#peers.get(peer);
    if (known === undefined || known.organisation === organisation) return ok(undefined);
    const members = this.#organisations.get(organisation) ?? new Set<PeerId>();
    if (members.size >= this.#limits.maxConnectionsPerOrganisation) {
      return this.#refuse('organisation-full', `${members.size} peers of it are connected`);
    }
    this.#leaveOrganisation(peer, known.organisation);
    known.organisation = organisation;
    this.#organisations.set(organisation, members.add(peer));
    return ok(undefined);
  }

  /** Shuts a peer, or an organisation with its peers, out, and has them hung up on. A ban outlasts a bar. */
  shut(who: PeerId | Did, barrier: Barrier): void {
    if (barrier.kind === 'bar' && this.barrier(who)?.kind === 'ban') return;
    this.#barriers.delete(who);
    this.#barriers.set(who, barrier);
    this.#boundBars();
    for (const [peer, { organisation }] of this.#peers) {
      if (peer !== who && organisation !== who) continue;
      for (const listener of this.#listeners) listener(peer);
    }
  }

  /** Lifts it; with `bar` only what the layer above has set. */
  lift(who: PeerId | Did, kind: 'ban' | 'bar'): void {
    const barrier = this.#barriers.get(who);
    if (barrier !== undefined && (kind === 'ban' || barrier.kind === 'bar')) {
      this.#barriers.delete(who);
    }
  }

  barrier(who: PeerId | Did): Barrier | undefined {
    const barrier = this.#barriers.get(who);
    if (barrier?.untilMs === undefined || barrier.untilMs > this.#clock.now()) return barrier;
    this.#barriers.delete(who);
    return undefined;
  }

  /** All that are shut out now. */
  barriers(): ReadonlyMap<PeerId | Did, Barrier> {
    return new Map([...this.#barriers].filter(([who]) => this.barrier(who) !== undefined));
  }

  /** Told of connected peers that were shut out: the transport hangs up on them. */
  onShut(listener: (peer: PeerId) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #admission(key: string): Admission {
    let peer: PeerId | undefined;
    let gone = false;
    return {
      identified: (named) => {
        if (gone || peer !== undefined) return;
        peer = named;
        const known = this.#peers.get(named);
        if (known === undefined) this.#peers.set(named, { connections: 1 });
        else known.connections++;
      },
      [Symbol.dispose]: () => {
        if (gone) return;
        gone = true;
        this.#connections--;
        const left = (this.#perAddress.get(key) ?? 1) - 1;
        if (left === 0) this.#perAddress.delete(key);
        else this.#perAddress.set(key, left);
        if (peer !== undefined) this.#left(peer);
      },
    };
  }

  #left(peer: PeerId): void {
    const known = this.#peers.get(peer);
    if (known === undefined || --known.connections > 0) return;
    this.#peers.delete(peer);
    this.#leaveOrganisation(peer, known.organisation);
  }

  #leaveOrganisation(peer: PeerId, organisation: Did | undefined): void {
    if (organisation === undefined) return;
    const members = this.#organisations.get(organisation);
    members?.delete(peer);
    if (members?.size === 0) this.#organisations.delete(organisation);
  }

  #rate(key: string): TokenBucket {
    const known = this.#rates.get(key);
    if (known !== undefined) return known;
    // Emptying the table when it has grown forgets a second of history, no more.
    if (this.#rates.size >= 4 * this.#limits.maxConnections) this.#rates.clear();
    const perSecond = this.#limits.maxInboundPerSecond;
    const bucket = new TokenBucket(perSecond, perSecond, this.#clock.monotonic());
    this.#rates.set(key, bucket);
    return bucket;
  }

  #boundBars(): void {
    const bars = [...this.#barriers].filter(([, barrier]) => barrier.kind === 'bar');
    const excess = bars.length - this.#limits.maxBarredPeers;
    for (const [who] of bars.slice(0, Math.max(0, excess))) this.#barriers.delete(who);
  }

  #refuse(code: Refusal & Code, message: string): Result<never> {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    return err(fault(code, message));
  }
}

/** What counts as one address in a multiaddr: the IPv4 address, the IPv6 /64, the relay's address. */
export function addressKey(multiaddr: string): string {
  const [, protocol = '', host = ''] = multiaddr.split('/');
  const relayed = multiaddr.includes('/p2p-circuit') ? 'relayed by ' : '';
  if (protocol !== 'ip6') return relayed + host;
  const [head = '', tail] = host.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return `${relayed}${groups.slice(0, 4).join(':')}::/64`;
}
