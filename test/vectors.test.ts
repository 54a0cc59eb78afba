import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { goldenFiles } from '../scripts/vectors/formats.ts';

const folder = new URL('./vectors/', import.meta.url);

describe('our golden vectors', () => {
  it('are what the script makes: a change needs an ADR', async function () {
    this.timeout(20_000);
    for (const [name, text] of await goldenFiles()) {
      const committed = readFileSync(new URL(name, folder), 'utf8');
      assert.ok(committed === text, `${name} differs: node scripts/vectors.ts`);
    }
  });

  it('are all made and all described', async function () {
    this.timeout(20_000);
    const made = [...(await goldenFiles()).keys()].sort();
    const committed = readdirSync(folder).filter((name) => name.endsWith('.json'));
    assert.deepEqual(committed.sort(), made);
    const readme = readFileSync(new URL('README.md', folder), 'utf8');
    for (const name of made) assert.ok(readme.includes(`\`${name}\``), name);
  });
});
