/**
 * Asking for the heads of own logs that wait for a word of others (ledger/confirming.ts): each peer
 * as it becomes ready, and all that are connected every `confirmPollMs` while any log waits. Of such
 * a log we state size 0, so that whoever keeps it answers with its head and our own signature on it.
 */
import { usable, usablePeers, type Net } from './net.ts';
import type { Session } from './sessions.ts';

export class Confirm implements Disposable {
  readonly #net: Net;
  readonly #compare: (session: Session) => Promise<unknown>;
  readonly #asking = new Set<Session>();
  #timer: Disposable | undefined;

  constructor(net: Net, compare: (session: Session) => Promise<unknown>) {
    this.#net = net;
    this.#compare = compare;
    if (this.#waits) this.#schedule();
  }

  /** A peer's hello is accepted. True where it is being asked. */
  ready(session: Session): boolean {
    if (this.#waits) this.#ask(session);
    return this.#waits;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  get #waits(): boolean {
    return (this.#net.ledger.confirming?.waiting().length ?? 0) > 0;
  }

  #schedule(): void {
    this.#timer = this.#net.host.timers.after(this.#net.limits.confirmPollMs, () => {
      // Once more when nothing waits any longer: now the others learn what we have more.
      if (this.#waits) this.#schedule();
      for (const session of usablePeers(this.#net).slice(0, this.#net.limits.maxConfirmPeers)) {
        this.#ask(session);
      }
    });
  }

  #ask(session: Session): void {
    if (this.#asking.has(session) || !usable(this.#net, session)) return;
    this.#asking.add(session);
    const asked = this.#compare(session).finally(() => this.#asking.delete(session));
    this.#net.track(asked);
  }
}
