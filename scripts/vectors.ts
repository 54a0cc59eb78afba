/**
 * Writes our golden vectors to test/vectors: `node scripts/vectors.ts`. With `--check` it writes
 * nothing and exits 1 where a file differs. A changed vector needs an ADR.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { goldenFiles } from './vectors/formats.ts';

const folder = new URL('../test/vectors/', import.meta.url);
const check = process.argv.includes('--check');

function current(name: string): string | undefined {
  try {
    return readFileSync(new URL(name, folder), 'utf8');
  } catch {
    return undefined; // not made yet
  }
}

for (const [name, text] of await goldenFiles()) {
  const same = current(name) === text;
  if (!same && check) process.exitCode = 1;
  if (!same && !check) writeFileSync(new URL(name, folder), text);
  console.log(`${same ? 'same   ' : check ? 'DIFFERS' : 'written'} ${name}`);
}
