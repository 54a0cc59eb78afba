/**
 * A network in memory: who is there, who can reach whom, how long things take and what gets lost.
 * Every draw comes from one seed; every delivery goes into the trace.
 */
import { createHash } from 'node:crypto';
import type { PeerId } from '../../src/types.ts';
import type { Dice } from './dice.ts';
import type { SimTransport } from './sim-transport.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface NetworkFaults {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** Of gossip messages, on each hop. */
  readonly loss: number;
  /** Of gossip messages that arrive twice. */
  readonly duplication: number;
  /** Of frames whose stream is reset instead. */
  readonly resets: number;
}

export const calm: NetworkFaults = {
  minDelayMs: 1,
  maxDelayMs: 5,
  loss: 0,
  duplication: 0,
  resets: 0,
};

/** One connection; `broken` swallows everything until both sides notice. */
export interface Link {
  readonly from: SimTransport;
  readonly to: SimTransport;
  broken: boolean;
  ended: boolean;
}

export class SimNetwork {
  readonly time: VirtualTime;
  readonly dice: Dice;
  faults: NetworkFaults;
  readonly #members = new Map<PeerId, SimTransport>();
  readonly #sides = new Map<PeerId, number>();
  readonly #links = new Set<Link>();
  readonly #trace = createHash('sha256');
  #events = 0;

  constructor(time: VirtualTime, dice: Dice, faults: NetworkFaults = calm) {
    this.time = time;
    this.dice = dice;
    this.faults = faults;
  }

  get events(): number {
    return this.#events;
  }

  /** Hash of everything that was traced so far. */
  traceHash(): string {
    return this.#trace.copy().digest('hex');
  }

  trace(line: string): void {
    this.#events += 1;
    this.#trace.update(`${this.time.nowMs} ${line}\n`);
  }

  join(transport: SimTransport): void {
    this.#members.set(transport.self, transport);
  }
  leave(transport: SimTransport): void {
    if (this.#members.get(transport.self) === transport) this.#members.delete(transport.self);
  }

  /** Splits the network: peers with different numbers do not reach each other. None: it is whole. */
  partition(sides: ReadonlyMap<PeerId, number>): void {
    this.#sides.clear();
    for (const [peer, side] of sides) this.#sides.set(peer, side);
    this.trace(`partition ${[...sides.values()].join('')}`);
    for (const link of this.#links) {
      if (!this.#together(link.from.self, link.to.self)) this.breakLink(link, 3000);
    }
  }

  heal(): void {
    this.#sides.clear();
    this.trace('heal');
  }

  /** The member that can be reached now. */
  reach(from: PeerId, to: PeerId): SimTransport | undefined {
    return this.#together(from, to) ? this.#members.get(to) : undefined;
  }

  delayMs(): number {
    return this.dice.between(this.faults.minDelayMs, this.faults.maxDelayMs);
  }

  addLink(link: Link): void {
    this.#links.add(link);
  }

  /** The line goes dead now; each side notices within `noticeMs`. */
  breakLink(link: Link, noticeMs: number): void {
    if (link.broken) return;
    link.broken = true;
    for (const [side, other] of [
      [link.from, link.to],
      [link.to, link.from],
    ] as const) {
      this.time.after(this.dice.between(0, noticeMs), () => side.lost(link, other.self));
    }
    this.#links.delete(link);
  }

  #together(a: PeerId, b: PeerId): boolean {
    return (this.#sides.get(a) ?? 0) === (this.#sides.get(b) ?? 0);
  }
}
