/** Scenarios of a whole network, by name: `npm run testnet -- NAME [--short]`. */
import { warmCache } from './lib/hw.ts';
import type { Workspace } from './lib/workspace.ts';
import { access } from './scenarios/access.ts';
import { handingOn } from './scenarios/access-handing-on.ts';
import { forks } from './scenarios/forks.ts';
import { lineage } from './scenarios/lineage.ts';
import { partition } from './scenarios/partition.ts';
import { orgkey } from './scenarios/orgkey.ts';
import { recovery } from './scenarios/recovery.ts';
import { restore } from './scenarios/restore.ts';
import { retention } from './scenarios/retention.ts';
import { scrub } from './scenarios/scrub.ts';
import { usage } from './scenarios/usage.ts';
import { witness } from './scenarios/witness.ts';
import { writers } from './scenarios/writers.ts';

export interface NetworkOptions {
  /** At most 40 s, for CI. */
  readonly short: boolean;
}

/** Prints a line for each check; the exit code: 0 where all hold. */
export type NetworkScenario = (work: Workspace, options: NetworkOptions) => Promise<number>;

export const networkScenarios: Readonly<Record<string, NetworkScenario>> = {
  access: checked('access', access),
  'handing-on': checked('handing-on', handingOn),
  forks: checked('forks', forks),
  lineage: checked('lineage', lineage),
  partition: checked('partition', partition),
  orgkey: checked('orgkey', orgkey),
  recovery: checked('recovery', recovery),
  restore: checked('restore', restore),
  retention: checked('retention', retention),
  scrub: checked('scrub', scrub),
  usage: checked('usage', usage),
  witness: checked('witness', witness),
  writers: checked('writers', writers),
};

/** Throws where something does not hold; `holds` prints what was seen to. */
export type NetworkChecks = (
  work: Workspace,
  options: NetworkOptions & { readonly holds: (what: string) => void },
) => Promise<void>;

function checked(name: string, checks: NetworkChecks): NetworkScenario {
  return async (work, options) => {
    try {
      await warmCache(work);
      await checks(work, { ...options, holds: (what) => say('ok', what) });
    } catch (cause) {
      work.signal.throwIfAborted();
      say('FAILED', cause instanceof Error ? cause.message : String(cause));
      if (cause instanceof Error && cause.stack !== undefined) work.note(cause.stack);
      return 1;
    }
    say('passed', `${name} (${work.seconds.toFixed(1)} s)`);
    return 0;
  };
}

function say(word: string, what: string): void {
  process.stdout.write(`${word.padEnd(7)} ${what}\n`);
}
