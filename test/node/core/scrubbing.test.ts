/** What a node says of its scrub, and where its blocks come from. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../../src/errors.ts';
import type { Finding } from '../../../src/ledger/findings.ts';
import type { ScrubReport } from '../../../src/ledger/scrub.ts';
import { repairLines } from '../../../src/node/cli/verify-repair.ts';
import { peersOf, scrubFinding, scrubView } from '../../../src/node/core/scrubbing.ts';
import { JsonView } from '../../../src/node/json-view.ts';
import { asLogIndex, asTimeMs } from '../../../src/types.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';

const log = fakeLogId(1);
const quiet: ScrubReport = {
  running: true,
  rounds: 2,
  checkedBlocks: 5,
  checkedEntries: 500,
  found: 0,
  repaired: 0,
  findings: [],
};

function found(more: Partial<Finding>): Finding {
  const time = asTimeMs(1);
  const wrong = fault('store-corrupt', 'a stored block does not have its checksum');
  return { log, kind: 'block', index: 105, fault: wrong, since: time, seen: time, ...more };
}

describe('what a node says of its scrub', () => {
  it('is fine while nothing is damaged, and after all was repaired', () => {
    assert.deepEqual(scrubFinding(quiet), { name: 'scrub', ok: true, level: 'ok' });
    const findings = [found({ repairedFrom: 'a peer' })];
    assert.ok(scrubFinding({ ...quiet, findings }).ok);
    const view = scrubView({ ...quiet, findings, found: 1, repaired: 1 });
    assert.deepEqual([view.found, view.repaired, view.open], [1, 1, 0]);
  });

  it('names the first open place, why it could not be repaired, and what to do', () => {
    const reason = fault('no-holder', 'no peer is connected');
    const findings = [found({ reason }), found({ index: 900 })];
    const check = scrubFinding({ ...quiet, findings });
    assert.equal(check.level, 'error');
    assert.match(check.reason ?? '', /^2 damaged places, the first at hw:b\S+\/105: .*no-holder/);
    assert.equal(check.hint, reason.hint);
    assert.match(scrubFinding({ ...quiet, findings: [found({})] }).hint ?? '', /--repair/);
  });

  it('tells a store that cannot be read', () => {
    const stalled = fault('store-failed', 'an input/output error');
    assert.match(scrubFinding({ ...quiet, stalled }).reason ?? '', /store-failed/);
  });

  it('has nobody to ask without a network', async () => {
    const { signal } = new AbortController();
    const none = peersOf(() => undefined);
    const asked = await none.fetch(log, asLogIndex(0), async () => 'more', signal);
    assert.equal(!asked.ok && asked.error.code, 'no-holder');
  });

  it('lists repairs, at most twenty, with whose bytes they were or why not', () => {
    const one = { log, what: 'block', index: 105, code: 'store-corrupt' };
    const reason = { code: 'no-holder', message: 'no peer is connected' };
    const many = Array.from({ length: 20 }, () => new JsonView({ ...one, from: 'peer' }));
    const lines = repairLines([new JsonView({ ...one, reason }), ...many]);
    assert.equal(lines[0], '  21 damaged places, 20 repaired');
    assert.match(lines[1] ?? '', /^ {2}NOT repaired block at hw:\S+\/105 .*no peer is connected/);
    assert.match(lines[2] ?? '', /^ {2}repaired block at .* from peer$/);
    assert.deepEqual([lines.length, lines.at(-1)], [22, '  and 1 more']);
  });
});
