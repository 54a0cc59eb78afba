/**
 * One entry's place in a cited range, without the parent log's checkpoint: the child's leaf holds
 * the range root, and these hashes lead from the entry to it.
 *
 *   [5, 13)     5 | 6 7 | 8 9 10 11 | 12      range root = H(5, H(67, H(8..11, 12)))
 *
 *   entry 9: its siblings up to its subtree (8; 10 11), then the other subtrees in order (5; 67; 12)
 *
 * At most 2·log2 of the range's end, for ten thousand entries about 25.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash } from '../types.ts';
import { alignedSubtrees, rangeRoot } from './range.ts';
import { nodeHash, type NodeReader, type NodeRef } from './tree.ts';

interface MemberParts {
  /** From the leaf upwards, with the side on which the sibling stands. */
  readonly siblings: readonly { readonly ref: NodeRef; readonly left: boolean }[];
  readonly others: readonly NodeRef[];
  /** Where the entry's subtree stands among the others. */
  readonly place: number;
}

function memberParts(index: number, from: number, to: number): MemberParts {
  const subtrees = alignedSubtrees(from, to);
  const place = subtrees.findIndex(
    ({ level, index: node }) => Math.floor(index / 2 ** level) === node,
  );
  const siblings = Array.from({ length: subtrees[place]?.level ?? 0 }, (_, level) => {
    const node = Math.floor(index / 2 ** level);
    const left = node % 2 === 1;
    return { ref: { level, index: left ? node - 1 : node + 1 }, left };
  });
  return { siblings, others: subtrees.filter((_, i) => i !== place), place };
}

function isMember(index: number, from: number, to: number): boolean {
  const whole = [index, from, to].every((n) => Number.isSafeInteger(n));
  return whole && from >= 0 && from <= index && index < to;
}

/** Throws RangeError unless from <= index < to. */
export async function rangeMemberProof(
  reader: NodeReader,
  index: number,
  from: number,
  to: number,
): Promise<readonly Hash[]> {
  if (!isMember(index, from, to)) throw new RangeError('the entry is not in the range');
  const { siblings, others } = memberParts(index, from, to);
  return reader.nodes([...siblings.map(({ ref }) => ref), ...others]);
}

/**
 * Is the entry with this leaf hash at `index` of the range [from, to) with this root? All arguments
 * may come from a peer. Codes: `range-invalid`, `proof-length`, `proof-hash`, `root-mismatch`.
 */
export function verifyRangeMember(
  h: Hasher,
  leafHash: Hash,
  range: { readonly index: number; readonly from: number; readonly to: number },
  proof: readonly Uint8Array[],
  root: Uint8Array,
): Result<void> {
  const { index, from, to } = range;
  if (!isMember(index, from, to)) {
    return err(fault('range-invalid', 'the entry is not in the range'));
  }
  const { siblings, others, place } = memberParts(index, from, to);
  const length = siblings.length + others.length;
  if (proof.length !== length) {
    return err(fault('proof-length', `${proof.length} hashes instead of ${length}`));
  }
  if (proof.some((hash) => hash.length !== 32)) {
    return err(fault('proof-hash', 'a hash of the proof is not 32 bytes'));
  }
  const hashes = proof.map(asHash);
  const subtree = siblings.reduce<Hash>((hash, { left }, i) => {
    const sibling = hashes[i] ?? hash;
    return left ? nodeHash(h, sibling, hash) : nodeHash(h, hash, sibling);
  }, leafHash);
  const rest = hashes.slice(siblings.length);
  const folded = rangeRoot(h, [...rest.slice(0, place), subtree, ...rest.slice(place)]);
  if (equal(folded, root)) return ok(undefined);
  return err(fault('root-mismatch', 'the proof does not lead to the range root'));
}
