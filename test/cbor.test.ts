import assert from 'node:assert/strict';
import { decode } from '@ipld/dag-cbor';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { base32 } from 'multiformats/bases/base32';
import { base58btc } from 'multiformats/bases/base58';
import { concat, toHex, utf8 } from '../src/bytes.ts';
import {
  CborReader,
  compareKeys,
  decodeCbor,
  decodeCborMap,
  encodeCbor,
  isCborMap,
  type CborValue,
} from '../src/cbor.ts';
import { nodeCrypto } from '../src/crypto-node.ts';
import { parseDid, parseLogId } from '../src/ids.ts';
import { hex, ran, suite } from './support/vectors.ts';

function codeOf(bytes: Uint8Array): string {
  const decoded = decodeCbor(bytes);
  return decoded.ok ? 'accepted' : decoded.error.code;
}

/** What our signed subset leaves out of dag-cbor, found with the library's own decoder. */
function leftOut(value: unknown): readonly string[] {
  if (typeof value === 'bigint') return ['big integer'];
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return ['float'];
    return Number.isSafeInteger(value) ? [] : ['big integer'];
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if ('/' in value && 'multihash' in value) return ['link'];
  return [...new Set(Object.values(value).flatMap(leftOut))];
}

function read53(text: string): CborValue {
  const decoded = decodeCbor(hex(text));
  return decoded.ok ? decoded.value : decoded.error.code;
}

/** Either refused with the code, or the only encoding of what it says. */
function judge(bytes: Uint8Array): void {
  const decoded = decodeCbor(bytes);
  if (decoded.ok) assert.deepEqual(encodeCbor(decoded.value), bytes);
  else assert.equal(decoded.error.code, 'cbor-encoding');
}

/** A log id around a multihash, and a did:key around a key of 32 bytes. */
function logIdOf(multihash: string): string {
  return base32.encode(hex(`0155${multihash}`));
}
function didOf(varint: string): string {
  return `did:key:${base58btc.encode(hex(`${varint}${'11'.repeat(32)}`))}`;
}

/** `levels` lists around an empty one. */
function nested(levels: number): Uint8Array {
  return hex(`${'81'.repeat(levels)}80`);
}

describe('signed dag-cbor', () => {
  it('reads and writes the published blocks, but for floats, links and big integers', function () {
    const path = 'dagcbor/positive.json';
    const rows = suite<Positive[]>(this, path);
    const refused: Record<string, number> = {};
    for (const { name, hex: text, cid } of rows) {
      const bytes = hex(text);
      const reasons = leftOut(decode(bytes));
      const decoded = decodeCbor(bytes);
      if (reasons.length > 0) {
        assert.equal(codeOf(bytes), 'cbor-encoding', name);
        for (const reason of reasons) refused[reason] = (refused[reason] ?? 0) + 1;
        continue;
      }
      assert.ok(decoded.ok, name);
      assert.equal(toHex(encodeCbor(decoded.value)), text, name);
      const digest = concat(Uint8Array.of(1, 0x71, 0x12, 0x20), nodeCrypto.sha256(bytes));
      assert.equal(base32.encode(digest), cid, name);
    }
    assert.deepEqual(refused, { 'big integer': 7, float: 12, link: 18 });
    ran(path, rows.length);
  });

  it('refuses every block that a strict decoder must refuse', function () {
    const path = 'dagcbor/negative.json';
    const rows = suite<Negative[]>(this, path);
    for (const { hex: text, why } of rows) {
      assert.equal(codeOf(hex(text)), 'cbor-encoding', why);
    }
    ran(path, rows.length);
  });

  it('carries multihashes and varints only as our identifiers have them', function () {
    const path = 'dagcbor/multihash-varint.json';
    const rows = suite<Multihashes>(this, path);
    for (const { bits, input_ascii, multihash_hex } of rows.multihash_sha2_256) {
      const digest = toHex(nodeCrypto.sha256(utf8(input_ascii)));
      assert.equal(multihash_hex.slice(4), digest.slice(0, bits / 4));
      assert.equal(parseLogId(logIdOf(multihash_hex)).ok, bits === 256);
    }
    for (const { hex: text, why } of rows.multihash_invalid) {
      assert.ok(!parseLogId(logIdOf(text)).ok, why);
    }
    // A did:key begins with the varint of its key type: 237 for Ed25519 and no other.
    for (const { n, hex: text } of rows.varint) assert.equal(parseDid(didOf(text)).ok, n === 237);
    for (const { hex: text, why } of rows.varint_invalid) {
      assert.ok(!parseDid(didOf(text)).ok, why);
    }
    assert.ok(!parseDid(didOf(rows.varint_max.hex)).ok);
    const { multihash_sha2_256: good, multihash_invalid: bad, varint, varint_invalid } = rows;
    ran(path, good.length + bad.length + varint.length + varint_invalid.length + 1);
  });

  it('refuses what decodes to a whole number but is a float', () => {
    for (const text of [
      'fb3ff0000000000000',
      'f93c00',
      'fb0000000000000000',
      'fb8000000000000000',
    ]) {
      assert.equal(codeOf(hex(text)), 'cbor-encoding');
    }
  });

  it('reads integers up to 2^53-1 and no further', () => {
    assert.equal(read53('1b001fffffffffffff'), Number.MAX_SAFE_INTEGER);
    assert.equal(read53('3b001ffffffffffffe'), -Number.MAX_SAFE_INTEGER);
    assert.equal(read53('1b0020000000000000'), 'cbor-encoding');
    assert.equal(read53('3b001fffffffffffff'), 'cbor-encoding');
    const reader = new CborReader(hex('1b0020000000000000'));
    assert.equal(reader.uint(), 0);
    assert.equal(reader.failed?.code, 'integer-too-large');
  });

  it('reads 32 levels and not 33', () => {
    assert.equal(codeOf(nested(31)), 'accepted');
    assert.equal(codeOf(nested(32)), 'cbor-encoding');
    assert.equal(codeOf(hex(`${'a16161'.repeat(31)}a0`)), 'accepted');
    assert.equal(codeOf(hex(`${'a16161'.repeat(32)}a0`)), 'cbor-encoding');
    assert.equal(codeOf(hex(`${'81'.repeat(100_000)}80`)), 'cbor-encoding');
  });

  it('is not confused by a key that JavaScript treats specially', () => {
    const key = '695f5f70726f746f5f5f'; // "__proto__" with its head
    for (const value of ['f6', '05', 'a0', 'a1617805']) {
      const bytes = hex(`a1${key}${value}`);
      const decoded = decodeCborMap(bytes);
      if (decoded.ok) assert.deepEqual(encodeCbor(decoded.value), bytes);
      else assert.equal(decoded.error.code, 'cbor-encoding');
      assert.equal(Object.hasOwn(Object.prototype, 'x'), false);
    }
  });

  it('tells maps from everything else', () => {
    assert.ok(decodeCborMap(hex('a0')).ok);
    for (const text of ['80', '40', 'f6', '60', '00']) {
      const decoded = decodeCborMap(hex(text));
      assert.equal(decoded.ok ? 'accepted' : decoded.error.code, 'cbor-shape');
    }
    assert.ok(!isCborMap(undefined));
  });

  const text = fc.string({ unit: 'grapheme', maxLength: 12 });
  const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.maxSafeInteger(),
      text,
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(text, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    ),
  }));

  it('reads back any value that it writes, and no part of its bytes', () => {
    fc.assert(
      fc.property(value, (written) => {
        const bytes = encodeCbor(written);
        const decoded = decodeCbor(bytes);
        assert.ok(decoded.ok);
        assert.deepEqual(decoded.value, written);
        for (let cut = 0; cut < bytes.length; cut++) {
          assert.equal(codeOf(bytes.subarray(0, cut)), 'cbor-encoding');
        }
        assert.equal(codeOf(concat(bytes, Uint8Array.of(0))), 'cbor-encoding');
      }),
    );
  });

  it('has one encoding for a value, and refuses any bytes with a code', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), judge));
    fc.assert(
      fc.property(value, fc.nat(), fc.nat({ max: 254 }), (written, at, by) => {
        const bytes = encodeCbor(written);
        const place = at % bytes.length;
        judge(bytes.with(place, ((bytes[place] ?? 0) + 1 + by) % 256));
      }),
    );
  });

  it('sorts map keys by length and then bytes, as the library does', () => {
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 6 }), (keys) => {
        const reader = new CborReader(encodeCbor(Object.fromEntries(keys.map((key) => [key, 0]))));
        const [major, count] = reader.head();
        assert.deepEqual([major, count], [5, keys.length]);
        const found = keys.map(() => {
          const key = reader.text();
          reader.uint();
          return key;
        });
        reader.end();
        assert.equal(reader.failed, undefined);
        assert.deepEqual(found, keys.toSorted(compareKeys));
      }),
    );
  });
});

interface Positive {
  name: string;
  hex: string;
  cid: string;
}
interface Negative {
  hex: string;
  why: string;
}
interface Multihashes {
  multihash_sha2_256: { bits: number; input_ascii: string; multihash_hex: string }[];
  multihash_invalid: { hex: string; why: string }[];
  varint: { n: number; hex: string }[];
  varint_max: { hex: string };
  varint_invalid: { hex: string; why: string }[];
}
