import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { logIdHash } from '../../src/ids.ts';
import { controlMap } from '../../src/ledger/control.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { makeRotation } from '../../src/ledger/key-chain.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { LevelStore, type Store } from '../../src/ledger/store.ts';
import type { SuccessionNews } from '../../src/ledger/successors.ts';
import { asLogIndex, asTreeSize } from '../../src/types.ts';
import {
  event,
  idsOf,
  openLedger,
  otherSigner,
  publish,
  signer,
  testHost,
  wires,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import {
  recovery,
  recoveryHash,
  nextHash,
  start,
  plan,
  log0,
  written,
  follower,
  sync,
  forged,
  draft,
  applyAll,
  genesisOf,
  intact,
} from '../support/succession.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Both stores: what a successor writes has to be there after a restart. */
const stores: Record<string, (folder: string) => Promise<Store>> = {
  memory: () => Promise.resolve(new MemoryStore()),
  LevelDB: async (folder) => must(await LevelStore.open(folder)),
};

for (const [name, open] of Object.entries(stores)) {
  describe(`a successor log (${name})`, () => {
    it('goes on from the head, and the predecessor takes nothing any more', async () => {
      await using folder = await tempDir();
      const { ledger, log } = await written(3, await open(folder.path));
      const before = ledger.log(log);
      assert.ok(before);
      const next = must(await ledger.successors.succeed(log, plan, recovery, signer));
      const closed = ledger.log(log);
      assert.equal(closed?.state, 'closed');
      assert.deepEqual(closed?.closing, {
        size: before.size,
        root: before.root,
        next,
        whole: true,
      });
      refused(await ledger.publish(log, [event('late')]), 'log-closed');
      const genesis = genesisOf(ledger, next);
      assert.equal(genesis.predecessor?.size, before.size);
      assert.deepEqual(genesis.stream, logIdHash(log));
      assert.deepEqual(genesis.recoveryHash, nextHash);
      assert.equal(ledger.successors.judged(next), 'linked');
      await publish(ledger, next, [event('later')]);
      assert.deepEqual(await idsOf(ledger, log, start), ['0', '1', '2']);
      assert.deepEqual(await idsOf(ledger, next, start), ['later']);
      for (const one of [log, next]) await intact(ledger, one);
      await ledger.close();
    });

    it('ends the predecessor before its head; what was behind is kept beside it', async () => {
      await using folder = await tempDir();
      const { ledger, log } = await written(300, await open(folder.path));
      const ends: number[] = [];
      for await (const block of ledger.blocks(log, start)) ends.push(block.size);
      const size = asTreeSize(ends[100] ?? 0);
      const { size: before = 0, resets } = ledger.log(log) ?? {};
      const gone = ends.length - 101;
      must(await ledger.successors.succeed(log, { ...plan, size }, recovery, signer));
      assert.ok(before > size);
      assert.equal(ledger.log(log)?.size, size);
      // Who asked for more of the log before can tell that its end is another one now.
      assert.notEqual(ledger.log(log)?.resets, resets);
      assert.equal((await idsOf(ledger, log, start)).length, 100);
      const evidence = must(await ledger.successors.evidence(log));
      assert.equal(evidence.length, gone);
      assert.equal(evidence[0]?.firstIndex, size);
      assert.equal(evidence.at(-1)?.size, before);
      assert.equal(must(await ledger.find(log, '/test', '299')), undefined);
      assert.equal(must(await ledger.find(log, '/test', '99')) !== undefined, true);
      await intact(ledger, log);
      must(await ledger.proofs.inclusion(log, asLogIndex(5)));
      await ledger.close();
    });
  });
}

describe('recovery into a successor', () => {
  it('is there after a restart, and a cut-off setting aside is completed', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const host = testHost();
    const ledger = await openLedger({ store, guard, host });
    const log = must(await ledger.create(log0, signer));
    await publish(ledger, log, [event('one')]);
    const size = ledger.log(log)?.size ?? asTreeSize(0);
    await publish(ledger, log, [event('two')]);
    const next = must(await ledger.successors.succeed(log, { ...plan, size }, recovery, signer));
    await publish(ledger, next, [event('three')]);
    await ledger.close();
    const again = await openLedger({
      store: store.crash('nothing'),
      guard: new MemoryGuard(guard.marks()),
    });
    await again.successors.settled();
    assert.equal(again.log(log)?.state, 'closed');
    assert.equal(again.log(log)?.closing?.whole, true);
    assert.equal(again.log(log)?.closing?.next, next);
    assert.deepEqual(await idsOf(again, log, start), ['one']);
    assert.deepEqual(await idsOf(again, next, start), ['three']);
    must(again.attachSigner(next, signer));
    await publish(again, next, [event('four')]);
    assert.equal(must(await again.successors.evidence(log)).length, 1);
    await again.close();
  });

  it('is refused without the recovery key, twice, inside a block, beyond the head', async () => {
    const { ledger, log } = await written(2);
    const { successors } = ledger;
    const call: typeof successors.succeed = (...args) => successors.succeed(...args);
    refused(await call(log, plan, signer, signer), 'recovery-key');
    refused(
      await call(log, { ...plan, size: asTreeSize(99) }, recovery, signer),
      'index-over-head',
    );
    refused(
      await call(log, { ...plan, size: asTreeSize(3) }, recovery, signer),
      'successor-predecessor',
    );
    await publish(ledger, log, [event('still')]);
    must(await call(log, plan, recovery, signer));
    refused(await call(log, plan, recovery, signer), 'log-closed');
    await ledger.close();
  });

  it('has a sane time where the last time of the predecessor lies in the future', async () => {
    const host = testHost();
    const ledger = await openLedger({ host });
    host.offsetMs = 40 * 86_400_000;
    const log = must(await ledger.create(log0, signer));
    await publish(ledger, log, [event('future')]);
    host.offsetMs = 0;
    refused(await ledger.publish(log, [event('now')]), 'clock-untrusted');
    const next = must(await ledger.successors.succeed(log, plan, recovery, signer));
    await publish(ledger, next, [event('now')]);
    assert.ok((ledger.log(next)?.time ?? 0) < (ledger.log(log)?.time ?? 0));
    await ledger.close();
  });

  it('saves the owner from a thief who rotates the key and publishes', async () => {
    const { ledger, log } = await written(2);
    const honest = await wires(ledger, log, start);
    const size = ledger.log(log)?.size ?? asTreeSize(0);
    const rotation = makeRotation(logIdHash(log), asLogIndex(size), signer, otherSigner);
    const taken = forged(log, honest, [
      [{ kind: 'control', map: controlMap(rotation) }],
      [draft('stolen')],
      [draft('more')],
    ]);
    const replica = await follower();
    await applyAll(replica, log, [...honest, ...taken.map(({ wire }) => wire)]);
    assert.deepEqual(await idsOf(replica, log, start), ['0', '1', 'stolen', 'more']);
    const news: SuccessionNews[] = [];
    replica.successors.onNews((one) => news.push(one));
    const next = must(await ledger.successors.succeed(log, { ...plan, size }, recovery, signer));
    await publish(ledger, next, [event('mine')]);
    await sync(ledger, replica, next);
    assert.deepEqual(
      news.map(({ kind }) => kind),
      ['closed'],
    );
    assert.equal(replica.log(log)?.size, size);
    assert.deepEqual(replica.log(log)?.writerKey, signer.publicKey);
    assert.deepEqual(await idsOf(replica, log, start), ['0', '1']);
    assert.deepEqual(await idsOf(replica, next, start), ['mine']);
    assert.equal(must(await replica.successors.evidence(log)).length, 3);
    await intact(replica, log);
    const late = await replica.apply(taken[0]?.wire ?? new Uint8Array(0), 'gossip');
    assert.equal(late.verdict.kind === 'ignore' && late.verdict.reason.code, 'log-closed');
    await Promise.all([ledger.close(), replica.close()]);
  });

  it('takes a home on the rejected history over to the chosen one', async () => {
    const { ledger, log } = await written(20);
    const common = (await wires(ledger, log, start)).slice(0, 12);
    const other = forged(
      log,
      common,
      Array.from({ length: 15 }, (_, i) => [draft(`other-${i}`)]),
    );
    const replica = await follower();
    await applyAll(replica, log, [...common, ...other.map(({ wire }) => wire)]);
    // The halves meet: the fork is known, the log frozen.
    const [contradiction] = (await wires(ledger, log, start)).slice(12);
    await replica.apply(contradiction ?? new Uint8Array(0), 'gossip');
    assert.equal(replica.log(log)?.state, 'frozen');
    const next = must(await ledger.successors.succeed(log, plan, recovery, signer));
    await publish(ledger, next, [event('after')]);
    const news: SuccessionNews[] = [];
    replica.successors.onNews((one) => news.push(one));
    await sync(ledger, replica, next);
    assert.equal(replica.log(log)?.state, 'closed');
    assert.equal(replica.log(log)?.closing?.whole, false);
    assert.equal(news[0]?.kind, 'wanted');
    await sync(ledger, replica, log);
    assert.equal(replica.log(log)?.closing?.whole, true);
    assert.equal(news.at(-1)?.kind, 'closed');
    assert.deepEqual(await idsOf(replica, log, start), await idsOf(ledger, log, start));
    await intact(replica, log);
    const kept = must(await replica.successors.evidence(log));
    for (const block of other) {
      assert.ok(kept.some(({ wire }) => Buffer.compare(wire, block.wire) === 0));
    }
    // Who joins late has heard of the fork and taken nothing of the log.
    const proof = must(await replica.forks.proof(log));
    const late = await follower();
    must(await late.forks.offer(proof ?? new Uint8Array(0), 'gossip'));
    must(await late.follow(log));
    assert.equal(late.log(log)?.state, 'frozen');
    await sync(ledger, late, next);
    assert.equal(late.log(log)?.state, 'closed');
    await sync(ledger, late, log);
    assert.deepEqual(await idsOf(late, log, start), await idsOf(ledger, log, start));
    assert.equal(late.log(log)?.closing?.whole, true);
    await Promise.all([ledger.close(), replica.close(), late.close()]);
  });

  it('closes a home that has not got so far yet exactly there', async () => {
    const { ledger, log } = await written(6);
    const all = await wires(ledger, log, start);
    const size = ledger.log(log)?.size ?? asTreeSize(0);
    const later = forged(log, all, [[draft('stolen')]]);
    const next = must(await ledger.successors.succeed(log, plan, recovery, signer));
    const replica = await follower();
    await applyAll(replica, log, all.slice(0, 2));
    await sync(ledger, replica, next);
    assert.equal(replica.log(log)?.closing?.whole, false);
    const early = await replica.apply(later[0]?.wire ?? new Uint8Array(0), 'gossip');
    assert.equal(early.verdict.kind === 'ignore' && early.verdict.reason.code, 'log-closed');
    await sync(ledger, replica, log);
    assert.equal(replica.log(log)?.size, size);
    assert.equal(replica.log(log)?.closing?.whole, true);
    await Promise.all([ledger.close(), replica.close()]);
  });

  it('waits for a predecessor that is not there yet', async () => {
    const { ledger, log } = await written(2);
    const next = must(await ledger.successors.succeed(log, plan, recovery, signer));
    const replica = await follower();
    await sync(ledger, replica, next);
    assert.equal(replica.successors.judged(next), 'waiting');
    await sync(ledger, replica, log);
    assert.equal(replica.successors.judged(next), 'linked');
    assert.equal(replica.log(log)?.closing?.whole, true);
    await Promise.all([ledger.close(), replica.close()]);
  });

  it('is recovered again: a chain of three', async () => {
    const { ledger, log } = await written(1);
    const second = must(
      await ledger.successors.succeed(log, { ...plan, recoveryHash }, recovery, signer),
    );
    await publish(ledger, second, [event('b')]);
    const third = must(await ledger.successors.succeed(second, plan, recovery, signer));
    await publish(ledger, third, [event('c')]);
    assert.equal(ledger.log(log)?.closing?.next, second);
    assert.equal(ledger.log(second)?.closing?.next, third);
    assert.deepEqual(genesisOf(ledger, third).stream, logIdHash(log));
    await ledger.close();
  });
});
