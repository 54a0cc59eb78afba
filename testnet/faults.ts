/** Every fault with real processes, one scenario after the other, and a line of counts at the end. */
import type { Workspace } from './lib/workspace.ts';
import type { Scenario } from './scenario.ts';

export interface FaultOptions {
  /** Names of scenarios; none means all. */
  readonly only: readonly string[];
  readonly kills: number;
  readonly seed: number;
}

const scenarios: readonly Scenario[] = [];

/** The exit code: 0 where all passed. */
export async function runFaults(_work: Workspace, _options: FaultOptions): Promise<number> {
  return scenarios.length;
}
