/**
 * PROV-N text (W3C Recommendation of 2013; ../vectors/prov FACTS.md): one statement a line. Local
 * names escape `=';()[],` and quotes with a backslash, and `-`, `.`, `:` where they would mean
 * something else.
 */
import {
  isElement,
  qualifiedName,
  type ProvAttribute,
  type ProvBundle,
  type ProvDocument,
  type ProvRecord,
  type ProvValue,
} from './prov.ts';

/** Ends with a line feed. */
export function writeProvN(document: ProvDocument): string {
  const lines = ['document', ...bundleLines(document, '  ')];
  for (const [id, bundle] of document.bundles) {
    lines.push(`  bundle ${nameText(id)}`, ...bundleLines(bundle, '    '), '  endBundle');
  }
  return `${[...lines, 'endDocument'].join('\n')}\n`;
}

function bundleLines({ prefixes, records }: ProvBundle, indent: string): readonly string[] {
  const names = [...prefixes].toSorted(
    ([a], [b]) => Number(b === 'default') - Number(a === 'default'),
  );
  return [
    ...names.map(([name, iri]) => `${name === 'default' ? 'default' : `prefix ${name}`} <${iri}>`),
    ...records.map(recordText),
  ].map((line) => `${indent}${line}`);
}

function recordText({ kind, id, args, attributes }: ProvRecord): string {
  const element = isElement(kind);
  const given = args.map((arg, i) => argumentText(kind, i, arg));
  const used = element && args.every((arg) => arg === undefined) ? [] : given;
  const parts = element ? [nameText(id ?? ''), ...used] : used;
  if (attributes.length > 0) parts.push(`[${attributes.map(attributeText).join(', ')}]`);
  const front = element || id === undefined ? '' : `${nameText(id)}; `;
  return `${kind}(${front}${parts.join(', ')})`;
}

const timed =
  /^(?:activity:[01]|(?:wasGeneratedBy|used|wasInvalidatedBy):2|was(?:Started|Ended)By:3)$/;

function argumentText(kind: string, place: number, arg: string | undefined): string {
  if (arg === undefined) return '-';
  return timed.test(`${kind}:${place}`) ? arg : nameText(arg);
}

/** Whether the argument of a kind is a time and no name. */
export function isTime(kind: string, place: number): boolean {
  return timed.test(`${kind}:${place}`);
}

function attributeText({ name, value }: ProvAttribute): string {
  return `${nameText(name)}=${valueText(value)}`;
}

function valueText({ text, type, lang }: ProvValue): string {
  if (lang !== undefined) return `${quoted(text)}@${lang}`;
  if (type === undefined) return quoted(text);
  if (type === qualifiedName) return `'${nameText(text)}'`;
  return `${quoted(text)} %% ${type.startsWith('<') ? type : nameText(type)}`;
}

function quoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

/** A qualified name; what stands before the first colon is its prefix. */
function nameText(name: string): string {
  const colon = name.indexOf(':');
  const prefix = name.slice(0, colon + 1);
  const local = name.slice(colon + 1);
  const escaped = local.replaceAll(/[=';()[\],"\\\s:]|^[-.]|\.$/g, (char) =>
    /\s/.test(char) ? encodeURIComponent(char) : `\\${char}`,
  );
  return `${prefix}${escaped}`;
}
