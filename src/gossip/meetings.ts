/** Anti-entropy: every `antiEntropyMs` one random peer is met again, and expired sessions end. */
import { randomBelow, usablePeers, type Net } from './net.ts';
import type { Session } from './sessions.ts';

export class Meetings implements Disposable {
  readonly #net: Net;
  readonly #meet: (session: Session) => Promise<void>;
  #timer: Disposable;

  constructor(net: Net, meet: (session: Session) => Promise<void>) {
    this.#net = net;
    this.#meet = meet;
    this.#timer = this.#next();
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  /** Spread by a quarter either way, so that peers that started together do not meet in step. */
  #next(): Disposable {
    const { antiEntropyMs } = this.#net.limits;
    const waitMs = (antiEntropyMs * (750 + randomBelow(this.#net, 501))) / 1000;
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
