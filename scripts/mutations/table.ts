/** What a mutation is, and all of them. */
import { epochs } from './epochs.ts';
import { handingOn } from './handing-on.ts';
import { judging } from './judging.ts';
import { keys } from './keys.ts';
import { reading } from './reading.ts';
import { revoking } from './revoking.ts';
import { sealed } from './sealed.ts';
import { sealing } from './sealing.ts';
import { succession } from './succession.ts';

export interface Mutation {
  /** From the root. */
  readonly file: string;
  /** What is checked there. */
  readonly check: string;
  /** Source text, found exactly once in the file. */
  readonly find: string;
  /** The same without the check. */
  readonly replace: string;
}

/** Of one file: its tests, and its checks as [what, find, replace]; without the third, an `if` that is never true. */
export interface Checks {
  readonly file: string;
  readonly tests: readonly string[];
  readonly checks: readonly (readonly [string, string, string?])[];
}

export const all: readonly Checks[] = [
  ...judging,
  ...handingOn,
  ...reading,
  ...epochs,
  ...keys,
  ...succession,
  ...sealed,
  ...sealing,
  ...revoking,
];

export const mutations: readonly Mutation[] = all.flatMap(({ file, checks }) =>
  checks.map(([check, find, replace = 'if (false)']) => ({ file, check, find, replace })),
);

export function testsOf(file: string): readonly string[] {
  return all.find((one) => one.file === file)?.tests ?? [];
}
