import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { runScenario } from './scenario.ts';

/** Small enough to run several in a test; `npm run sim` sweeps the large ones. */
const small = { peers: 12, producers: 3, batches: 10 };
const tiny = { peers: 6, producers: 2, batches: 4 };

function told(seed: number, problems: readonly string[]): string {
  return `seed ${seed}: ${problems.join('; ')}`;
}

describe('simulator', function () {
  this.timeout(30_000);

  it('brings 50 peers together through loss, reordering, partitions and crashes', async () => {
    const seed = 20_261;
    const result = await runScenario(seed, { batches: 12 });
    assert.deepEqual(result.problems, [], told(seed, result.problems));
    assert.ok(result.crashes >= 5 && result.partitions >= 1, 'the storm was a breeze');
    assert.ok(result.byGossip > 500 && result.bySync > 500, 'both ways were used');
    assert.ok(result.acknowledged > 150);
  });

  it('converges with gossip switched off', async () => {
    const seed = 7;
    const result = await runScenario(seed, { ...small, gossip: false });
    assert.deepEqual(result.problems, [], told(seed, result.problems));
    assert.equal(result.byGossip, 0);
  });

  it('gives the same trace for the same seed, another for another', async () => {
    const [one, again, other] = [
      await runScenario(3, small),
      await runScenario(3, small),
      await runScenario(4, small),
    ];
    assert.deepEqual(one.problems, [], told(3, one.problems));
    assert.equal(again.traceHash, one.traceHash);
    assert.ok(one.events > 1000);
    assert.notEqual(other.traceHash, one.traceHash);
  });

  it('notices a network that stays apart and an acknowledgement that was lost', async () => {
    const apart = await runScenario(5, { ...tiny, sabotage: 'unhealed' });
    assert.match(apart.problems.join('\n'), /n\d+ has \d+ of \d+ of n\d+|could not publish/);
    const phantom = await runScenario(5, { ...tiny, sabotage: 'phantom' });
    assert.deepEqual(phantom.problems, ['n0: phantom was acknowledged at 1 and is at undefined']);
  });
});
