import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { events, publish, withLog } from '../support/ledger-home.ts';

describe('linger', () => {
  // At the rate of full blocks, one after the other, a block would wait ten seconds to be filled.
  const slow = { minLingerMs: 5, maxLingerMs: 10_000 };

  it('is over when nothing more comes, however high the rate was', async () => {
    const { ledger, log } = await withLog({ limits: slow });
    for (let block = 0; block < 3; block++) await publish(ledger, log, events(255, 255 * block));
    const [receipt] = await publish(ledger, log, events(1, 1000));
    assert.equal(receipt?.block, 4);
    await ledger.close();
  });

  it('goes on while more comes', async () => {
    const { ledger, log } = await withLog({ limits: { ...slow, minLingerMs: 50 } });
    for (let block = 0; block < 2; block++) await publish(ledger, log, events(255, 255 * block));
    const first = publish(ledger, log, events(1, 1000));
    await new Promise(setImmediate);
    const second = publish(ledger, log, events(1, 1001));
    const blocks = (await Promise.all([first, second])).map(([receipt]) => receipt?.block);
    assert.deepEqual(blocks, [3, 3]);
    await ledger.close();
  });

  it('is left out on a quiet stream', async () => {
    const { ledger, log } = await withLog({ limits: { minLingerMs: 10_000, maxLingerMs: 20_000 } });
    const [first] = await publish(ledger, log, events(1));
    assert.equal(first?.block, 1);
    await ledger.close();
  });
});
