import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { checkAnswers } from '../../testnet/checks/answers.ts';
import { seismicEvents } from '../../testnet/earthquakes.ts';

/** As a node renders them: attributes, its own reference, then the data as it came. */
const replayed = seismicEvents().map(({ line }, i) =>
  line.replace(',"data":', `,"hwref":"hw:x/${i}","data":`),
);

describe("the check of the auditor's answers", () => {
  it('passes over all events in any order', () => {
    assert.deepEqual(checkAnswers(replayed.toReversed()), {
      ok: true,
      detail: '1707 events, 169 hours, as the reference',
    });
  });

  it('fails when one event is missing, twice or changed', () => {
    assert.match(checkAnswers(replayed.slice(1)).detail, /eq.count_by_net differs/);
    assert.match(checkAnswers([...replayed, replayed[0] ?? '']).detail, /byte for byte/);
    const changed = replayed.with(5, (replayed[5] ?? '').replace(/"place":"./, '"place":"?'));
    assert.deepEqual(checkAnswers(changed), {
      ok: false,
      detail: '1707 events are not the 1707 features byte for byte',
    });
    const louder = replayed.with(5, (replayed[5] ?? '').replace(/"mag":[\d.]+/, '"mag":9.5'));
    assert.match(checkAnswers(louder).detail, /eq.hourly_max_mag differs/);
  });
});
