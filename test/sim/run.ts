/**
 * `npm run sim -- --seeds N [--first S] [--peers P] [--no-gossip]`: sweeps seeds, each printed, first
 * through the storm (scenario.ts), then through the cheat and its recovery (trust-scenario.ts).
 */
import { parseArgs } from 'node:util';
import { runScenario, usual } from './scenario.ts';
import { runTrust } from './trust-scenario.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    peers: { type: 'string', default: String(usual.peers) },
    producers: { type: 'string', default: String(usual.producers) },
    batches: { type: 'string', default: String(usual.batches) },
    /** Every fourth seed runs without gossip anyway. */
    'no-gossip': { type: 'boolean', default: false },
  },
});

function number(name: 'seeds' | 'first' | 'peers' | 'producers' | 'batches'): number {
  const parsed = Number(values[name]);
  if (Number.isSafeInteger(parsed) && parsed >= 0) return parsed;
  console.error(`--${name} ${values[name]} is not a number`);
  process.exit(2);
}

const [first, seeds] = [number('first'), number('seeds')];
let failed = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const began = performance.now();
  const gossip = !values['no-gossip'] && seed % 4 !== 0;
  const sizes = {
    peers: number('peers'),
    producers: number('producers'),
    batches: number('batches'),
  };
  const result = await runScenario(seed, { ...sizes, gossip });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const good = result.problems.length === 0;
  if (!good) failed += 1;
  console.log(
    `seed ${seed}: ${good ? 'passed' : 'FAILED'}, ${result.acknowledged} events in ${result.blocks} blocks, ` +
      `${result.crashes} crashes, ${result.partitions} partitions, gossip ${gossip ? 'on' : 'off'}, ` +
      `${result.byGossip} by gossip, ${result.bySync} by sync, converged after ` +
      `${result.virtualSeconds} s, trace ${result.traceHash.slice(0, 16)}, took ${seconds} s`,
  );
  for (const problem of result.problems) console.log(`seed ${seed}: ${problem}`);
}
for (let seed = first; seed < first + seeds; seed++) {
  const began = performance.now();
  const result = await runTrust(seed);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const good = result.problems.length === 0;
  if (!good) failed += 1;
  console.log(
    `trust seed ${seed}: ${good ? 'passed' : 'FAILED'}, ${result.acknowledged} events, ${result.lost} ` +
      `entries lost and fetched again, ${result.setAside} blocks set aside, ${result.crashes} crashes, ` +
      `converged after ${result.virtualSeconds} s, trace ${result.traceHash.slice(0, 16)}, took ${seconds} s`,
  );
  for (const problem of result.problems) console.log(`trust seed ${seed}: ${problem}`);
}
console.log(`${2 * seeds - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
