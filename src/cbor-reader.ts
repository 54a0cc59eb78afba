/** Heads and values of canonical dag-cbor, read one by one; see src/cbor.ts for what is allowed. */
import { fromUtf8 } from './bytes.ts';
import { fault, type Fault } from './errors.ts';

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
