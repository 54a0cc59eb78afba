import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { makeEvent } from '../../src/event/make.ts';
import { buildBlock, type Draft } from '../../src/ledger/build-block.ts';
import type { LogState, UnknownLog } from '../../src/ledger/log-state.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { asLogIndex, asTimeMs, type LogId, type ParsedEvent } from '../../src/types.ts';
import { env } from '../support/judges.ts';
import { Dice } from './dice.ts';
import { SimNetwork } from './sim-network.ts';
import { must, SimNode, simNetworkDocument } from './sim-node.ts';
import { VirtualTime } from './virtual-time.ts';

function event(id: string): ParsedEvent {
  const attributes = { specversion: '1.0', id, source: '/orders', type: 'order' };
  return must(makeEvent(attributes, 0));
}

/** What a copy of the writer signs after the first blocks of the log. */
async function otherHistory(writer: SimNode, logId: LogId, count: number): Promise<Uint8Array[]> {
  const signed: Uint8Array[] = [];
  let state: LogState | UnknownLog = { logId };
  for await (const block of writer.ledger?.blocks(logId, asLogIndex(0)) ?? []) {
    state = must(verifyBlock(env, state, block.wire.slice(), { form: 'any' })).state;
  }
  for (let i = 0; i < count; i++) {
    const drafts: Draft[] = [{ kind: 'event', event: event(`other-${i}`) }];
    const now = writer.host?.clock.now() ?? asTimeMs(0);
    const options = { time: now, seed: new Uint8Array(32).fill(i) };
    const block = must(buildBlock(env, state, writer.writer, drafts, options));
    signed.push(block.wire);
    state = block.state;
  }
  return signed;
}

function size(node: SimNode, log: LogId): number {
  return node.ledger?.log(log)?.size ?? 0;
}

describe('recovery with half of the peers on the rejected history', function () {
  this.timeout(20_000);

  for (const seed of [3, 14, 159]) {
    it(`brings all to the chosen history and the successor (seed ${seed})`, async () => {
      const time = new VirtualTime();
      const dice = new Dice(seed);
      const network = new SimNetwork(time, dice);
      const document = simNetworkDocument(dice);
      const run = <T>(work: Promise<T>): Promise<T> => time.run(work, `seed ${seed}: it`);
      const nodes = Array.from(
        { length: 9 },
        (_, i) => new SimNode(network, dice.fork(), document, `n${i}`),
      );
      const [writer, ...replicas] = nodes;
      assert.ok(writer !== undefined);
      for (const node of nodes) {
        const bootstrap = nodes.filter((one) => one !== node).map(({ peer }) => peer);
        node.options = { ...node.options, bootstrap };
        await run(node.start());
      }
      const logId = await run(writer.create('orders'));
      for (const node of replicas) await run(node.follow(logId));
      const publish = async (log: LogId, id: string): Promise<void> => {
        const results = must(await run(writer.ledger?.publish(log, [event(id)]) ?? never()));
        for (const result of results) must(result);
      };
      for (const id of ['one', 'two']) await publish(logId, id);
      const all = (log: LogId): boolean =>
        nodes.every((node) => size(node, log) === size(writer, log));
      assert.ok(await time.until(() => all(logId), 120_000), 'replicated');

      const half = replicas.slice(0, 4);
      network.partition(new Map(nodes.map((one) => [one.peer, half.includes(one) ? 1 : 0])));
      await time.pass(5000);
      for (const wire of await run(otherHistory(writer, logId, 30))) {
        for (const node of half) {
          const outcome = await run(node.ledger?.apply(wire, 'sync') ?? never());
          assert.equal(outcome.verdict.kind, 'accept');
        }
      }
      for (let i = 0; i < 20; i++) await publish(logId, `chosen-${i}`);
      network.heal();
      const frozen = (node: SimNode): boolean => node.ledger?.log(logId)?.state === 'frozen';
      assert.ok(await time.until(() => nodes.every(frozen), 300_000), 'the fork is known');

      const next = await run(writer.recover(logId));
      await publish(next, 'after');
      for (const node of replicas) await run(node.follow(next));
      const whole = (node: SimNode): boolean => node.ledger?.log(logId)?.closing?.whole === true;
      assert.ok(await time.until(() => nodes.every(whole) && all(next), 600_000), 'recovered');
      const root = writer.ledger?.log(logId)?.root;
      for (const node of nodes) {
        assert.deepEqual(node.ledger?.log(logId)?.root, root);
        const report = must(await run(node.ledger?.verify(logId) ?? never()));
        assert.equal(report.verdict, 'intact', `${node.name}: ${JSON.stringify(report.problems)}`);
        const evidence = must(await run(node.ledger?.successors.evidence(logId) ?? never()));
        // Nothing that was accepted is gone.
        assert.equal(evidence.length >= 30, half.includes(node), node.name);
      }
      await run(Promise.all(nodes.map((node) => node.stop())));
    });
  }
});

function never(): never {
  throw new Error('the node is down');
}
