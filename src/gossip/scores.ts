/**
 * What a peer's faults have cost it. Points fade by half every `scoreHalfLifeMs`; at `barScore` it
 * is left out: not asked, not served, not dialled, until enough has faded. Only what the sender
 * could have known to be wrong costs anything (`reject`), and slow or absent answers cost little.
 */
import type { Code } from '../errors.ts';
import type { GossipLimits } from './gossip-limits.ts';
import type { PeerId } from '../types.ts';

export const penalty = {
  /** A block, head or page that can never be valid. */
  reject: 50,
  /** A message that does not follow the protocol. */
  malformed: 50,
  /** Claimed to have more of a log and did not serve it. */
  emptyPromise: 10,
  /** No answer in time; a slow machine must not be barred for several at once. */
  silence: 2,
} as const;

interface Record {
  points: number;
  atMs: number;
  rejects: number;
  readonly reasons: Map<Code, number>;
}

export class Scores {
  readonly #limits: GossipLimits;
  readonly #peers = new Map<PeerId, Record>();
  readonly #reasons = new Map<Code, number>();

  constructor(limits: GossipLimits) {
    this.#limits = limits;
  }

  /** Counts a fault of the peer; true where it is barred by it. */
  penalise(peer: PeerId, points: number, reason: Code, nowMs: number): boolean {
    const record = this.#peers.get(peer) ?? this.#add(peer, nowMs);
    record.points = this.#faded(record, nowMs) + points;
    record.atMs = nowMs;
    record.rejects += 1;
    record.reasons.set(reason, (record.reasons.get(reason) ?? 0) + 1);
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    return record.points >= this.#limits.barScore;
  }

  points(peer: PeerId, nowMs: number): number {
    const record = this.#peers.get(peer);
    return record === undefined ? 0 : this.#faded(record, nowMs);
  }

  barred(peer: PeerId, nowMs: number): boolean {
    return this.points(peer, nowMs) >= this.#limits.barScore;
  }

  /** An operator's pardon. */
  forgive(peer: PeerId): void {
    this.#peers.delete(peer);
  }

  byReason(): ReadonlyMap<Code, number> {
    return this.#reasons;
  }

  /** Faults of each peer by reason. */
  byPeer(): ReadonlyMap<PeerId, ReadonlyMap<Code, number>> {
    return new Map([...this.#peers].map(([peer, record]) => [peer, record.reasons]));
  }

  #add(peer: PeerId, nowMs: number): Record {
    if (this.#peers.size >= this.#limits.maxScoredPeers) {
      let least: PeerId | undefined;
      for (const [candidate, record] of this.#peers) {
        const current = least === undefined ? undefined : this.#peers.get(least);
        if (current === undefined || this.#faded(record, nowMs) < this.#faded(current, nowMs))
          least = candidate;
      }
      if (least !== undefined) this.#peers.delete(least);
    }
    const record: Record = { points: 0, atMs: nowMs, rejects: 0, reasons: new Map() };
    this.#peers.set(peer, record);
    return record;
  }

  #faded(record: Record, nowMs: number): number {
    const halves = Math.max(0, nowMs - record.atMs) / this.#limits.scoreHalfLifeMs;
    return record.points * 0.5 ** halves;
  }
}
