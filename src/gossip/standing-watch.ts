/** Peers whose standing was taken back (access.md "Tokens", Revocation) are not let in, and hung up. */
import type { Fault } from '../errors.ts';
import type { Net } from './net.ts';
import type { Session } from './sessions.ts';

export class StandingWatch {
  readonly #net: Net;
  /** What each peer has shown last. */
  readonly #shown = new WeakMap<Session, readonly Uint8Array[]>();

  constructor(net: Net) {
    this.#net = net;
  }

  /** Why this standing, which is otherwise sound, does not count. Code: ucan-revoked. */
  judge(session: Session, shown: readonly Uint8Array[]): Fault | undefined {
    // Views of a frame are kept no longer than it.
    const kept = shown.map((token) => token.slice());
    this.#shown.set(session, kept);
    return this.#net.access?.revokedStanding?.(session.peer, kept);
  }

  /** Looks again at those who are connected, whenever something was revoked. */
  start(): void {
    const { access, sessions, transport, signal, track } = this.#net;
    const listening = access?.onChange(() => {
      for (const session of sessions.all()) {
        const shown = this.#shown.get(session);
        if (shown === undefined) continue;
        if (access.revokedStanding?.(session.peer, shown) !== undefined) {
          track(transport.hangUp(session.peer));
        }
      }
    });
    signal.addEventListener('abort', () => listening?.[Symbol.dispose](), { once: true });
  }
}
