/**
 * PROV-JSON (W3C submission of 2013; ../vectors/prov FACTS.md). Read strictly: what is no record, no
 * value or no known kind is refused with its JSON pointer. Numbers and booleans become the typed
 * values that they stand for; `xsd:QName` of older files is read as `prov:QUALIFIED_NAME`.
 */
import { ok, type Result } from '../result.ts';
import {
  isElement,
  isProvKind,
  provFault,
  provKinds,
  qualifiedName,
  type ProvAttribute,
  type ProvBundle,
  type ProvDocument,
  type ProvKind,
  type ProvRecord,
  type ProvValue,
} from './prov.ts';

type Members = Readonly<Record<string, unknown>>;

/** Codes: prov-syntax (no JSON), prov-shape, prov-kind. */
export function parseProvJson(text: string): Result<ProvDocument> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return provFault('prov-syntax', 'this is no JSON');
  }
  return readProvJson(value);
}

/** As `parseProvJson`, of a value that was parsed. Codes: prov-shape, prov-kind. */
export function readProvJson(value: unknown): Result<ProvDocument> {
  if (!isObject(value)) return provFault('prov-shape', 'a document is an object');
  const { bundle: given = {}, ...rest } = value;
  const top = readBundle(rest, '');
  if (!top.ok) return top;
  if (!isObject(given)) return shape('bundles are a map of documents', '/bundle');
  const bundles = new Map<string, ProvBundle>();
  for (const [id, content] of Object.entries(given)) {
    const pointer = `/bundle/${id}`;
    if (!isObject(content)) return shape('a bundle is an object', pointer);
    if (content['bundle'] !== undefined) return shape('a bundle holds no bundles', pointer);
    const bundle = readBundle(content, pointer);
    if (!bundle.ok) return bundle;
    bundles.set(id, bundle.value);
  }
  return ok({ ...top.value, bundles });
}

function readBundle(content: Members, pointer: string): Result<ProvBundle> {
  const { prefix = {}, ...kinds } = content;
  if (!isObject(prefix)) return shape('prefixes are a map', `${pointer}/prefix`);
  const prefixes = new Map<string, string>();
  for (const [name, iri] of Object.entries(prefix)) {
    if (typeof iri !== 'string') return shape('a prefix stands for an IRI', `${pointer}/prefix`);
    prefixes.set(name, iri);
  }
  const records: ProvRecord[] = [];
  for (const [kind, map] of Object.entries(kinds)) {
    const at = `${pointer}/${kind}`;
    if (!isProvKind(kind)) {
      return provFault('prov-kind', `${JSON.stringify(kind)} is no kind of record`, {
        pointer: at,
      });
    }
    if (!isObject(map)) return shape('records are a map by id', at);
    for (const [id, given] of Object.entries(map)) {
      const list: readonly unknown[] = Array.isArray(given) ? given : [given];
      for (const item of list) {
        const read = readRecord(kind, id, item, `${at}/${id}`);
        if (!read.ok) return read;
        records.push(...read.value);
      }
    }
  }
  return ok({ prefixes, records });
}

function readRecord(
  kind: ProvKind,
  key: string,
  item: unknown,
  pointer: string,
): Result<readonly ProvRecord[]> {
  if (!isObject(item)) return shape('a record is an object', pointer);
  const formal: readonly string[] = provKinds[kind];
  const args: (readonly string[])[] = formal.map(() => []);
  const attributes: ProvAttribute[] = [];
  for (const [name, given] of Object.entries(item)) {
    const at = `${pointer}/${name}`;
    const place = formal.findIndex((argument) => name === `prov:${argument}`);
    const values: readonly unknown[] = Array.isArray(given) ? given : [given];
    const read: ProvValue[] = [];
    for (const value of values) {
      const one = readValue(value);
      if (one === undefined) return shape('this is no value', at);
      read.push(one);
    }
    if (place >= 0) args[place] = read.map(({ text }) => text);
    else attributes.push(...read.map((value) => ({ name, value })));
  }
  const id = key.startsWith('_:') && !isElement(kind) ? {} : { id: key };
  return ok(combinations(args).map((chosen) => ({ kind, ...id, args: chosen, attributes })));
}

/** A collection may list all its members in one record: each is a statement. */
function combinations(
  args: readonly (readonly string[])[],
): readonly (readonly (string | undefined)[])[] {
  return args.reduce<readonly (readonly (string | undefined)[])[]>(
    (found, values) =>
      found.flatMap((chosen) =>
        values.length === 0 ? [[...chosen, undefined]] : values.map((value) => [...chosen, value]),
      ),
    [[]],
  );
}

function readValue(value: unknown): ProvValue | undefined {
  switch (typeof value) {
    case 'string':
      return { text: value };
    case 'boolean':
      return { text: String(value), type: 'xsd:boolean' };
    case 'number':
      return { text: String(value), type: Number.isInteger(value) ? 'xsd:int' : 'xsd:double' };
    default:
      return isObject(value) ? readTyped(value) : undefined;
  }
}

function readTyped({ $: content, type, lang }: Members): ProvValue | undefined {
  if (!['string', 'number', 'boolean'].includes(typeof content)) return undefined;
  const text = String(content);
  if (lang !== undefined) return typeof lang === 'string' ? { text, lang } : undefined;
  if (type === undefined) return { text };
  if (typeof type !== 'string') return undefined;
  return { text, type: type === 'xsd:QName' ? qualifiedName : type };
}

/** One JSON text without line feed. Relations without an id get `_:` keys. */
export function writeProvJson(document: ProvDocument): string {
  const bundles = [...document.bundles].map(([id, bundle]) => [id, bundleMembers(bundle)] as const);
  const rest = bundles.length === 0 ? {} : { bundle: Object.fromEntries(bundles) };
  return JSON.stringify({ ...bundleMembers(document), ...rest });
}

function bundleMembers({ prefixes, records }: ProvBundle): Members {
  const kinds = new Map<string, Map<string, Members[]>>();
  let unnamed = 0;
  for (const record of records) {
    const { kind, id } = record;
    const key = id ?? `_:${kind}${(unnamed += 1)}`;
    const map = kinds.get(kind) ?? new Map<string, Members[]>();
    kinds.set(kind, map);
    map.set(key, [...(map.get(key) ?? []), recordMembers(record)]);
  }
  const members = [...kinds].map(([kind, map]) => {
    const entries = [...map].map(([id, list]) => [id, list.length === 1 ? list[0] : list] as const);
    return [kind, Object.fromEntries(entries)] as const;
  });
  const prefix = prefixes.size === 0 ? {} : { prefix: Object.fromEntries(prefixes) };
  return { ...prefix, ...Object.fromEntries(members) };
}

function recordMembers({ kind, args, attributes }: ProvRecord): Members {
  const members = new Map<string, unknown>();
  provKinds[kind].forEach((name, i) => {
    if (args[i] !== undefined) members.set(`prov:${name}`, args[i]);
  });
  for (const [name, group] of Map.groupBy(attributes, (attribute) => attribute.name)) {
    const values = group.map(({ value }) => valueMember(value));
    members.set(name, values.length === 1 ? values[0] : values);
  }
  return Object.fromEntries(members);
}

function valueMember({ text, type, lang }: ProvValue): unknown {
  if (lang !== undefined) return { $: text, lang };
  return type === undefined ? text : { $: text, type };
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shape(message: string, pointer: string): ReturnType<typeof provFault> {
  return provFault('prov-shape', message, { pointer });
}
