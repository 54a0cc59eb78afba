/** A crash at any write of a sealed log: what was acknowledged can be read, and a retry adds nothing twice. */
import assert from 'node:assert/strict';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { MemoryGuard } from '../../../src/ledger/guard.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import type { Store, StoreWrite } from '../../../src/ledger/store.ts';
import { GotKeys } from '../../../src/node/sealed/got-keys.ts';
import { OwnKeys, sealingOf } from '../../../src/node/sealed/own-keys.ts';
import { SealedRoom } from '../../../src/node/sealed/sealed-room.ts';
import type { Result } from '../../../src/result.ts';
import { asLogIndex, type LogId } from '../../../src/types.ts';
import {
  event,
  events,
  nodeSecret,
  openLedger,
  publish,
  signer,
  testHost,
} from '../../support/ledger-home.ts';
import { must } from '../../support/result.ts';
import { sealedLog } from '../../support/sealing.ts';
import { tempDir } from '../../support/temp-dir.ts';

interface Opened {
  readonly ledger: Ledger;
  readonly room: SealedRoom;
}

/** What the disk held at one moment. */
interface Snapshot {
  readonly store: MemoryStore;
  readonly keys: string;
  readonly guard: MemoryGuard;
  /** Events whose receipts were out. */
  readonly acknowledged: number;
}

const { random } = testHost();

async function open(store: Store, keys: string, guard: MemoryGuard): Promise<Opened> {
  const own = must(await OwnKeys.open(keys, nodeSecret, random));
  const got = must(await GotKeys.open(`${keys}.got`, nodeSecret, random));
  const ledger = await openLedger({
    store,
    guard,
    sealing: sealingOf(own, got),
  });
  return { ledger, room: new SealedRoom(ledger, { own, got }) };
}

async function copyOf(store: Store): Promise<MemoryStore> {
  const copy = new MemoryStore();
  await using scan = store.scan({ gte: new Uint8Array(0), lt: new Uint8Array(64).fill(255) });
  for (;;) {
    const page = must(await scan.next(1000));
    if (page.length === 0) return copy;
    const writes = page.map(({ key, value }) => ({ key: key.slice(), value: value.slice() }));
    must(await copy.batch(writes, { sync: true }));
  }
}

async function idsIn({ ledger, room }: Opened, log: LogId): Promise<string[]> {
  const ids: string[] = [];
  for await (const batch of ledger.batches(log, asLogIndex(0))) {
    const read = await room.reader(log, batch);
    for (let index: number = batch.from; index < batch.to; index++) {
      const content = read(index);
      if (content === undefined) continue;
      assert.ok('event' in content, `entry ${index}: ${JSON.stringify(content)}`);
      const { id }: { id: string } = JSON.parse(new TextDecoder().decode(content.event.attributes));
      ids.push(id);
    }
  }
  return ids;
}

describe('node/sealed crash', function () {
  this.timeout(30_000);

  it('at any write loses no acknowledged event, no key that is needed, and no order', async () => {
    await using dir = await tempDir();
    const inner = new MemoryStore();
    const guard = new MemoryGuard([]);
    const keys = join(dir.path, 'epochs');
    const snapshots: Snapshot[] = [];
    let [acknowledged, recording] = [0, false];
    const store: Store = {
      get: inner.get.bind(inner),
      getMany: inner.getMany.bind(inner),
      scan: inner.scan.bind(inner),
      compact: inner.compact.bind(inner),
      close: inner.close.bind(inner),
      [Symbol.asyncDispose]: inner.close.bind(inner),
      async batch(
        writes: readonly StoreWrite[],
        options: { readonly sync: boolean },
      ): Promise<Result<void>> {
        await snapshot();
        const written = await inner.batch(writes, options);
        await snapshot();
        return written;
      },
    };
    async function snapshot(): Promise<void> {
      if (!recording) return;
      const place = join(dir.path, `at-${snapshots.length}`);
      await cp(keys, place, { recursive: true, force: true }).catch(() => undefined);
      const copy = await copyOf(inner);
      snapshots.push({
        store: copy,
        keys: place,
        guard: new MemoryGuard(guard.marks()),
        acknowledged,
      });
    }
    const first = await open(store, keys, guard);
    const epochs = { everyEvents: 4 };
    const log = must(await first.ledger.create({ ...sealedLog, epochs }, signer));
    recording = true;
    const all = events(13);
    for (let at = 0; at < all.length; at += 3) {
      await publish(first.ledger, log, all.slice(at, at + 3));
      acknowledged = Math.min(at + 3, all.length);
      if (at === 3 || at === 9) must(await first.ledger.openEpoch(log, 'generation'));
    }
    recording = false;
    await first.ledger.close();
    assert.ok(snapshots.length >= 14, String(snapshots.length));
    const wanted = all.map(({ context }) => String(context['id']));
    for (const [i, one] of snapshots.entries()) {
      const again = await open(one.store, one.keys, one.guard);
      must(again.ledger.attachSigner(log, signer));
      const before = await idsIn(again, log);
      assert.ok(before.length >= one.acknowledged, `snapshot ${i}`);
      must(await again.ledger.publish(log, all));
      must(await again.ledger.openEpoch(log, 'generation'));
      await publish(again.ledger, log, [event('last')]);
      assert.deepEqual(await idsIn(again, log), [...wanted, 'last'], `snapshot ${i}`);
      assert.equal(must(await again.ledger.verify(log)).verdict, 'intact');
      await again.ledger.close();
    }
  });

  it('between root and entry costs an unused root, which the next attempt takes', async () => {
    await using dir = await tempDir();
    const inner = new MemoryStore();
    const keys = join(dir.path, 'epochs');
    const guard = new MemoryGuard([]);
    const first = await open(inner, keys, guard);
    const log = must(await first.ledger.create(sealedLog, signer));
    await publish(first.ledger, log, [event(1)]);
    const copy = await copyOf(inner);
    must(await first.room.own.next(log, { epoch: 1, generation: 1, begins: true }));
    const file = join(keys, `${log}.epochs`);
    const unused = await readFile(file);
    const root = first.room.own.held(log)[1]?.nodes[0]?.key;
    const again = await open(copy, keys, new MemoryGuard(guard.marks()));
    must(again.ledger.attachSigner(log, signer));
    await publish(again.ledger, log, [event(2)]);
    const opened = must(await again.room.newGeneration(log));
    assert.deepEqual([opened.epoch, opened.generation], [1, 1]);
    assert.deepEqual(again.room.own.held(log)[1]?.nodes[0]?.key, root);
    assert.deepEqual(await readFile(file), unused);
    await publish(again.ledger, log, [event(3)]);
    assert.deepEqual(await idsIn(again, log), ['1', '2', '3']);
    await Promise.all([first.ledger.close(), again.ledger.close()]);
  });
});
