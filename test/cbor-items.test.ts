import assert from 'node:assert/strict';
import { decode, encode } from '@ipld/dag-cbor';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { CID } from 'multiformats/cid';
import { decodeUcan } from '../src/access/ucan-cbor.ts';
import { concat, equal, toHex, utf8 } from '../src/bytes.ts';
import { decodeCbor } from '../src/cbor.ts';
import { CborReader } from '../src/cbor-reader.ts';
import { hex, ran, suite } from './support/vectors.ts';

/**
 * The second opinion: the library's decoder, behind a walk over the heads for what it is too kind to,
 * and its encoder, whose bytes must be the same.
 */
function libraryReads(bytes: Uint8Array, links: boolean): unknown {
  if (!plain(bytes, links)) return refusal;
  try {
    const value: unknown = decode(bytes);
    return known(value, links) && equal(encode(value), bytes) ? value : refusal;
  } catch {
    return refusal;
  }
}

const refusal = Symbol('refused');

/** 32 levels, no floats, no tags but `links`, nothing cut, nothing after the item. */
function plain(bytes: Uint8Array, links: boolean): boolean {
  const reader = new CborReader(bytes);
  const open: number[] = [];
  for (;;) {
    const [major, argument] = reader.head();
    if (reader.failed !== undefined) return false;
    if (major === 6) {
      if (!links || argument !== 42 || (bytes[reader.offset] ?? 0) >>> 5 !== 2) return false;
      continue;
    }
    if (major === 2 || major === 3) reader.skip(argument);
    if (reader.failed !== undefined) return false;
    if (major === 7 && (argument < 20 || argument > 22)) return false;
    if (major === 4 || major === 5) {
      if (open.length >= 32) return false;
      open.push(major === 4 ? argument : argument * 2);
    } else if (open.length > 0) open.push((open.pop() ?? 0) - 1);
    while (open.at(-1) === 0) {
      open.pop();
      if (open.length > 0) open.push((open.pop() ?? 0) - 1);
    }
    if (open.length === 0) return reader.offset === bytes.length;
  }
}

function known(value: unknown, links: boolean): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean';
  if (value === null || value instanceof Uint8Array) return true;
  if (links && CID.asCID(value) !== null) return true;
  return Object.values(value).every((item) => known(item, links));
}

/** How many of two readings were accepted, after both agree with the library. */
function agree(bytes: Uint8Array): number {
  let accepted = 0;
  for (const links of [false, true]) {
    const expected = libraryReads(bytes, links);
    const read = links ? decodeUcan(bytes) : decodeCbor(bytes);
    const text = toHex(bytes);
    // The library drops a byte order mark from the beginning of text, and so takes what it wrote for wrong.
    const agreed = read.ok === (expected !== refusal) || (read.ok && text.includes('efbbbf'));
    assert.ok(agreed, text);
    if (!read.ok) continue;
    if (expected !== refusal) assert.deepEqual(read.value, expected);
    assert.ok(equal(encode(read.value), bytes));
    accepted += 1;
  }
  return accepted;
}

const link = CID.parse('bafkreiaqk4czmyeamwjgzjmozpkeqbs2dsfzziaygop3d6kzqc26exv6x4');
const version0 = CID.parse('QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n');

const key = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('', '1', '9', '10', '/', 'bytes', '__proto__', 'constructor', 'asCID', '\ufeffx'),
);
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.maxSafeInteger(),
    fc.integer({ min: -300, max: 300 }),
    fc.constantFrom(23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, -(2 ** 32) - 1, 1.5),
    key,
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom(link, version0),
    fc.uint8Array({ maxLength: 30 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

/** Canonical bytes of a value; of one that the encoder does not take, nothing. */
const canonical = values.map((value) => {
  try {
    return new Uint8Array(encode(value));
  } catch {
    return new Uint8Array(0);
  }
});

interface Edit {
  readonly at: number;
  readonly drop: number;
  readonly put: Uint8Array;
}
const put = fc.oneof(
  fc.uint8Array({ maxLength: 3 }),
  fc
    .constantFrom(
      'a0',
      '80',
      'd82a',
      'd82a4100',
      'd82a420001',
      'f7',
      'f90000',
      '9f',
      'ff',
      '1800',
      '1b001fff',
      '3b001fffffffffffff',
      '6161',
      'a1612f05',
      'c100',
      '62c3a9',
      '63efbbbf',
      '62c328',
      '7f',
    )
    .map(hex),
);
const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({ at: fc.nat(), drop: fc.nat({ max: 2 }), put }),
  { minLength: 1, maxLength: 3 },
);

function edited(bytes: Uint8Array, list: readonly Edit[]): Uint8Array {
  let now = bytes;
  for (const { at, drop, put: more } of list) {
    const place = at % (now.length + 1);
    now = concat(now.subarray(0, place), more, now.subarray(place + drop));
  }
  return now;
}

/** Bytes under tag 42. */
function tagged(content: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0xd8, 0x2a, 0x58, content.length), content);
}

function word(text: string): Uint8Array {
  return concat(Uint8Array.of(0x60 + text.length), utf8(text));
}

describe('the one strict pass over dag-cbor', () => {
  it('agrees with decoding and encoding again on what an encoder writes', () => {
    let accepted = 0;
    const property = fc.property(canonical, (bytes) => void (accepted += agree(bytes)));
    fc.assert(property, { numRuns: 500 });
    assert.ok(accepted > 300, `${accepted}`);
  });

  it('agrees with it on edited encodings', () => {
    let accepted = 0;
    const property = fc.property(canonical, edits, (bytes, list) => {
      accepted += agree(edited(bytes, list));
    });
    fc.assert(property, { numRuns: 3000 });
    assert.ok(accepted > 100, `${accepted}`);
  });

  it('agrees with it on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => void agree(bytes)),
      {
        numRuns: 3000,
      },
    );
    for (let first = 0; first < 256; first++) {
      agree(Uint8Array.of(first));
      for (const more of ['00', '14', '18', '60', 'f6', '0000', '6000', '0100000000', 'ffffffff']) {
        agree(concat(Uint8Array.of(first), hex(more)));
      }
    }
  });

  it('agrees with it on the published blocks', function () {
    for (const path of ['dagcbor/positive.json', 'dagcbor/negative.json']) {
      const rows = suite<{ hex: string }[]>(this, path);
      for (const row of rows) agree(hex(row.hex));
      ran(path, rows.length);
    }
  });

  it('goes 32 levels deep, in lists, in maps and in both', () => {
    for (const around of ['81', 'a160', '81a160', 'a16081']) {
      for (const inner of ['80', 'a0', 'f6']) {
        const levels = around.length === 6 ? 2 : 1;
        const deepest = inner === 'f6' ? 32 : 31;
        for (let n = 28; n <= 36; n++) {
          const bytes = hex(around.repeat(n) + inner);
          assert.equal(agree(bytes), n * levels > deepest ? 0 : 2, `${n} ${around} ${inner}`);
        }
      }
      assert.equal(agree(hex(`${around.repeat(100_000)}80`)), 0);
      assert.equal(agree(hex(`${around.repeat(15)}80`)), 2);
    }
  });

  it('refuses a link in another encoding than its own', () => {
    const bytes = encode(link);
    assert.equal(agree(bytes), 1);
    assert.equal(agree(encode(version0)), 1);
    const content = bytes.subarray(5);
    assert.equal(agree(tagged(concat(Uint8Array.of(0), content))), 1);
    // The version, and then the codec, in a varint of two bytes where one does.
    assert.equal(agree(tagged(concat(hex('008100'), content.subarray(1)))), 0);
    assert.equal(agree(tagged(concat(hex('0001d500'), content.subarray(2)))), 0);
    // Version 0, which is not written.
    assert.equal(agree(tagged(concat(hex('000070'), content.subarray(2)))), 0);
    assert.equal(agree(tagged(concat(Uint8Array.of(1), content))), 0);
    assert.equal(agree(tagged(concat(Uint8Array.of(0), content, Uint8Array.of(0)))), 0);
    assert.equal(agree(tagged(concat(Uint8Array.of(0), content.subarray(0, 20)))), 0);
  });

  it('refuses a map that an encoder takes for a link, and no other with such keys', () => {
    const map = (mark: Uint8Array, bytes: Uint8Array): Uint8Array =>
      concat(Uint8Array.of(0xa2), word('/'), mark, word('bytes'), bytes);
    assert.equal(agree(map(word('x'), word('x'))), 0);
    assert.equal(agree(map(hex('05'), hex('05'))), 0);
    assert.equal(agree(map(hex('f4'), hex('f4'))), 0);
    assert.equal(agree(concat(Uint8Array.of(0x81), map(word('x'), word('x')))), 0);
    assert.equal(agree(map(word('x'), word('y'))), 2);
    assert.equal(agree(map(hex('4100'), hex('4100'))), 2);
    assert.equal(agree(map(hex('f6'), hex('f6'))), 2);
  });

  it('keeps a byte order mark, in a key and in text of any length', () => {
    for (const text of ['\ufeff', '\ufeffx', `\ufeff${'x'.repeat(300)}`]) {
      for (const one of [text, { [text]: text }]) {
        const bytes = new Uint8Array(encode(one));
        assert.deepEqual(decodeCbor(bytes), { ok: true, value: one });
        assert.deepEqual(decodeUcan(bytes), { ok: true, value: one });
      }
    }
  });

  it('gives byte strings and links of their own', () => {
    for (const one of [encode(Uint8Array.of(1, 2, 3)), encode(link)]) {
      const input = new Uint8Array(one);
      const read = decodeUcan(input);
      input.fill(0xff);
      assert.ok(read.ok);
      assert.deepEqual(encode(read.value), new Uint8Array(one));
    }
  });
});
