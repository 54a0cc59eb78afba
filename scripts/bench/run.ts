/**
 * `npm run bench`: measures every figure of figures.ts and prints them.
 *
 *   -- --json         one JSON value {"figures": […]} on stdout
 *   -- --check        exit code 3 where a target is missed
 *   -- --only a,b     these figures, and the raw limits that they are put in proportion to
 *   -- --quick        a look in about two minutes; small counts, so the targets say little
 *   -- --minutes N    how long `residentMiB` publishes (5)
 *   -- --seconds N    how long `threeProcesses` is sustained (60)
 */
import { parseArgs } from 'node:util';
import type { BenchOptions } from './bench.ts';
import { benches, choose } from './benches.ts';
import { isFigureName, type Measured } from './figures.ts';
import { makeFigures, misses, missing } from './judge-figures.ts';
import { machine, table } from './table.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    minutes: { type: 'string' },
    seconds: { type: 'string' },
  },
});

function count(text: string | undefined, usual: number): number {
  const value = text === undefined ? usual : Number(text);
  if (!(value > 0)) throw new RangeError(`not a positive number: ${text}`);
  return value;
}

const only = values.only?.split(',').filter((name) => name !== '');
for (const name of only ?? []) {
  if (!isFigureName(name)) throw new RangeError(`there is no figure ${name}`);
}
const { chosen, wanted } = choose(benches, only?.filter(isFigureName));

const options: BenchOptions = {
  quick: values.quick,
  memoryMinutes: count(values.minutes, values.quick ? 0.25 : 5),
  sustainedSeconds: count(values.seconds, values.quick ? 5 : 60),
  wants: (name) => wanted.includes(name),
  note: (text) => void process.stderr.write(`${text}\n`),
};
options.note(machine(['npm run bench --', ...process.argv.slice(2)].join(' ')));
// The timers of a ledger keep no process alive; waiting for them here must.
const hold = setInterval(() => undefined, 60_000);
const measured: Measured[] = [];
const failures: string[] = [];
for (const bench of chosen) {
  const begun = performance.now();
  try {
    measured.push(...(await bench.run(options)));
  } catch (cause) {
    failures.push(`${bench.names.join(', ')}: ${String(cause)}`);
    options.note(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  options.note(`${bench.names.join(', ')} (${seconds} s)`);
}
clearInterval(hold);

const figures = makeFigures(measured);
const bad = [...misses(figures), ...missing(figures, wanted)];
console.log(values.json ? JSON.stringify({ figures }, null, 2) : table(figures));
for (const failure of failures) options.note(`failed: ${failure}`);
if (values.check) {
  const targets = figures.filter((figure) => figure.pass !== null).length;
  options.note(`${targets - misses(figures).length} of ${targets} targets reached`);
  if (bad.length > 0) options.note(`missed: ${bad.join(', ')}`);
}
if (failures.length > 0) process.exitCode = 1;
else if (values.check && bad.length > 0) process.exitCode = 3;
