/** A view that is too old to serve by is said so, where something is served by grant. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { staleFindings } from '../../../src/node/access/stale-view.ts';
import { didFromKey } from '../../../src/ids.ts';
import { asPublicKey } from '../../../src/types.ts';

const organisation = didFromKey(asPublicKey(new Uint8Array(32).fill(3)));

function reasons(age: number | undefined, serves = true): readonly (string | undefined)[] {
  const ageMs = (): number | undefined => age;
  const view = { organisation, ageMs, serves, maxRevocationLagMs: 300_000 };
  return staleFindings(view).map(({ reason }) => reason);
}

describe('the finding of a stale view', () => {
  it('is there beyond the lag, and where nothing was heard', () => {
    assert.deepEqual(reasons(300_000), []);
    assert.deepEqual(reasons(300_001), [
      'our registry was heard of 300 s ago, the limit is 300 s: nothing is served by grant (revocations-stale)',
    ]);
    assert.deepEqual(reasons(undefined), [
      'nothing was heard of our registry since the start: nothing is served by grant (revocations-stale)',
    ]);
  });

  it('is not there where nothing is served by grant', () => {
    assert.deepEqual(reasons(undefined, false), []);
  });
});
