/**
 * What the operator decided about peers: banned (hung up, refused), paused (connected, but nothing
 * is asked, served or taken), throttled (blocks leave at this rate). Bans name a peer or a whole
 * organisation. The node keeps the list and hands it in again at start.
 */
import { fault, type Fault } from '../errors.ts';
import type { Did, PeerId } from '../types.ts';
import { TokenBucket } from './token-bucket.ts';

export interface PeerRules {
  readonly banned: readonly (PeerId | Did)[];
  readonly paused: readonly PeerId[];
  /** Bytes a second of blocks to each. */
  readonly throttled: readonly (readonly [PeerId, number])[];
}

export class PeerControl {
  readonly #banned = new Set<PeerId | Did>();
  readonly #paused = new Set<PeerId>();
  readonly #throttled = new Map<PeerId, { readonly perSecond: number; bucket?: TokenBucket }>();

  /** Every DID of an organisation: none escapes a ban by taking another. The node sets it. */
  also: (organisation: Did) => readonly Did[] = (organisation) => [organisation];

  ban(who: PeerId | Did): void {
    this.#banned.add(who);
  }
  unban(who: PeerId | Did): void {
    this.#banned.delete(who);
  }
  pause(peer: PeerId): void {
    this.#paused.add(peer);
  }
  resume(peer: PeerId): void {
    this.#paused.delete(peer);
  }
  /** Undefined lifts the throttle. */
  throttle(peer: PeerId, bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === undefined) this.#throttled.delete(peer);
    else this.#throttled.set(peer, { perSecond: Math.max(1, bytesPerSecond) });
  }

  /** `peer-barred` where the peer or its organisation is banned: it is hung up. */
  banned(peer: PeerId, organisation: Did | undefined): Fault | undefined {
    if (this.#banned.has(peer)) return fault('peer-barred', 'this peer is banned here');
    if (
      organisation !== undefined &&
      this.also(organisation).some((did) => this.#banned.has(did))
    ) {
      return fault('peer-barred', 'this organisation is banned here');
    }
    return undefined;
  }

  /** Why nothing is asked of the peer, served to it or taken from it; `peer-paused` too. */
  objection(peer: PeerId, organisation: Did | undefined): Fault | undefined {
    const banned = this.banned(peer, organisation);
    if (banned !== undefined) return banned;
    return this.#paused.has(peer) ? fault('peer-paused', 'this peer is paused here') : undefined;
  }

  /** Milliseconds to wait before the next frame, after `bytes` more were sent. */
  pace(peer: PeerId, bytes: number, nowMs: number): number {
    const rule = this.#throttled.get(peer);
    if (rule === undefined) return 0;
    rule.bucket ??= new TokenBucket(rule.perSecond, rule.perSecond, nowMs);
    return rule.bucket.borrow(nowMs, bytes);
  }

  rules(): PeerRules {
    return {
      banned: [...this.#banned],
      paused: [...this.#paused],
      throttled: [...this.#throttled].map(([peer, rule]) => [peer, rule.perSecond]),
    };
  }
}
