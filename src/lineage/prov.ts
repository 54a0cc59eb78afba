/**
 * W3C PROV documents in memory (PROV-DM; ../vectors/prov FACTS.md): records of 18 kinds with
 * positional arguments and attributes, in a document or its bundles. prov-json.ts and prov-n-*.ts
 * read and write it; the two notations hold the same.
 */
import { fault, type Place } from '../errors.ts';
import { err } from '../result.ts';

/** Arguments of each kind in the order of PROV-N, by their names in PROV-JSON without `prov:`. */
export const provKinds: Readonly<Record<ProvKind, readonly string[]>> = {
  entity: [],
  activity: ['startTime', 'endTime'],
  agent: [],
  wasGeneratedBy: ['entity', 'activity', 'time'],
  used: ['activity', 'entity', 'time'],
  wasInformedBy: ['informed', 'informant'],
  wasStartedBy: ['activity', 'trigger', 'starter', 'time'],
  wasEndedBy: ['activity', 'trigger', 'ender', 'time'],
  wasInvalidatedBy: ['entity', 'activity', 'time'],
  wasDerivedFrom: ['generatedEntity', 'usedEntity', 'activity', 'generation', 'usage'],
  wasAttributedTo: ['entity', 'agent'],
  wasAssociatedWith: ['activity', 'agent', 'plan'],
  actedOnBehalfOf: ['delegate', 'responsible', 'activity'],
  wasInfluencedBy: ['influencee', 'influencer'],
  specializationOf: ['specificEntity', 'generalEntity'],
  alternateOf: ['alternate1', 'alternate2'],
  hadMember: ['collection', 'entity'],
  mentionOf: ['specificEntity', 'generalEntity', 'bundle'],
};

export type ProvKind =
  | 'entity'
  | 'activity'
  | 'agent'
  | 'wasGeneratedBy'
  | 'used'
  | 'wasInformedBy'
  | 'wasStartedBy'
  | 'wasEndedBy'
  | 'wasInvalidatedBy'
  | 'wasDerivedFrom'
  | 'wasAttributedTo'
  | 'wasAssociatedWith'
  | 'actedOnBehalfOf'
  | 'wasInfluencedBy'
  | 'specializationOf'
  | 'alternateOf'
  | 'hadMember'
  | 'mentionOf';

export function isProvKind(text: string): text is ProvKind {
  return Object.hasOwn(provKinds, text);
}

/** Entities, activities and agents: their id stands first, and always. */
export function isElement(kind: ProvKind): boolean {
  return kind === 'entity' || kind === 'activity' || kind === 'agent';
}

/** How many arguments of a kind must be given: the marker `-` is not allowed there (PROV-N). */
export const provNeeded: Readonly<Record<ProvKind, number>> = {
  entity: 0,
  activity: 0,
  agent: 0,
  wasGeneratedBy: 1,
  used: 1,
  wasInformedBy: 2,
  wasStartedBy: 1,
  wasEndedBy: 1,
  wasInvalidatedBy: 1,
  wasDerivedFrom: 2,
  wasAttributedTo: 2,
  wasAssociatedWith: 1,
  // PROV-N wants the responsible agent too; the W3C's own valid cases leave it out.
  actedOnBehalfOf: 1,
  wasInfluencedBy: 2,
  specializationOf: 2,
  alternateOf: 2,
  hadMember: 2,
  mentionOf: 3,
};

/** The type of a value that is a qualified name. */
export const qualifiedName = 'prov:QUALIFIED_NAME';

export interface ProvValue {
  readonly text: string;
  /** A qualified name or `<iri>`; absent for plain strings and those with a language. */
  readonly type?: string;
  readonly lang?: string;
}

export interface ProvAttribute {
  readonly name: string;
  readonly value: ProvValue;
}

export interface ProvRecord {
  readonly kind: ProvKind;
  /** Of a relation only where it has one. */
  readonly id?: string;
  /** As many as the kind has; undefined is the marker `-`. */
  readonly args: readonly (string | undefined)[];
  readonly attributes: readonly ProvAttribute[];
}

export interface ProvBundle {
  /** Prefix to IRI; the default namespace under `default`. */
  readonly prefixes: ReadonlyMap<string, string>;
  readonly records: readonly ProvRecord[];
}

export interface ProvDocument extends ProvBundle {
  readonly bundles: ReadonlyMap<string, ProvBundle>;
}

/** Two documents say the same where these are equal: statements as a sorted set, names as written. */
export function provStatements(document: ProvDocument): readonly string[] {
  const lines = [...statementsOf('', document)];
  for (const [id, bundle] of document.bundles) lines.push(...statementsOf(id, bundle));
  return [...new Set(lines)].toSorted();
}

function statementsOf(bundle: string, { prefixes, records }: ProvBundle): readonly string[] {
  const names = [...prefixes].map((pair) => JSON.stringify([bundle, 'prefix', ...pair]));
  return [
    ...names,
    ...records.map(({ kind, id, args, attributes }) => {
      const values = attributes.map(({ name, value }) =>
        JSON.stringify([name, value.text, value.type ?? '', value.lang ?? '']),
      );
      const sorted = [...new Set(values)].toSorted();
      return JSON.stringify([bundle, kind, id ?? '-', args.map((arg) => arg ?? null), sorted]);
    }),
  ];
}

export function provFault(
  code: 'prov-syntax' | 'prov-shape' | 'prov-kind',
  message: string,
  place?: Place,
): { readonly ok: false; readonly error: ReturnType<typeof fault> } {
  return err(fault(code, message, place));
}
