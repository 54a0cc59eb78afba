/**
 * Anti-entropy: every `antiEntropyMs` one random peer is met again, and expired sessions end. After a
 * start it begins at `firstMeetingMs` and doubles: what is gossiped before a mesh has formed is missed.
 */
import { randomBelow, usablePeers, type Net } from './net.ts';
import type { Session } from './sessions.ts';

export class Meetings implements Disposable {
  readonly #net: Net;
  readonly #meet: (session: Session) => Promise<void>;
  #everyMs: number;
  #timer: Disposable;

  constructor(net: Net, meet: (session: Session) => Promise<void>) {
    this.#net = net;
    this.#everyMs = net.limits.firstMeetingMs;
    this.#meet = meet;
    this.#timer = this.#next();
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  /** Spread by a quarter either way, so that peers that started together do not meet in step. */
  #next(): Disposable {
    const everyMs = Math.min(this.#everyMs, this.#net.limits.antiEntropyMs);
    this.#everyMs = 2 * everyMs;
    const waitMs = (everyMs * (750 + randomBelow(this.#net, 501))) / 1000;
    return this.#net.host.timers.after(waitMs, () => {
      this.#timer = this.#next();
      this.#now();
    });
  }

  #now(): void {
    const now = this.#net.host.clock.now();
    for (const { peer, identity } of this.#net.sessions.all()) {
      const expired = identity?.expires !== undefined && identity.expires <= now;
      if (expired) this.#net.track(this.#net.transport.hangUp(peer));
    }
    const [session] = usablePeers(this.#net);
    if (session !== undefined) this.#net.track(this.#meet(session));
  }
}
