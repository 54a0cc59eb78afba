import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { EvidenceLog, evidenceEnv } from '../../scripts/vectors/evidence-log.ts';
import { encodeAlert } from '../../src/gossip/announcement-codec.ts';
import { alertsTopic } from '../../src/gossip/topics.ts';
import { decodeForkProof, encodeForkProof, makeForkProof } from '../../src/ledger/fork-proof.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { fault } from '../../src/errors.ts';
import { limits } from '../../src/limits.ts';
import { err } from '../../src/result.ts';
import type { LogId } from '../../src/types.ts';
import { openLedger } from '../support/ledger-home.ts';
import { must } from '../support/result.ts';
import { count, value, World, type NodeSettings, type TestNode } from './support.ts';

const common = EvidenceLog.open('forked').withEvents(['1', '2']);
const one = common.withEvents(['"one"']).withEvents(['3']);
const two = common.withEvents(['"two"']).withEvents(['4']);
const { logId, genesisLeaf } = one.state;

async function proofOf(a: EvidenceLog, b: EvidenceLog): Promise<Uint8Array> {
  return must(await makeForkProof(evidenceEnv, a.state.genesisLeaf, a.side(), b.side()));
}

async function holding(log: EvidenceLog): Promise<Ledger> {
  const ledger = await openLedger();
  must(await ledger.follow(log.state.logId));
  for (const { wire } of log.blocks) await ledger.apply(wire, 'sync');
  assert.equal(ledger.log(log.state.logId)?.size, log.state.size);
  return ledger;
}

interface Line {
  readonly world: World;
  readonly nodes: readonly TestNode[];
  readonly ledgers: readonly Ledger[];
}

/** Nodes in a line, each with a real ledger. */
async function line(ledgers: readonly Ledger[], settings: NodeSettings = {}): Promise<Line> {
  const world = new World();
  const nodes: TestNode[] = [];
  for (const ledger of ledgers) nodes.push(await world.add({ ledger, ...settings }));
  for (const [i, node] of nodes.entries()) {
    const before = nodes[i - 1];
    if (before !== undefined) await world.greet(before, node);
  }
  return { world, nodes, ledgers };
}

async function send(from: TestNode, proof: Uint8Array): Promise<void> {
  const alert = encodeAlert({ kind: 'fork', proof });
  value(await from.transport.publish(alertsTopic(from.known.text), alert));
}

function frozen(ledger: Ledger | undefined): boolean {
  return ledger?.log(logId)?.state === 'frozen';
}

function rejects(node: TestNode): readonly string[] {
  return [...node.node.report().rejectsByReason.keys()];
}

describe('forks between peers', () => {
  it('travel as alerts over those who hold the log, the first proof only', async () => {
    const ledgers = [
      await openLedger(),
      await holding(one),
      await holding(one),
      await holding(two),
    ];
    const { world, nodes } = await line(ledgers);
    await using _ = world;
    const [first] = nodes;
    assert.ok(first !== undefined);
    await send(first, await proofOf(one, two));
    await world.until(() => ledgers.slice(1).every(frozen), 'all have it');
    const proofs = [];
    for (const ledger of ledgers.slice(1)) proofs.push(must(await ledger.forks.proof(logId)));
    assert.deepEqual(proofs[0], await proofOf(one, two));
    await send(first, await proofOf(one.until(2), two));
    await world.time.pass(5000);
    assert.deepEqual(must((await ledgers[1]?.forks.proof(logId)) ?? missing), proofs[0]);
    for (const node of nodes) assert.deepEqual(rejects(node), []);
  });

  it('stop at those who neither hold the log nor know it, who keep them', async () => {
    for (const known of [false, true]) {
      const ledgers = [await openLedger(), await openLedger(), await holding(one)];
      const { world, nodes } = await line(ledgers, {
        knowsLog: (log: LogId) => known && log === logId,
        limits: { wantedPeers: 1, firstMeetingMs: 60_000 },
      });
      await using _ = world;
      const [first] = nodes;
      assert.ok(first !== undefined);
      await world.time.pass(1000); // Those who met have told each other what they know.
      await send(first, await proofOf(one, two));
      await world.until(() => ledgers[1]?.forks.known(logId) !== undefined, 'kept');
      await world.time.pass(2000);
      assert.equal(frozen(ledgers[2]), known);
      // A meeting tells what gossip did not.
      await world.until(() => frozen(ledgers[2]), 'told when they meet', 300_000);
    }
  });

  it('of a log that is known go on where there is no room for them', async () => {
    const full = await openLedger({ limits: { maxForeignForks: 1 } });
    const other = EvidenceLog.open('stranger');
    const taken = await proofOf(other.withEvents(['1']), other.withEvents(['2']));
    must(await full.forks.offer(taken, 'gossip'));
    const ledgers = [await openLedger(), full, await holding(one)];
    const settings = { knowsLog: (log: LogId) => log === logId, limits: { wantedPeers: 1 } };
    const { world, nodes } = await line(ledgers, settings);
    await using _ = world;
    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    await world.time.pass(1000);
    await send(first, await proofOf(one, two));
    await world.until(() => frozen(ledgers[2]), 'it was passed on', 10_000);
    assert.equal(full.forks.known(logId), undefined);
    assert.deepEqual(rejects(second), []);
  });

  it('change nothing when they are invalid: changed, of a foreign genesis, of one history', async () => {
    const good = await proofOf(one, two);
    const proof = must(decodeForkProof(good));
    const stranger = EvidenceLog.open('stranger').state.genesisLeaf;
    const side = { rotations: [], checkpoint: one.checkpoint };
    const same = { genesisLeaf, a: side, b: side, rootAtA: one.state.root, consistency: [] };
    const bad = [
      good.with(good.length - 2, (good.at(-2) ?? 0) ^ 1),
      encodeForkProof({ ...proof, genesisLeaf: stranger }),
      encodeForkProof(same),
      good.subarray(0, 100),
      new Uint8Array(0),
    ];
    for (const bytes of bad) {
      const ledgers = [await openLedger(), await holding(one), await holding(one)];
      const { world, nodes } = await line(ledgers);
      await using _ = world;
      const [first, second, third] = nodes;
      assert.ok(first !== undefined && second !== undefined && third !== undefined);
      await send(first, bytes);
      await world.until(() => rejects(second).length > 0, 'it costs the sender');
      await world.time.pass(2000);
      assert.deepEqual(rejects(third), [], 'nobody passed it on');
      assert.ok(!ledgers.some(frozen));
      assert.equal(count(second, 'forksTaken'), 0);
    }
  });

  it('are bounded: a flood is ignored above its rate, and its sender is left out', async () => {
    const ledgers = [await openLedger(), await holding(one)];
    const { world, nodes } = await line(ledgers, { limits: { barScore: 1_000_000 } });
    await using _ = world;
    const [first, second] = nodes;
    assert.ok(first !== undefined && second !== undefined);
    const good = await proofOf(one, two);
    for (let i = 0; i < limits.alertsPerMinute + 40; i++) {
      await send(first, good.with(good.length - 1 - i, (good.at(-1 - i) ?? 0) ^ 1));
    }
    await world.until(() => count(second, 'alertsLimited') >= 30, 'the rate holds');
    assert.ok(count(second, 'forksRefused') <= limits.alertsPerMinute + 10);
    assert.ok(!frozen(ledgers[1]));
    const { score } = second.node.report().peers[0] ?? { score: 0 };
    assert.ok(score > limits.barScore, 'by the usual bar it is out after two');
  });

  it('are found when peers meet who hold different roots of one size', async () => {
    assert.equal(one.state.size, two.state.size);
    const ledgers = [await holding(one), await holding(two)];
    const { world } = await line(ledgers, { gossip: false });
    await using _ = world;
    await world.until(() => ledgers.every(frozen), 'both know');
    for (const ledger of ledgers) {
      await world.until(() => ledger.forks.list().length === 1, 'kept');
    }
    const kept = async (): Promise<boolean> => {
      for (const ledger of ledgers) {
        if (must(await ledger.forks.branch(logId)).others.length === 0) return false;
      }
      return true;
    };
    for (let i = 0; i < 50 && !(await kept()); i++) await world.time.pass(5000);
    const [mine] = ledgers;
    assert.ok(mine !== undefined);
    const { others } = must(await mine.forks.branch(logId));
    assert.deepEqual(
      others.map(({ checkpoint }) => checkpoint),
      two.blocks.slice(2).map(({ block }) => block.checkpoint),
    );
  });
});

const missing = err(fault('internal', 'no ledger'));
