/**
 * One session per connected peer: whether its hello is done, who it is, and what it has open with
 * us. A session lives from `connected` (or from its first stream, which may come first) to
 * `disconnected`.
 */
import type { Did, Hash, LogId, PeerId, TimeMs } from '../types.ts';
import type { GossipLimits } from './gossip-limits.ts';
import { TokenBucket } from './token-bucket.ts';

export interface PeerIdentity {
  readonly organisation: Did;
  /** The registry that the organisation's delegation names. */
  readonly registry?: LogId;
  readonly roles: readonly string[];
  readonly software: string;
  readonly addresses: readonly string[];
  readonly documentVersion: number;
  /** When its delegation ends, and the peer's standing with it. */
  readonly expires?: TimeMs;
}

export class Session {
  readonly peer: PeerId;
  readonly sinceMs: number;
  readonly requests: TokenBucket;
  /** Announcements of registries that it may still pass on to us. */
  readonly announcements: TokenBucket;
  /** Alerts that it may still pass on to us. */
  readonly alerts: TokenBucket;
  /** Address of the connection; empty where only a stream was seen yet. */
  address = '';
  direction: 'inbound' | 'outbound' | undefined;
  /** The organisation whose delegation it showed, even where it is not let in. */
  claimed: Did | undefined;
  /** Set by a hello that was accepted. */
  identity: PeerIdentity | undefined;
  /** Streams of each protocol that the peer has open with us. */
  readonly open: Map<string, number> = new Map();
  /** Pages that we are fetching from it. */
  syncs = 0;
  /** Gossiped blocks of it that are being judged. */
  judging = 0;
  /** Not asked before this (monotonic ms), after it failed to answer. */
  restUntilMs = 0;
  failures = 0;
  /** Digest of its registries as last seen. */
  registriesDigest: Hash | undefined;
  readonly #limits: GossipLimits;
  readonly #settled: PromiseWithResolvers<boolean> = Promise.withResolvers<boolean>();

  constructor(peer: PeerId, nowMs: number, limits: GossipLimits) {
    this.#limits = limits;
    this.peer = peer;
    this.sinceMs = nowMs;
    this.requests = new TokenBucket(limits.requestsPerSecond, limits.requestBurst, nowMs);
    const perMinute = limits.announcementsPerMinute;
    this.announcements = new TokenBucket(perMinute / 60, perMinute, nowMs);
    const alerts = limits.alertsPerMinute;
    this.alerts = new TokenBucket(alerts / 60, alerts, nowMs);
  }

  /** Resolves with true once the hello is accepted, with false where it never will be. */
  greeted(): Promise<boolean> {
    return this.#settled.promise;
  }

  settle(identity: PeerIdentity | undefined): void {
    if (identity !== undefined) this.identity = identity;
    this.#settled.resolve(identity !== undefined);
  }

  /** The peer did not answer: it rests, twice as long each time. */
  failed(nowMs: number): void {
    const { peerBackoffMs, maxPeerBackoffMs } = this.#limits;
    const restMs = Math.min(peerBackoffMs * 2 ** this.failures, maxPeerBackoffMs);
    this.failures = Math.min(this.failures + 1, 16);
    this.restUntilMs = nowMs + restMs;
  }

  answered(): void {
    this.failures = 0;
    this.restUntilMs = 0;
  }
}

export class Sessions {
  readonly #sessions = new Map<PeerId, Session>();
  readonly #limits: GossipLimits;
  readonly #opened: (session: Session) => void;

  /** `opened` is told of each new session. */
  constructor(limits: GossipLimits, opened: (session: Session) => void) {
    this.#limits = limits;
    this.#opened = opened;
  }

  get(peer: PeerId): Session | undefined {
    return this.#sessions.get(peer);
  }

  /** The peer's session, made where there is none. */
  ensure(peer: PeerId, nowMs: number): Session {
    const found = this.#sessions.get(peer);
    if (found !== undefined) return found;
    const session = new Session(peer, nowMs, this.#limits);
    this.#sessions.set(peer, session);
    this.#opened(session);
    return session;
  }

  remove(peer: PeerId): void {
    const session = this.#sessions.get(peer);
    this.#sessions.delete(peer);
    session?.settle(undefined);
    if (session !== undefined) session.identity = undefined;
  }

  /** A copy: sessions may come and go while it is walked. */
  all(): readonly Session[] {
    return [...this.#sessions.values()];
  }

  get size(): number {
    return this.#sessions.size;
  }
}
