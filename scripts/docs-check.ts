/**
 * Runs every command block of README.md and docs/guides and compares the shape of what it prints
 * with what is shown: `npm run docs:check [-- FILE…]`. How blocks are written: docs-check/blocks.ts.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPage, type BlockReport } from './docs-check/check.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const files =
  given.length > 0
    ? given.map((file) => resolve(file))
    : ['README.md', ...globSync('docs/guides/*.md', { cwd: root }).sort()].map((file) =>
        resolve(root, file),
      );
const counts = { passed: 0, failed: 0, skipped: 0 };

// An interrupt ends the present command's page in good order: nothing is left running.
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

function print({ verdict, place, what, details, seconds }: BlockReport): void {
  counts[verdict] += 1;
  const word = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[verdict];
  const time = verdict === 'skipped' ? '' : `, ${seconds.toFixed(1)} s`;
  console.log(`${word} ${place} ${what}${time}`);
  for (const line of details) console.log(`     ${line.replaceAll('\n', '\n     ')}`);
}

for (const file of files) {
  const name = relative(root, file);
  if (!existsSync(file)) {
    print({ verdict: 'failed', place: name, what: 'does not exist', details: [], seconds: 0 });
    continue;
  }
  for await (const report of checkPage(name, readFileSync(file, 'utf8'), stop.signal))
    print(report);
}
if (stop.signal.aborted)
  print({ verdict: 'failed', place: 'interrupted', what: '', details: [], seconds: 0 });
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0) process.exitCode = 1;
