/**
 * A block for a reader whose grant has a time range: bodies of events recorded outside of it stay
 * here, and their leaves keep everything provable (ledger.md "Leaves", reduced form).
 */
import type { Hasher } from '../crypto.ts';
import type { DecodedBlock } from '../ledger/block.ts';
import { decodeBlock } from '../ledger/block-codec.ts';
import { reduceBlock } from '../ledger/block-encode.ts';
import { makeLeaves } from '../ledger/block-leaves.ts';
import { ok, type Result } from '../result.ts';

/** Half-open, milliseconds of recorded time. */
export interface TimeRange {
  readonly from: number;
  readonly to?: number;
}

export interface Withheld {
  readonly wire: Uint8Array;
  /** All of the block was recorded at the end of the range or later: nothing more will come. */
  readonly over: boolean;
  /** Entries within the range, by their index and half-open, and those of them that have a body. */
  readonly from: number;
  readonly to: number;
  readonly bodies: number;
}

/** True where nothing is ever withheld. */
export function isWhole({ from, to }: TimeRange): boolean {
  return from === 0 && to === undefined;
}

/** The block as the reader may have it; a fault is damage of our store. */
export function withhold(hasher: Hasher, wire: Uint8Array, range: TimeRange): Result<Withheld> {
  const { from, to = Number.MAX_SAFE_INTEGER } = range;
  const block = decodeBlock(wire, { reduced: true });
  if (!block.ok) return block;
  const { entries } = block.value;
  const inside = (position: number): boolean => {
    const time = entries[position]?.time ?? -1;
    return time >= from && time < to;
  };
  const over = (entries[0]?.time ?? 0) >= to;
  const seen = { over, ...countInside(block.value, inside) };
  if (entries.every((_, position) => inside(position))) return ok({ wire, ...seen });
  const made = makeLeaves(hasher, block.value);
  if (!made.ok) return made;
  return ok({ wire: reduceBlock(hasher, block.value, made.value.leaves, inside), ...seen });
}

/** Recorded time never goes back, so what is inside is one run. */
function countInside(
  { entries, firstIndex }: DecodedBlock,
  inside: (position: number) => boolean,
): Pick<Withheld, 'from' | 'to' | 'bodies'> {
  let [from, to, bodies] = [entries.length, 0, 0];
  for (const [position, { bodyOffset }] of entries.entries()) {
    if (!inside(position)) continue;
    from = Math.min(from, position);
    to = position + 1;
    if (bodyOffset >= 0) bodies += 1;
  }
  if (to === 0) from = 0;
  return { from: firstIndex + from, to: firstIndex + to, bodies };
}
