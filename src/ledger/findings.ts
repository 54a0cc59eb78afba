/** What scrubs and repairs found and did: bounded, newest last, one for each place. */
import type { Fault } from '../errors.ts';
import type { LogId, TimeMs } from '../types.ts';
import type { Damage, DamageKind } from './log-walk.ts';
import type { Mended } from './repair.ts';

export interface Finding {
  readonly log: LogId;
  readonly kind: DamageKind;
  /** First entry that it is about, and one past the last where more than one is. */
  readonly index: number;
  readonly to?: number;
  /** Number of the block, where it is one. */
  readonly block?: number;
  readonly fault: Fault;
  readonly since: TimeMs;
  /** When it was looked at last. */
  readonly seen: TimeMs;
  /** Whose bytes mended it; absent while it is damaged. */
  readonly repairedFrom?: string;
  /** Why it could not be repaired; absent where that was not tried. */
  readonly reason?: Fault;
}

export class Findings {
  readonly #max: number;
  readonly #all = new Map<string, Finding>();
  #found = 0;
  #repaired = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Damage found since the start, each place once a time; and repaired. */
  get found(): number {
    return this.#found;
  }
  get repaired(): number {
    return this.#repaired;
  }

  /** Keeps what was found and what became of it; the oldest that is repaired goes, then the oldest. */
  add(log: LogId, damage: Damage, mended: Mended | undefined, now: TimeMs): Finding {
    const { kind, index, to, block, fault } = damage;
    const name = `${log}/${kind}/${index}`;
    const before = this.#all.get(name);
    const known = before !== undefined && before.repairedFrom === undefined;
    const finding: Finding = {
      log,
      kind,
      index,
      ...(to === undefined ? {} : { to }),
      ...(block === undefined ? {} : { block }),
      fault,
      seen: now,
      since: known ? before.since : now,
      ...(mended !== undefined && 'from' in mended ? { repairedFrom: mended.from } : {}),
      ...(mended !== undefined && 'reason' in mended ? { reason: mended.reason } : {}),
    };
    if (!known) this.#found += 1;
    if (finding.repairedFrom !== undefined) this.#repaired += 1;
    this.#all.delete(name);
    this.#all.set(name, finding);
    if (this.#all.size > this.#max) this.#forgetOne();
    return finding;
  }

  /** A block that was damaged is sound: it came with those before it, or was written anew. */
  sound(log: LogId, block: number): void {
    for (const [name, one] of this.#all) {
      if (one.log !== log || one.block !== block || one.repairedFrom !== undefined) continue;
      this.#all.delete(name);
      this.#repaired += 1;
    }
  }

  /** A log was walked from its first entry since then: what was not met again is gone. */
  settle(log: LogId, since: TimeMs): void {
    for (const [name, one] of this.#all) {
      if (one.log === log && one.repairedFrom === undefined && one.seen < since) {
        this.#all.delete(name);
      }
    }
  }

  list(): readonly Finding[] {
    return [...this.#all.values()];
  }

  /** Those that are not repaired. */
  open(): readonly Finding[] {
    return this.list().filter(({ repairedFrom }) => repairedFrom === undefined);
  }

  #forgetOne(): void {
    const [oldest] = this.#all.keys();
    const mended = [...this.#all].find(([, { repairedFrom }]) => repairedFrom !== undefined)?.[0];
    const name = mended ?? oldest;
    if (name !== undefined) this.#all.delete(name);
  }
}
