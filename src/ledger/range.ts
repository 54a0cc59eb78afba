/**
 * Ranges of a log as one hash (ledger.md "Leaves": range root; FACTS.md section 4).
 *
 * [from, to) is split into maximal aligned subtrees: at each place p the largest 2^level that
 * divides p and fits. [5, 13) gives (level, index)
 *
 *   (0, 5) (1, 3) (2, 2) (0, 12)      5 | 6 7 | 8 9 10 11 | 12
 *
 * The **range root** folds their hashes from the right: acc = last, acc = SHA-256(0x01 ‖ hash ‖ acc).
 * For one entry it is its leaf hash, for from = 0 the RFC 6962 root of size `to`.
 *
 * A **range proof** in a tree of size n lists the subtree hashes of [0, from), of [from, to) and of
 * [to, n), in this order: their number follows from the three numbers. It proves both the tree's
 * root and the range root.
 *
 * The **reverse index** keeps one row for each aligned subtree that a child cites; the children of
 * one entry stand under the subtrees that hold it.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash } from '../types.ts';
import { foldRight, nodeHash, type NodeReader, type NodeRef } from './tree.ts';

/**
 * The maximal aligned subtrees of [from, to), left to right; none for an empty range. The frontier
 * of a tree of size n is `alignedSubtrees(0, n)`. Bounds are integers, 0 <= from, to <= 2^53-1.
 */
export function alignedSubtrees(from: number, to: number): readonly NodeRef[] {
  const refs: NodeRef[] = [];
  let place = from;
  let level = 0;
  let width = 1;
  // Up: where place is an odd multiple of the width, no larger subtree starts here.
  while (place + width <= to) {
    if ((place / width) % 2 === 1) {
      refs.push({ level, index: place / width });
      place += width;
    }
    level += 1;
    width *= 2;
  }
  // Down: fewer than `width` leaves are left, and place is a multiple of it.
  while (place < to) {
    level -= 1;
    width /= 2;
    if (place + width <= to) {
      refs.push({ level, index: place / width });
      place += width;
    }
  }
  return refs;
}

/** Folds the hashes of `alignedSubtrees(from, to)`; throws a RangeError where there are none. */
export function rangeRoot(h: Hasher, hashes: readonly Hash[]): Hash {
  const root = foldRight(h, hashes);
  if (root === undefined) throw new RangeError('an empty range has no root');
  return root;
}

/** Range root of [from, to), from < to <= size of the tree behind the reader. */
export async function readRangeRoot(
  h: Hasher,
  reader: NodeReader,
  from: number,
  to: number,
): Promise<Hash> {
  return rangeRoot(h, await reader.nodes(alignedSubtrees(from, to)));
}

/** The three parts of a range proof, see above. */
export interface RangeParts {
  readonly before: readonly NodeRef[];
  readonly inside: readonly NodeRef[];
  readonly after: readonly NodeRef[];
}

/** The subtrees of a range proof; their number is the proof's length. */
export function rangeParts(from: number, to: number, size: number): RangeParts {
  return {
    before: alignedSubtrees(0, from),
    inside: alignedSubtrees(from, to),
    after: alignedSubtrees(to, size),
  };
}

/** Range proof of [from, to) in the tree of `size` leaves; throws unless from < to <= size. */
export async function rangeProof(
  reader: NodeReader,
  from: number,
  to: number,
  size: number,
): Promise<readonly Hash[]> {
  if (!isRange(from, to, size)) throw new RangeError('the range is empty or outside the tree');
  const { before, inside, after } = rangeParts(from, to, size);
  return reader.nodes([...before, ...inside, ...after]);
}

/**
 * Checks a range proof against the root of the tree of `size` leaves and gives the range root.
 * All arguments may come from a peer. Codes: `range-invalid`, `proof-length`, `proof-hash`,
 * `root-mismatch`.
 */
export function verifyRange(
  h: Hasher,
  from: number,
  to: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): Result<Hash> {
  if (!isRange(from, to, size)) {
    return err(fault('range-invalid', 'the range is empty or outside the tree'));
  }
  const { before, inside, after } = rangeParts(from, to, size);
  const refs = [...before, ...inside, ...after];
  if (proof.length !== refs.length) {
    return err(fault('proof-length', `${proof.length} hashes instead of ${refs.length}`));
  }
  if (proof.some((hash) => hash.length !== 32)) {
    return err(fault('proof-hash', 'a hash of the proof is not 32 bytes'));
  }
  const hashes = proof.map(asHash);
  if (!equal(mergedRoot(h, refs, hashes), root)) {
    return err(fault('root-mismatch', 'the proof does not lead to the root'));
  }
  return ok(rangeRoot(h, hashes.slice(before.length, before.length + inside.length)));
}

/** Root of subtrees that cover [0, n): merges equal neighbours as appending does, then folds. */
function mergedRoot(h: Hasher, refs: readonly NodeRef[], hashes: readonly Hash[]): Hash {
  const stack: { ref: NodeRef; hash: Hash }[] = [];
  refs.forEach((ref, i) => {
    let top = { ref, hash: hashes[i] ?? asHash(new Uint8Array(32)) };
    for (;;) {
      const left = stack[stack.length - 1];
      if (left === undefined || left.ref.level !== top.ref.level || left.ref.index % 2 !== 0) break;
      stack.pop();
      const parent = { level: left.ref.level + 1, index: left.ref.index / 2 };
      top = { ref: parent, hash: nodeHash(h, left.hash, top.hash) };
    }
    stack.push(top);
  });
  return rangeRoot(
    h,
    stack.map((item) => item.hash),
  );
}

function isRange(from: number, to: number, size: number): boolean {
  return (
    Number.isSafeInteger(from) &&
    Number.isSafeInteger(to) &&
    Number.isSafeInteger(size) &&
    from >= 0 &&
    from < to &&
    to <= size
  );
}

/** Rows of the reverse index that a child writes for each parent range: (parent log, level, index). */
export function reverseIndexRows(from: number, to: number): readonly NodeRef[] {
  return alignedSubtrees(from, to);
}

/**
 * Where the children of one entry stand: the subtrees that hold it, (level, index >> level), for
 * each level that a subtree of a log of `size` entries can have.
 */
export function reverseIndexPrefixes(
  index: number,
  size: number = Number.MAX_SAFE_INTEGER,
): readonly NodeRef[] {
  const prefixes: NodeRef[] = [];
  for (let level = 0, width = 1; width <= size; level++, width *= 2) {
    prefixes.push({ level, index: Math.floor(index / width) });
  }
  return prefixes;
}
