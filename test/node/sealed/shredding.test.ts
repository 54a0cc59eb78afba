/** Crypto-shredding an epoch: what goes, what stays, and that it does not come back. */
import assert from 'node:assert/strict';
import { copyFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { grantEpochs, spans, type EpochNode } from '../../../src/access/epoch-keys.ts';
import { nodeCipher } from '../../../src/cipher-node.ts';
import { MemoryGuard } from '../../../src/ledger/guard.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { contentsCheck } from '../../../src/node/sealed/contents.ts';
import { Disclosing } from '../../../src/node/sealed/disclosing.ts';
import { proveEvent } from '../../../src/node/core/prove.ts';
import { GotKeys } from '../../../src/node/sealed/got-keys.ts';
import { OwnKeys, sealingOf } from '../../../src/node/sealed/own-keys.ts';
import { SealedRoom } from '../../../src/node/sealed/sealed-room.ts';
import { Shredding } from '../../../src/node/sealed/shredding.ts';
import type { LogView, StreamView } from '../../../src/node/node-api.ts';
import { asLogIndex, asStreamName, type LogId } from '../../../src/types.ts';
import {
  event,
  newLog,
  nodeSecret,
  openLedger,
  publish,
  signer,
} from '../../support/ledger-home.ts';
import { intact } from '../../support/proofs.ts';
import { must, refused } from '../../support/result.ts';
import { sync } from '../../support/retention.ts';
import { keyRandom } from '../../support/sealed.ts';
import { sealedLog } from '../../support/sealing.ts';
import { tempDir } from '../../support/temp-dir.ts';

interface TestHome {
  readonly ledger: Ledger;
  readonly room: SealedRoom;
  readonly shredding: Shredding;
  readonly actions: string[];
}

async function openHome(
  folder: string,
  store = new MemoryStore(),
  guard = new MemoryGuard([]),
): Promise<TestHome> {
  const own = must(await OwnKeys.open(join(folder, 'epochs'), nodeSecret, keyRandom));
  const got = must(await GotKeys.open(join(folder, 'got'), nodeSecret, keyRandom));
  const ledger = await openLedger({ sealing: sealingOf(own, got), store, guard });
  const room = new SealedRoom(ledger, { own, got });
  const actions: string[] = [];
  const did = (action: string, subject: string | undefined): void =>
    void actions.push(`${action} ${subject ?? ''}`);
  const shredding = new Shredding({ ledger, sealed: room, journal: { did } });
  return { ledger, room, shredding, actions };
}

function viewOf(ledger: Ledger, log: LogId, own = true): StreamView {
  const { size = 0, role = 'replica' } = ledger.log(log) ?? {};
  const one: LogView = {
    log,
    partition: 0,
    size,
    root: '',
    blocks: 0,
    role,
    state: 'open',
    lagEntries: 0,
    writerKey: '',
    lowest: 0,
  };
  return {
    display: 'orders',
    owner: newLog.owner,
    name: asStreamName('orders'),
    id: log,
    visibility: 'sealed',
    partitions: 1,
    own,
    followed: !own,
    paused: false,
    logs: [one],
  };
}

const actor = { who: 'test' };

/** 0 g, 1 p, 2 | 3 o0, 4 a, 5 | 6 o1, 7 b, 8 | 9 o2, 10 c, 11. */
async function threeEpochs(home: TestHome): Promise<LogId> {
  const { ledger } = home;
  const log = must(await ledger.create({ ...sealedLog, epochs: { everyEvents: 1 } }, signer));
  for (const id of ['a', 'b', 'c']) await publish(ledger, log, [event(id)]);
  return log;
}

async function states({ shredding, ledger }: TestHome, log: LogId): Promise<unknown> {
  return must(await shredding.epochs(viewOf(ledger, log))).map(
    ({ epoch, from, to, keys }) => `${epoch}: ${from}-${to} ${keys}`,
  );
}

async function readable({ ledger, room }: TestHome, log: LogId): Promise<readonly string[]> {
  const seen: string[] = [];
  for await (const entry of ledger.entries(log, asLogIndex(0))) {
    if (entry.kind !== 'sealed') continue;
    const opened = must(await room.open(entry));
    if ('sealed' in opened) seen.push(`${entry.index} ${opened.sealed.reason}`);
    else seen.push(`${entry.index} read`);
  }
  return seen;
}

const unheard = { did: (): void => undefined };

describe('crypto-shredding an epoch', () => {
  let folder: Awaited<ReturnType<typeof tempDir>>;
  beforeEach(async () => {
    folder = await tempDir();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('the log says it, the leaf and every node above it go, all siblings stay', async () => {
    const home = await openHome(folder.path);
    const log = await threeEpochs(home);
    const { ledger, shredding, room } = home;
    const root = room.own.held(log)[0]?.nodes[0] ?? assert.fail('no root');
    const done = must(await shredding.shred(viewOf(ledger, log), { epoch: 1 }, actor));
    assert.deepEqual(
      { ...done, log: 0 },
      { log: 0, epoch: 1, generation: 0, from: 7, to: 9, entry: 12, already: false },
    );
    assert.deepEqual(must(await ledger.entry(log, asLogIndex(12))).control, {
      type: 'shred',
      epoch: 1,
    });
    const kept = room.own.held(log)[0]?.nodes ?? [];
    assert.equal(kept.length, 32);
    assert.ok(!kept.some((node) => spans(node, 1)));
    for (const node of kept) {
      const [same] = must(
        grantEpochs(
          nodeCipher,
          root,
          node.node * 2 ** node.level,
          (node.node + 1) * 2 ** node.level,
        ),
      );
      assert.deepEqual(node, same);
    }
    assert.deepEqual(await readable(home, log), ['4 read', '7 shredded', '10 read']);
    assert.deepEqual(await states(home, log), ['0: 4-6 held', '1: 7-9 shredded', '2: 10-14 held']);
    assert.deepEqual(home.actions, [`stream.shred hw:${log} epoch 1`]);
    await ledger.close();
  });

  it('is durable: the file holds nothing of it, there is no other copy in the home', async () => {
    const home = await openHome(folder.path);
    const log = await threeEpochs(home);
    const root = home.room.own.held(log)[0]?.nodes[0] ?? assert.fail('no root');
    must(await home.shredding.shred(viewOf(home.ledger, log), { epoch: 1 }, actor));
    await home.ledger.close();
    assert.deepEqual(await readdir(folder.path), ['epochs']);
    assert.deepEqual(await readdir(join(folder.path, 'epochs')), [`${log}.epochs`]);
    const again = must(await OwnKeys.open(join(folder.path, 'epochs'), nodeSecret, keyRandom));
    const kept = again.held(log).flatMap(({ nodes }) => nodes);
    assert.equal(kept.length, 32);
    assert.ok(!kept.some(({ key }) => Buffer.from(key).equals(root.key)));
    assert.ok(!kept.some((node) => spans(node, 1)));
    assert.ok(again.isShredded(log, { epoch: 1, generation: 0 }));
  });

  it('leaves every proof of integrity, and what is disclosed says that it is gone', async () => {
    const home = await openHome(folder.path);
    const log = await threeEpochs(home);
    const { ledger, room } = home;
    must(await home.shredding.shred(viewOf(ledger, log), { epoch: 1 }, actor));
    const report = must(await ledger.verify(log));
    assert.equal(report.verdict, 'intact', JSON.stringify(report.firstProblem));
    const disclosing = new Disclosing(ledger, room);
    const prove = (part: 'none' | 'key' | 'all', at = 7): ReturnType<typeof proveEvent> =>
      proveEvent(ledger, log, asLogIndex(at), part, disclosing);
    assert.equal(intact(must(await prove('none'))).entry.kind, 1);
    refused(await prove('key'), 'event-shredded');
    refused(await prove('all'), 'event-shredded');
    assert.equal(intact(must(await prove('key', 10))).context?.['id'], 'c');
    const counts = must(await contentsCheck(ledger, room)(log));
    assert.deepEqual(counts, { events: 3, opened: 2, noKey: 0, shredded: 1 });
    await ledger.close();
  });

  it('takes its events out of the indexes; their ids stay taken, and the audit finds all in order', async () => {
    const home = await openHome(folder.path);
    const { ledger, shredding } = home;
    const log = must(await ledger.create({ ...sealedLog, epochs: { everyEvents: 1 } }, signer));
    for (const id of ['a', 'b']) await publish(ledger, log, [event(id, { subject: 's' })]);
    const indexes = async (): Promise<readonly number[]> => {
      const found: number[] = [];
      for await (const index of ledger.subjectIndexes(log, 's', { from: asLogIndex(0) })) {
        found.push(index);
      }
      return found;
    };
    assert.deepEqual(await indexes(), [4, 7]);
    const other = event('a', { subject: 's', data: '{"n":2}' });
    refused(must(await ledger.publish(log, [other]))[0] ?? assert.fail(), 'event-conflict');
    must(await shredding.shred(viewOf(ledger, log), { epoch: 0 }, actor));
    assert.deepEqual(await indexes(), [7]);
    const [again] = must(await ledger.publish(log, [other]));
    assert.ok(again?.ok === true && again.value.duplicate === true && again.value.index === 4);
    assert.equal(must(await ledger.verify(log)).verdict, 'intact');
    assert.deepEqual(must(await ledger.scrub.repair(log)).findings, []);
    assert.deepEqual(await indexes(), [7]);
    await ledger.close();
  });

  it('ends an epoch that is open first, and the writer goes on with other keys', async () => {
    const home = await openHome(folder.path);
    const { ledger, shredding } = home;
    const log = must(await ledger.create(sealedLog, signer));
    await publish(ledger, log, [event('a'), event('b')]);
    must(await shredding.shred(viewOf(ledger, log), { epoch: 0 }, actor));
    await publish(ledger, log, [event('c')]);
    assert.deepEqual(
      (await readable(home, log)).map((line) => line.split(' ')[1]),
      ['shredded', 'shredded', 'read'],
    );
    refused(await ledger.shreds.announce(log, 1), 'epoch-open');
    await ledger.close();
  });

  it('of the same epoch twice says it once; others follow, also neighbours and after a restart', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const home = await openHome(folder.path, store, guard);
    const log = await threeEpochs(home);
    const view = viewOf(home.ledger, log);
    const first = must(await home.shredding.shred(view, { epoch: 1 }, actor));
    const again = must(await home.shredding.shred(view, { epoch: 1 }, actor));
    assert.deepEqual(again, { ...first, already: true });
    must(await home.shredding.shred(view, { epoch: 0 }, actor));
    assert.deepEqual(await readable(home, log), ['4 shredded', '7 shredded', '10 read']);
    assert.equal(home.actions.length, 2);
    await home.ledger.close();
  });

  it('refuses an epoch that never was, a stream of another owner, one that is not sealed', async () => {
    const home = await openHome(folder.path);
    const log = await threeEpochs(home);
    const { ledger, shredding } = home;
    const view = viewOf(ledger, log);
    refused(await shredding.shred(view, { epoch: 9 }, actor), 'epoch-unknown');
    refused(
      await shredding.shred(viewOf(ledger, log, false), { epoch: 1 }, actor),
      'stream-not-own',
    );
    refused(
      await shredding.shred({ ...view, visibility: 'public' }, { epoch: 1 }, actor),
      'stream-not-sealed',
    );
    refused(await shredding.epochs({ ...view, visibility: 'direct' }), 'stream-not-sealed');
    const [one] = view.logs;
    assert.ok(one);
    const open = must(await ledger.create({ ...newLog, name: asStreamName('other') }, signer));
    const two = { ...view, logs: [one, { ...one, log: open }] };
    refused(await shredding.shred(two, { epoch: 1 }, actor), 'position-ambiguous');
    refused(
      await shredding.shred({ ...view, logs: [one] }, { epoch: 1, log: open }, actor),
      'log-unknown',
    );
    assert.equal(must(await shredding.shred(two, { epoch: 1, log }, actor)).already, false);
    assert.equal(home.actions.length, 1);
    await ledger.close();
  });

  it('is completed after a crash between the entry and the keys, and when a backup brings keys back', async () => {
    const home = await openHome(folder.path);
    const log = await threeEpochs(home);
    const { ledger, shredding, room } = home;
    const file = join(folder.path, 'epochs', `${log}.epochs`);
    const backup = join(folder.path, 'backup');
    await copyFile(file, backup);
    must(await ledger.shreds.announce(log, 1)); // and the process ends
    assert.ok(
      room.own.held(log)[0]?.nodes.some((node) => spans(node, 1)),
      'still there',
    );
    assert.deepEqual(
      await readable(home, log),
      ['4 read', '7 shredded', '10 read'],
      'used no more',
    );
    assert.equal(must(await shredding.honour(log)), 1);
    assert.equal(must(await shredding.honour(log)), 0);
    assert.ok(room.own.isShredded(log, { epoch: 1, generation: 0 }));
    const shredded = await readFile(file);
    await copyFile(backup, file);
    const own = must(await OwnKeys.open(join(folder.path, 'epochs'), nodeSecret, keyRandom));
    const restored = new SealedRoom(ledger, { own, got: new GotKeys() });
    const after = new Shredding({ ledger, sealed: restored, journal: unheard });
    assert.equal(must(await after.honour(log)), 1);
    assert.notDeepEqual(await readFile(file), await readFile(backup));
    assert.equal((await readFile(file)).length, shredded.length);
    await ledger.close();
  });

  it('is heeded by a reader who was given keys: its copies of them go too', async () => {
    const home = await openHome(join(folder.path, 'owner'));
    const log = await threeEpochs(home);
    const root = home.room.own.held(log)[0]?.nodes[0] ?? assert.fail('no root');
    const reader = await openHome(join(folder.path, 'reader'));
    must(await reader.ledger.follow(log));
    await sync(home.ledger, reader.ledger, log);
    assert.deepEqual(await readable(reader, log), ['4 no-key', '7 no-key', '10 no-key']);
    const nodes: readonly EpochNode[] = must(grantEpochs(nodeCipher, root, 0, 3));
    must(await reader.room.got.add(log, 0, nodes));
    assert.deepEqual(await readable(reader, log), ['4 read', '7 read', '10 read']);
    must(await home.shredding.shred(viewOf(home.ledger, log), { epoch: 1 }, actor));
    await sync(home.ledger, reader.ledger, log);
    assert.equal(must(await reader.shredding.honour(log)), 1);
    assert.deepEqual(await readable(reader, log), ['4 read', '7 shredded', '10 read']);
    const got = must(await GotKeys.open(join(folder.path, 'reader', 'got'), nodeSecret, keyRandom));
    assert.ok(!got.covers(log, { epoch: 1, generation: 0 }), 'nor on its disk');
    assert.ok(
      got.covers(log, { epoch: 0, generation: 0 }) && got.covers(log, { epoch: 2, generation: 0 }),
    );
    // A relay that never had a key is told the same, and nobody but the owner says it.
    const relay = await openHome(join(folder.path, 'relay'));
    must(await relay.ledger.follow(log));
    await sync(home.ledger, relay.ledger, log);
    assert.deepEqual(await readable(relay, log), ['4 no-key', '7 shredded', '10 no-key']);
    refused(await relay.ledger.shreds.announce(log, 0), 'redact-denied');
    for (const { ledger } of [home, reader, relay]) await ledger.close();
  });

  it('is in no new lease: nodes are taken from what is held', async () => {
    const home = await openHome(folder.path);
    const log = await threeEpochs(home);
    must(await home.shredding.shred(viewOf(home.ledger, log), { epoch: 1 }, actor));
    for (const { nodes } of home.room.own.held(log)) {
      for (const node of nodes) refused(grantEpochs(nodeCipher, node, 1, 2), 'epoch-not-covered');
    }
    await home.ledger.close();
  });
});
