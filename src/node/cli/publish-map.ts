/**
 * Plain data as CloudEvents: `--type --source [--id-from --time-from --subject-from]`. A template
 * is text with JSON pointers (RFC 6901) in braces, `{/properties/net}`; where only a pointer makes
 * sense it stands alone. The line itself becomes `data`, byte for byte.
 */
import { checkJson } from '../../event/data.ts';
import { fromUtf8, toHex, utf8, concat } from '../../bytes.ts';
import type { Hasher } from '../../crypto.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { asTimeMs } from '../../types.ts';
import type { Options } from './options.ts';

/** One line of plain data to the JSON text of one CloudEvent; `line` counts from 1. */
export type Mapper = (bytes: Uint8Array, line: number) => Result<Uint8Array>;

/** Literal text and pointers in turn; a pointer is a list of members. */
type Part = string | readonly string[];
type Template = readonly Part[];

interface Mapping {
  readonly type: Template;
  readonly source: Template;
  readonly id: Template | undefined;
  readonly time:
    { readonly pointer: readonly string[]; readonly unit: 'text' | 'ms' | 's' } | undefined;
  readonly subject: Template | undefined;
}

const mappingFlags = ['type', 'source', 'idFrom', 'timeFrom', 'subjectFrom'] as const;

/** The mapping that the flags ask for; undefined where the lines are CloudEvents already. */
export function mapperOf(options: Options, hasher: Hasher): Result<Mapper | undefined> {
  if (mappingFlags.every((name) => options.text(name) === undefined)) return ok(undefined);
  const mapping = readMapping(options);
  return mapping.ok ? ok((bytes, line) => mapLine(mapping.value, hasher, bytes, line)) : mapping;
}

function readMapping(options: Options): Result<Mapping> {
  const [type, source] = [options.text('type'), options.text('source')];
  if (type === undefined || source === undefined) {
    return err(fault('usage', 'plain data needs both --type and --source'));
  }
  const types = template('--type', type, false);
  if (!types.ok) return types;
  const sources = template('--source', source, false);
  if (!sources.ok) return sources;
  const id = template('--id-from', options.text('idFrom'), true);
  if (!id.ok) return id;
  const subject = template('--subject-from', options.text('subjectFrom'), true);
  if (!subject.ok) return subject;
  const time = timeRule(options.text('timeFrom'));
  if (!time.ok) return time;
  if (types.value === undefined || sources.value === undefined) {
    return err(fault('usage', '--type and --source must not be empty'));
  }
  const [typeParts, sourceParts] = [types.value, sources.value];
  return ok({
    type: typeParts,
    source: sourceParts,
    id: id.value,
    time: time.value,
    subject: subject.value,
  });
}

/** `bare`: text that begins with a slash is one pointer, not a literal. */
function template(
  flag: string,
  text: string | undefined,
  bare: boolean,
): Result<Template | undefined> {
  if (text === undefined || text === '') return ok(undefined);
  if (bare && !text.includes('{')) {
    const pointer = parsePointer(flag, text);
    return pointer.ok ? ok([pointer.value]) : pointer;
  }
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(/\{([^{}]*)\}/g)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    const pointer = parsePointer(flag, match[1] ?? '');
    if (!pointer.ok) return pointer;
    parts.push(pointer.value);
    from = match.index + match[0].length;
  }
  const rest = text.slice(from);
  if (rest !== '') parts.push(rest);
  if (parts.some((part) => typeof part === 'string' && /[{}]/.test(part))) {
    return err(fault('usage', `${flag}: a brace without its other half`, { pointer: flag }));
  }
  return ok(parts);
}

function parsePointer(flag: string, text: string): Result<readonly string[]> {
  if (/^(?:\/(?:[^~/]|~[01])*)+$/.test(text)) {
    const names = text.slice(1).split('/');
    return ok(names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~')));
  }
  const message = `${flag}: ${JSON.stringify(text)} is not a JSON pointer`;
  return err(
    fault('usage', message, { pointer: flag }, 'A JSON pointer looks like /properties/time.'),
  );
}

function timeRule(text: string | undefined): Result<Mapping['time']> {
  if (text === undefined) return ok(undefined);
  const match = /^(.*?)(?::(ms|s))?$/.exec(text);
  const pointer = parsePointer('--time-from', match?.[1] ?? '');
  if (!pointer.ok) return pointer;
  const unit = match?.[2] === 'ms' ? 'ms' : match?.[2] === 's' ? 's' : 'text';
  return ok({ pointer: pointer.value, unit });
}

function mapLine(
  mapping: Mapping,
  hasher: Hasher,
  line: Uint8Array,
  number: number,
): Result<Uint8Array> {
  const bytes = trimEnd(line);
  const bad = checkJson(bytes);
  if (bad !== undefined) return err(bad);
  const text = fromUtf8(bytes);
  if (!text.ok) return text;
  const data: unknown = JSON.parse(text.value);
  const attributes: Record<string, string> = { specversion: '1.0' };
  const rules = {
    id: mapping.id,
    source: mapping.source,
    type: mapping.type,
    subject: mapping.subject,
  };
  for (const [name, rule] of Object.entries(rules)) {
    if (rule === undefined) continue;
    const value = fill(rule, data);
    if (!value.ok) return value;
    attributes[name] = value.value;
  }
  attributes['id'] ??= `${toHex(hasher.sha256(bytes).subarray(0, 8))}-${number}`;
  if (mapping.time !== undefined) {
    const time = timeOf(mapping.time, data);
    if (!time.ok) return time;
    attributes['time'] = time.value;
  }
  const head = JSON.stringify(attributes).slice(0, -1);
  return ok(concat(utf8(`${head},"data":`), bytes, utf8('}')));
}

function fill(parts: Template, data: unknown): Result<string> {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const value = valueAt(data, part);
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      return err(mappingFault(part, 'there is no text, number or boolean here'));
    }
    text += String(value);
  }
  return ok(text);
}

function timeOf(rule: NonNullable<Mapping['time']>, data: unknown): Result<string> {
  const value = valueAt(data, rule.pointer);
  if (rule.unit === 'text') {
    return typeof value === 'string'
      ? ok(value)
      : err(mappingFault(rule.pointer, 'there is no text here'));
  }
  const ms = typeof value === 'number' ? Math.round(rule.unit === 's' ? value * 1000 : value) : -1;
  // Year 9999 is the last that RFC 3339 can write.
  if (ms >= 0 && ms < 253_402_300_800_000) return ok(formatTime(asTimeMs(ms)));
  return err(mappingFault(rule.pointer, `there is no time in ${rule.unit} since 1970 here`));
}

function valueAt(data: unknown, pointer: readonly string[]): unknown {
  let value = data;
  for (const name of pointer) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = Object.getOwnPropertyDescriptor(value, name)?.value;
  }
  return value;
}

function mappingFault(pointer: readonly string[], message: string): ReturnType<typeof fault> {
  const names = pointer.map((name) => name.replaceAll('~', '~0').replaceAll('/', '~1'));
  return fault('mapping-missing', message, { pointer: `/${names.join('/')}` });
}

/** Without the CR of a CR LF and other white space at the end: it is no part of the JSON value. */
function trimEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && [0x20, 0x09, 0x0d].includes(bytes[end - 1] ?? 0)) end -= 1;
  return bytes.subarray(0, end);
}
