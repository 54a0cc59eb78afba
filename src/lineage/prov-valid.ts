/**
 * Whether a PROV document is valid (W3C PROV-CONSTRAINTS): its statements are merged where keys and
 * uniqueness say that they are about one thing (22 to 29), then its events must have an order (30 to
 * 49), its things a type (50, 55, 56), and nothing impossible may be said (51 to 54). Each bundle is
 * an instance of its own.
 *
 * Of the inferences those are drawn that can contradict something: what a derivation says of its
 * generation and usage (11), what a trigger says of its generation (9, 10), and specialization over
 * several steps (19). The others only add unknowns.
 */
import type { Fault } from '../errors.ts';
import { ordered } from './prov-order.ts';
import { isElement, type ProvBundle, type ProvDocument, type ProvKind } from './prov.ts';
import {
  emptyCollection,
  invalid,
  nothing,
  statementsOf,
  Terms,
  type Statement,
} from './prov-terms.ts';

/** The first constraint that is violated, by its number in the specification: code `prov-invalid`. */
export function provInvalid(document: ProvDocument): Fault | undefined {
  const { prefixes } = document;
  const wrong = instanceFault(document);
  if (wrong !== undefined) return wrong;
  for (const bundle of document.bundles.values()) {
    const names = new Map([...prefixes, ...bundle.prefixes]);
    const inside = instanceFault({ ...bundle, prefixes: names });
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function instanceFault(bundle: ProvBundle): Fault | undefined {
  const terms = new Terms();
  const statements = statementsOf(terms, bundle);
  statements.push(...statements.flatMap((one) => derived(terms, one)));
  return (
    unspecified(statements) ??
    merged(terms, statements) ??
    overlap(terms, statements) ??
    typed(terms, statements) ??
    specialized(terms, statements) ??
    ordered(terms, statements)
  );
}

/** Inference 11: a derivation by an activity is by its usage and its generation. */
function derived(terms: Terms, { kind, args, record }: Statement): Statement[] {
  const [made = '', used = '', activity = '', generation = '', usage = ''] = args;
  if (kind !== 'wasDerivedFrom' || activity === nothing) return [];
  const rest = { types: new Set<string>(), record };
  return [
    { kind: 'wasGeneratedBy', id: generation, args: [made, activity, terms.unknown()], ...rest },
    { kind: 'used', id: usage, args: [activity, used, terms.unknown()], ...rest },
  ];
}

/** Constraint 51: without an activity a derivation has no generation or usage. */
function unspecified(statements: readonly Statement[]): Fault | undefined {
  for (const { kind, args } of statements) {
    if (kind !== 'wasDerivedFrom' || args[2] !== nothing) continue;
    if (args[3] !== nothing || args[4] !== nothing) {
      return invalid(51, 'a derivation by no activity has a generation or a usage');
    }
  }
  return undefined;
}

/** Statements that are one where these of their arguments are. */
const unique: Readonly<Partial<Record<ProvKind, readonly [number, readonly number[]]>>> = {
  wasGeneratedBy: [24, [0, 1]],
  wasInvalidatedBy: [25, [0, 1]],
  wasStartedBy: [26, [0, 2]],
  wasEndedBy: [27, [0, 2]],
};

/** Constraints 22 to 29: what is about one thing must agree; until nothing new is equal. */
function merged(terms: Terms, statements: readonly Statement[]): Fault | undefined {
  for (let changed = true; changed;) {
    changed = false;
    const firsts = new Map<string, Statement>();
    for (const one of statements) {
      for (const { constraint, key } of keysOf(terms, one)) {
        const first = firsts.get(key);
        firsts.set(key, first ?? one);
        if (first === undefined) continue;
        const pairs = one.args.map((arg, i) => [arg, first.args[i] ?? arg] as const);
        for (const [a, b] of [[one.id, first.id] as const, ...pairs]) {
          const equal = terms.unify(a, b);
          if (equal === undefined) return invalid(constraint, `${b} and ${a} are not one`);
          changed ||= equal;
        }
      }
    }
    const timed = sameTimes(terms, statements);
    if (typeof timed !== 'boolean') return timed;
    changed ||= timed;
  }
  return undefined;
}

function keysOf(
  terms: Terms,
  { kind, id, args }: Statement,
): readonly { readonly constraint: number; readonly key: string }[] {
  const named = { constraint: isElement(kind) ? 22 : 23, key: `${kind} ${terms.find(id)}` };
  const rule = unique[kind];
  if (rule === undefined) return [named];
  const [constraint, places] = rule;
  const about = places.map((place) => terms.find(args[place] ?? nothing));
  return [named, { constraint, key: `${kind} of ${about.join(' ')}` }];
}

/** Constraints 28 and 29: an activity starts when it is started, and ends when it is ended. */
function sameTimes(terms: Terms, statements: readonly Statement[]): Fault | boolean {
  let changed = false;
  const activities = statements.filter(({ kind }) => kind === 'activity');
  for (const { kind, args } of statements) {
    const place = kind === 'wasStartedBy' ? 0 : kind === 'wasEndedBy' ? 1 : undefined;
    if (place === undefined) continue;
    for (const activity of activities) {
      if (terms.find(activity.id) !== terms.find(args[0] ?? nothing)) continue;
      const equal = terms.unify(activity.args[place] ?? nothing, args[3] ?? nothing);
      if (equal === undefined) return invalid(28 + place, `${activity.id} has two times`);
      changed ||= equal;
    }
  }
  return changed;
}

/** Constraints 53 and 54: an id is that of one relation, or of a thing, and an influence's beside. */
function overlap(terms: Terms, statements: readonly Statement[]): Fault | undefined {
  const kinds = new Map<string, ProvKind>();
  const elements = new Set<string>();
  for (const { kind, id } of statements) if (isElement(kind)) elements.add(terms.find(id));
  for (const { kind, id } of statements) {
    if (isElement(kind)) continue;
    const own = terms.find(id);
    if (elements.has(own)) return invalid(54, `${own} is a thing and a relation`);
    if (kind === 'wasInfluencedBy') continue;
    const other = kinds.get(own);
    if (other !== undefined && other !== kind) return invalid(53, `${own} is ${other} and ${kind}`);
    kinds.set(own, kind);
  }
  return undefined;
}

type Type = 'entity' | 'activity' | 'agent';

/** Types of the arguments (constraint 50); undefined: a time, a generation, a usage. */
const argumentTypes: Readonly<Partial<Record<ProvKind, readonly (Type | undefined)[]>>> = {
  wasGeneratedBy: ['entity', 'activity'],
  used: ['activity', 'entity'],
  wasInformedBy: ['activity', 'activity'],
  wasStartedBy: ['activity', 'entity', 'activity'],
  wasEndedBy: ['activity', 'entity', 'activity'],
  wasInvalidatedBy: ['entity', 'activity'],
  wasDerivedFrom: ['entity', 'entity', 'activity'],
  wasAttributedTo: ['entity', 'agent'],
  wasAssociatedWith: ['activity', 'agent', 'entity'],
  actedOnBehalfOf: ['agent', 'agent', 'activity'],
  specializationOf: ['entity', 'entity'],
  alternateOf: ['entity', 'entity'],
  hadMember: ['entity', 'entity'],
  mentionOf: ['entity', 'entity', 'entity'],
};

/** Constraints 50, 55 and 56: no entity is an activity, and an empty collection has no members. */
function typed(terms: Terms, statements: readonly Statement[]): Fault | undefined {
  const types = new Map<string, Set<string>>();
  const add = (term: string, type: string): void => {
    const known = types.get(terms.find(term)) ?? new Set();
    types.set(terms.find(term), known.add(type));
  };
  for (const { kind, id, args, types: stated } of statements) {
    if (isElement(kind)) add(id, kind);
    if (kind === 'entity' && stated.has(emptyCollection)) add(id, 'empty');
    if (kind === 'hadMember') add(args[0] ?? nothing, 'filled');
    for (const [i, type] of (argumentTypes[kind] ?? []).entries()) {
      const term = args[i] ?? nothing;
      if (type !== undefined && term !== nothing) add(term, type);
    }
  }
  for (const [term, known] of types) {
    if (known.has('entity') && known.has('activity')) {
      return invalid(55, `${term} is an entity and an activity`);
    }
    if (known.has('empty') && known.has('filled')) {
      return invalid(56, `${term} is an empty collection with members`);
    }
  }
  return undefined;
}

/** Constraint 52: nothing is a specialization of itself, over any number of steps. */
function specialized(terms: Terms, statements: readonly Statement[]): Fault | undefined {
  const general = new Map<string, string[]>();
  for (const { kind, args } of statements) {
    if (kind !== 'specializationOf') continue;
    const [a, b] = [terms.find(args[0] ?? nothing), terms.find(args[1] ?? nothing)];
    general.set(a, [...(general.get(a) ?? []), b]);
  }
  for (const start of general.keys()) {
    const seen = new Set(general.get(start));
    for (const one of seen) for (const next of general.get(one) ?? []) seen.add(next);
    if (seen.has(start)) return invalid(52, `${start} is a specialization of itself`);
  }
  return undefined;
}
