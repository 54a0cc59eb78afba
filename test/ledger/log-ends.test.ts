/** A log whose writer was revoked ends where its owner says. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { LevelStore, type Store } from '../../src/ledger/store.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { limits } from '../../src/limits.ts';
import { asLogIndex, asTreeSize, type LogId } from '../../src/types.ts';
import { event, idsOf, openLedger, publish, signer, wires } from '../support/ledger-home.ts';
import { must } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';
import {
  draft,
  forged,
  intact,
  plan,
  recovery,
  start,
  sync,
  written,
} from '../support/succession.ts';

/** A writer of 5 events in blocks of one (each with its seal: 2 entries), and a follower of it. */
async function pair(
  store: Store = new MemoryStore(),
): Promise<{ writer: Ledger; home: Ledger; log: LogId }> {
  const { ledger: writer, log } = await written(5);
  const home = await openLedger({ store });
  await sync(writer, home, log);
  assert.equal(home.log(log)?.size, writer.log(log)?.size);
  return { writer, home, log };
}

/** Where the block of the n-th event ends. */
async function endOf(ledger: Ledger, log: LogId, n: number): Promise<number> {
  const ends: number[] = [];
  for await (const { size } of ledger.blocks(log, start)) ends.push(size);
  return ends[n] ?? assert.fail('no such block');
}

async function verdictOf(ledger: Ledger, wire: Uint8Array): Promise<string> {
  const { verdict } = await ledger.apply(wire, 'gossip');
  return verdict.kind === 'accept' ? 'accept' : `${verdict.kind} ${verdict.reason.code}`;
}

describe('a log whose writer was revoked', () => {
  it('ends at the last good entry: what we had beyond is set aside, nothing more is taken', async () => {
    const { writer, home, log } = await pair();
    const end = await endOf(home, log, 3);
    const told: string[] = [];
    using _ = home.ends.onEnded((ended, { code }) => told.push(`${ended} ${code}`));
    must(await home.ends.end(log, asTreeSize(end)));
    const after = home.log(log);
    assert.equal(after?.size, end);
    assert.equal(after.state, 'frozen');
    assert.equal(after.reason?.code, 'writer-revoked');
    assert.deepEqual(told, [`${log} writer-revoked`]);
    assert.deepEqual(await idsOf(home, log, start), ['0', '1', '2']);
    await intact(home, log);
    const evidence = must(await home.successors.evidence(log));
    assert.equal(evidence.length, 2);
    assert.equal(evidence[0]?.firstIndex, end);
    await publish(writer, log, [event(9)]);
    for (const wire of await wires(writer, log, asLogIndex(end))) {
      assert.equal(await verdictOf(home, wire), 'ignore writer-revoked');
    }
    assert.equal(home.log(log)?.size, end);
    must(await home.ends.end(log, asTreeSize(end)));
    assert.equal(told.length, 1);
  });

  it('is frozen again after a restart, before anybody says so', async () => {
    await using folder = await tempDir();
    const { writer, home, log } = await pair(must(await LevelStore.open(folder.path)));
    const end = await endOf(home, log, 3);
    must(await home.ends.end(log, asTreeSize(end)));
    await home.close();
    const again = await openLedger({ store: must(await LevelStore.open(folder.path)) });
    assert.equal(again.log(log)?.state, 'frozen');
    assert.equal(again.log(log)?.reason?.code, 'writer-revoked');
    const [wire] = await wires(writer, log, asLogIndex(end));
    assert.ok(wire !== undefined);
    assert.equal(await verdictOf(again, wire), 'ignore log-frozen');
    must(await again.ends.end(log, asTreeSize(end)));
    assert.equal(await verdictOf(again, wire), 'ignore writer-revoked');
    await again.close();
  });

  it('goes on up to its end in a home that has less of it', async () => {
    const { writer, log } = await pair();
    const late = await openLedger();
    must(await late.follow(log));
    const end = await endOf(writer, log, 3);
    must(await late.ends.end(log, asTreeSize(end)));
    const seen: string[] = [];
    for (const wire of await wires(writer, log, start)) seen.push(await verdictOf(late, wire));
    assert.deepEqual(seen, [
      ...Array.from({ length: 4 }, () => 'accept'),
      ...Array.from({ length: 2 }, () => 'ignore writer-revoked'),
    ]);
    must(await late.ends.end(log, asTreeSize(end)));
    assert.equal(late.log(log)?.size, end);
    assert.equal(late.log(log)?.state, 'frozen');
    assert.equal(must(await late.successors.evidence(log)).length, 1);
  });

  it('ends before a block that holds bad entries too, with or without them here', async () => {
    const { writer, home, log } = await pair();
    const end = await endOf(home, log, 3);
    must(await home.ends.end(log, asTreeSize(end + 1)));
    assert.equal(home.log(log)?.size, end);
    assert.equal(home.log(log)?.state, 'frozen');
    const late = await openLedger();
    must(await late.follow(log));
    must(await late.ends.end(log, asTreeSize(end + 1)));
    for (const wire of await wires(writer, log, start)) await late.apply(wire, 'sync');
    await late.ends.end(log, asTreeSize(end + 1));
    assert.equal(late.log(log)?.size, end);
    assert.equal(late.log(log)?.state, 'frozen');
  });

  it('ends at the smallest place that was ever named', async () => {
    const { home, log } = await pair();
    const [early, later] = [await endOf(home, log, 2), await endOf(home, log, 4)];
    must(await home.ends.end(log, asTreeSize(early)));
    must(await home.ends.end(log, asTreeSize(later)));
    assert.equal(home.ends.of(log), early);
    assert.equal(home.log(log)?.size, early);
  });

  it('keeps of what comes after it no more than a few blocks, and only sound ones', async () => {
    const { home, log } = await pair();
    const end = await endOf(home, log, 3);
    const good = (await wires(home, log, start)).slice(0, 4);
    must(await home.ends.end(log, asTreeSize(end)));
    const before = must(await home.successors.evidence(log)).length;
    const [sound] = forged(log, good, [[draft('x')]]);
    const bytes = sound?.wire.slice() ?? assert.fail();
    bytes[bytes.length - 3] = (bytes.at(-3) ?? 0) ^ 1;
    await home.apply(bytes, 'gossip');
    assert.equal(must(await home.successors.evidence(log)).length, before);
    for (let i = 0; i < limits.maxRevokedBlocks + 4; i++) {
      const [block] = forged(log, good, [[draft(`x${i}`)]]);
      assert.equal(await verdictOf(home, block?.wire ?? assert.fail()), 'ignore writer-revoked');
    }
    const kept = must(await home.successors.evidence(log)).length;
    // One of those that we had is of the same place.
    assert.equal(kept - before, limits.maxRevokedBlocks - 1);
  });

  it('takes no more events in the home that writes it, which loses nothing', async () => {
    const own = await written(3);
    const size = own.ledger.log(own.log)?.size ?? 0;
    must(await own.ledger.ends.end(own.log, asTreeSize(await endOf(own.ledger, own.log, 1))));
    assert.equal(own.ledger.log(own.log)?.size, size);
    const refused = await own.ledger.publish(own.log, [event(7)]);
    const code = refused.ok
      ? refused.value.map((one) => (one.ok ? 'taken' : one.error.code)).join()
      : refused.error.code;
    assert.equal(code, 'log-frozen');
  });

  it('goes on in a successor that its owner opens, and then is closed like any other', async () => {
    const { home, log } = await pair();
    const end = await endOf(home, log, 3);
    must(await home.ends.end(log, asTreeSize(end)));
    const next = must(await home.successors.succeed(log, plan, recovery, signer));
    assert.equal(home.log(log)?.state, 'closed');
    assert.equal(home.log(log)?.closing?.size, end);
    await publish(home, next, [event(20)]);
    must(await home.ends.end(log, asTreeSize(end)));
    assert.equal(home.log(log)?.state, 'closed');
    await intact(home, next);
  });

  it('is left alone where it has a successor, and unknown where it is not here', async () => {
    const { home, log } = await pair();
    must(await home.successors.succeed(log, plan, recovery, signer));
    const size = home.log(log)?.size;
    must(await home.ends.end(log, asTreeSize(1)));
    assert.equal(home.log(log)?.size, size);
    const empty = await openLedger();
    const unknown = await empty.ends.end(log, asTreeSize(1));
    assert.ok(!unknown.ok && unknown.error.code === 'log-unknown');
  });

  it('has a block end only where one is', async () => {
    const { home, log } = await pair();
    const end = await endOf(home, log, 3);
    assert.ok((await home.ends.isBlockEnd(log, asTreeSize(end))).ok);
    const within = await home.ends.isBlockEnd(log, asTreeSize(end - 1));
    assert.ok(!within.ok && within.error.code === 'successor-predecessor');
  });
});
