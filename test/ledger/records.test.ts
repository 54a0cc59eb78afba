/** What is stored beside the wire bytes: records, rows, filters. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { BloomFilter } from '../../src/ledger/bloom.ts';
import { BlockRecord, encodeRecord } from '../../src/ledger/block-record.ts';
import type { BlockEntry } from '../../src/ledger/block.ts';
import { decodeHead, encodeHead } from '../../src/ledger/head-record.ts';
import { IdKeys, stringForm } from '../../src/ledger/id-keys.ts';
import { contentCheckBytes, idRow, readIdRow } from '../../src/ledger/id-rows.ts';
import { nextSlices, type Slice } from '../../src/ledger/id-slices.ts';
import { decodeLogRow, encodeLogRow, type LogRow } from '../../src/ledger/log-row.ts';
import { packTile, packedTileBytes, PackedTile } from '../../src/ledger/packed-tile.ts';
import { openSchema, type Migration } from '../../src/ledger/schema.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { rowOffset, tileBytes } from '../../src/ledger/tile.ts';
import { appendLeaves } from '../../src/ledger/tree.ts';
import { EdgeTiles } from '../../src/ledger/edge-tiles.ts';
import { fault } from '../../src/errors.ts';
import { err, ok } from '../../src/result.ts';
import { asBlockNumber, asHash, asLogIndex, asTimeMs, asTreeSize } from '../../src/types.ts';
import { testLog, testSigner } from '../support/blocks.ts';
import { event, nodeSecret } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const input = fc
  .array(
    fc.record({
      kind: fc.constantFrom(0, 1, 2, 3),
      time: fc.nat({ max: 2 ** 31 }),
      gap: fc.nat({ max: 30 }),
      length: fc.nat({ max: 50 }),
    }),
    { minLength: 1, maxLength: 256 },
  )
  .map((rows) => {
    let end = 0;
    const entries = rows.map(({ kind, time, gap, length }) => {
      const body = kind < 2 && length > 0;
      const bodyOffset = body ? end + gap : -1;
      if (body) end = bodyOffset + length;
      const bodyLength = body ? length : 0;
      return { kind, time: asTimeMs(time), bodyOffset, bodyLength } as BlockEntry;
    });
    const wire = Uint8Array.from({ length: end + 7 }, (_, i) => i * 31);
    const leafHashes = Uint8Array.from({ length: 32 * entries.length }, (_, i) => i * 17);
    const number = asBlockNumber(7);
    const root = asHash(new Uint8Array(32).fill(4));
    return {
      number,
      firstIndex: asLogIndex(2 ** 40),
      form: 'full',
      entries,
      leafHashes,
      root,
      wire,
    } as const;
  });

describe('block records', () => {
  it('give back what they were made of, wherever the bodies lie', () => {
    fc.assert(
      fc.property(input, (given) => {
        const record = must(BlockRecord.read(nodeCrypto, encodeRecord(nodeCrypto, given)));
        assert.deepEqual(record.wire, given.wire);
        assert.deepEqual(record.root, given.root);
        assert.equal(record.number, given.number);
        assert.equal(record.firstIndex, given.firstIndex);
        assert.equal(record.size, given.firstIndex + given.entries.length);
        for (const [i, entry] of given.entries.entries()) {
          assert.equal(record.kind(i), entry.kind);
          assert.equal(record.time(i), entry.time);
          const { bodyOffset: at, bodyLength } = entry;
          const body = at < 0 ? undefined : given.wire.subarray(at, at + bodyLength);
          assert.deepEqual(record.body(i), body);
          const [high = 0, low = 0] = given.leafHashes.subarray(32 * i);
          assert.equal(record.leafCheck(i), high * 256 + low);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('refuse every cut and every changed byte, and never throw', () => {
    fc.assert(
      fc.property(input, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, place, flip) => {
        const stored = encodeRecord(nodeCrypto, given);
        const at = place % stored.length;
        refused(BlockRecord.read(nodeCrypto, stored.subarray(0, at)), 'store-corrupt');
        stored[at] = (stored[at] ?? 0) ^ flip;
        refused(BlockRecord.read(nodeCrypto, stored), 'store-corrupt');
        BlockRecord.read(nodeCrypto, stored, true);
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        refused(BlockRecord.read(nodeCrypto, noise), 'store-corrupt');
        BlockRecord.read(nodeCrypto, noise, true);
      }),
    );
  });
});

describe('heads and rows of logs', () => {
  const slice = { number: 3, firstIndex: 9, rows: 5, capacity: 4096, begun: asTimeMs(77) };

  it('give back what they were made of and refuse every change', () => {
    const { state, block } = testLog(testSigner(1));
    const head = { state, checkpoint: block.checkpoint, slices: [slice, { ...slice, number: 4 }] };
    const stored = encodeHead(nodeCrypto, head);
    assert.deepEqual(must(decodeHead(nodeCrypto, stored)), head);
    for (let at = 0; at < stored.length; at++) {
      const changed = stored.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      refused(decodeHead(nodeCrypto, changed), 'store-corrupt');
      refused(decodeHead(nodeCrypto, stored.subarray(0, at)), 'store-corrupt');
    }
  });

  it('keep role, standing and reason', () => {
    const row: LogRow = {
      number: 5,
      role: 'replica',
      standing: 'frozen',
      reason: fault('fork', 'two histories'),
      clockAhead: true,
    };
    for (const given of [
      row,
      { ...row, role: 'unfollowed', standing: 'open', reason: undefined } as const,
    ]) {
      const stored = encodeLogRow(given);
      assert.deepEqual(must(decodeLogRow(stored)), given);
      for (let at = 0; at < stored.length; at++) {
        refused(decodeLogRow(stored.subarray(0, at)), 'store-corrupt');
      }
    }
  });
});

describe('ids', () => {
  it('have the keys of the suite', function () {
    interface Row {
      nodeSecret_hex: string;
      source: string;
      eventId: string;
      key_hex: string;
    }
    const { dedupeRows } = suite<{ dedupeRows: Row[] }>(this, 'headwater/ids.json');
    for (const row of dedupeRows) {
      const keys = new IdKeys(nodeCrypto, hex(row.nodeSecret_hex));
      assert.deepEqual(keys.idKey(row.source, row.eventId), hex(row.key_hex));
    }
    ran('headwater/ids.json dedupe rows', dedupeRows.length);
  });

  it('hash long texts like short ones, in any order of calls', () => {
    const keys = new IdKeys(nodeCrypto, nodeSecret);
    const text = fc.string({ maxLength: 9000, unit: 'binary' });
    fc.assert(
      fc.property(text, text, (source, id) => {
        const wanted = nodeCrypto.sha256(
          Buffer.concat([nodeSecret, Buffer.from(source), Buffer.of(0), Buffer.from(id)]),
        );
        assert.deepEqual(keys.idKey(source, id), new Uint8Array(wanted.subarray(0, 16)));
      }),
      { numRuns: 30 },
    );
  });

  it('compare content by the string form of the attributes', () => {
    const keys = new IdKeys(nodeCrypto, nodeSecret);
    const number = event('a', { sequence: 5 });
    const text = event('a', { sequence: '5' });
    assert.deepEqual(keys.contentHash(number), keys.contentHash(text));
    assert.deepEqual(stringForm(number), text.attributes);
    const form = text.attributes;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(form.length);
    const whole = Buffer.concat([nodeSecret, Buffer.of(1, 1), length, form, text.data]);
    assert.deepEqual(keys.contentHash(text), nodeCrypto.sha256(whole));
    assert.notDeepEqual(keys.contentHash({ ...text, kind: 2 }), keys.contentHash(text));
  });

  it('have rows that give back index and check', () => {
    const check = fc.option(bytes(32), { nil: undefined });
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 - 1 }), check, bytes(16), (index, hash, key) => {
        const { value } = idRow(1, 2, key, index, hash);
        assert.ok(value !== undefined);
        const row = must(readIdRow(value));
        assert.equal(row.index, index);
        const kept = hash?.subarray(0, contentCheckBytes) ?? new Uint8Array(0);
        assert.deepEqual(new Uint8Array(row.check), new Uint8Array(kept));
      }),
    );
    refused(readIdRow(new Uint8Array(0)), 'store-corrupt');
    refused(readIdRow(new Uint8Array(13)), 'store-corrupt');
  });
});

const key = (n: number): Uint8Array => nodeCrypto.sha256(Uint8Array.of(n >> 16, n >> 8, n));

describe('BloomFilter', () => {
  it('knows all that was added and about one in a hundred others', () => {
    const filter = BloomFilter.forCapacity(4096);
    for (let n = 0; n < 4096; n++) filter.add(key(n));
    for (let n = 0; n < 4096; n++) assert.ok(filter.mayHave(key(n)));
    let wrong = 0;
    for (let n = 4096; n < 24_096; n++) if (filter.mayHave(key(n))) wrong += 1;
    assert.ok(wrong < 20_000 * 0.015, `${wrong} of 20000`);
    const again = BloomFilter.from(filter.bytes, 4096);
    assert.ok(again?.mayHave(key(5)));
    assert.equal(BloomFilter.from(filter.bytes.subarray(1), 4096), undefined);
  });
});

describe('slices of ids', () => {
  const rules = { dedupeWindowMs: 8000, minDedupeSliceRows: 100, maxDedupeSliceRows: 1600 };
  const add = (slices: readonly Slice[], time: number, rows: number): readonly Slice[] =>
    nextSlices(rules, slices, { firstIndex: time, time: asTimeMs(time), rows });

  it('grow fourfold when they are full, up to the limit', () => {
    let slices: readonly Slice[] = [];
    for (let i = 0; i < 120; i++) slices = add(slices, 1, 50);
    assert.deepEqual(
      slices.map((slice) => slice.capacity),
      [100, 400, 1600, 1600, 1600, 1600],
    );
    assert.ok(slices.every((slice) => slice.rows <= slice.capacity));
    assert.equal(
      slices.reduce((sum, slice) => sum + slice.rows, 0),
      6000,
    );
  });

  it('end after an eighth of the window and leave it at its end', () => {
    let slices: readonly Slice[] = [];
    for (let time = 0; time <= 20_000; time += 500) slices = add(slices, time, 1);
    const numbers = slices.map((slice) => slice.number);
    assert.ok(numbers.length >= 9 && numbers.length <= 10);
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i),
    );
    // What came within the window is still there.
    assert.ok((slices[0]?.begun ?? 0) <= 20_000 - 8000);
  });
});

describe('packed tiles', () => {
  it('give every node of the full tile and refuse every change', () => {
    const leaves = Uint8Array.from({ length: 256 * 32 }, (_, i) => (i * 7) ^ (i >> 8));
    const { nodes } = appendLeaves(nodeCrypto, [], asTreeSize(0), leaves);
    const [full] = new EdgeTiles().append(leaves, nodes);
    assert.equal(full?.bytes.length, tileBytes);
    const stored = packTile(nodeCrypto, full?.bytes ?? leaves);
    assert.equal(stored.length, packedTileBytes);
    const tile = must(PackedTile.read(nodeCrypto, stored));
    for (let row = 0; row <= 8; row++) {
      for (let index = 0; index < 2 ** (8 - row); index++) {
        const at = rowOffset(row) + 32 * index;
        const wanted: Uint8Array | undefined = full?.bytes.slice(at, at + 32);
        assert.deepEqual(tile.node(nodeCrypto, row, index), wanted, `${row}/${index}`);
      }
    }
    assert.deepEqual(tile.lowest, leaves);
    for (let at = 0; at < stored.length; at += 61) {
      const changed = stored.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      refused(PackedTile.read(nodeCrypto, changed), 'store-corrupt');
    }
    refused(PackedTile.read(nodeCrypto, stored.subarray(1)), 'store-corrupt');
  });
});

const done: Migration = () => Promise.resolve(ok(undefined));
const failing: Migration = () => Promise.resolve(err(fault('disk-full', 'told to fail')));

describe('schema of the store', () => {
  it('is set once, refused when newer and migrated step by step when older', async () => {
    const store = new MemoryStore();
    must(await openSchema(store, 3, {}));
    must(await openSchema(store, 3, {}));
    refused(await openSchema(store, 2, {}), 'schema-newer');
    const done: number[] = [];
    const step = (n: number) => () => {
      done.push(n);
      return Promise.resolve(ok(undefined));
    };
    must(await openSchema(store, 5, { 3: step(3), 4: step(4) }));
    assert.deepEqual(done, [3, 4]);
    must(await openSchema(store, 5, {}));
    refused(await openSchema(store, 6, {}), 'schema-damaged');
  });

  it('goes on behind the last step that was done', async () => {
    const store = new MemoryStore();
    must(await openSchema(store, 1, {}));
    refused(await openSchema(store, 3, { 1: done, 2: failing }), 'disk-full');
    must(await openSchema(store, 3, { 2: done }));
  });

  it('is missed in a store that has data', async () => {
    const store = new MemoryStore();
    must(await store.batch([{ key: Uint8Array.of(3), value: new Uint8Array(1) }], { sync: true }));
    refused(await openSchema(store), 'schema-damaged');
  });
});
