/** A mocha root hook: after the run it prints which official suites ran, with their numbers of cases. */
import { counts } from './vectors.ts';

export const mochaHooks: { afterAll(): void } = {
  afterAll(): void {
    for (const [path, cases] of [...counts].sort((a, b) => a[0].localeCompare(b[0])))
      console.log(`suite ${path}: ${cases} cases`);
  },
};
