/** Inflating by zlib, for the reader of audit bundles (ledger/bundle-gzip.ts). */
import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import type { Inflate } from '../ledger/bundle-gzip.ts';

/** Bytes that may be inflated in one step. */
const chunkBytes = 262_144;

/** Refuses what is cut and what goes on behind its end. */
export const inflateRaw: Inflate = async function* (deflated) {
  const options = { chunkSize: chunkBytes, rejectGarbageAfterEnd: true };
  const source = Readable.from(deflated, { highWaterMark: 1 });
  const inflate = createInflateRaw(options);
  source.once('error', (cause) => inflate.destroy(cause));
  source.pipe(inflate);
  try {
    for await (const chunk of inflate) {
      const bytes: Uint8Array = chunk;
      yield bytes;
    }
  } finally {
    source.destroy();
  }
};
