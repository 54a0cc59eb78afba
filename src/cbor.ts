/**
 * dag-cbor as Headwater signs it (RFC 8949 deterministic form with the dag-cbor rules): integers
 * within ±(2^53-1), byte strings, text, lists, maps with text keys, booleans, null. Shortest heads,
 * definite lengths, unique keys sorted by length and then bytes, valid UTF-8, at most 32 levels,
 * nothing after the item; no floats, no tags.
 *
 * `encodeCbor`/`decodeCbor` are for maps of any shape and use @ipld/dag-cbor, checked by encoding
 * again. `CborWriter`/`CborReader` are for fixed tuples on hot paths (blocks, bodies, frames):
 * head by head, no copies, strict by construction.
 */
import { decode, encode } from '@ipld/dag-cbor';
import { compare, equal, fromUtf8, utf8, writeUint32, writeUint64 } from './bytes.ts';
import { fault, type Fault } from './errors.ts';
import { err, ok, type Result } from './result.ts';

export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };
export type CborMap = { readonly [key: string]: CborValue };

const maxDepth = 32;

/** The canonical encoding in a plain array of its own; floats and the like are our own mistake. */
export function encodeCbor(value: CborValue): Uint8Array {
  const bytes = encode(value);
  // Under Node the library returns some lengths as a Buffer, whose slice() is no copy.
  return Object.getPrototypeOf(bytes) === Uint8Array.prototype ? bytes : new Uint8Array(bytes);
}

/** Decodes exactly one canonical item; `cbor-encoding` otherwise. Byte strings are copies. */
export function decodeCbor(bytes: Uint8Array): Result<CborValue> {
  if (!depthFits(bytes)) {
    return err(bad('nested more than 32 deep, cut short, with bytes after it, a tag or a float'));
  }
  try {
    const value: unknown = decode(bytes);
    if (!isCborValue(value)) return err(bad('a type that is not allowed in signed dag-cbor'));
    if (!equal(encode(value), bytes)) return err(bad('not the canonical encoding'));
    return ok(value);
  } catch (cause) {
    return err(bad(cause instanceof Error ? cause.message : 'not dag-cbor'));
  }
}

/** As `decodeCbor`, for an item that must be a map. */
export function decodeCborMap(bytes: Uint8Array): Result<CborMap> {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok) return decoded;
  if (isCborMap(decoded.value)) return ok(decoded.value);
  return err(fault('cbor-shape', 'not a map'));
}

export function isCborMap(value: CborValue | undefined): value is CborMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}

function bad(message: string): Fault {
  return fault('cbor-encoding', message);
}

function isCborValue(value: unknown): value is CborValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0);
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every(isCborValue);
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isCborValue);
}

/**
 * Walks the heads without recursion or allocation, so that neither depth nor a huge length can
 * hurt the decoder behind it. Also refuses floats: 1.0 would decode to the integer 1. With `links`
 * (UCAN tokens only) a byte string may carry tag 42; what is in it is the decoder's to judge.
 */
export function depthFits(bytes: Uint8Array, links = false): boolean {
  const reader = new CborReader(bytes);
  const open: number[] = [];
  for (;;) {
    const [major, argument] = reader.head();
    if (reader.failed !== undefined) return false;
    if (major === 6 && links && argument === 42 && (bytes[reader.offset] ?? 0) >>> 5 === 2)
      continue;
    if (major === 2 || major === 3) reader.skip(argument);
    const children = major === 4 ? argument : major === 5 ? argument * 2 : 0;
    if (reader.failed !== undefined || major === 6) return false;
    if (major === 7 && (argument < 20 || argument > 22)) return false;
    if (children > bytes.length) return false;
    if (major === 4 || major === 5) {
      if (open.length >= maxDepth) return false;
      open.push(children);
    }
    if (major !== 4 && major !== 5 && open.length > 0) open[open.length - 1] = last(open) - 1;
    while (open.length > 0 && last(open) === 0) {
      open.pop();
      if (open.length > 0) open[open.length - 1] = last(open) - 1;
    }
    if (open.length === 0) return reader.offset === bytes.length;
  }
}

function last(stack: readonly number[]): number {
  return stack[stack.length - 1] ?? 0;
}

/** Appends canonical heads and values to a growing buffer. The caller keeps lists and maps right. */
export class CborWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  uint(value: number): this {
    return this.#head(0, value);
  }
  bytes(value: Uint8Array): this {
    this.#head(2, value.length);
    return this.#raw(value);
  }
  text(value: string): this {
    const encoded = utf8(value);
    this.#head(3, encoded.length);
    return this.#raw(encoded);
  }
  list(length: number): this {
    return this.#head(4, length);
  }
  /** The head of a byte string whose bytes the caller writes next, by `raw` or as items. */
  bytesHead(length: number): this {
    return this.#head(2, length);
  }
  /** Bytes as they are, without a head. */
  raw(value: Uint8Array): this {
    return this.#raw(value);
  }
  null(): this {
    return this.#head(7, 22);
  }
  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
  /** What was written, without a copy where the capacity was exact; the writer is used up. */
  take(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.finish();
  }

  #head(major: number, value: number): this {
    const at = this.#grow(9);
    const first = major << 5;
    const out = this.#bytes;
    if (value < 24) {
      out[at] = first | value;
      this.#length += 1;
    } else if (value < 0x100) {
      out[at] = first | 24;
      out[at + 1] = value;
      this.#length += 2;
    } else if (value < 0x10000) {
      out[at] = first | 25;
      out[at + 1] = value >>> 8;
      out[at + 2] = value;
      this.#length += 3;
    } else {
      const wide = value >= 0x100000000;
      out[at] = first | (wide ? 27 : 26);
      if (wide) writeUint64(out, at + 1, value);
      else writeUint32(out, at + 1, value);
      this.#length += wide ? 9 : 5;
    }
    return this;
  }

  #raw(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    this.#length += value.length;
    return this;
  }

  #grow(extra: number): number {
    const needed = this.#length + extra;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return this.#length;
  }
}

/**
 * Reads canonical items one by one. The first fault sticks (`failed`); later reads return zeros and
 * empty arrays, so a decoder may read a whole tuple and check once. Byte strings are views.
 */
export class CborReader {
  offset: number;
  failed: Fault | undefined;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  /** Reads `bytes[offset, end)`. */
  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.offset = offset;
    this.#end = end;
  }

  uint(): number {
    return this.#expect(0, 'an unsigned integer');
  }
  bytes(): Uint8Array {
    const length = this.#expect(2, 'a byte string');
    const start = this.offset;
    this.skip(length);
    return this.failed === undefined ? this.#bytes.subarray(start, this.offset) : empty;
  }
  text(): string {
    const length = this.#expect(3, 'text');
    const start = this.offset;
    this.skip(length);
    if (this.failed !== undefined) return '';
    const decoded = fromUtf8(this.#bytes.subarray(start, this.offset));
    if (decoded.ok) return decoded.value;
    this.fail('text that is not UTF-8');
    return '';
  }
  /** Reads a list head and returns its length. */
  list(): number {
    const length = this.#expect(4, 'a list');
    if (length > this.#end - this.offset) this.fail('a list longer than the input');
    return this.failed === undefined ? length : 0;
  }
  /** True, and moves on, if the next item is null. */
  null(): boolean {
    if (this.offset >= this.#end || this.#bytes[this.offset] !== 0xf6) return false;
    this.offset += 1;
    return true;
  }
  /** Nothing may follow. */
  end(): void {
    if (this.failed === undefined && this.offset !== this.#end) {
      this.failed = fault('trailing-bytes', 'bytes after the item', { offset: this.offset });
    }
  }

  /** Major type and argument of the next head; the shortest form is required. */
  head(): readonly [number, number] {
    const first = this.#bytes[this.offset];
    if (first === undefined || this.offset >= this.#end) return this.#cut();
    const info = first & 31;
    const major = first >>> 5;
    if (info < 24) {
      this.offset += 1;
      return [major, info];
    }
    const width = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0;
    if (width === 0) this.fail('an indefinite or reserved length');
    else if (this.offset + width >= this.#end) return this.#cut();
    if (this.failed !== undefined) return [major, 0];
    let value = 0;
    for (let i = 1; i <= width; i++) value = value * 256 + (this.#bytes[this.offset + i] ?? 0);
    if (!Number.isSafeInteger(value)) {
      this.failed ??= fault('integer-too-large', 'a number above 2^53-1', { offset: this.offset });
    }
    const least = width === 1 ? 24 : 2 ** (4 * width);
    if (value < least) this.fail('a head that is not the shortest');
    this.offset += 1 + width;
    return [major, value];
  }

  skip(length: number): void {
    if (this.offset + length > this.#end) this.#cut();
    else this.offset += length;
  }

  fail(message: string): void {
    this.failed ??= fault('cbor-encoding', message, { offset: this.offset });
  }

  #cut(): readonly [number, number] {
    this.failed ??= fault('truncated', 'the bytes end inside an item', { offset: this.offset });
    return [0, 0];
  }

  #expect(major: number, what: string): number {
    if (this.failed !== undefined) return 0;
    const start = this.offset;
    const [found, value] = this.head();
    if (this.failed === undefined && found !== major) {
      this.failed = fault('cbor-shape', `not ${what}`, { offset: start });
    }
    return this.failed === undefined ? value : 0;
  }
}

const empty = new Uint8Array(0);

/** The order of map keys: shorter first, then by bytes. */
export function compareKeys(a: string, b: string): number {
  const [x, y] = [utf8(a), utf8(b)];
  return x.length - y.length || compare(x, y);
}
