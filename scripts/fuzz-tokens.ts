/**
 * Feeds edited tokens to everything that reads tokens of strangers: `npm run fuzz`.
 *
 *   -- --inputs N     how many (100000)
 *   -- --seed S       of the draws (1); the same seed makes the same inputs
 *   -- --seconds N    stops then, if it is not done
 *   -- --corpus       makes test/access/corpus anew instead
 *
 * The longest run so far: 2,371,802 inputs of seeds 11 and 12 in 450 s, two processes on two busy
 * cores (5,270 a second together; 9,000 a second in one process when it has a core); every property
 * held, the slowest input took 17 ms there.
 *
 * Nothing may throw or take long; every refusal has a code; what is read is written to the same
 * bytes; no edited token verifies. Exits 1 with the inputs, in base64, for which that is not so.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { folder, makeCorpus } from './fuzz/corpus.ts';
import { fuzz } from './fuzz/fuzz.ts';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    corpus: { type: 'boolean', default: false },
  },
});

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`not a count: ${text}`);
  return value;
}

if (values.corpus) {
  for (const [name, text] of makeCorpus()) {
    writeFileSync(new URL(name, folder), text);
    console.log(`written: test/access/corpus/${name}`);
  }
} else {
  const report = fuzz({
    inputs: count(values.inputs),
    seed: count(values.seed),
    ...(values.seconds === undefined ? {} : { seconds: count(values.seconds) }),
    note: (text) => console.log(text),
  });
  const outcomes = [...report.outcomes].sort(([a], [b]) => a.localeCompare(b));
  for (const [outcome, times] of outcomes) console.log(`${times}\t${outcome}`);
  const { slowest, seconds, inputs, broken } = report;
  console.log(
    `slowest input: ${slowest.ms.toFixed(2)} ms (${slowest.kind}) ${slowest.input.slice(0, 200)}`,
  );
  console.log(
    `${inputs} inputs in ${seconds.toFixed(1)} s, ${Math.round(inputs / seconds)} a second`,
  );
  for (const { why, kind, input } of broken) console.log(`BROKEN ${kind}: ${why}\n  ${input}`);
  console.log(broken.length === 0 ? 'every property holds' : `${broken.length} broken`);
  if (broken.length > 0) process.exitCode = 1;
}
