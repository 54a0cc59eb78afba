import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { makeEvent } from '../../src/event/make.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { verifyForkProof } from '../../src/ledger/fork-proof.ts';
import { asLogIndex, type LogId, type ParsedEvent } from '../../src/types.ts';
import { offlineEnv } from '../../src/verify.ts';
import { Dice } from './dice.ts';
import { SimNetwork } from './sim-network.ts';
import { must, SimNode, simNetworkDocument } from './sim-node.ts';
import { VirtualTime } from './virtual-time.ts';

function event(id: string): ParsedEvent {
  return must(makeEvent({ specversion: '1.0', id, source: '/orders', type: 'order' }, 0));
}

interface World {
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly nodes: readonly SimNode[];
  readonly make: (name: string) => SimNode;
  readonly run: <T>(work: Promise<T>) => Promise<T>;
}

function world(seed: number, peers: number): World {
  const time = new VirtualTime();
  const dice = new Dice(seed);
  const network = new SimNetwork(time, dice);
  const document = simNetworkDocument(dice);
  const make = (name: string): SimNode => new SimNode(network, dice.fork(), document, name);
  const nodes = Array.from({ length: peers }, (_, i) => make(`n${i}`));
  const run = <T>(work: Promise<T>): Promise<T> => time.run(work);
  return { time, network, nodes, make, run };
}

async function publish(node: SimNode, logId: LogId, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const results = await node.ledger?.publish(logId, [event(id)]);
    assert.ok(results !== undefined && results.ok, 'the cheat publishes');
  }
}

async function leaves(node: SimNode, logId: LogId): Promise<readonly string[]> {
  const { ledger } = node;
  assert.ok(ledger !== undefined);
  const all: string[] = [];
  for await (const entry of ledger.entries(logId, asLogIndex(0))) {
    all.push(Buffer.from(entry.leaf()).toString('hex'));
  }
  return all;
}

/** A cheat shows one history to the peers of side 0 and another to those of side 1. */
async function cheat(
  seed: number,
  events: readonly [readonly string[], readonly string[]],
  gossip = true,
): Promise<void> {
  const { time, network, nodes, make, run } = world(seed, 8);
  const [writer, ...honest] = nodes;
  assert.ok(writer !== undefined);
  const settings = { gossip, livePulls: false };
  writer.options = { ...settings, bootstrap: [] };
  for (const [i, node] of honest.entries()) {
    const near = honest[(i + 2) % honest.length];
    const bootstrap = near === undefined ? [writer.peer] : [writer.peer, near.peer];
    node.options = { ...settings, bootstrap };
  }
  for (const node of nodes) await run(node.start());
  const logId = await run(writer.create('orders'));
  for (const node of honest) await run(node.follow(logId));
  await run(publish(writer, logId, ['one', 'two']));
  const size = (node: SimNode): number => node.ledger?.log(logId)?.size ?? 0;
  const all = (peers: readonly SimNode[], of: SimNode): boolean =>
    peers.every((node) => size(node) === size(of));
  assert.ok(await time.until(() => all(honest, writer), 300_000), 'all have the common part');

  const twin = await run(writer.twin('twin'));
  const sides = [
    honest.filter((_, i) => i % 2 === 0),
    honest.filter((_, i) => i % 2 === 1),
  ] as const;
  const place = new Map(sides.flatMap((side, i) => side.map((node) => [node.peer, i] as const)));
  network.partition(place.set(writer.peer, 0).set(twin.peer, 1));
  twin.options = { ...settings, bootstrap: sides[1].map(({ peer }) => peer) };
  await run(twin.start());
  await run(publish(writer, logId, events[0]));
  await run(publish(twin, logId, events[1]));
  assert.ok(await time.until(() => all(sides[0], writer) && all(sides[1], twin), 300_000), 'apart');
  const before = new Map<SimNode, readonly string[]>();
  for (const node of honest) before.set(node, await run(leaves(node, logId)));
  const frozen = (node: SimNode): boolean => node.ledger?.log(logId)?.state === 'frozen';
  assert.ok(!honest.some(frozen), 'each half sees one history');

  network.heal();
  const knows = (node: SimNode): boolean => node.ledger?.forks.known(logId) !== undefined;
  const everybody = [...honest, writer, twin];
  assert.ok(await time.until(() => everybody.every(knows), 900_000), 'all know of the fork');
  const env = offlineEnv(nodeCrypto);
  for (const node of everybody) {
    const proof = must(await run(node.ledger?.forks.proof(logId) ?? Promise.reject(new Error(''))));
    assert.ok(proof !== undefined);
    assert.equal(must(verifyForkProof(env, proof)).logId, logId);
    assert.ok(frozen(node));
  }
  for (const node of honest) {
    assert.deepEqual(await run(leaves(node, logId)), before.get(node), 'nothing was dropped');
  }
  const late = await run(writer.ledger?.publish(logId, [event('late')]) ?? Promise.reject());
  assert.ok(!late.ok && late.error.code === 'log-frozen');

  // Both histories are kept: the blocks of the other one are fetched.
  const holdsBoth = new Set<SimNode>();
  const look = async (): Promise<void> => {
    for (const node of honest) {
      const branch = must(
        await (node.ledger?.forks.branch(logId) ?? Promise.reject(new Error(''))),
      );
      if (branch.others.length > 0) holdsBoth.add(node);
    }
  };
  for (let i = 0; i < 40 && holdsBoth.size < honest.length; i++) {
    await run(look());
    await time.pass(15_000);
  }
  assert.equal(holdsBoth.size, honest.length, 'everybody keeps the other history too');

  const joiner = make('late');
  joiner.options = { ...settings, bootstrap: [sides[0][0]?.peer ?? writer.peer] };
  await run(joiner.start());
  await run(joiner.follow(logId));
  assert.ok(await time.until(() => knows(joiner), 300_000), 'who comes late learns it');
  assert.ok(frozen(joiner));

  // No honest peer holds another one to be at fault.
  for (const node of honest) {
    const rejects = node.gossip?.report().rejectsByReason;
    assert.deepEqual([...(rejects ?? [])], [], node.name);
  }
  for (const node of [...everybody, joiner]) await run(node.stop());
}

describe('a writer who shows two histories to two halves of a network', function () {
  this.timeout(60_000);

  it('is found out by everybody when they meet, and nothing is dropped', () =>
    cheat(5, [
      ['a', 'b'],
      ['x', 'y', 'z'],
    ]));

  it('is found out where both histories have the same length', () =>
    cheat(6, [
      ['a', 'b'],
      ['x', 'y'],
    ]));

  it('is found out with gossip switched off', () => cheat(7, [['a'], ['x', 'y']], false));
});
