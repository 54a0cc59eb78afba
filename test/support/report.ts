/**
 * A mocha root hook: prints which official suites ran, with their numbers of cases. Where files run in
 * processes of their own (`--parallel`) it is called after each of them.
 */
import { counts } from './vectors.ts';

export const mochaHooks: { afterAll(): void } = {
  afterAll(): void {
    for (const [path, cases] of [...counts].sort((a, b) => a[0].localeCompare(b[0])))
      console.log(`suite ${path}: ${cases} cases`);
    counts.clear();
  },
};
