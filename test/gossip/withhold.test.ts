import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex, utf8 } from '../../src/bytes.ts';
import { isWhole, withhold } from '../../src/gossip/withhold.ts';
import { buildBlock, type Draft } from '../../src/ledger/build-block.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { asTimeMs } from '../../src/types.ts';
import { testEvent, testLog, testSeed, testSigner, testTime } from '../support/blocks.ts';
import { env } from '../support/judges.ts';
import { must } from '../support/result.ts';

const signer = testSigner(1);
const before = testLog(signer).state;
const texts = ['"earliest secret"', '"middle secret"', '"latest secret"'];

/** One block with an event at 10, 20 and 30 ms. */
const drafts = texts.map((data, i): Draft => {
  const time = asTimeMs(testTime + 10 * (i + 1));
  return { kind: 'event', event: testEvent(i, data), parents: undefined, time };
});
const time = asTimeMs(testTime + 40);
const block = must(buildBlock(env, before, signer, drafts, { time, seed: testSeed }));

function seen(wire: Uint8Array): readonly boolean[] {
  return texts.map((text) => toHex(wire).includes(toHex(utf8(text))));
}

describe('blocks for a grant with a time range', () => {
  it('have the bodies of the range, half-open, and verify to the same root', () => {
    for (const [range, wanted] of [
      [{ from: 0 }, [true, true, true]],
      [{ from: testTime + 20 }, [false, true, true]],
      [{ from: 0, to: testTime + 30 }, [true, true, false]],
      [{ from: testTime + 20, to: testTime + 21 }, [false, true, false]],
      [{ from: testTime + 31 }, [false, false, false]],
    ] as const) {
      const { wire, over } = must(withhold(env.crypto, block.wire, range));
      assert.deepEqual(seen(wire), wanted, JSON.stringify(range));
      assert.equal(over, false);
      const { state } = must(verifyBlock(env, before, wire, { form: 'any' }));
      assert.equal(toHex(state.root), toHex(block.state.root));
      // Without the seed nobody finds out what was left out.
      const whole = wanted.every(Boolean);
      assert.equal(toHex(wire).includes(toHex(testSeed)), whole);
    }
  });

  it('are over where all of a block was recorded at the end of the range or later', () => {
    const { wire, over } = must(withhold(env.crypto, block.wire, { from: 0, to: testTime + 10 }));
    assert.ok(over);
    assert.deepEqual(seen(wire), [false, false, false]);
  });

  it('are the same bytes where nothing is left out', () => {
    const whole = must(
      withhold(env.crypto, block.wire, { from: testTime + 10, to: testTime + 50 }),
    );
    assert.equal(whole.wire, block.wire);
    assert.ok(isWhole({ from: 0 }));
    assert.ok(!isWhole({ from: 1 }) && !isWhole({ from: 0, to: 5 }));
  });
});
