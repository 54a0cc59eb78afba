/**
 * Asking around for logs that were just followed, many at once for the price of one exchange. The
 * peers that a card or a statement names for them are all asked, whoever else is connected: three at
 * random may know nothing, and the next anti-entropy is half a minute away.
 */
import type { PeerId } from '../types.ts';
import type { Heads } from './heads.ts';
import { usablePeers, type Net } from './net.ts';

const atRandom = 3;

export class Looking implements Disposable {
  readonly #net: Net;
  readonly #heads: Heads;
  readonly #named = new Set<PeerId>();
  #timer: Disposable | undefined;

  constructor(net: Net, heads: Heads) {
    this.#net = net;
    this.#heads = heads;
  }

  /** Soon asks these, where they are connected, and some others. */
  soon(named: readonly PeerId[]): void {
    for (const peer of named) if (this.#net.sessions.get(peer)) this.#named.add(peer);
    this.#timer ??= this.#net.host.timers.after(this.#net.limits.gapPatienceMs, () => {
      this.#timer = undefined;
      this.#net.track(this.now());
    });
  }

  /** Compares heads with those named since the last look and with up to three others. */
  async now(): Promise<void> {
    const usable = usablePeers(this.#net);
    const named = usable.filter(({ peer }) => this.#named.has(peer));
    this.#named.clear();
    const asked = new Set([...named, ...usable.slice(0, atRandom)]);
    await Promise.all([...asked].map((session) => this.#heads.compare(session)));
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}
