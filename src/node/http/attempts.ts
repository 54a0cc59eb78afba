/**
 * How often somebody may try, by address: a count that refills evenly. What it remembers is bounded;
 * when full, those who have rested longest are forgotten (they had all of their tries back, or nearly).
 */
import type { Clock } from '../../host.ts';
import { RecentMap } from '../../recent-map.ts';

interface Count {
  left: number;
  at: number;
}

export class Attempts {
  readonly #clock: Clock;
  readonly #perSecond: number;
  /** In the order of the last try. */
  readonly #counts: RecentMap<string, Count>;

  /** `perSecond` tries of one key, and as many saved up; at most `max` keys are remembered. */
  constructor(clock: Clock, perSecond: number, max: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#counts = new RecentMap(max);
  }

  get size(): number {
    return this.#counts.size;
  }

  /** False where there were too many tries of late. */
  take(key: string): boolean {
    const now = this.#clock.monotonic();
    const count = this.#counts.get(key) ?? { left: this.#perSecond, at: now };
    const refilled = count.left + ((now - count.at) / 1000) * this.#perSecond;
    count.left = Math.min(this.#perSecond, refilled);
    count.at = now;
    this.#counts.set(key, count);
    if (count.left < 1) return false;
    count.left -= 1;
    return true;
  }
}

/** What counts as one address: IPv4, or the /64 of IPv6, all of which one caller may have. */
export function addressGroup(address: string | undefined): string {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`;
}

/** Is it this machine? */
export function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./i.test(address ?? '');
}
