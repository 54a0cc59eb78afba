/** Reads PROV-N; see prov-n-write.ts. Records of other vocabularies (`other.x(…)`) are passed over. */
import { HeadwaterError } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import {
  isElement,
  isProvKind,
  provFault,
  provKinds,
  provNeeded,
  qualifiedName,
  type ProvAttribute,
  type ProvBundle,
  type ProvDocument,
  type ProvKind,
  type ProvRecord,
  type ProvValue,
} from './prov.ts';
import { isTime } from './prov-n-write.ts';
import { ProvScanner, unescaped } from './prov-n-scan.ts';

export interface ProvNOptions {
  /**
   * Takes the marker `-` for any argument. PROV-JSON lets all of them be missing, and tools write
   * what they have.
   */
  readonly anyMarkers?: boolean;
}

/** Codes: prov-syntax, prov-shape (a marker or a time where there may be none), prov-kind. */
export function parseProvN(text: string, options: ProvNOptions = {}): Result<ProvDocument> {
  try {
    return ok(readDocument(new ProvScanner(text, options.anyMarkers === true)));
  } catch (cause) {
    if (cause instanceof HeadwaterError) return err(cause.fault);
    throw cause;
  }
}

function readDocument(scan: ProvScanner): ProvDocument {
  scan.expectWord('document');
  const top = readBundle(scan, ['bundle', 'endDocument']);
  const bundles = new Map<string, ProvBundle>();
  for (let end = top.end; end === 'bundle';) {
    const id = unescaped(scan.word());
    const bundle = readBundle(scan, ['endBundle']);
    bundles.set(id, bundle);
    end = scan.word();
    if (end !== 'bundle' && end !== 'endDocument') scan.fail('expected bundle or endDocument');
  }
  scan.expectEnd();
  return { prefixes: top.prefixes, records: top.records, bundles };
}

function readBundle(
  scan: ProvScanner,
  ends: readonly string[],
): ProvBundle & { readonly end: string } {
  const prefixes = new Map<string, string>();
  const records: ProvRecord[] = [];
  for (;;) {
    const word = scan.word();
    if (ends.includes(word)) return { prefixes, records, end: word };
    if (word === 'prefix' && records.length === 0) prefixes.set(scan.word(), scan.iri());
    else if (word === 'default' && records.length === 0) prefixes.set('default', scan.iri());
    else if (isProvKind(word)) records.push(readRecord(scan, word));
    else if (/[.:]/.test(word)) readForeign(scan);
    else
      throw new HeadwaterError(
        provFault('prov-kind', `${word} is no kind of record`, scan.place()).error,
      );
  }
}

/** A record of another vocabulary: its form is checked, its content is not ours. */
function readForeign(scan: ProvScanner): void {
  readArguments(scan);
}

interface Arguments {
  readonly id: string | undefined;
  readonly words: readonly string[];
  readonly attributes: readonly ProvAttribute[];
}

/** `(id; a, b, [k=v])`, raw words with their escapes. */
function readArguments(scan: ProvScanner): Arguments {
  scan.expect('(');
  const words: string[] = [];
  let id: string | undefined;
  let attributes: readonly ProvAttribute[] = [];
  while (!scan.take(')')) {
    if (words.length > 0 || id !== undefined) {
      if (words.length > 0) scan.expect(',');
    }
    if (scan.take('[')) {
      attributes = readAttributes(scan);
      scan.expect(')');
      break;
    }
    words.push(scan.word());
    if (words.length === 1 && id === undefined && scan.take(';')) id = words.pop() ?? '';
  }
  return { id, words, attributes };
}

function readRecord(scan: ProvScanner, kind: ProvKind): ProvRecord {
  const { id: front, words, attributes } = readArguments(scan);
  const element = isElement(kind);
  const formal = provKinds[kind].length;
  const [first, ...rest] = words;
  const given = element ? rest : words;
  if (element && (front !== undefined || first === undefined || first === '-')) {
    scan.shape(`${kind} begins with its id`);
  }
  if (given.length > formal) scan.shape(`${kind} has ${formal} arguments`);
  const args = Array.from({ length: formal }, (_, i) => argument(scan, kind, i, given[i]));
  const id = element ? first : front;
  const named = id === undefined || id === '-' ? {} : { id: unescaped(id) };
  return { kind, ...named, args, attributes };
}

function argument(
  scan: ProvScanner,
  kind: ProvKind,
  place: number,
  word: string | undefined,
): string | undefined {
  if (word === undefined || word === '-') {
    if (place < provNeeded[kind] && !scan.anyMarkers)
      scan.shape(`argument ${place + 1} of ${kind} must be given`);
    return undefined;
  }
  if (!isTime(kind, place)) return unescaped(word);
  if (!/^-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?$/.test(word)) {
    scan.shape(`${word} is no time`);
  }
  return word;
}

/** Behind `[`, up to and with `]`. */
function readAttributes(scan: ProvScanner): readonly ProvAttribute[] {
  const attributes: ProvAttribute[] = [];
  if (scan.take(']')) return attributes;
  do {
    const name = unescaped(scan.word());
    scan.expect('=');
    attributes.push({ name, value: readValue(scan) });
  } while (scan.take(','));
  scan.expect(']');
  return attributes;
}

function readValue(scan: ProvScanner): ProvValue {
  const name = scan.quotedName();
  if (name !== undefined) return { text: unescaped(name), type: qualifiedName };
  const text = scan.string();
  if (text === undefined) {
    const number = scan.word();
    if (!/^-?\d+$/.test(number)) scan.fail(`${number} is no value`);
    return { text: number, type: 'xsd:int' };
  }
  const lang = scan.language();
  if (lang !== undefined) return { text, lang };
  if (!scan.takeText('%%')) return { text };
  const type = scan.typeName();
  return { text, type: type === 'xsd:QName' ? qualifiedName : type };
}
