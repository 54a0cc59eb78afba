/**
 * Gossip that has arrived and is not judged yet. Gossipsub has no inbound back-pressure, so what is
 * above the limits is ignored: sync brings it later.
 */
import type { PeerId } from '../types.ts';

export interface UnjudgedLimits {
  readonly maxPerPeer: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
}

export class Unjudged {
  readonly #limits: UnjudgedLimits;
  readonly #perPeer = new Map<PeerId, number>();
  #messages = 0;
  #bytes = 0;
  #refused = 0;

  constructor(limits: UnjudgedLimits) {
    this.#limits = limits;
  }

  get messages(): number {
    return this.#messages;
  }

  /** Messages that found no room since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes a place; undefined where there is none. The place is given back on disposal. */
  enter(peer: PeerId, bytes: number): Disposable | undefined {
    const ofPeer = this.#perPeer.get(peer) ?? 0;
    if (
      ofPeer >= this.#limits.maxPerPeer ||
      this.#messages >= this.#limits.maxMessages ||
      this.#bytes + bytes > this.#limits.maxBytes
    ) {
      this.#refused++;
      return undefined;
    }
    this.#perPeer.set(peer, ofPeer + 1);
    this.#messages++;
    this.#bytes += bytes;
    let left = false;
    return {
      [Symbol.dispose]: () => {
        if (left) return;
        left = true;
        this.#leave(peer, bytes);
      },
    };
  }

  #leave(peer: PeerId, bytes: number): void {
    const ofPeer = (this.#perPeer.get(peer) ?? 1) - 1;
    if (ofPeer === 0) this.#perPeer.delete(peer);
    else this.#perPeer.set(peer, ofPeer);
    this.#messages--;
    this.#bytes -= bytes;
  }
}
