/**
 * dag-cbor as Headwater signs it (RFC 8949 deterministic form with the dag-cbor rules): integers
 * within ±(2^53-1), byte strings, text, lists, maps with text keys, booleans, null. Shortest heads,
 * definite lengths, unique keys sorted by length and then bytes, valid UTF-8, at most 32 levels,
 * nothing after the item; no floats, no tags.
 *
 * `encodeCbor`/`decodeCbor` are for maps of any shape: written by @ipld/dag-cbor, read in the one
 * strict pass of cbor-items.ts. `CborWriter`/`CborReader` are for fixed tuples on hot paths (blocks,
 * bodies, frames): head by head, no copies, strict by construction.
 */
import { encode } from '@ipld/dag-cbor';
import { compare, utf8, writeUint32, writeUint64 } from './bytes.ts';
import { readItem } from './cbor-items.ts';
import { fault } from './errors.ts';
import { err, ok, type Result } from './result.ts';

export { CborReader } from './cbor-reader.ts';

export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue };
export type CborMap = { readonly [key: string]: CborValue };

/** The canonical encoding in a plain array of its own; floats and the like are our own mistake. */
export function encodeCbor(value: CborValue): Uint8Array {
  const bytes = encode(value);
  // Under Node the library returns some lengths as a Buffer, whose slice() is no copy.
  return Object.getPrototypeOf(bytes) === Uint8Array.prototype ? bytes : new Uint8Array(bytes);
}

/** Decodes exactly one canonical item; `cbor-encoding` otherwise. Byte strings are copies. */
export function decodeCbor(bytes: Uint8Array): Result<CborValue> {
  const read = readItem<never>(bytes);
  return read.ok ? read : err(fault('cbor-encoding', read.error));
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

/** The order of map keys: shorter first, then by bytes. */
export function compareKeys(a: string, b: string): number {
  const [x, y] = [utf8(a), utf8(b)];
  return x.length - y.length || compare(x, y);
}
