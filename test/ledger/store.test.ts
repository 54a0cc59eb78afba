import assert from 'node:assert/strict';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { LevelStore, type Store } from '../../src/ledger/store.ts';
import { storeContract } from '../contract/store.ts';
import { must, refused } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';

storeContract('MemoryStore', () => {
  let store = new MemoryStore();
  return Promise.resolve({
    get store() {
      return store;
    },
    reopen(): Promise<Store> {
      store = store.crash('nothing');
      return Promise.resolve(store);
    },
    [Symbol.asyncDispose]: () => store.close(),
  });
});

storeContract('LevelStore', async () => {
  const dir = await tempDir();
  let store = must(await LevelStore.open(dir.path));
  return {
    get store() {
      return store;
    },
    async reopen(): Promise<Store> {
      await store.close();
      store = must(await LevelStore.open(dir.path));
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await dir[Symbol.asyncDispose]();
    },
  };
});

const key = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

describe('MemoryStore', () => {
  it('keeps everything over kill -9 and only what was synced over a power cut', async () => {
    const store = new MemoryStore();
    must(await store.batch([{ key: key(1), value: key(1) }], { sync: true }));
    must(await store.batch([{ key: key(2), value: key(2) }], { sync: false }));
    assert.equal(store.crash('nothing').size, 2);
    const left = store.crash('unsynced');
    assert.equal(left.size, 1);
    assert.deepEqual(must(await left.get(key(1))), key(1));
    refused(await store.get(key(1)), 'store-closed');
  });

  it('syncs earlier batches with a later synced one', async () => {
    const store = new MemoryStore();
    must(await store.batch([{ key: key(1), value: key(1) }], { sync: false }));
    must(await store.batch([], { sync: true }));
    assert.equal(store.crash('unsynced').size, 1);
  });
});

describe('LevelStore', () => {
  it('refuses a folder that another handle uses', async () => {
    await using dir = await tempDir();
    await using _store = must(await LevelStore.open(dir.path));
    refused(await LevelStore.open(dir.path), 'store-locked');
  });

  it('answers store-corrupt for a packed value that was changed on the disk', async () => {
    await using dir = await tempDir();
    const value = new Uint8Array(100_000).map((_, i) => (i * i) & 255);
    {
      await using store = must(await LevelStore.open(dir.path));
      must(await store.batch([{ key: key(3, 1), value }], { sync: true }));
    }
    // The log becomes a table when the store is opened again, with a checksum that reads pass over.
    await must(await LevelStore.open(dir.path)).close();
    const [table = ''] = (await readdir(dir.path)).filter((name) => name.endsWith('.ldb'));
    const path = join(dir.path, table);
    const bytes = await readFile(path);
    bytes[20] = (bytes[20] ?? 0) ^ 0xff;
    await writeFile(path, bytes);
    await using store = must(await LevelStore.open(dir.path));
    const read = await store.get(key(3, 1));
    // zstd notices a damaged frame head; elsewhere the record's own checksum must.
    if (read.ok) assert.notDeepEqual(read.value, value);
    else refused(read, 'store-corrupt');
  });

  it('opens a store whose log ends in the middle of a record', async () => {
    await using dir = await tempDir();
    {
      await using store = must(await LevelStore.open(dir.path));
      must(await store.batch([{ key: key(1), value: key(1) }], { sync: true }));
      must(await store.batch([{ key: key(2), value: new Uint8Array(500) }], { sync: true }));
    }
    const [log = ''] = (await readdir(dir.path)).filter((name) => name.endsWith('.log'));
    const file = await open(join(dir.path, log), 'r+');
    await file.truncate((await file.stat()).size - 100);
    await file.close();
    await using store = must(await LevelStore.open(dir.path));
    assert.deepEqual(must(await store.get(key(1))), key(1));
    assert.equal(must(await store.get(key(2))), undefined);
  });
});
