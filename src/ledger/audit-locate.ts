/**
 * Which entry of a block was changed? The root says only that one was. A stored block keeps two
 * bytes of each leaf hash beside the wire bytes, so the first entry whose leaf hash does not fit is
 * the one that was changed (once in 65,536 a change is missed, then the whole block is named).
 */
import { toHex, readUint16 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import type { Fault } from '../errors.ts';
import type { DecodedBlock } from './block.ts';
import { makeLeaves } from './block-leaves.ts';
import type { BlockRecord } from './block-record.ts';

export interface Located {
  readonly index: number;
  /** One past the last entry that may be meant. */
  readonly to?: number;
  /** Hex of the first bytes of the leaf hash, as stored and as found. */
  readonly expected?: string;
  readonly found?: string;
}

export function locate(
  h: Hasher,
  record: BlockRecord,
  block: DecodedBlock,
  reason: Fault,
): Located {
  const { firstIndex } = block;
  const whole = { index: firstIndex, to: firstIndex + block.entries.length };
  const made = makeLeaves(h, block);
  // Of a body that cannot be read the place counts from the begin of the block.
  if (!made.ok) {
    const position = made.error.place?.index;
    return position === undefined ? whole : { index: firstIndex + position };
  }
  const { leafHashes } = made.value;
  for (let i = 0; i < Math.min(record.count, block.entries.length); i++) {
    const found = leafHashes.subarray(32 * i, 32 * i + 2);
    const expected = record.leafCheck(i);
    if (readUint16(found, 0) === expected) continue;
    const index = firstIndex + i;
    return { index, expected: expected.toString(16).padStart(4, '0'), found: toHex(found) };
  }
  const named = reason.place?.index;
  return named !== undefined && named >= whole.index && named < whole.to ? { index: named } : whole;
}
