/** `store.rows`: one form, every cut and every flipped bit found by its sum or its shape. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, fromHex, toHex, utf8 } from '../../../src/bytes.ts';
import {
  decodeRows,
  encodeEnd,
  encodeFrame,
  encodeStart,
  FrameReader,
} from '../../../src/node/backup/rows-codec.ts';
import type { StoreEntry } from '../../../src/ledger/store.ts';
import { asHash } from '../../../src/types.ts';
import { must, refused } from '../../support/result.ts';

const marks = [
  { kind: 0, id: asHash(new Uint8Array(32).fill(1)), size: 7, root: asHash(new Uint8Array(32)) },
] as const;

async function file(rows: readonly StoreEntry[]): Promise<Uint8Array> {
  const bytes = rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const frame = rows.length === 0 ? new Uint8Array(0) : await encodeFrame(rows);
  return concat(encodeStart(), frame, encodeEnd({ rows: rows.length, bytes, marks }));
}

/** The rows of a file that comes in pieces of `step` bytes. */
async function read(bytes: Uint8Array, step: number): Promise<readonly StoreEntry[]> {
  const reader = new FrameReader();
  const rows: StoreEntry[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    for (const body of must(reader.push(bytes.subarray(at, at + step)))) {
      rows.push(...must(await decodeRows(body)));
    }
  }
  assert.deepEqual(must(reader.finish()).marks, marks);
  return rows;
}

describe('rows of a backup', () => {
  it('come back as they were, however they are cut on the way', async () => {
    const entry = fc.record({
      key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
      value: fc.uint8Array({ maxLength: 3000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 20 }), fc.nat(500), async (rows, step) => {
        const plain = rows.map(({ key, value }) => ({ key, value }));
        assert.deepEqual(await read(await file(rows), step + 1), plain);
      }),
      { numRuns: 60 },
    );
  });

  it('are no backup without their end, wherever they are cut, nor with more behind it', async () => {
    const whole = await file([{ key: Uint8Array.of(1), value: new Uint8Array(5000).fill(3) }]);
    for (let length = 0; length < whole.length; length++) {
      const reader = new FrameReader();
      const pushed = reader.push(whole.subarray(0, length));
      if (pushed.ok) refused(reader.finish(), 'backup-damaged');
    }
    refused(new FrameReader().push(concat(whole, Uint8Array.of(0))), 'backup-damaged');
  });

  it('are refused in another version, with absurd lengths and with a body that is none', async () => {
    const absurd = concat(encodeStart(), Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    refused(new FrameReader().push(absurd), 'backup-damaged');
    const newer = encodeStart();
    newer[7] = 2;
    refused(new FrameReader().push(newer), 'backup-damaged');
    refused(await decodeRows(Uint8Array.of(1, 2, 3)), 'backup-damaged');
    const trailer = concat(encodeStart(), new Uint8Array(4), Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7d));
    refused(new FrameReader().push(trailer), 'backup-damaged');
  });

  it('of version 1 are read from these bytes', async () => {
    const trailer =
      '{"rows":2,"bytes":4,"marks":[{"kind":0,"id":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"root":"0000000000000000000000000000000000000000000000000000000000000000"}]}';
    const frame = '28b52ffd0048a100000000000101000000020a0b000000010200000000';
    const golden = concat(
      must(fromHex(`4857424b000000010000001d${frame}00000000000000c4`)),
      utf8(trailer),
    );
    const rows = await read(golden, 1000);
    assert.deepEqual(
      rows.map(({ key, value }) => [toHex(key), toHex(value)]),
      [
        ['01', '0a0b'],
        ['02', ''],
      ],
    );
    const end = encodeEnd({ rows: 2, bytes: 4, marks });
    assert.equal(toHex(end), toHex(golden.subarray(41)));
  });
});
