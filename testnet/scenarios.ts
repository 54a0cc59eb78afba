/** Scenarios of a whole network, by name: `npm run testnet -- NAME [--short]`. */
import { warmCache } from './lib/hw.ts';
import type { Workspace } from './lib/workspace.ts';
import { restore } from './scenarios/restore.ts';

export interface NetworkScenarioOptions {
  /** At most 40 s, for CI. */
  readonly short: boolean;
  /** Prints a line for something that was seen to hold. */
  readonly holds: (what: string) => void;
}

/** Throws where something does not hold. */
export type NetworkScenario = (work: Workspace, options: NetworkScenarioOptions) => Promise<void>;

export const networkScenarios: Readonly<Record<string, NetworkScenario>> = {
  restore,
};

/** One line for each check; the exit code: 0 where all hold. */
export async function runNetworkScenario(
  work: Workspace,
  name: string,
  scenario: NetworkScenario,
  short: boolean,
): Promise<number> {
  try {
    await warmCache(work);
    await scenario(work, { short, holds: (what) => say('ok', what) });
  } catch (cause) {
    work.signal.throwIfAborted();
    say('FAILED', cause instanceof Error ? cause.message : String(cause));
    if (cause instanceof Error && cause.stack !== undefined) work.note(cause.stack);
    return 1;
  }
  say('passed', `${name} (${work.seconds.toFixed(1)} s)`);
  return 0;
}

function say(word: string, what: string): void {
  process.stdout.write(`${word.padEnd(7)} ${what}\n`);
}
