/**
 * Finds neighbours that are connected but deaf: gossipsub lost a stream to or from them and never
 * opens it again. After `heartbeats` beats in a row without both streams the pair is to be made
 * anew. One that does not recover is left alone twice as long each time, so that a peer that speaks
 * no gossip is not hung up on for ever.
 */
import type { PeerId } from '../types.ts';

export interface Pulse {
  readonly peer: PeerId;
  /** Gossip streams are open in both directions. */
  readonly alive: boolean;
}

interface Watched {
  silent: number;
  resets: number;
  /** Beats since it was last silent, or since it was last connected. */
  quiet: number;
}

const maxDoublings = 6;
/** Beats after which a peer's past is forgotten. */
const forgiveAfter = 120;

export class Watchdog {
  readonly #heartbeats: number;
  readonly #watched = new Map<PeerId, Watched>();

  constructor(heartbeats: number) {
    this.#heartbeats = heartbeats;
  }

  /** One heartbeat: every connected peer once. Returns those to hang up on and dial again. */
  beat(pulses: readonly Pulse[]): readonly PeerId[] {
    const resets: PeerId[] = [];
    const seen = new Set<PeerId>();
    for (const { peer, alive } of pulses) {
      seen.add(peer);
      if (alive) this.#calm(peer);
      else if (this.#silent(peer)) resets.push(peer);
    }
    for (const peer of this.#watched.keys()) if (!seen.has(peer)) this.#calm(peer);
    return resets;
  }

  /** A connection was made just now: its streams have a full term to open. */
  fresh(peer: PeerId): void {
    const watched = this.#watched.get(peer);
    if (watched !== undefined) watched.silent = 0;
  }

  #silent(peer: PeerId): boolean {
    const watched = this.#watched.get(peer) ?? { silent: 0, resets: 0, quiet: 0 };
    this.#watched.set(peer, watched);
    watched.quiet = 0;
    watched.silent++;
    if (watched.silent < this.#heartbeats * 2 ** Math.min(watched.resets, maxDoublings))
      return false;
    watched.silent = 0;
    watched.resets++;
    return true;
  }

  #calm(peer: PeerId): void {
    const watched = this.#watched.get(peer);
    if (watched === undefined) return;
    watched.silent = 0;
    if (++watched.quiet >= forgiveAfter) this.#watched.delete(peer);
  }
}
