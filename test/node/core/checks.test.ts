import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../../src/errors.ts';
import { limits } from '../../../src/limits.ts';
import { CheckBook, judge, type Observed } from '../../../src/node/core/checks.ts';
import { asTimeMs } from '../../../src/types.ts';
import { stream } from '../http/double.ts';

const fine: Observed = {
  streams: [stream],
  keyless: [],
  unresolved: [],
  connectedPeers: 1,
  hasNetwork: true,
  clockOffsetMs: undefined,
  storeAccepting: true,
  freeBytes: limits.minFreeDiskBytes,
  journalDropped: 0,
};
const [log = assert.fail()] = stream.logs;

const since = (checks: ReturnType<CheckBook['update']>): unknown =>
  checks.find(({ name }) => name === 'store')?.since;

describe('what is not as it should be', () => {
  it('is nothing on a healthy node', () => {
    const findings = judge(fine);
    assert.deepEqual(
      findings.map(({ name }) => name),
      ['store', 'disk', 'clock', 'network', 'journal'],
    );
    assert.ok(findings.every(({ ok, level }) => ok && level === 'ok'));
    assert.ok(judge({ ...fine, hasNetwork: false, connectedPeers: 0 }).every(({ ok }) => ok));
    assert.ok(judge({ ...fine, clockOffsetMs: 1 - limits.clockWarningMs }).every(({ ok }) => ok));
  });

  it('has a name, a reason and what to do', () => {
    const damaged = {
      ...log,
      state: 'damaged' as const,
      problem: fault('store-corrupt', 'bytes changed'),
    };
    const cases: readonly (readonly [Partial<Observed>, string, 'warning' | 'error', RegExp])[] = [
      [{ storeAccepting: false }, 'store', 'error', /no writes/],
      [{ freeBytes: limits.minFreeDiskBytes - 1 }, 'disk', 'warning', /256 MiB free/],
      [{ clockOffsetMs: -limits.clockWarningMs }, 'clock', 'warning', /-30 s off/],
      [{ connectedPeers: 0 }, 'network', 'warning', /no peer/],
      [{ journalDropped: 3 }, 'journal', 'warning', /3 entries/],
      [{ unresolved: ['a/b'] }, 'follow a/b', 'warning', /no registry/],
      [
        { streams: [{ ...stream, logs: [damaged] }] },
        'stream orders',
        'error',
        /damaged: bytes changed \(store-corrupt\)/,
      ],
      [
        { streams: [{ ...stream, logs: [{ ...log, lagEntries: 7 }] }] },
        'stream orders',
        'warning',
        /7 entries behind/,
      ],
      [
        {
          streams: [{ ...stream, partitions: 2, logs: [{ ...log, partition: 1, lagEntries: 1 }] }],
        },
        'stream orders/1',
        'warning',
        /1 entries/,
      ],
    ];
    for (const [seen, name, level, reason] of cases) {
      const [bad, ...others] = judge({ ...fine, ...seen }).filter(({ ok }) => !ok);
      assert.equal(bad?.name, name);
      assert.equal(bad.level, level);
      assert.match(bad.reason ?? '', reason);
      assert.match(bad.hint ?? '', /\w{4}/);
      assert.deepEqual(others, []);
    }
  });

  it('keeps its since until it is well again', () => {
    const book = new CheckBook();
    const full = judge({ ...fine, storeAccepting: false });
    assert.equal(since(book.update(full, asTimeMs(10))), 10);
    assert.equal(since(book.update(full, asTimeMs(20))), 10);
    assert.deepEqual([...book.open], ['store']);
    assert.equal(since(book.update(judge(fine), asTimeMs(30))), undefined);
    assert.equal(since(book.update(full, asTimeMs(40))), 40);
  });
});
