/**
 * Writes docs/reference from the code: `npm run docs`. With `--check` it writes nothing, names every
 * page that is stale, missing or no longer made, and exits 1 if there is one.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { madeElsewhere, referencePages } from './docs/pages.ts';

const folder = new URL('../docs/reference/', import.meta.url);
const check = process.argv.includes('--check');

mkdirSync(folder, { recursive: true });
const present = new Set(
  readdirSync(folder).filter((name) => name.endsWith('.md') && !madeElsewhere.has(name)),
);
const made = await referencePages();
let stale = 0;

for (const [name, text] of made) {
  const file = new URL(name, folder);
  if (present.delete(name) && readFileSync(file, 'utf8') === text) continue;
  stale += 1;
  if (!check) writeFileSync(file, text);
  console.log(`${check ? 'stale' : 'written'}: docs/reference/${name}`);
}
for (const name of present) {
  stale += 1;
  if (!check) rmSync(new URL(name, folder));
  console.log(`${check ? 'not made any more' : 'removed'}: docs/reference/${name}`);
}
if (stale === 0) console.log(`docs/reference is up to date (${made.size} pages)`);
else if (check) {
  console.log('run: npm run docs');
  process.exitCode = 1;
}
