/** Every fault with real processes, one scenario after the other, and a line of counts at the end. */
import { warmCache } from './lib/hw.ts';
import { Workspace } from './lib/workspace.ts';
import { seeded, Skipped, type Scenario } from './scenario.ts';
import { clock } from './scenarios/clock.ts';
import { configTypo } from './scenarios/config-typo.ts';
import { corrupt } from './scenarios/corrupt.ts';
import { disk } from './scenarios/disk.ts';
import { flood } from './scenarios/flood.ts';
import { garbage } from './scenarios/garbage.ts';
import { guard } from './scenarios/guard.ts';
import { input } from './scenarios/input.ts';
import { kill } from './scenarios/kill.ts';
import { passphrase } from './scenarios/passphrase.ts';
import { portInUse } from './scenarios/port-in-use.ts';
import { shutdown } from './scenarios/shutdown.ts';
import { slowReader } from './scenarios/slow-reader.ts';
import { twoNodes } from './scenarios/two-nodes.ts';

export interface FaultOptions {
  /** Names of scenarios; none means all. */
  readonly only: readonly string[];
  readonly kills: number;
  readonly seed: number;
}

const scenarios: readonly Scenario[] = [
  kill,
  shutdown,
  flood,
  disk,
  slowReader,
  garbage,
  clock,
  corrupt,
  guard,
  twoNodes,
  portInUse,
  configTypo,
  passphrase,
  input,
];

/** The exit code: 0 where all passed. */
export async function runFaults(work: Workspace, options: FaultOptions): Promise<number> {
  const unknown = options.only.filter((name) => !scenarios.some((one) => one.name === name));
  if (unknown.length > 0) {
    const names = scenarios.map(({ name }) => name).join(', ');
    process.stderr.write(`there is no ${unknown.join(', ')}; there are ${names}\n`);
    return 2;
  }
  const chosen = scenarios.filter(
    ({ name }) => options.only.length === 0 || options.only.includes(name),
  );
  process.stdout.write(`seed ${options.seed}\n`);
  await warmCache(work);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const scenario of chosen) counts[await runOne(work, scenario, options)] += 1;
  if (counts.skipped > 0) process.stdout.write(`${counts.skipped} skipped\n`);
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  return counts.failed === 0 ? 0 : 1;
}

async function runOne(
  parent: Workspace,
  scenario: Scenario,
  { kills, seed }: FaultOptions,
): Promise<'passed' | 'failed' | 'skipped'> {
  parent.signal.throwIfAborted();
  await using work = new Workspace(parent);
  work.note(`${scenario.name}: ${scenario.promise}`);
  const say = (word: string, detail: string): void => {
    const seconds = work.seconds.toFixed(1);
    process.stdout.write(`${word.padEnd(8)}${scenario.name.padEnd(14)}${detail} (${seconds} s)\n`);
  };
  try {
    const detail = await scenario.run({ work, kills, random: seeded(seed) });
    say('passed', detail);
    return 'passed';
  } catch (cause) {
    parent.signal.throwIfAborted();
    if (cause instanceof Skipped) {
      say('skipped', cause.message);
      return 'skipped';
    }
    say('FAILED', cause instanceof Error ? cause.message : String(cause));
    if (cause instanceof Error && cause.stack !== undefined) work.note(cause.stack);
    return 'failed';
  }
}
