/**
 * RFC 8785 canonical JSON of context attributes. They are a flat map whose names are `[a-z0-9]+` and
 * whose values are strings, 32-bit integers and booleans, so the whole of the standard comes down to:
 *
 *   {"<name>":<value>,…}   names in ascending order of their bytes, no white space
 *   string                 `"` and `\` escaped by a backslash, all else as UTF-8 (values hold no
 *                          control characters); integer: shortest decimal; true, false
 *
 * Values are checked while they are written, because both need a look at every character.
 */
import { utf8 } from '../bytes.ts';
import type { Code } from '../errors.ts';
import type { AttributeValue } from '../types.ts';
import { valueKind, type Member } from './json-scan.ts';
import { stringFault } from './text-rules.ts';

/** Why a value cannot be written, and the attribute it belongs to. */
export interface ValueFault {
  readonly name: string;
  readonly code: Code;
}

/** Values by attribute name. */
export type ValueOf = (name: string) => AttributeValue;

/**
 * The canonical bytes of `names` (sorted here, in place) in a fresh array; or the first value that is
 * not a CloudEvents String.
 */
export function canonicalBytes(names: string[], valueOf: ValueOf): Uint8Array | ValueFault {
  const length = write(names, valueOf);
  return typeof length === 'number' ? scratch.slice(0, length) : length;
}

/** Whether `bytes` are the canonical bytes of `names`, without making a copy. */
export function isCanonical(
  names: string[],
  valueOf: ValueOf,
  bytes: Uint8Array,
): boolean | ValueFault {
  const length = write(names, valueOf);
  if (typeof length !== 'number') return length;
  if (length !== bytes.length) return false;
  for (let i = 0; i < length; i++) if (scratch[i] !== bytes[i]) return false;
  return true;
}

const plainText = /^[\x20-\x7e]*$/;

/**
 * True where the text is surely canonical, seen by where its members stand: in order, nothing
 * between them, only printable ASCII and no escape. Of sound attributes few are not like this.
 */
export function isPlain(text: string, members: readonly Member[]): boolean {
  let at = 1;
  let before = '';
  for (const { name, nameStart, kind, start, end, escaped } of members) {
    const placed = nameStart === at && start === at + name.length + 3;
    const isContent = name === 'data' || name === 'data_base64';
    if (!placed || escaped || isContent || kind === valueKind.null) return false;
    if (name <= before) return false;
    before = name;
    at = end + 1;
  }
  return members.length > 0 && at === text.length && plainText.test(text);
}

/** Writes to `scratch`; the length written. */
function write(names: string[], valueOf: ValueOf): number | ValueFault {
  sortNames(names);
  const out = new CanonicalWriter();
  let separator = 0x7b;
  for (const name of names) {
    out.name(separator, name);
    separator = 0x2c;
    const value = valueOf(name);
    if (typeof value === 'string') {
      const code = out.string(value);
      if (code !== undefined) return { name, code };
    } else {
      out.ascii(String(value));
    }
  }
  if (separator === 0x7b) out.ascii('{');
  out.ascii('}');
  return out.length;
}

/** Few and mostly sorted: insertion beats the general sort up to some twenty names. */
function sortNames(names: string[]): void {
  if (names.length > 20) {
    names.sort(byUnits);
    return;
  }
  for (let i = 1; i < names.length; i++) {
    const name = names[i] ?? '';
    let at = i;
    for (; at > 0 && (names[at - 1] ?? '') > name; at--) names[at] = names[at - 1] ?? '';
    names[at] = name;
  }
}

function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// One buffer for all: writing is synchronous, and what is kept is copied.
let scratch = new Uint8Array(4096);

class CanonicalWriter {
  length = 0;

  /** What stands before a value: brace or comma, the quoted name, a colon. */
  name(separator: number, name: string): void {
    this.#reserve(name.length + 4);
    scratch[this.length] = separator;
    scratch[this.length + 1] = 0x22;
    this.length += 2;
    this.ascii(name);
    scratch[this.length] = 0x22;
    scratch[this.length + 1] = 0x3a;
    this.length += 2;
  }

  ascii(text: string): void {
    const at = this.#reserve(text.length);
    const out = scratch;
    for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
    this.length = at + text.length;
  }

  /** A quoted string; plain ASCII takes the loop, the rest is checked by class and encoded. */
  string(text: string): Code | undefined {
    const start = this.#reserve(2 * text.length + 2);
    const out = scratch;
    let at = start;
    out[at++] = 0x22;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x20 || unit > 0x7e) return this.#wide(text);
      if (unit === 0x22 || unit === 0x5c) out[at++] = 0x5c;
      out[at++] = unit;
    }
    out[at++] = 0x22;
    this.length = at;
    return undefined;
  }

  #wide(text: string): Code | undefined {
    const code = stringFault(text);
    if (code !== undefined) return code;
    const bytes = utf8(JSON.stringify(text));
    const at = this.#reserve(bytes.length);
    scratch.set(bytes, at);
    this.length = at + bytes.length;
    return undefined;
  }

  /** Where the next byte goes, with room for `extra`. */
  #reserve(extra: number): number {
    const needed = this.length + extra;
    if (needed > scratch.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * scratch.length));
      larger.set(scratch.subarray(0, this.length));
      scratch = larger;
    }
    return this.length;
  }
}
