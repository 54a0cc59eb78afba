/**
 * Organisations that go by a newer DID (access.md "Identities and keys"). A succession is believed on the
 * word of the recovery key alone, which the registry of the old DID names; who finds it out is
 * src/node/core/successions.ts. Here is what follows from it, for all rooms:
 *
 *   now    old and new DID are one organisation, called by its newest DID
 *   void   where the old key was stolen, what it signed counts no more, but for the tokens that the
 *          organisation has named: nobody can see from a delegation when it was signed
 */
import { fault, type Fault } from './errors.ts';
import type { Did, LogId, TimeMs } from './types.ts';

export interface Succession {
  readonly from: Did;
  readonly to: Did;
  /** The registry log that ends, and the one that goes on under the new DID. */
  readonly registry: LogId;
  readonly successor: LogId;
  /** Recorded time of the new log's genesis. */
  readonly time: TimeMs;
  /** Absent until its first event is here: then the old key counts as lost, not as stolen. */
  readonly terms?: SuccessionTerms;
}

export interface SuccessionTerms {
  readonly reason: 'lost' | 'stolen';
  /** Since when the key may have been in other hands, as the organisation says; for people. */
  readonly since?: TimeMs;
  /** CIDs of tokens signed by the old key that go on counting although it was stolen. */
  readonly kept: ReadonlySet<string>;
}

export class Identities {
  readonly #byOld = new Map<Did, Succession>();
  readonly #olds = new Map<Did, readonly Did[]>();
  readonly #listeners = new Set<() => void>();

  /** All successions that count now; tells the listeners where that is another list than before. */
  replace(list: readonly Succession[]): void {
    const before = JSON.stringify(this.list().map(plain));
    this.#byOld.clear();
    this.#olds.clear();
    for (const one of list) {
      // A DID does not come back: a ring of successions would name nobody.
      if (this.#byOld.has(one.from) || this.now(one.to) === one.from) continue;
      this.#byOld.set(one.from, one);
    }
    for (const from of this.#byOld.keys()) {
      const newest = this.now(from);
      this.#olds.set(newest, [...(this.#olds.get(newest) ?? []), from]);
    }
    if (JSON.stringify(this.list().map(plain)) === before) return;
    for (const listener of this.#listeners) listener();
  }

  /** Must not throw. */
  onChange(listener: () => void): Disposable {
    const own = (): void => listener();
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  list(): readonly Succession[] {
    return [...this.#byOld.values()];
  }

  /** The DID that an organisation has now. */
  now(did: Did): Did {
    let newest = did;
    for (let next = this.#byOld.get(did); next !== undefined; next = this.#byOld.get(newest)) {
      newest = next.to;
    }
    return newest;
  }

  /** Every DID of the organisation that has this one, the newest first. */
  all(did: Did): readonly Did[] {
    const newest = this.now(did);
    const olds = this.#olds.get(newest);
    if (olds === undefined) return [newest];
    return [newest, ...olds.toSorted((a, b) => this.#steps(a) - this.#steps(b))];
  }

  /** How the organisation that has this DID came to its newest one. */
  past(did: Did): readonly Succession[] {
    const all = this.all(did);
    return all.length < 2 ? [] : this.list().filter(({ from }) => all.includes(from));
  }

  /** What became of this very DID. */
  of(did: Did): Succession | undefined {
    return this.#byOld.get(did);
  }

  /**
   * Why a signature of this DID counts no more; `cid` names the token that it signed, where that has one
   * that can be kept. Code: `did-superseded`.
   */
  void(issuer: Did, cid: string | undefined): Fault | undefined {
    const found = this.#byOld.get(issuer);
    if (found?.terms?.reason !== 'stolen') return undefined;
    if (cid !== undefined && found.terms.kept.has(cid)) return undefined;
    return fault('did-superseded', `the key of ${issuer} was stolen; ${found.to} succeeded it`);
  }

  #steps(did: Did): number {
    let steps = 0;
    for (let next = this.#byOld.get(did); next !== undefined; next = this.#byOld.get(next.to)) {
      steps += 1;
    }
    return steps;
  }
}

function plain({ terms, ...rest }: Succession): unknown {
  return { ...rest, terms: terms && { ...terms, kept: [...terms.kept] } };
}
