/**
 * Staying connected: bootstrap addresses and peers that the operator names (always dialled again),
 * some of the peers that a stream's card names, and peers heard of, while fewer than `wantedPeers`
 * are connected. Now and then one more is dialled: a network whose halves are each content with
 * themselves would never meet again. Who does not answer is tried again after a growing rest.
 */
import type { LogId, PeerId } from '../types.ts';
import { WorkSet } from '../work-set.ts';
import { helloLimits, type KnownPeer } from './hello-codec.ts';
import { shuffled, type Net } from './net.ts';

interface Candidate {
  wanted: boolean;
  dialling: boolean;
  failures: number;
  notBeforeMs: number;
}

export class Dialer implements AsyncDisposable {
  readonly #net: Net;
  readonly #peers = new Map<PeerId, Candidate>();
  readonly #bootstrap: Map<string, Candidate & { peer?: PeerId }>;
  readonly #dials: WorkSet;
  /** Peers that the cards of followed streams name, by log. */
  readonly #servers = new Map<LogId, readonly PeerId[]>();
  #timer: Disposable | undefined;
  #exploredMs: number;

  constructor(net: Net, bootstrap: readonly string[]) {
    this.#net = net;
    this.#dials = new WorkSet(net.defect);
    this.#exploredMs = net.host.clock.monotonic();
    this.#bootstrap = new Map(bootstrap.map((address) => [address, fresh(true)]));
  }

  /** Begins with the bootstrap and the peers of earlier runs, then looks at intervals. */
  async start(): Promise<void> {
    for (const peer of await this.#net.transport.known()) this.#candidate(peer);
    this.look();
    this.#timer = this.#net.host.timers.every(this.#net.limits.dialIntervalMs, () => this.look());
  }

  /** Remembers where a peer can be dialled. */
  learn({ peer, addresses }: KnownPeer): void {
    if (peer === this.#net.transport.self || addresses.length === 0) return;
    if (this.#candidate(peer) === undefined) return;
    this.#dials.add(this.#net.transport.learn(peer, addresses.slice(0, helloLimits.addresses)));
  }

  /** Remembers them all, and dials who is missing as soon as they can be. */
  meet(peers: readonly KnownPeer[]): void {
    const { transport } = this.#net;
    const learned = peers
      .filter(({ peer, addresses }) => addresses.length > 0 && peer !== transport.self)
      .filter(({ peer }) => this.#candidate(peer) !== undefined)
      .map(({ peer, addresses }) =>
        transport.learn(peer, addresses.slice(0, helloLimits.addresses)),
      );
    this.#dials.add(Promise.all(learned).then(() => this.look()));
  }

  /** Keeps the peer connected from now on. */
  want(peer: PeerId): void {
    const candidate = this.#candidate(peer);
    if (candidate !== undefined) candidate.wanted = true;
  }

  /** Keeps `wantedServers` of these connected for a log; none where it is no longer followed. */
  wantServers(logId: LogId, servers: readonly PeerId[]): void {
    if (servers.length === 0) this.#servers.delete(logId);
    else this.#servers.set(logId, servers);
  }

  /** Some peers are hopeless (another network, banned): they rest as long as possible. */
  shun(peer: PeerId): void {
    const candidate = this.#peers.get(peer);
    if (candidate === undefined) return;
    candidate.failures = 16;
    this.#rest(candidate);
  }

  /** Dials who should be connected and is not. */
  look(): void {
    const { sessions, host, signal, transport } = this.#net;
    if (signal.aborted) return;
    const nowMs = host.clock.monotonic();
    let missing = this.#wantedPeers(nowMs) - sessions.size;
    for (const [address, candidate] of this.#bootstrap) {
      const connected = candidate.peer !== undefined && sessions.get(candidate.peer) !== undefined;
      if (connected || (candidate.peer !== undefined && missing <= 0)) continue;
      if (this.#mayDial(candidate, nowMs)) this.#dials.add(this.#dialAddress(address, candidate));
    }
    const servers = this.#missingServers();
    let begun = 0;
    for (const [peer, candidate] of shuffled(this.#net, [...this.#peers])) {
      if (begun >= this.#net.limits.maxDialsAtOnce) return;
      const needed = candidate.wanted || servers.has(peer);
      if (!needed && missing <= 0) continue;
      if (peer === transport.self || sessions.get(peer) !== undefined) continue;
      if (!this.#mayDial(candidate, nowMs) || this.#objects(peer, nowMs)) continue;
      begun += 1;
      missing -= 1;
      this.#dials.add(this.#dialPeer(peer, candidate));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    await this.#dials.settled();
  }

  /** One more than we have, at intervals, up to twice what we want. */
  #wantedPeers(nowMs: number): number {
    const { wantedPeers, exploreIntervalMs } = this.#net.limits;
    if (nowMs - this.#exploredMs < exploreIntervalMs) return wantedPeers;
    this.#exploredMs = nowMs;
    return Math.min(2 * wantedPeers, Math.max(wantedPeers, this.#net.sessions.size + 1));
  }

  #missingServers(): ReadonlySet<PeerId> {
    const missing = new Set<PeerId>();
    for (const servers of this.#servers.values()) {
      const apart = servers.filter((peer) => this.#net.sessions.get(peer) === undefined);
      if (servers.length - apart.length >= this.#net.limits.wantedServers) continue;
      for (const peer of apart) missing.add(peer);
    }
    return missing;
  }

  #candidate(peer: PeerId): Candidate | undefined {
    const found = this.#peers.get(peer);
    if (found !== undefined || peer === this.#net.transport.self) return found;
    if (this.#peers.size >= this.#net.limits.maxKnownPeers && !this.#forgetOne()) return undefined;
    const candidate = fresh(false);
    this.#peers.set(peer, candidate);
    return candidate;
  }

  /** Makes room: a peer that fails, else the oldest that nobody wants. */
  #forgetOne(): boolean {
    let worst: PeerId | undefined;
    let failures = -1;
    for (const [peer, candidate] of this.#peers) {
      if (candidate.wanted || candidate.failures <= failures) continue;
      [worst, failures] = [peer, candidate.failures];
    }
    return worst !== undefined && this.#peers.delete(worst);
  }

  #mayDial(candidate: Candidate, nowMs: number): boolean {
    return !candidate.dialling && candidate.notBeforeMs <= nowMs;
  }

  #objects(peer: PeerId, nowMs: number): boolean {
    const { scores, control } = this.#net;
    return scores.barred(peer, nowMs) || control.banned(peer, undefined) !== undefined;
  }

  async #dialAddress(address: string, candidate: Candidate & { peer?: PeerId }): Promise<void> {
    candidate.dialling = true;
    const dialled = await this.#net.transport.dial(address, this.#net.signal);
    candidate.dialling = false;
    this.#note(candidate, dialled.ok);
    if (dialled.ok) candidate.peer = dialled.value;
  }

  async #dialPeer(peer: PeerId, candidate: Candidate): Promise<void> {
    candidate.dialling = true;
    const dialled = await this.#net.transport.dialPeer(peer, this.#net.signal);
    candidate.dialling = false;
    this.#note(candidate, dialled.ok);
  }

  #note(candidate: Candidate, reached: boolean): void {
    if (reached) candidate.failures = 0;
    else candidate.failures = Math.min(candidate.failures + 1, 16);
    this.#rest(candidate);
  }

  #rest(candidate: Candidate): void {
    const restMs = Math.min(
      this.#net.limits.peerBackoffMs * 2 ** candidate.failures,
      this.#net.limits.maxPeerBackoffMs,
    );
    candidate.notBeforeMs = this.#net.host.clock.monotonic() + restMs;
  }
}

function fresh(wanted: boolean): Candidate {
  return { wanted, dialling: false, failures: 0, notBeforeMs: 0 };
}
