/**
 * The terms of PROV-CONSTRAINTS: names and times, and unknowns for what a statement leaves open,
 * which may turn out to be equal to each other or to a name ("merging", section 5.4). Also the
 * statements of one instance, expanded: every argument is a term.
 */
import { fault, type Fault } from '../errors.ts';
import type { ProvBundle, ProvKind, ProvRecord } from './prov.ts';

/** A name or time behind `=`, an unknown behind `?`, or `-` where there is nothing. */
export type Term = string;

export const nothing: Term = '-';

export interface Statement {
  readonly kind: ProvKind;
  readonly id: Term;
  readonly args: readonly Term[];
  /** `prov:type`s, expanded. */
  readonly types: ReadonlySet<string>;
  /** Derivation, where activity, generation or usage were given as `-`. */
  readonly record: ProvRecord;
}

const provNamespace = 'http://www.w3.org/ns/prov#';

/** Which terms are known to be equal. */
export class Terms {
  readonly #parents = new Map<Term, Term>();
  #unknowns = 0;

  unknown(): Term {
    this.#unknowns += 1;
    return `?${this.#unknowns}`;
  }

  /** The one that stands for all that are equal to it: a name if there is one. */
  find(term: Term): Term {
    let root = term;
    for (let next = this.#parents.get(root); next !== undefined; next = this.#parents.get(root)) {
      root = next;
    }
    return root;
  }

  /** True where they were not known to be equal before; undefined where they cannot be. */
  unify(one: Term, other: Term): boolean | undefined {
    const [a, b] = [this.find(one), this.find(other)];
    if (a === b) return false;
    if (a.startsWith('?')) this.#parents.set(a, b);
    else if (b.startsWith('?')) this.#parents.set(b, a);
    else return undefined;
    return true;
  }
}

/** `prefix:local` as an IRI, where the prefix is known. */
export function expanded(prefixes: ReadonlyMap<string, string>, name: string): string {
  const colon = name.indexOf(':');
  const prefix = colon < 0 ? 'default' : name.slice(0, colon);
  const known = prefixes.get(prefix) ?? (prefix === 'prov' ? provNamespace : undefined);
  return known === undefined ? name : known + name.slice(colon + 1);
}

/** Arguments that stay `-` where they are not given: no plan, no activity of a derivation. */
function staysNothing({ kind, args }: ProvRecord, place: number): boolean {
  if (kind === 'wasAssociatedWith') return place === 2;
  return kind === 'wasDerivedFrom' && place >= 2 && args[2] === undefined;
}

const times: Readonly<Partial<Record<ProvKind, readonly number[]>>> = {
  activity: [0, 1],
  wasGeneratedBy: [2],
  used: [2],
  wasInvalidatedBy: [2],
  wasStartedBy: [3],
  wasEndedBy: [3],
};

/** The statements of an instance with its own terms (definitions 1 to 4). */
export function statementsOf(terms: Terms, { prefixes, records }: ProvBundle): Statement[] {
  const name = (text: string): Term => `=${expanded(prefixes, text)}`;
  return records.map((record) => {
    const { kind, id, args, attributes } = record;
    const given = args.map((arg, place) => {
      if (arg === undefined) return staysNothing(record, place) ? nothing : terms.unknown();
      return times[kind]?.includes(place) === true ? `=${arg}` : name(arg);
    });
    const types = attributes
      .filter((attribute) => expanded(prefixes, attribute.name) === `${provNamespace}type`)
      .map(({ value }) => expanded(prefixes, value.text));
    const own = id === undefined ? terms.unknown() : name(id);
    return { kind, id: own, args: given, types: new Set(types), record };
  });
}

export const emptyCollection: string = `${provNamespace}EmptyCollection`;

export function invalid(constraint: number, message: string): Fault {
  return fault('prov-invalid', `constraint ${constraint}: ${message}`);
}
