import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { epochKey, epochRoot, shredEpoch, spans } from '../../../src/access/epoch-keys.ts';
import { nodeCipher } from '../../../src/cipher-node.ts';
import type { OpenedEpoch } from '../../../src/ledger/sealing.ts';
import { nodesOf, planKeys, type GrantReach } from '../../../src/node/sealed/key-plan.ts';
import { asHash, asLogIndex, asTimeMs } from '../../../src/types.ts';
import { must } from '../../support/result.ts';

const hour = 3_600_000;
const check = asHash(new Uint8Array(32));

/** Epoch i opens at index 10 i, at hour i; generation 1 begins with epoch 3. */
const opened: readonly OpenedEpoch[] = [0, 1, 2, 3, 4].map((epoch) => ({
  epoch,
  generation: epoch < 3 ? 0 : 1,
  check,
  index: asLogIndex(10 * epoch + 1),
  time: asTimeMs(hour * epoch),
}));
const all: GrantReach = {
  fromIndex: 0,
  toIndex: 48,
  begun: true,
  ended: false,
  endMs: undefined,
};
const lease = { epochMs: hour, maxEpochs: 24 };

function plan(reach: Partial<GrantReach> = {}, changes: Partial<typeof lease> = {}): string {
  const ranges = planKeys(opened, { ...all, ...reach }, { ...lease, ...changes });
  return ranges.map(({ generation, from, to }) => `${generation}: ${from}-${to}`).join(', ');
}

describe('the epochs of a grant', () => {
  it('are all that were opened, and those of the lease, by generation', () => {
    assert.equal(plan(), '0: 0-3, 1: 3-29');
    assert.equal(plan({}, { maxEpochs: 0 }), '0: 0-3, 1: 3-5');
  });

  it('are exactly those in which something of the range may have been recorded', () => {
    const ended = { ended: true, endMs: 0 };
    assert.equal(plan({ ...ended, fromIndex: 11, toIndex: 21 }), '0: 1-2');
    assert.equal(plan({ ...ended, fromIndex: 12, toIndex: 22 }), '0: 1-3');
    assert.equal(plan({ ...ended, fromIndex: 20, toIndex: 21 }), '0: 1-2');
    assert.equal(plan({ ...ended, fromIndex: 21, toIndex: 22 }), '0: 2-3');
    assert.equal(plan({ ...ended, fromIndex: 0, toIndex: 1 }), '');
    assert.equal(plan({ ...ended, fromIndex: 45, toIndex: 48 }), '1: 4-5');
    assert.equal(plan({ ...ended, fromIndex: 0, toIndex: 41 }), '0: 0-3, 1: 3-4');
  });

  it('that has not begun are none', () => {
    assert.equal(plan({ begun: false, fromIndex: 48 }), '');
  });

  it('are never leased beyond its end', () => {
    const from = { fromIndex: 48 };
    // The open epoch began at hour 4: the next ones begin at 5, 6, 7 or later.
    assert.equal(plan({ ...from, endMs: 7 * hour }), '1: 4-7');
    assert.equal(plan({ ...from, endMs: 7 * hour + 1 }), '1: 4-8');
    assert.equal(plan({ ...from, endMs: 5 * hour }), '1: 4-5');
    assert.equal(plan({ ...from, endMs: 4 * hour + 1 }), '1: 4-5');
    assert.equal(plan({ ...from, endMs: 400 * hour }), '1: 4-29');
    // Over, in a log that has been quiet since.
    assert.equal(plan({ fromIndex: 45, ended: true, endMs: 9 * hour }), '1: 4-5');
  });

  it('of a log that cuts them by events are asked for one by one where the grant ends', () => {
    const byEvents = { maxEpochs: 24, epochMs: undefined };
    const reach = { ...all, endMs: 400 * hour };
    const [, last] = planKeys(opened, reach, byEvents);
    assert.equal(last?.to, 5);
    assert.equal(planKeys(opened, all, byEvents)[1]?.to, 29);
  });

  it('stop at the last number that there is', () => {
    const last = opened.slice(0, 1).map((one) => ({ ...one, epoch: 2 ** 32 - 3 }));
    assert.equal(planKeys(last, all, lease)[0]?.to, 2 ** 32);
  });
});

describe('the nodes of a range', () => {
  const root = epochRoot(new Uint8Array(32).fill(7));

  it('have the keys of exactly its epochs, without those that were shredded', () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 4 }),
      (from, length, gone) => {
        const to = from + length;
        let held: ReturnType<typeof shredEpoch> = [root];
        for (const epoch of gone) held = shredEpoch(nodeCipher, held, epoch);
        const found = nodesOf(nodeCipher, held, { generation: 0, from, to }, 10_000);
        assert.equal(found.to, to);
        for (let epoch = Math.max(0, from - 3); epoch < to + 3; epoch++) {
          const node = found.nodes.filter((one) => spans(one, epoch));
          const wanted = epoch >= from && epoch < to && !gone.includes(epoch);
          assert.equal(node.length, wanted ? 1 : 0, `epoch ${epoch}`);
          const [one] = node;
          if (one === undefined) continue;
          const key = must(epochKey(nodeCipher, one, epoch));
          assert.deepEqual(key, must(epochKey(nodeCipher, root, epoch)));
        }
      },
    );
    fc.assert(property, { numRuns: 20 });
  });

  it('come in pieces where they are too many', () => {
    const range = { generation: 0, from: 1, to: 31 };
    const first = nodesOf(nodeCipher, [root], range, 3);
    assert.deepEqual([first.nodes.length, first.to], [3, 8]);
    const rest = nodesOf(nodeCipher, [root], { ...range, from: first.to }, 100);
    const whole = nodesOf(nodeCipher, [root], range, 100);
    assert.deepEqual([...first.nodes, ...rest.nodes], whole.nodes);
  });
});
