import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { LevelStore } from '../../src/ledger/store.ts';
import { crc32c } from '../../src/node/crc32c.ts';
import { unsnappy } from '../../src/node/snappy.ts';
import { checkTables } from '../../src/node/table-check.ts';
import { must } from '../support/result.ts';
import { tempFolder } from './cli/harness.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const text = (packed: readonly number[]): string | undefined => {
  const found = unsnappy(Uint8Array.from(packed), 1000);
  return found === undefined ? undefined : Buffer.from(found).toString();
};

describe('CRC-32C', () => {
  it('gives the checksums of RFC 3720', () => {
    assert.equal(crc32c(bytes('123456789')), 0xe306_9283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a91_36aa);
    assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8_ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd_794e);
    assert.equal(crc32c(new Uint8Array(0)), 0);
  });
});

describe('Snappy', () => {
  it('reads literals, copies and copies that overlap', () => {
    assert.equal(text([3, 0x08, 0x61, 0x62, 0x63]), 'abc');
    // 'ab', then four bytes from two back with a one-byte offset, then two from six back.
    assert.equal(text([8, 0x04, 0x61, 0x62, 0x01, 0x02, 0x06, 0x06, 0x00]), 'abababab');
    assert.equal(text([5, 0xf0, 0x04, 0x61, 0x62, 0x63, 0x64, 0x65]), 'abcde');
    assert.equal(text([0]), '');
  });

  it('refuses what is cut, too long, or looks before its beginning', () => {
    const refused = [
      [],
      [3, 0x08, 0x61],
      [0xff, 0xff, 0x03],
      [4, 0x00, 0x61, 0x01, 0x02],
      [2, 0x00, 0x61],
      [1, 0x04, 0x61, 0x62],
    ];
    for (const packed of refused) {
      assert.equal(unsnappy(Uint8Array.from(packed), 1000), undefined, packed.join());
    }
  });
});

describe('the check of table files', () => {
  it('passes a sound store and names the part of any byte that is changed', async () => {
    using folder = tempFolder();
    const path = join(folder.path, 'store');
    assert.deepEqual(must(await checkTables(path)), []);
    for (let round = 0; round < 2; round++) {
      // What is written stands in the log; it is moved to a table when the store is opened again.
      await using store = must(await LevelStore.open(path));
      const writes = Array.from({ length: 3000 }, (_, i) => ({
        key: bytes(`\u0007${String(i).padStart(8, '0')}`),
        value: bytes(`value ${i} ${'x'.repeat(i % 50)}`),
      }));
      must(await store.batch(writes, { sync: true }));
    }
    assert.deepEqual(must(await checkTables(path)), []);
    const name = (await readdir(path)).find((one) => one.endsWith('.ldb')) ?? '';
    const sound = await readFile(join(path, name));
    const places = Array.from({ length: 200 }, (_, i) => Math.floor((i * sound.length) / 200));
    const last = Array.from({ length: 60 }, (_, i) => sound.length - 1 - i);
    for (const at of [...places, ...last]) {
      const changed = Uint8Array.from(sound);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(join(path, name), changed);
      const [damage] = must(await checkTables(path));
      assert.ok(damage !== undefined, `byte ${at} of ${sound.length}`);
      assert.equal(damage.file, name);
      assert.notEqual(damage.expected, damage.found);
      const inFooter = at >= sound.length - 48;
      if (!inFooter) assert.ok(damage.from <= at && at < damage.to, `byte ${at}`);
    }
    await writeFile(join(path, name), sound.subarray(0, 20));
    assert.equal(must(await checkTables(path)).length, 1);
  });
});
