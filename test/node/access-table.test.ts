import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'mocha';
import { protocols } from '../../src/gossip/serve.ts';
import { wireEntries } from '../../src/node/access-table.ts';

describe('the table of entry points', () => {
  it('has an entry for each protocol that is spoken, and no other', () => {
    assert.deepEqual(Object.keys(wireEntries).toSorted(), Object.keys(protocols).toSorted());
  });

  it('names the file that decides', () => {
    for (const { decided } of Object.values(wireEntries)) assert.ok(existsSync(decided), decided);
  });
});
