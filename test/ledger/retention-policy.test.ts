/** Policies, the row that says how far they have come, and the count of bytes. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { ByteTally } from '../../src/ledger/retention-bytes.ts';
import {
  policyMap,
  policyOf,
  readPolicy,
  retentionControl,
} from '../../src/ledger/retention-policy.ts';
import { decodeRetentionRow, encodeRetentionRow } from '../../src/ledger/retention-row.ts';

describe('retention policies', () => {
  const policies = fc.record(
    {
      maxAgeMs: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      maxBytes: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      below: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      compact: fc.constant(true),
    },
    { requiredKeys: [], noNullPrototype: true },
  );

  it('are read as they were written', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        assert.deepEqual(readPolicy(policyMap(policy)), policy);
        assert.deepEqual(policyOf(retentionControl(policy)), policy);
      }),
    );
  });

  it('of a later version are not understood, so they drop nothing', () => {
    for (const map of [
      {},
      { keep: 'some' },
      { keep: 'all', maxAge: 1 },
      { maxAge: 0 },
      { maxAge: '1' },
      { maxBytes: -1 },
      { compact: false },
      { maxAge: 1, colour: 1 },
    ]) {
      assert.equal(readPolicy(map), undefined, JSON.stringify(map));
    }
    assert.equal(policyOf({ type: 'retention', policy: { maxAge: 1 }, more: 1 }), undefined);
    assert.equal(policyOf({ type: 'redact', policy: { maxAge: 1 } }), undefined);
  });

  it('and how far they have come are kept in a row that a damaged one is not taken for', () => {
    const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const segments = fc.array(
      fc.record({ firstIndex: count, bytes: count }, { noNullPrototype: true }),
    );
    const rows = fc.record(
      {
        dropped: count,
        freed: count,
        controls: count,
        compacted: count,
        policy: fc.option(policies, { nil: undefined }),
        counted: count,
        segments,
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(rows, (row) => {
        const bytes = encodeRetentionRow(row);
        assert.deepEqual(decodeRetentionRow(bytes), row);
        for (let end = 0; end < bytes.length; end++) {
          assert.equal(decodeRetentionRow(bytes.subarray(0, end)), undefined);
        }
      }),
    );
  });
});

describe('ByteTally', () => {
  it('says from which index on a limit is kept, to a hundredth of it', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 200_000 }), (blocks, maxBytes) => {
        const tally = new ByteTally(maxBytes, 0, []);
        blocks.forEach((bytes, i) => tally.add(i, i + 1, bytes));
        const lowest = tally.lowest(maxBytes);
        const from = (index: number): number =>
          blocks.slice(index).reduce((sum, bytes) => sum + bytes, 0);
        assert.ok(from(lowest) <= maxBytes);
        const least = blocks.findIndex((_, i) => from(i) <= maxBytes);
        const best = least < 0 ? blocks.length : least;
        const more = from(best) - from(lowest);
        assert.ok(more <= maxBytes / 128 + 5000, `${more} bytes more than had to`);
        assert.ok(tally.segments.length <= 1 + 2 * blocks.length);
      }),
    );
  });
});
