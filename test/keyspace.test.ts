import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { keyspace } from '../src/keyspace.ts';

describe('the keyspace', () => {
  it('gives each table a prefix of its own', () => {
    const names = new Map<number, string[]>();
    for (const [name, { prefix }] of Object.entries(keyspace)) {
      names.set(prefix, [...(names.get(prefix) ?? []), name]);
    }
    const shared = [...names.values()].filter((tables) => tables.length > 1);
    assert.deepEqual(shared, []);
  });
});
