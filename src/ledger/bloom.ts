/**
 * A blocked Bloom filter over keys that are hashes already: all bits of a key lie in one block of
 * 64 bytes, so a test touches one cache line. Twelve bits a row and five bits a key: about 0.7 % of
 * new keys look known at full capacity, and no known key looks new.
 *
 *   key bytes 0 … 3    block = uint32 · blocks / 2^32
 *   key bytes 4 … 6    a, key bytes 7 … 9 b: bits a[0,9) a[9,18) b[0,9) b[9,18) a[18,24)·b[18,21)
 */
import { readUint32 } from '../bytes.ts';

const blockBytes = 64;
const bitsPerRow = 12;
const bitsPerKey = 5;

export class BloomFilter {
  readonly bytes: Uint8Array;
  readonly #blocks: number;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#blocks = bytes.length / blockBytes;
  }

  static bytesFor(capacity: number): number {
    return Math.ceil((capacity * bitsPerRow) / 8 / blockBytes) * blockBytes;
  }

  static forCapacity(capacity: number): BloomFilter {
    return new BloomFilter(new Uint8Array(BloomFilter.bytesFor(capacity)));
  }

  /** Takes over bytes that such a filter had; undefined where their number does not fit. */
  static from(bytes: Uint8Array, capacity: number): BloomFilter | undefined {
    return bytes.length === BloomFilter.bytesFor(capacity) ? new BloomFilter(bytes) : undefined;
  }

  /** `key` has at least 10 bytes from `at` on. */
  add(key: Uint8Array, at: number = 0): void {
    const base = this.#base(key, at);
    for (let i = 0; i < bitsPerKey; i++) {
      const bit = bitOf(key, at + 4, i);
      const place = base + (bit >>> 3);
      this.bytes[place] = (this.bytes[place] ?? 0) | (1 << (bit & 7));
    }
  }

  /** False: certainly not added. */
  mayHave(key: Uint8Array, at: number = 0): boolean {
    const base = this.#base(key, at);
    for (let i = 0; i < bitsPerKey; i++) {
      const bit = bitOf(key, at + 4, i);
      if (((this.bytes[base + (bit >>> 3)] ?? 0) & (1 << (bit & 7))) === 0) return false;
    }
    return true;
  }

  #base(key: Uint8Array, at: number): number {
    return Math.floor((readUint32(key, at) * this.#blocks) / 0x100000000) * blockBytes;
  }
}

/** The i-th of the five bits, 0 … 511. */
function bitOf(key: Uint8Array, at: number, i: number): number {
  const half = i === 2 || i === 3 ? at + 3 : at;
  const bits = ((key[half] ?? 0) << 16) | ((key[half + 1] ?? 0) << 8) | (key[half + 2] ?? 0);
  if (i < 4) return (i % 2 === 0 ? bits : bits >>> 9) & 511;
  return (bits >>> 18) | (((key[at + 3] ?? 0) >>> 5) << 6);
}
