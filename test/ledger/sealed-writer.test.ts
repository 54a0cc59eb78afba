/** Own sealed logs: epochs, sealing at build time, receipts, dedupe. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { fromUtf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { verifyInclusion } from '../../src/ledger/proof.ts';
import { sealedLength } from '../../src/ledger/sealed-body.ts';
import { leafHash as leafHashOf } from '../../src/ledger/tree.ts';
import { protocol } from '../../src/limits.ts';
import { asLogIndex, type LogId, type ParsedEvent } from '../../src/types.ts';
import {
  event,
  events,
  newLog,
  openLedger,
  otherSigner,
  publish,
  signer,
  testHost,
  wires,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { openOf, sealedLog, story, TestKeys, withSealed } from '../support/sealing.ts';

const zero = asLogIndex(0);

describe('ledger/sealed writer', () => {
  it('opens epoch 0 in the block of its first event, and all events are sealed', async () => {
    const { ledger, log, keys } = await withSealed();
    const [first, second] = await publish(ledger, log, events(2));
    assert.equal(await story(ledger, log, keys), 'g p | o0.0 e0 e1 |');
    assert.deepEqual([first?.index, second?.index], [4, 5]);
    assert.deepEqual(keys.asked, [{ epoch: 0, generation: 0, begins: true }]);
    assert.ok(second !== undefined);
    const { index, size, root, leafHash } = second;
    const proof = must(await ledger.proofs.inclusion(log, index, size));
    must(verifyInclusion(nodeCrypto, leafHash, index, size, proof, root));
    const entry = must(await ledger.entry(log, index));
    assert.deepEqual(leafHashOf(nodeCrypto, entry.leaf()), leafHash);
    await ledger.close();
  });

  it('opens the next epoch when its time is over, with the first event that finds it so', async () => {
    const host = testHost();
    const { ledger, log, keys } = await withSealed({ host }, { everyMs: 60_000 });
    await publish(ledger, log, [event(1)]);
    await publish(ledger, log, [event(2)]);
    host.offsetMs += 60_000;
    await publish(ledger, log, [event(3)]);
    await publish(ledger, log, [event(4)]);
    host.offsetMs += 600_000;
    await publish(ledger, log, [event(5)]);
    assert.equal(await story(ledger, log, keys), 'g p | o0.0 e1 | e2 | o1.0 e3 | e4 | o2.0 e5 |');
    const epochs = must(await ledger.epochs(log));
    assert.deepEqual(
      epochs.map(({ epoch, index }) => [epoch, index]),
      [
        [0, 3],
        [1, 8],
        [2, 13],
      ],
    );
    await ledger.close();
  });

  it('opens the next epoch after so many events, also within one call', async () => {
    const { ledger, log, keys } = await withSealed({}, { everyEvents: 3 });
    await publish(ledger, log, events(7));
    await publish(ledger, log, [event(7), event(8)]);
    assert.equal(
      await story(ledger, log, keys),
      'g p | o0.0 e0 e1 e2 | o1.0 e3 e4 e5 | o2.0 e6 | e7 e8 |',
    );
    await ledger.close();
  });

  it('goes on in the open epoch after a restart, and knows how many events it has', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const { ledger, log, keys } = await withSealed({ store, guard }, { everyEvents: 5 });
    await publish(ledger, log, events(3));
    must(await ledger.appendControl(log, { type: 'note' }));
    const copy = store.crash('unsynced');
    await ledger.close();
    const again = await openLedger({ store: copy, guard, sealing: keys });
    must(again.attachSigner(log, signer));
    await publish(again, log, events(4, 3));
    assert.equal(await story(again, log, keys), 'g p | o0.0 e0 e1 e2 | ? | e3 e4 | o1.0 e5 e6 |');
    await again.close();
  });

  it('a new generation has a fresh root, and calls at the same time share one', async () => {
    const { ledger, log, keys } = await withSealed();
    await publish(ledger, log, [event(1)]);
    const [one, two] = await Promise.all([
      ledger.openEpoch(log, 'generation'),
      ledger.openEpoch(log, 'generation'),
    ]);
    assert.deepEqual(must(one), must(two));
    assert.deepEqual([must(one).epoch, must(one).generation], [1, 1]);
    await publish(ledger, log, [event(2)]);
    const third = must(await ledger.openEpoch(log, 'epoch'));
    assert.deepEqual([third.epoch, third.generation], [2, 1]);
    await publish(ledger, log, [event(3)]);
    assert.equal(await story(ledger, log, keys), 'g p | o0.0 e1 | o1.1 | e2 | o2.1 | e3 |');
    assert.equal(keys.roots.size, 2);
    await ledger.close();
  });

  it('opens a new generation before any event, and while the log is paused', async () => {
    const { ledger, log, keys } = await withSealed();
    must(ledger.pause(log));
    const first = must(await ledger.openEpoch(log, 'generation'));
    assert.deepEqual([first.epoch, first.generation], [0, 0]);
    refused(await ledger.publish(log, [event(1)]), 'stream-paused');
    assert.equal(await story(ledger, log, keys), 'g p | o0.0 |');
    await ledger.close();
  });

  it('opens no epoch in a log that is not sealed', async () => {
    await using ledger = await openLedger({ sealing: new TestKeys() });
    const log = must(await ledger.create(newLog, signer));
    refused(await ledger.openEpoch(log, 'generation'), 'epoch-order');
    assert.deepEqual(must(await ledger.epochs(log)), []);
  });

  it('a rotation stays alone in its block, and the new key goes on in the same epoch', async () => {
    const { ledger, log, keys } = await withSealed();
    await publish(ledger, log, [event(1)]);
    must(await ledger.rotate(log, otherSigner));
    await publish(ledger, log, [event(2)]);
    assert.equal(await story(ledger, log, keys), 'g p | o0.0 e1 | r | e2 |');
    await ledger.close();
  });

  it('gives the first receipt again, tells a conflict, and finds ids, times and subjects', async () => {
    const { ledger, log } = await withSealed();
    const [first] = await publish(ledger, log, [event('a', { subject: 's' }), event('b')]);
    const [again, other] = must(
      await ledger.publish(log, [event('a', { subject: 's' }), event('b', { data: '{"n":2}' })]),
    );
    assert.ok(again?.ok === true && other !== undefined);
    assert.deepEqual(again.value, { ...first, duplicate: true });
    refused(other, 'event-conflict');
    assert.equal(must(await ledger.find(log, '/test', 'b')), 5);
    const found: number[] = [];
    for await (const index of ledger.subjectIndexes(log, 's')) found.push(index);
    assert.deepEqual(found, [4]);
    const entry = must(await ledger.entry(log, asLogIndex(4)));
    assert.ok(must(await ledger.indexAtTime(log, entry.recordedTime)) <= 4);
    await ledger.close();
  });

  it('has no byte of an event in blocks or store, and another ciphertext for the same event', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withSealed({ store });
    const secret = 'eWVzdGVyZGF5IGFsbCBteSB0cm91Ymxlcw';
    await publish(ledger, log, [event('x', { data: JSON.stringify(secret), subject: secret })]);
    const bodies: string[] = [];
    for await (const entry of ledger.entries(log, zero)) {
      if (entry.sealedBody !== undefined)
        bodies.push(Buffer.from(entry.sealedBody).toString('hex'));
    }
    assert.equal(bodies.length, 1);
    for (const wire of await wires(ledger, log, zero)) {
      assert.equal(Buffer.from(wire).includes(secret), false);
    }
    await using scan = store.scan({ gte: new Uint8Array(0), lt: new Uint8Array(8).fill(255) });
    for (const { key, value } of must(await scan.next(10_000))) {
      assert.equal(Buffer.concat([key, value]).includes(secret), false);
    }
    const { ledger: second, log: twin } = await withSealed();
    await publish(second, twin, [event('x', { data: JSON.stringify(secret), subject: secret })]);
    for await (const entry of second.entries(twin, zero)) {
      if (entry.sealedBody === undefined) continue;
      assert.notEqual(Buffer.from(entry.sealedBody).toString('hex'), bodies[0]);
    }
    await Promise.all([ledger.close(), second.close()]);
  });

  it('takes the largest event and refuses one byte more, counted as it is sealed', async () => {
    const { ledger, log } = await withSealed();
    const frame = sealedLength(event('m', { data: '""' })) - 2;
    const sized = (bytes: number): ParsedEvent =>
      event('m', { data: JSON.stringify('x'.repeat(bytes - frame - 6)) });
    const most = sized(protocol.maxBodyBytes);
    assert.equal(sealedLength(most), protocol.maxBodyBytes);
    const over = sized(protocol.maxBodyBytes + 1);
    refused(await ledger.publish(log, [over]), 'event-too-large');
    const [receipt] = await publish(ledger, log, [most]);
    const entry = must(await ledger.entry(log, asLogIndex(receipt?.index ?? 0)));
    assert.equal(entry.sealedBody?.length, protocol.maxBodyBytes);
    await ledger.close();
  });

  it('cuts blocks of many large events so that each fits one message', async () => {
    const { ledger, log } = await withSealed();
    const data = JSON.stringify('y'.repeat(60_000));
    await publish(
      ledger,
      log,
      Array.from({ length: 12 }, (_, i) => event(i, { data })),
    );
    for (const wire of await wires(ledger, log, zero)) {
      assert.ok(wire.length <= protocol.maxMessageBytes, `${wire.length}`);
    }
    await ledger.close();
  });

  it('is taken by a replica, which reads nothing of it', async () => {
    const { ledger, log } = await withSealed({}, { everyEvents: 2 });
    await publish(ledger, log, events(5));
    const replica = await openLedger();
    must(await replica.follow(log));
    for (const wire of await wires(ledger, log, zero)) {
      assert.equal((await replica.apply(wire, 'gossip')).verdict.kind, 'accept');
    }
    assert.deepEqual(replica.log(log)?.root, ledger.log(log)?.root);
    assert.deepEqual(must(await replica.epochs(log)), must(await ledger.epochs(log)));
    for await (const entry of replica.entries(log, zero)) assert.equal(entry.event, undefined);
    assert.equal(must(await replica.find(log, '/test', '1')), undefined);
    assert.equal(must(await replica.verify(log)).verdict, 'intact');
    await Promise.all([ledger.close(), replica.close()]);
  });

  it('says its policy, also one that was changed, and a later version changes nothing', async () => {
    const { ledger, log, keys } = await withSealed({}, { everyEvents: 1 });
    assert.deepEqual(must(await ledger.epochPolicy(log)), { everyEvents: 1 });
    must(await ledger.appendControl(log, { type: 'epochs', everyEvents: 2, everyMoon: 1 }));
    assert.deepEqual(must(await ledger.epochPolicy(log)), { everyEvents: 1 });
    must(await ledger.appendControl(log, { type: 'epochs', everyEvents: 3 }));
    assert.deepEqual(must(await ledger.epochPolicy(log)), { everyEvents: 3 });
    await publish(ledger, log, events(4));
    assert.equal(await story(ledger, log, keys), 'g p | p | p | o0.0 e0 e1 e2 | o1.0 e3 |');
    for (const epochs of [{}, { everyMs: 999 }, { everyEvents: 0 }, { everyMs: 1.5e3 + 0.5 }]) {
      refused(await ledger.create({ ...sealedLog, epochs }, signer), 'epoch-policy');
    }
    await ledger.close();
  });

  it('any events come out as they went in, however epochs are cut and blocks are formed', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 });
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ publish: fc.array(text, { minLength: 1, maxLength: 6 }) }),
      },
      { weight: 1, arbitrary: fc.constant('generation' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
      { weight: 1, arbitrary: fc.constant('hour' as const) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (steps, everyEvents) => {
          const host = testHost();
          const store = new MemoryStore();
          const guard = new MemoryGuard([]);
          const made = await withSealed(
            { host, store, guard },
            { everyMs: 3_600_000, everyEvents },
          );
          const { log, keys } = made;
          let { ledger } = made;
          let kept = store;
          const sent: string[] = [];
          for (const one of steps) {
            if (one === 'hour') host.offsetMs += 3_600_000;
            else if (one === 'generation') must(await ledger.openEpoch(log, 'generation'));
            else if (one === 'restart') {
              kept = kept.crash('unsynced');
              await ledger.close();
              ledger = await openLedger({ host, store: kept, guard, sealing: keys });
              must(ledger.attachSigner(log, signer));
            } else {
              const list = one.publish.map((data, i) =>
                event(sent.length + i, { data: JSON.stringify(data) }),
              );
              sent.push(...one.publish);
              await publish(ledger, log, list);
            }
          }
          await checkStory(ledger, log, keys, sent, everyEvents);
          await ledger.close();
        },
      ),
      { numRuns: 25 },
    );
  });
});

/** What was sent is there in order; no epoch has too many events; generations never go back. */
async function checkStory(
  ledger: Ledger,
  log: LogId,
  keys: TestKeys,
  sent: readonly string[],
  everyEvents: number,
): Promise<void> {
  const got: string[] = [];
  let count = 0;
  for await (const entry of ledger.entries(log, zero)) {
    if (entry.control?.['type'] === 'epoch') count = 0;
    if (entry.kind !== 'sealed') continue;
    count += 1;
    assert.ok(count <= everyEvents);
    const { data } = await openOf(ledger, keys, entry);
    const value: unknown = JSON.parse(must(fromUtf8(data)));
    got.push(String(value));
  }
  assert.deepEqual(got, sent);
  const opened = must(await ledger.epochs(log));
  assert.deepEqual(
    opened.map(({ epoch }) => epoch),
    opened.map((_, i) => i),
  );
  assert.equal(must(await ledger.verify(log)).verdict, 'intact');
}
