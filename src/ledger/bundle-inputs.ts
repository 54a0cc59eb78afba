/**
 * The edges of an audit bundle: what its events cite against what it proves of the cited logs. Each
 * place that is cited must be shown with just the root that the citing leaf holds, or be named as
 * missing; and nothing is shown that nobody cites. A leaf holds the hash of what it cites, so there
 * are no cycles, and what is cited leads back to something that was asked for.
 */
import { equal, toHex } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import { protocol } from '../limits.ts';
import { asHash, type Hash, type LogId } from '../types.ts';
import type { InputsState, MissingLine } from './bundle-lines.ts';
import type { Parent } from './leaf.ts';

interface Place {
  root: Hash;
  cited: boolean;
  shown: boolean;
  /** Shown because it was asked for: need not be cited. */
  asked: boolean;
  missing: boolean;
}

export class BundleEdges {
  readonly #followed: boolean;
  readonly #places = new Map<string, Place>();
  readonly #logs = new Map<string, number>();
  references = 0;
  missing = 0;

  constructor(state: InputsState) {
    this.#followed = state === 'followed';
  }

  /** An event that was asked for, or is cited, cites this. */
  cites(parents: readonly Parent[], index: number): Fault | undefined {
    this.references += parents.length;
    if (!this.#followed) return undefined;
    for (const { log, from, to, rangeRoot } of parents) {
      const place = this.#place(logIdFromHash(log), from, to, rangeRoot);
      if (place === undefined) return tooMany();
      place.cited = true;
      if (!equal(place.root, rangeRoot)) return mismatch(log, from, to, index);
    }
    return undefined;
  }

  /** The bundle proves that the range has this root. */
  shows(log: LogId, from: number, to: number, root: Hash, asked: boolean): Fault | undefined {
    // What was asked for is remembered only where somebody may cite it.
    if (!this.#followed) {
      return asked ? undefined : fault('bundle-unasked', 'inputs, which were not asked for');
    }
    const place = this.#place(log, from, to, root);
    if (place === undefined) return tooMany();
    place.shown = true;
    place.asked ||= asked;
    if (equal(place.root, root)) return undefined;
    return fault('parent-mismatch', `what cites hw:${log}/${from}-${to} means something else`);
  }

  isMissing({ log, from, to, root }: MissingLine & { readonly log: LogId }): Fault | undefined {
    this.missing += 1;
    const place = this.#places.get(this.#name(log, from, to));
    const fits = place?.cited === true && !place.shown && toHex(place.root) === root;
    if (!fits || place.missing) {
      return fault('bundle-unasked', 'something is named as missing that nothing cites');
    }
    place.missing = true;
    return undefined;
  }

  /** After all lines. */
  end(): Fault | undefined {
    for (const [name, place] of this.#places) {
      const { cited, shown, asked, missing } = place;
      if (cited && !shown && !missing) {
        return fault('bundle-input-missing', `a cited range is neither here nor named: ${name}`);
      }
      if (!cited && !asked) return fault('bundle-unasked', `a range that nothing cites: ${name}`);
    }
    return undefined;
  }

  #place(log: LogId, from: number, to: number, root: Hash): Place | undefined {
    const name = this.#name(log, from, to);
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    if (this.#places.size >= protocol.maxBundleInputs) return undefined;
    const flags = { cited: false, shown: false, asked: false, missing: false };
    const place = { root: asHash(root.slice()), ...flags };
    this.#places.set(name, place);
    return place;
  }

  /** Logs are numbered: their ids would take most of the memory. */
  #name(log: LogId, from: number, to: number): string {
    let number = this.#logs.get(log);
    if (number === undefined) {
      number = this.#logs.size;
      this.#logs.set(log, number);
    }
    return `${number}/${from}-${to}`;
  }
}

function tooMany(): Fault {
  return fault('bundle-too-large', `more than ${protocol.maxBundleInputs} inputs`);
}

function mismatch(log: Hash, from: number, to: number, index: number): Fault {
  const what = `hw:${logIdFromHash(log)}/${from}-${to}`;
  return at(fault('parent-mismatch', `${what} is not what is cited: it has another hash`), {
    index,
  });
}
