/** What every `Store` must do; run on LevelStore and MemoryStore. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { compare, toHex } from '../../src/bytes.ts';
import type { Store, StoreEntry, StoreRange, StoreWrite } from '../../src/ledger/store.ts';
import { must, refused } from '../support/result.ts';

export interface StoreHarness extends AsyncDisposable {
  readonly store: Store;
  /** Closes the store and opens it again, as a new process would. */
  reopen(): Promise<Store>;
}

const key = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const put = (k: Uint8Array, value: Uint8Array): StoreWrite => ({ key: k, value });
const all: StoreRange = { gte: key(), lt: key(0xff, 0xff) };

async function collect(store: Store, range: StoreRange, page = 3): Promise<StoreEntry[]> {
  await using scan = store.scan(range);
  const found: StoreEntry[] = [];
  for (;;) {
    const entries = must(await scan.next(page));
    assert.ok(entries.length <= page);
    if (entries.length === 0) return found;
    found.push(...entries);
  }
}

async function keysIn(store: Store, range: StoreRange): Promise<string[]> {
  return (await collect(store, range)).map((entry) => toHex(entry.key));
}

export function storeContract(name: string, make: () => Promise<StoreHarness>): void {
  describe(`store contract: ${name}`, () => {
    let h: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      h = await make();
      store = h.store;
    });
    afterEach(() => h[Symbol.asyncDispose]());

    it('returns what was written, and undefined for what was not', async () => {
      must(await store.batch([put(key(1), key(7)), put(key(2), key())], { sync: true }));
      assert.deepEqual(must(await store.get(key(1))), key(7));
      assert.deepEqual(must(await store.get(key(2))), key());
      assert.equal(must(await store.get(key(3))), undefined);
    });

    it('returns plain byte arrays, not Buffers', async () => {
      must(await store.batch([put(key(1), key(7))], { sync: false }));
      const value = must(await store.get(key(1)));
      assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype);
      const [entry] = await collect(store, all);
      assert.equal(Object.getPrototypeOf(entry?.key), Uint8Array.prototype);
      assert.equal(Object.getPrototypeOf(entry?.value), Uint8Array.prototype);
    });

    it('gets many values in the order of the keys', async () => {
      must(await store.batch([put(key(1), key(7)), put(key(3), key(9))], { sync: false }));
      const values = must(await store.getMany([key(3), key(2), key(1), key(3)]));
      assert.deepEqual(values, [key(9), undefined, key(7), key(9)]);
      assert.deepEqual(must(await store.getMany([])), []);
    });

    it('deletes, replaces, and takes the last of several writes of one key', async () => {
      must(await store.batch([put(key(1), key(7)), put(key(2), key(8))], { sync: false }));
      must(await store.batch([{ key: key(1) }, put(key(2), key(9))], { sync: false }));
      assert.equal(must(await store.get(key(1))), undefined);
      assert.deepEqual(must(await store.get(key(2))), key(9));
      const both = [put(key(5), key(1)), { key: key(5) }, put(key(5), key(2))];
      must(await store.batch(both, { sync: false }));
      assert.deepEqual(must(await store.get(key(5))), key(2));
    });

    it('keeps its own bytes: neither side sees later changes of the other', async () => {
      const value = key(1, 2, 3);
      must(await store.batch([put(key(1), value)], { sync: false }));
      value[0] = 9;
      const read = must(await store.get(key(1)));
      assert.deepEqual(read, key(1, 2, 3));
      read?.fill(0);
      assert.deepEqual(must(await store.get(key(1))), key(1, 2, 3));
    });

    it('scans half-open ranges in both directions in the order of unsigned bytes', async () => {
      const keys = [key(1), key(1, 0), key(1, 255), key(2), key(127), key(128), key(255)];
      must(
        await store.batch(
          keys.map((k) => put(k, k)),
          { sync: false },
        ),
      );
      assert.deepEqual(await keysIn(store, all), keys.map(toHex));
      const reverse = { ...all, reverse: true };
      assert.deepEqual(await keysIn(store, reverse), keys.map(toHex).toReversed());
      const part = { gte: key(1, 0), lt: key(128) };
      assert.deepEqual(await keysIn(store, part), ['0100', '01ff', '02', '7f']);
      const back = { ...part, reverse: true };
      assert.deepEqual(await keysIn(store, back), ['7f', '02', '01ff', '0100']);
      assert.deepEqual(await keysIn(store, { gte: key(3), lt: key(3) }), []);
    });

    it('leaves values out of a scan of keys', async () => {
      must(await store.batch([put(key(1), key(7))], { sync: false }));
      const [entry] = await collect(store, { ...all, keysOnly: true });
      assert.deepEqual(entry, { key: key(1), value: key() });
    });

    it('scans the store as it was when the scan began', async () => {
      const first = Array.from({ length: 20 }, (_, i) => put(key(1, i), key(i)));
      must(await store.batch(first, { sync: false }));
      await using scan = store.scan(all);
      const begin = must(await scan.next(5));
      must(await store.batch([put(key(1, 7), key(99)), put(key(2), key(0))], { sync: false }));
      must(await store.batch([{ key: key(1, 9) }], { sync: false }));
      const rest = must(await scan.next(100));
      const found = [...begin, ...rest].map((entry) => entry.value);
      assert.deepEqual(
        found,
        first.map((write) => write.value),
      );
    });

    it('keeps packed values of every size and content', async () => {
      const sizes = [0, 1, 4095, 4096, 4097, 200_000];
      for (const size of sizes) {
        const zeros = new Uint8Array(size);
        const noise = Uint8Array.from({ length: size }, (_, i) => (i * 7919 * (i >> 3)) & 255);
        for (const value of [zeros, noise]) {
          must(await store.batch([put(key(3, 1), value), put(key(4, 1), value)], { sync: false }));
          assert.deepEqual(must(await store.get(key(3, 1))), value);
          assert.deepEqual(must(await store.get(key(4, 1))), value);
          const values = (await collect(store, all)).map((entry) => entry.value);
          assert.deepEqual(values, [value, value]);
        }
      }
    });

    it('keeps what counts when a range is rewritten', async () => {
      must(await store.batch([put(key(3, 1), key(7)), put(key(3, 2), key(8))], { sync: false }));
      must(await store.batch([put(key(3, 1), key(9)), { key: key(3, 2) }], { sync: false }));
      must(await store.compact({ gte: key(3), lt: key(4) }));
      assert.deepEqual(await collect(store, all), [{ key: key(3, 1), value: key(9) }]);
      await store.close();
      refused(await store.compact({ gte: key(3), lt: key(4) }), 'store-closed');
    });

    it('finds everything again after it was closed and opened', async () => {
      must(await store.batch([put(key(1), key(7))], { sync: false }));
      const again = await h.reopen();
      assert.deepEqual(must(await again.get(key(1))), key(7));
    });

    it('answers store-closed after it was closed, however often', async () => {
      await store.close();
      await store.close();
      refused(await store.get(key(1)), 'store-closed');
      refused(await store.getMany([key(1)]), 'store-closed');
      refused(await store.batch([put(key(1), key(1))], { sync: true }), 'store-closed');
      await using scan = store.scan(all);
      refused(await scan.next(1), 'store-closed');
    });

    it('behaves as a sorted map under any sequence of batches', async () => {
      const bytes = fc.uint8Array({ maxLength: 3 });
      const writes = fc.array(fc.tuple(bytes, fc.option(bytes, { nil: undefined })), {
        maxLength: 40,
      });
      const model = new Map<string, StoreEntry>();
      await fc.assert(
        fc.asyncProperty(writes, async (list) => {
          const batch = list.map(([k, value]) =>
            value === undefined ? { key: k } : put(k, value),
          );
          must(await store.batch(batch, { sync: false }));
          for (const { key: k, value } of batch) {
            if (value === undefined) model.delete(toHex(k));
            else model.set(toHex(k), { key: k, value });
          }
          const wanted = [...model.values()].sort((a, b) => compare(a.key, b.key));
          assert.deepEqual(await collect(store, all, 7), wanted);
        }),
        { numRuns: 40 },
      );
    });
  });
}
