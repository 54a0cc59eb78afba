/** Every kind of stored row is damaged, one at a time: the scrub finds it and mends it. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { keyspace, logKey, numberKey, tileKey, type Table } from '../../src/keyspace.ts';
import { fault } from '../../src/errors.ts';
import type { Finding } from '../../src/ledger/findings.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { RepairSource, Taken } from '../../src/ledger/repair.ts';
import { LevelStore, type Store, type StoreWrite } from '../../src/ledger/store.ts';
import { err, ok } from '../../src/result.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { events, otherSigner, publish, wires, withLog } from '../support/ledger-home.ts';
import { must } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';

const zero = asLogIndex(0);
const block = (number: number): Uint8Array => numberKey(keyspace.blocks, 1, number);

/** Hands out these blocks as a peer does; `told` collects what became of each. */
function holder(blocks: readonly Uint8Array[], told: Taken[] = []): RepairSource {
  return {
    async fetch(_log, _from, take) {
      for (const wire of blocks) {
        const taken = await take(wire, 'peer');
        told.push(taken);
        if (taken === 'done') return ok(undefined);
        if (taken !== 'more') break;
      }
      return err(fault('no-holder', 'nobody is left'));
    },
  };
}

interface Home {
  readonly ledger: Ledger;
  readonly store: Store;
  readonly log: LogId;
  readonly blocks: readonly Uint8Array[];
}

/** Genesis (0, 1), a block of 100 events (2 …), a rotation (103, 104), and 600 events in three. */
async function filled(store: Store): Promise<Home> {
  const guard = new MemoryGuard([]);
  const { ledger, log } = await withLog({ store, guard });
  await publish(ledger, log, events(100));
  must(await ledger.rotate(log, otherSigner));
  await publish(ledger, log, events(600, 100));
  const blocks = await wires(ledger, log, zero);
  return { ledger, store, log, blocks };
}

async function changed(store: Store, key: Uint8Array, at: number): Promise<StoreWrite> {
  const value = must(await store.get(key));
  assert.ok(value !== undefined);
  const place = at < 0 ? value.length + at : at;
  value[place] = (value[place] ?? 0) ^ 1;
  return { key, value };
}

async function firstRow(store: Store, table: Table, log?: number): Promise<StoreWrite> {
  const gte = log === undefined ? Uint8Array.of(table.prefix) : logKey(table, log);
  const lt = log === undefined ? Uint8Array.of(table.prefix + 1) : logKey(table, log + 1);
  await using scan = store.scan({ gte, lt });
  const [row] = must(await scan.next(1));
  assert.ok(row !== undefined);
  return row;
}

/** What is damaged, how, and where it must be found. */
interface Case {
  readonly name: string;
  readonly kind: Finding['kind'];
  readonly index: number;
  damage(home: Home): Promise<readonly StoreWrite[]>;
}

const cases: readonly Case[] = [
  {
    name: 'a block with a changed byte',
    kind: 'block',
    index: 105,
    damage: async ({ store }) => [await changed(store, block(3), -400)],
  },
  {
    name: 'a block that is gone',
    kind: 'block',
    index: 361,
    damage: async () => [{ key: block(4) }],
  },
  {
    name: 'the block of a rotation',
    kind: 'block',
    index: 103,
    damage: async () => [{ key: block(2) }],
  },
  {
    name: 'the first block',
    kind: 'block',
    index: 0,
    damage: async ({ store }) => [await changed(store, block(0), 40)],
  },
  {
    name: 'the newest block',
    kind: 'block',
    index: 617,
    damage: async ({ store }) => [await changed(store, block(5), 100)],
  },
  {
    name: 'a block in the place of another',
    kind: 'block',
    index: 361,
    damage: async ({ store }) => {
      const value = must(await store.get(block(3)));
      assert.ok(value !== undefined);
      return [{ key: block(4), value }];
    },
  },
  {
    name: 'a start that is gone',
    kind: 'rows',
    index: 105,
    damage: async () => [{ key: numberKey(keyspace.starts, 1, 105) }],
  },
  {
    name: 'a start that names another block',
    kind: 'rows',
    index: 105,
    damage: async ({ store }) => [await changed(store, numberKey(keyspace.starts, 1, 105), 5)],
  },
  {
    name: 'a time that is gone',
    kind: 'rows',
    index: 0,
    damage: async ({ store }) => [{ key: (await firstRow(store, keyspace.times, 1)).key }],
  },
  {
    name: 'a control entry that is gone',
    kind: 'rows',
    index: 103,
    damage: async () => [{ key: numberKey(keyspace.controls, 1, 103) }],
  },
  {
    name: 'a tile with a changed byte',
    kind: 'tile',
    index: 256,
    damage: async ({ store }) => [await changed(store, tileKey(1, 0, 1), 100)],
  },
  {
    name: 'a tile that is gone',
    kind: 'tile',
    index: 0,
    damage: async () => [{ key: tileKey(1, 0, 0) }],
  },
  {
    name: 'the head',
    kind: 'head',
    index: 0,
    damage: async ({ store }) => [await changed(store, logKey(keyspace.heads, 1), 40)],
  },
  rowCase('a subject row', keyspace.subjects, false),
  rowCase('a subject row', keyspace.subjects, true),
  rowCase('an id row', keyspace.ids, false),
  rowCase('an id row', keyspace.ids, true),
  {
    name: "the log's own row",
    kind: 'head',
    index: 0,
    damage: async ({ store }) => [{ key: (await firstRow(store, keyspace.logs)).key }],
  },
];

/** A row that must be there is missing, or one bit of its key has flipped: then there are two faults. */
function rowCase(name: string, table: Table, moved: boolean): Case {
  return {
    name: `${name} ${moved ? 'under another key' : 'that is gone'}`,
    kind: 'rows',
    index: -1,
    damage: async ({ store }) => {
      const { key, value = new Uint8Array(0) } = await firstRow(store, table, 1);
      const other = key.slice();
      other[8] = (other[8] ?? 0) ^ 1;
      return moved ? [{ key }, { key: other, value }] : [{ key }];
    },
  };
}

const stores: readonly (readonly [string, (folder: string) => Promise<Store>])[] = [
  ['memory', async () => new MemoryStore()],
  [
    'LevelDB',
    async (folder) => {
      await mkdir(join(folder, 'store'));
      return must(await LevelStore.open(join(folder, 'store')));
    },
  ],
];

for (const [kind, open] of stores) {
  describe(`Scrub over ${kind}`, () => {
    let dir: Awaited<ReturnType<typeof tempDir>>;
    let home: Home;
    beforeEach(async () => {
      dir = await tempDir();
      home = await filled(await open(dir.path));
    });
    afterEach(async () => {
      await home.ledger.close();
      await dir[Symbol.asyncDispose]();
    });

    for (const one of cases) {
      it(`finds and mends ${one.name}`, async () => {
        const { ledger, store, log, blocks } = home;
        must(await store.batch(await one.damage(home), { sync: true }));
        const { findings } = must(await ledger.scrub.repair(log, { source: holder(blocks) }));
        const [found] = findings;
        assert.equal(found?.kind, one.kind, JSON.stringify(findings));
        if (one.index >= 0) assert.equal(found.index, one.index);
        assert.equal(found.repairedFrom, one.kind === 'block' ? 'peer' : 'the blocks of this home');
        const report = must(await ledger.verify(log));
        assert.equal(report.verdict, 'intact', JSON.stringify(report.problems));
        assert.deepEqual(must(await ledger.scrub.repair(log)).findings, []);
        assert.deepEqual(await wires(ledger, log, zero), blocks);
      });
    }
  });
}
