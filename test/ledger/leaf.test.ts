import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import {
  checkParents,
  decodeLeaf,
  decodeParents,
  encodeLeaf,
  encodeParents,
  type Leaf,
  type Parent,
} from '../../src/ledger/leaf.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { asBlockNumber, asHash, asLogIndex, asTimeMs } from '../../src/types.ts';
import { fromPlain, mapFromPlain, toPlain } from '../support/plain.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

interface PlainParent {
  logId: string;
  from: number;
  to: number;
  rangeRoot: string;
}
interface PlainLeaf {
  kind: 0 | 1 | 2 | 3;
  time: number;
  attributesCommitment: string;
  dataCommitment: string;
  bodyLength: number;
  bodyHash: string;
  epoch: number;
  parents: PlainParent[];
  blockNumber: number;
  previousSeal: string;
  entries: number;
  lowest: number;
  map: unknown;
}
interface Leaves {
  valid: { id: string; fields: PlainLeaf; leaf_hex: string; leafHash_hex: string }[];
  invalid: { id: string; leaf_hex: string; code: string }[];
}

const hash = (text: string): ReturnType<typeof asHash> => asHash(hex(text));

function fromFields(plain: PlainLeaf): Leaf {
  const time = asTimeMs(plain.time);
  switch (plain.kind) {
    case 2:
      return {
        kind: 2,
        blockNumber: asBlockNumber(plain.blockNumber),
        previousSeal: hash(plain.previousSeal),
        entries: plain.entries,
        time,
        epoch: plain.epoch,
        lowest: asLogIndex(plain.lowest),
      };
    case 3:
      return { kind: 3, time, map: mapFromPlain(plain.map) };
    default: {
      const event = {
        time,
        attributesCommitment: hash(plain.attributesCommitment),
        dataCommitment: hash(plain.dataCommitment),
        bodyLength: plain.bodyLength,
        parents: plain.parents.map((parent) => ({
          log: hash(parent.logId),
          from: asLogIndex(parent.from),
          to: asLogIndex(parent.to),
          rangeRoot: hash(parent.rangeRoot),
        })),
      };
      if (plain.kind === 0) return { kind: 0, ...event };
      return { kind: 1, ...event, bodyHash: hash(plain.bodyHash), epoch: plain.epoch };
    }
  }
}

function toFields(leaf: Leaf): unknown {
  if (leaf.kind === 3) return { ...leaf, map: toPlain(leaf.map) };
  if (leaf.kind === 2) return { ...leaf, previousSeal: toHex(leaf.previousSeal) };
  const event = {
    ...leaf,
    attributesCommitment: toHex(leaf.attributesCommitment),
    dataCommitment: toHex(leaf.dataCommitment),
    parents: leaf.parents.map((parent) => ({
      logId: toHex(parent.log),
      from: parent.from,
      to: parent.to,
      rangeRoot: toHex(parent.rangeRoot),
    })),
  };
  return leaf.kind === 0 ? event : { ...event, bodyHash: toHex(leaf.bodyHash) };
}

const arbitraryHash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash);
const arbitraryTime = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map(asTimeMs);
const arbitraryParent: fc.Arbitrary<Parent> = fc
  .record({
    log: arbitraryHash,
    from: fc.nat(),
    more: fc.integer({ min: 1, max: 2 ** 32 }),
    rangeRoot: arbitraryHash,
  })
  .map(({ log, from, more, rangeRoot }) => ({
    log,
    from: asLogIndex(from),
    to: asLogIndex(from + more),
    rangeRoot,
  }));
const eventFields = {
  time: arbitraryTime,
  attributesCommitment: arbitraryHash,
  dataCommitment: arbitraryHash,
  bodyLength: fc.integer({ min: 0, max: 196_608 }),
  parents: fc.array(arbitraryParent, { maxLength: 5 }),
};
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const arbitraryLeaf: fc.Arbitrary<Leaf> = fc.oneof(
  fc.record({ kind: fc.constant(0 as const), ...eventFields }),
  fc.record({
    kind: fc.constant(1 as const),
    ...eventFields,
    bodyHash: arbitraryHash,
    epoch: uint32,
  }),
  fc.record({
    kind: fc.constant(2 as const),
    blockNumber: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map(asBlockNumber),
    previousSeal: arbitraryHash.map((bytes) => asHash(bytes.with(0, 1))),
    entries: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    time: arbitraryTime,
    epoch: uint32,
    lowest: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }).map(asLogIndex),
  }),
  fc.record({
    kind: fc.constant(3 as const),
    time: arbitraryTime,
    map: fc.record({ type: fc.string(), n: fc.maxSafeInteger(), b: fc.uint8Array() }),
  }),
);

describe('leaves', () => {
  it('are encoded, decoded and hashed as the independent reference does', function () {
    const { valid } = suite<Leaves>(this, 'headwater/leaves.json');
    for (const { id, fields, leaf_hex, leafHash_hex } of valid) {
      const bytes = encodeLeaf(fromFields(fields));
      assert.equal(toHex(bytes), leaf_hex, id);
      assert.equal(toHex(leafHash(nodeCrypto, bytes)), leafHash_hex, id);
      const decoded = must(decodeLeaf(hex(leaf_hex)), id);
      assert.deepEqual(toFields(decoded), { ...fields, ...normalMap(fields) }, id);
    }
    ran('headwater/leaves.json', valid.length);
  });

  it('are refused by code where a field is wrong', function () {
    const { invalid } = suite<Leaves>(this, 'headwater/leaves.json');
    for (const { id, leaf_hex, code } of invalid) refused(decodeLeaf(hex(leaf_hex)), code, id);
    ran('headwater/leaves.json', invalid.length);
  });

  it('fail when cut anywhere, and change their hash with every bit', function () {
    const { valid } = suite<Leaves>(this, 'headwater/leaves.json');
    for (const { id, leaf_hex, leafHash_hex } of valid) {
      const bytes = hex(leaf_hex);
      const step = Math.max(1, Math.floor(bytes.length / 400));
      for (let length = 0; length < bytes.length; length += step) {
        assert.equal(decodeLeaf(bytes.subarray(0, length)).ok, false, `${id} cut to ${length}`);
      }
      if (bytes.length > 200) continue;
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const flipped = bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
        const decoded = decodeLeaf(flipped);
        if (!decoded.ok) continue;
        assert.equal(toHex(encodeLeaf(decoded.value)), toHex(flipped), `${id} bit ${bit}`);
        assert.notEqual(toHex(leafHash(nodeCrypto, flipped)), leafHash_hex);
      }
    }
  });

  it('come back as they went in, whatever they hold', () => {
    fc.assert(
      fc.property(arbitraryLeaf, (leaf) => {
        const bytes = encodeLeaf(leaf);
        assert.deepEqual(toFields(must(decodeLeaf(bytes))), toFields(leaf));
        assert.equal(toHex(encodeLeaf(must(decodeLeaf(bytes)))), toHex(bytes));
      }),
      { numRuns: 200 },
    );
  });

  it('never throw on bytes that are no leaf', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const decoded = decodeLeaf(bytes);
        if (decoded.ok) assert.equal(toHex(encodeLeaf(decoded.value)), toHex(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('are not made from fields that a reader would refuse', () => {
    const map = { type: 'x', pad: new Uint8Array(65_535) };
    assert.throws(() => encodeLeaf({ kind: 3, time: asTimeMs(0), map }), RangeError);
  });

  it('keep their parents in order, twice where cited twice', () => {
    const log = asHash(new Uint8Array(32).fill(1));
    const one = { log, from: asLogIndex(5), to: asLogIndex(6), rangeRoot: log };
    const bytes = encodeParents([one, { ...one, to: asLogIndex(9) }, one]);
    assert.equal(bytes.length, 2 + 3 * 80);
    assert.deepEqual(
      must(decodeParents(bytes)).map((parent) => Number(parent.to)),
      [6, 9, 6],
    );
    assert.equal(checkParents(bytes, 0, bytes.length), undefined);
    refused(decodeParents(bytes.subarray(0, bytes.length - 1)), 'truncated');
  });
});

/** Maps in the suite come in any order of keys; ours come sorted, which deepEqual does not see. */
function normalMap(fields: PlainLeaf): { map?: unknown } {
  return fields.kind === 3 ? { map: toPlain(fromPlain(fields.map)) } : {};
}
