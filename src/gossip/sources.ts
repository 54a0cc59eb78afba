/**
 * Who is said to have how much of a log: from heads, from gossip and announcements, and from the
 * peers that a stream's card names (size 0 until they say more). Claims are hints: a peer that
 * does not keep one loses it.
 */
import type { GossipLimits } from './gossip-limits.ts';
import type { LogId, PeerId } from '../types.ts';

export interface Source {
  readonly peer: PeerId;
  readonly size: number;
  /** The peer said so itself; else it was inferred from what it passed on. */
  readonly stated: boolean;
}

export class Sources {
  readonly #limits: GossipLimits;
  readonly #logs = new Map<LogId, Map<PeerId, Source>>();

  constructor(limits: GossipLimits) {
    this.#limits = limits;
  }

  /** Remembers that `peer` has at least `size` entries. */
  note(logId: LogId, peer: PeerId, size: number, stated: boolean): void {
    const peers = this.#logs.get(logId) ?? new Map<PeerId, Source>();
    this.#logs.set(logId, peers);
    const known = peers.get(peer);
    if (known === undefined || size > known.size || (size === known.size && stated)) {
      peers.set(peer, { peer, size, stated });
    }
    if (peers.size <= this.#limits.maxSourcesPerLog) return;
    let least: Source | undefined;
    for (const source of peers.values()) {
      if (least === undefined || source.size < least.size) least = source;
    }
    if (least !== undefined) peers.delete(least.peer);
  }

  /** Peers that claim more than `size` entries. */
  ahead(logId: LogId, size: number): readonly Source[] {
    return [...(this.#logs.get(logId)?.values() ?? [])].filter((source) => source.size > size);
  }

  /** The largest size that anyone claims. */
  best(logId: LogId): number {
    let best = 0;
    for (const source of this.#logs.get(logId)?.values() ?? []) best = Math.max(best, source.size);
    return best;
  }

  /** Every peer that was ever named for the log. */
  of(logId: LogId): readonly PeerId[] {
    return [...(this.#logs.get(logId)?.keys() ?? [])];
  }

  /** The peer did not keep its word: it counts as having `size`, until it says otherwise. */
  lower(logId: LogId, peer: PeerId, size: number): void {
    const peers = this.#logs.get(logId);
    if (peers?.has(peer) === true) peers.set(peer, { peer, size, stated: false });
  }

  /** The peer left: its claims end, but it stays a peer to dial for these logs. */
  forgetClaims(peer: PeerId): void {
    for (const [logId, peers] of this.#logs) if (peers.has(peer)) this.lower(logId, peer, 0);
  }
  forgetLog(logId: LogId): void {
    this.#logs.delete(logId);
  }
}
