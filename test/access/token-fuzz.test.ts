import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { makeCorpus, folder } from '../../scripts/fuzz/corpus.ts';
import { fuzz } from '../../scripts/fuzz/fuzz.ts';

describe('the token parser under edited tokens', () => {
  it('has a code for each, changes none, lets none verify: 2000 of one seed', () => {
    const { inputs, broken, outcomes } = fuzz({ inputs: 2000, seed: 7 });
    assert.deepEqual(broken, []);
    assert.equal(inputs, 2000);
    // The edits reach behind the first checks, and some still read.
    for (const outcome of ['delegation ok', 'delegation ucan-field', 'invocation ucan-signature']) {
      assert.ok((outcomes.get(outcome) ?? 0) > 0, outcome);
    }
  });

  it('makes the same inputs of the same seed', () => {
    const outcomes = [3, 3, 4].map((seed) => [...fuzz({ inputs: 100, seed }).outcomes]);
    assert.deepEqual(outcomes[0], outcomes[1]);
    assert.notDeepEqual(outcomes[0], outcomes[2]);
  });

  it('starts from the corpus that the script makes', () => {
    for (const [name, text] of makeCorpus()) {
      assert.equal(readFileSync(new URL(name, folder), 'utf8'), text, name);
    }
  });
});
