import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { all, mutations } from '../../scripts/mutations/table.ts';

const root = new URL('../../', import.meta.url);

describe('the table of checks that a mutation run disables', () => {
  it('names each check by source text that is there exactly once', () => {
    const lost = mutations.filter(({ file, find }) => {
      const text = readFileSync(new URL(file, root), 'utf8');
      return text.split(find).length !== 2;
    });
    const names = lost.map(({ file, check, find }) => `${file}: ${check}: ${find}`);
    assert.deepEqual(names, []);
  });

  it('names tests that are there, and each check once', () => {
    for (const { file, tests } of all) {
      for (const path of tests) assert.ok(existsSync(new URL(path, root)), `${file}: ${path}`);
    }
    const names = mutations.map(({ file, check }) => `${file}: ${check}`);
    assert.equal(new Set(names).size, names.length);
  });
});
