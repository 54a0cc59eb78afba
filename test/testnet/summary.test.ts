import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  allWell,
  countVerdicts,
  perSecond,
  summaryText,
  type Check,
  type Summary,
} from '../../testnet/summary.ts';

const good: Check = { name: '(a) roots', ok: true, detail: '58 replicas' };
const found = { detected: true, code: 'data-commitment', index: 7 };
const summary: Summary = {
  ok: true,
  organisations: 11,
  peers: 14,
  streams: 12,
  eventsPublished: 1707,
  eventsReplicated: 9000,
  verdicts: { intact: 70 },
  tamper: found,
  publishPerSecond: 500,
  replicatePerSecond: 2500,
  seconds: 31.5,
};

describe('the summary of the testnet', () => {
  it('counts verdicts by word', () => {
    assert.deepEqual(countVerdicts(['intact', 'broken', 'intact']), { broken: 1, intact: 2 });
    assert.deepEqual(countVerdicts([]), {});
  });

  it('is well only where each check held, all is intact and tampering was found', () => {
    assert.equal(allWell([good], { intact: 3 }, found), true);
    assert.equal(allWell([], { intact: 3 }, found), false);
    assert.equal(allWell([good, { ...good, ok: false }], { intact: 3 }, found), false);
    assert.equal(allWell([good], {}, found), false);
    assert.equal(allWell([good], { intact: 3, incomplete: 1 }, found), false);
    assert.equal(allWell([good], { broken: 3 }, found), false);
    assert.equal(allWell([good], { intact: 3 }, { ...found, detected: false }), false);
  });

  it('gives rates only where time has passed', () => {
    assert.equal(perSecond(100, 0), 0);
    assert.equal(perSecond(100, 0.4), 250);
  });

  it('names what failed in its text', () => {
    const text = summaryText(
      { ...summary, ok: false, tamper: { ...found, detected: false } },
      [
        {
          stream: 'ci/x',
          events: 3,
          entries: 5,
          root: 'ab'.repeat(32),
          copies: 2,
          verdict: 'intact',
        },
      ],
      [good, { name: '(b) late joiner', ok: false, detail: 'ci/x: 4 is not 5' }],
    );
    assert.match(text, /^ci\/x +3 +5 +abababababab +2 +intact$/m);
    assert.match(text, /^passed +\(a\) roots +58 replicas$/m);
    assert.match(text, /^FAILED +\(b\) late joiner +ci\/x: 4 is not 5$/m);
    assert.match(text, /NOT detected/);
    assert.match(text, /^NOT OK in 31.5 s$/m);
    assert.match(summaryText(summary, [], [good]), /^ok in 31.5 s$/m);
  });
});
