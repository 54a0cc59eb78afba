/**
 * One strict pass over a dag-cbor item of any shape. What it accepts is exactly what an encoder of
 * ours would write: shortest heads, definite lengths, keys that are unique and in order, valid UTF-8,
 * integers within ±(2^53-1), at most 32 levels, nothing after the item; so there is no need to encode
 * it again to see that. `src/cbor.ts` reads with it what we sign, `src/access/ucan-cbor.ts` tokens.
 */
import { CborReader } from './cbor-reader.ts';
import { err, ok, type Result } from './result.ts';

/** `Link`: what a link (tag 42) is read as; `never` where there are none. */
export type Item<Link> =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | Link
  | readonly Item<Link>[]
  | { readonly [key: string]: Item<Link> };

/** Makes a link of the byte string under tag 42 (a view), undefined where it is none. */
export type ReadLink<Link> = (content: Uint8Array) => Link | undefined;

const maxDepth = 32;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads exactly one item; the error is the message. Byte strings are copies. Without `link` a tag is refused. */
export function readItem<Link>(
  bytes: Uint8Array,
  link?: ReadLink<Link>,
): Result<Item<Link>, string> {
  const reader = new ItemReader(bytes, link);
  const value = reader.item(0);
  reader.end();
  return reader.failed === undefined ? ok(value) : err(reader.failed.message);
}

/** Recursive, at most `maxDepth` deep; the first fault sticks, and what is read after it is nothing. */
class ItemReader<Link> extends CborReader {
  readonly #bytes: Uint8Array;
  readonly #link: ReadLink<Link> | undefined;

  constructor(bytes: Uint8Array, link: ReadLink<Link> | undefined) {
    super(bytes);
    this.#bytes = bytes;
    this.#link = link;
  }

  item(depth: number): Item<Link> {
    const [major, argument] = this.head();
    if (this.failed !== undefined) return null;
    switch (major) {
      case 0:
        return argument;
      case 1:
        if (argument === Number.MAX_SAFE_INTEGER) this.fail('a number below -(2^53-1)');
        return -1 - argument;
      case 2:
        return this.#content(argument).slice();
      case 3:
        return this.#text(argument);
      case 4:
        return this.#items(argument, depth + 1);
      case 5:
        return this.#members(argument, depth + 1);
      case 6:
        return this.#tagged(argument);
      default:
        return this.#simple(argument);
    }
  }

  #content(length: number): Uint8Array {
    const start = this.offset;
    this.skip(length);
    return this.#bytes.subarray(start, this.offset);
  }

  #text(length: number): string {
    const start = this.offset;
    this.skip(length);
    const { offset } = this;
    if (offset - start <= shortText) {
      const text = ascii(this.#bytes, start, offset);
      if (text !== undefined) return text;
    }
    try {
      return decoder.decode(this.#bytes.subarray(start, offset));
    } catch {
      this.fail('text that is not UTF-8');
      return '';
    }
  }

  #items(length: number, depth: number): Item<Link> {
    if (depth > maxDepth) this.fail('nested more than 32 deep');
    const items: Item<Link>[] = [];
    for (let n = 0; n < length && this.failed === undefined; n++) items.push(this.item(depth));
    return items;
  }

  #members(length: number, depth: number): Item<Link> {
    if (depth > maxDepth) this.fail('nested more than 32 deep');
    const map: Record<string, Item<Link>> = {};
    let [before, beforeEnd] = [0, -1];
    for (let n = 0; n < length && this.failed === undefined; n++) {
      const [major, size] = this.head();
      if (this.failed === undefined && major !== 3) this.fail('a key that is not text');
      const start = this.offset;
      const key = this.#text(size);
      if (!inOrder(this.#bytes, before, beforeEnd, start, this.offset)) {
        this.fail('keys that are not in order, or the same twice');
      }
      [before, beforeEnd] = [start, this.offset];
      set(map, key, this.item(depth));
    }
    if (posesAsLink(map)) this.fail('a map that an encoder would take for a link');
    return map;
  }

  /** Tag 42 around a byte string. */
  #tagged(tag: number): Item<Link> {
    const [major, length] = this.head();
    if (this.failed === undefined && (tag !== 42 || major !== 2)) {
      this.fail('a tag other than that of a link');
    }
    if (this.failed !== undefined) return null;
    const content = this.#content(length);
    const link = this.failed === undefined ? this.#link?.(content) : undefined;
    if (link !== undefined) return link;
    this.fail('a link that is not one, or where none may be');
    return null;
  }

  #simple(argument: number): boolean | null {
    // The bits of a float are an argument too, but of a longer head: never one of these.
    if (argument === 20 || argument === 21) return argument === 21;
    if (argument !== 22) this.fail('a float, undefined or another simple value');
    return null;
  }
}

/** Text up to this length is often ASCII, and quicker read here than by the decoder. */
const shortText = 8;

function ascii(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = '';
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Is `bytes[from, to)` the key after `bytes[before, beforeEnd)`: longer, or as long and greater? */
function inOrder(
  bytes: Uint8Array,
  before: number,
  beforeEnd: number,
  from: number,
  to: number,
): boolean {
  const longer = to - from - (beforeEnd - before);
  if (longer !== 0) return longer > 0;
  for (let at = from; at < to; at++) {
    const difference = (bytes[at] ?? 0) - (bytes[before + at - from] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function set<T>(map: Record<string, T>, key: string, value: T): void {
  if (key !== '__proto__') map[key] = value;
  else {
    // By assignment it would become the prototype.
    const member = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(map, key, member);
  }
}

/** What `CID.asCID` takes for a link of another copy of the library. */
function posesAsLink(map: Readonly<Record<string, unknown>>): boolean {
  const mark = map['/'];
  return mark !== undefined && mark !== null && mark === map['bytes'];
}
