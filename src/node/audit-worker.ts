/** A thread of the audit: takes stretches of blocks, one message each, and answers in their order. */
import { parentPort } from 'node:worker_threads';
import { checkRange, type CheckedRange, type RangeJob } from '../ledger/audit-range.ts';
import { nodeEnv } from './judges.ts';

parentPort?.on('message', (job: RangeJob) => {
  const range = checkRange(nodeEnv, job);
  parentPort?.postMessage(range, range === undefined ? [] : buffersOf(range));
});

/** What is handed over and not copied: each array that has a buffer of its own. */
function buffersOf({ blocks }: CheckedRange): ArrayBuffer[] {
  return blocks.flatMap(({ leafHashes, nodes }) =>
    [leafHashes, nodes.bytes].flatMap(({ buffer, byteLength }) =>
      buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > 0
        ? [buffer]
        : [],
    ),
  );
}
