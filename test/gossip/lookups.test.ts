import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { EvidenceLog, evidenceEnv } from '../../scripts/vectors/evidence-log.ts';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Lookups } from '../../src/gossip/lookups.ts';
import { protocols } from '../../src/gossip/serve.ts';
import { ForeignLog } from '../../src/ledger/foreign-log.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { asLogIndex } from '../../src/types.ts';
import { openLedger } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { World, type TestNode } from './support.ts';

const log = EvidenceLog.open('lookups').withEvents(['1', '2', '3']).withEvents(['4', '5']);
const { logId } = log.state;
const { signal } = new AbortController();

async function holder(world: World): Promise<TestNode> {
  const ledger = await openLedger();
  must(await ledger.follow(logId));
  for (const { wire } of log.blocks) await ledger.apply(wire, 'sync');
  return world.add({ ledger });
}

function away(lookups: Lookups): ForeignLog {
  const budget = { spent: () => undefined, took: () => undefined, keep: () => undefined };
  return new ForeignLog(evidenceEnv, logId, lookups, budget, signal);
}

describe('looking up a log that is not followed', () => {
  it('reads it from the peer that keeps it, past those that do not', async () => {
    await using world = new World();
    const asker = await world.add();
    for (let i = 0; i < 3; i++) await world.greet(asker, await world.add());
    await world.greet(asker, await holder(world));
    const foreign = away(asker.node.evidence.lookups);
    const read = must(await world.run(foreign.entry(asLogIndex(3))));
    const second = log.blocks[1];
    assert.ok(second !== undefined);
    assert.equal(toHex(read.leafHash), toHex(leafHash(nodeCrypto, second.leaves.leaf(1))));
    must(await world.run(foreign.rangeRoot(asLogIndex(2), asLogIndex(5))));
    assert.equal(asker.ledger.log(logId), undefined);
  });

  it('says who was asked where nobody serves it, or nobody is there', async () => {
    await using world = new World();
    const asker = await world.add();
    const { lookups } = asker.node.evidence;
    refused(await world.run(away(lookups).reach(1)), 'no-holder');
    await world.greet(asker, await world.add());
    const read = await world.run(away(lookups).reach(1));
    refused(read, 'no-holder');
    assert.match(read.ok ? '' : read.error.message, /none of 1 connected peers/);
  });

  it('dials a peer that a card names, and gives up on one that does not answer', async () => {
    await using world = new World();
    const [asker, kept] = [await world.add(), await holder(world)];
    const { lookups } = asker.node.evidence;
    const addresses = kept.transport.addresses();
    const gone = { peer: (await world.add()).transport.self, addresses: ['/memory/nowhere'] };
    await world.run(lookups.meet([gone, { peer: kept.transport.self, addresses }], signal));
    must(await world.run(away(lookups).reach(1)));
    const from = world.time.nowMs;
    await world.run(lookups.meet([gone], signal));
    assert.ok(world.time.nowMs - from <= 3000);
  });

  it('does not wait for ever for peers that are silent', async () => {
    await using world = new World();
    const asker = await world.add();
    for (let i = 0; i < 4; i++) {
      const silent = await world.add();
      await world.greet(asker, silent);
      await silent.transport.handle(protocols.keys, () => new Promise(() => undefined));
    }
    const from = world.time.nowMs;
    const read = await world.run(away(asker.node.evidence.lookups).reach(1));
    assert.equal(read.ok, false);
    assert.ok(world.time.nowMs - from <= 20_100, `${world.time.nowMs - from} ms`);
  });

  it('is broken off', async () => {
    await using world = new World();
    const asker = await world.add();
    await world.greet(asker, await holder(world));
    const { lookups } = asker.node.evidence;
    const broken = lookups.keys(logId, () => assert.fail('asked'), AbortSignal.abort());
    refused(await world.run(broken), 'interrupted');
  });
});
