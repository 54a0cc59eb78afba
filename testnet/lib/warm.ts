/**
 * Loads what `hw up` loads, and ends: its end writes the compile cache, so that the peers that start
 * after it need half the time, and do not all write that cache when they end.
 */
await Promise.all([
  import('../../src/node/cli/join.ts'),
  import('../../src/node/cli/run.ts'),
  import('../../src/node/cli/up.ts'),
  import('../../src/node/node.ts'),
]);
