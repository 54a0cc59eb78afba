/**
 * Disables each check of src/access in turn and counts the tests that notice: the table of
 * scripts/mutations. Works in copies of the repository, writes docs/reference/access-mutations.md
 * and exits 1 where a check is not found as it stands there, or nothing notices that it is gone.
 *
 *   node scripts/mutate-access.ts [--only TEXT] [--jobs N]      TEXT of a file name or check: writes nothing
 */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { code, table } from './docs/markdown.ts';
import { mutations, testsOf, type Mutation } from './mutations/table.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const vectors = process.env['HW_VECTORS'] ?? join(root, '../shared/vectors');
const { values } = parseArgs({
  options: { only: { type: 'string' }, jobs: { type: 'string', default: '1' } },
});

interface Noticed extends Mutation {
  /** Failing tests; `all`: the files of tests could not even run to their end. */
  readonly tests: number | 'all';
}

function copy(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hw-mutations-'));
  for (const name of ['src', 'test', 'scripts', 'package.json', '.mocharc.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Names of the tests that fail; undefined where the run hangs or breaks. */
async function failures(
  folder: string,
  tests: readonly string[],
): Promise<readonly string[] | undefined> {
  const mocha = join(folder, 'node_modules/mocha/bin/mocha.js');
  const args = [mocha, '--reporter', 'json', ...tests];
  const env = { ...process.env, ...(existsSync(vectors) ? { HW_VECTORS: vectors } : {}) };
  return new Promise((resolve) => {
    const options = { cwd: folder, env, timeout: 60_000, maxBuffer: 2 ** 26 };
    execFile(process.execPath, args, options, (_error, stdout) => {
      const failed = stdout.split('\n  "failures": [')[1]?.split('\n  "passes": [')[0];
      resolve(
        failed === undefined
          ? undefined
          : [...failed.matchAll(/"fullTitle": "(.*)"/g)].map(([, title = '']) => title),
      );
    });
  });
}

/** With every check in place no test fails. */
async function begin(chosen: readonly Mutation[]): Promise<void> {
  const folder = copy();
  const tests = [...new Set(chosen.flatMap(({ file }) => testsOf(file)))];
  const failed = await failures(folder, tests);
  rmSync(folder, { recursive: true });
  if (failed?.length === 0) return;
  throw new Error(`with every check in place: ${failed?.join(', ') ?? 'the tests do not run'}`);
}

function mutate(folder: string, { file, find, replace }: Mutation): () => void {
  const path = join(folder, file);
  const before = readFileSync(path, 'utf8');
  if (before.split(find).length !== 2) throw new RangeError(`${file} has not once: ${find}`);
  writeFileSync(
    path,
    before.replace(find, () => replace),
  );
  return () => writeFileSync(path, before);
}

async function work(queue: Mutation[], results: Noticed[]): Promise<void> {
  const folder = copy();
  try {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const restore = mutate(folder, next);
      const tests = (await failures(folder, testsOf(next.file)))?.length ?? 'all';
      restore();
      results.push({ ...next, tests });
      console.log(`${tests}\t${next.file}: ${next.check}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function page(results: readonly Noticed[]): string {
  const rows = results.map(({ file, check, tests }) => [code(file), check, String(tests)]);
  return [
    '# Checks of access, and the tests that notice when one is gone',
    '',
    '<!-- Made by `node scripts/mutate-access.ts` from scripts/mutations: change that, not this. -->',
    '',
    `Each of ${results.length} checks was disabled alone and the tests of its file were run; the last`,
    'column counts those that failed (`all`: the run did not come to its end).',
    '',
    ...table(['file', 'check', 'tests that notice'], rows),
    '',
  ].join('\n');
}

const { only } = values;
const chosen = mutations.filter(
  ({ file, check }) => only === undefined || file.includes(only) || check.includes(only),
);
const results: Noticed[] = [];
const queue = [...chosen];
await begin(chosen);
await Promise.all(Array.from({ length: Number(values.jobs) }, async () => work(queue, results)));
const order = (one: Noticed): number =>
  chosen.findIndex((m) => m.file === one.file && m.check === one.check);
results.sort((a, b) => order(a) - order(b));
const missed = results.filter(({ tests }) => tests === 0);
for (const { file, check } of missed) console.log(`nothing notices: ${file}: ${check}`);
console.log(`${results.length - missed.length} of ${results.length} are noticed`);
if (only === undefined) {
  writeFileSync(join(root, 'docs/reference/access-mutations.md'), page(results));
}
if (missed.length > 0) process.exitCode = 1;
