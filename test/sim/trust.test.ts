import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { runTrust } from './trust-scenario.ts';

describe('a cheat, a restored producer, crashes and a recovery together', function () {
  this.timeout(30_000);

  // `npm run sim` sweeps more of them.
  for (const seed of [1, 2]) {
    it(`leave all honest peers with the same logs and nothing lost (seed ${seed})`, async () => {
      const result = await runTrust(seed);
      assert.deepEqual(result.problems, [], `seed ${seed}: ${result.problems.join('; ')}`);
      assert.ok(result.lost > 0, 'the copy was as new as the home');
      assert.ok(result.setAside > 0, 'nobody had to leave the other history');
      assert.ok(result.crashes > 2 && result.acknowledged > 20);
    });
  }

  it('end in the same way each time', async () => {
    const [one, again] = [await runTrust(3), await runTrust(3)];
    assert.deepEqual(one.problems, []);
    assert.equal(again.traceHash, one.traceHash);
  });
});
