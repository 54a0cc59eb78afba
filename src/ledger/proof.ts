/**
 * Inclusion and consistency proofs, RFC 6962 sections 2.1.1 and 2.1.2 (RFC 9162 sections 2.1.3 and
 * 2.1.4). Storage stays outside: a `NodeReader` gives the roots of complete subtrees.
 *
 * Both proofs walk from the root of the tree [0, size) down to a leaf or to the old tree's right
 * edge. Each step splits [lo, hi) at lo + k, k the largest power of two below hi - lo, goes into
 * one half and leaves the other behind: that one's hash is part of the proof. The proof lists them
 * from the bottom up. What is left behind on the right may be incomplete; its hash then folds its
 * aligned subtrees (range.ts), read from the tree like all others.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash, type LogIndex, type TreeSize } from '../types.ts';
import { alignedSubtrees, rangeRoot } from './range.ts';
import { nodeHash, type NodeReader } from './tree.ts';

export type { NodeReader } from './tree.ts';

/** The half that a step of the walk left behind. */
interface Sibling {
  readonly side: 'left' | 'right';
  readonly from: number;
  readonly to: number;
}

interface Walk {
  /** From the bottom up. */
  readonly siblings: readonly Sibling[];
  /** Where the walk ended: [lo, hi). */
  readonly lo: number;
  readonly hi: number;
}

/** Walks from [0, size) to the subtree [lo, hi) at which `stop` says so. */
function walk(size: number, goLeft: (middle: number) => boolean, stop: Stop): Walk {
  const siblings: Sibling[] = [];
  let [lo, hi, k] = [0, size, 1];
  while (k * 2 < size) k *= 2;
  while (!stop(lo, hi)) {
    while (k >= hi - lo) k /= 2;
    const middle = lo + k;
    if (goLeft(middle)) {
      siblings.push({ side: 'right', from: middle, to: hi });
      hi = middle;
    } else {
      siblings.push({ side: 'left', from: lo, to: middle });
      lo = middle;
    }
  }
  return { siblings: siblings.toReversed(), lo, hi };
}

type Stop = (lo: number, hi: number) => boolean;

function walkToLeaf(index: number, size: number): Walk {
  return walk(
    size,
    (middle) => index < middle,
    (lo, hi) => hi - lo === 1,
  );
}

/** To the subtree that ends where the old tree ends. */
function walkToEdge(old: number, size: number): Walk {
  return walk(
    size,
    (middle) => old <= middle,
    (_lo, hi) => hi === old,
  );
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Hashes of some spans, all nodes read at once. */
async function readSpans(
  h: Hasher,
  reader: NodeReader,
  spans: readonly Span[],
): Promise<readonly Hash[]> {
  const parts = spans.map((span) => alignedSubtrees(span.from, span.to));
  const hashes = await reader.nodes(parts.flat());
  let at = 0;
  return parts.map((part) => rangeRoot(h, hashes.slice(at, (at += part.length))));
}

/**
 * Audit path of the leaf at `index` in the tree of `size` leaves, the leaf's sibling first (RFC
 * 6962 section 2.1.1). Throws a RangeError unless index < size.
 */
export async function inclusionProof(
  h: Hasher,
  reader: NodeReader,
  index: LogIndex,
  size: TreeSize,
): Promise<readonly Hash[]> {
  if (index >= size) throw new RangeError('the index is outside the tree');
  return readSpans(h, reader, walkToLeaf(index, size).siblings);
}

/**
 * Proof that the tree of `old` leaves is a prefix of the tree of `size` leaves (RFC 6962 section
 * 2.1.2); empty for old = 0 and old = size. Throws a RangeError where old > size.
 */
export async function consistencyProof(
  h: Hasher,
  reader: NodeReader,
  old: TreeSize,
  size: TreeSize,
): Promise<readonly Hash[]> {
  if (old > size) throw new RangeError('the old size is above the new one');
  if (old === 0 || old === size) return [];
  const { siblings, lo, hi } = walkToEdge(old, size);
  const start = lo === 0 ? [] : [{ from: lo, to: hi }];
  return readSpans(h, reader, [...start, ...siblings]);
}

/**
 * Accepts iff `proof` leads from the leaf hash to the root. All arguments may come from a peer.
 * Codes: `range-invalid` (index and size), `proof-length`, `proof-hash`, `root-mismatch`.
 */
export function verifyInclusion(
  h: Hasher,
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): Result<void> {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) {
    return err(fault('range-invalid', 'the index is outside the tree'));
  }
  const { siblings } = walkToLeaf(index, size);
  const misshapen = checkShape(proof, siblings.length) ?? checkShape([leaf], 1);
  if (misshapen !== undefined) return err(misshapen);
  let hash = asHash(leaf);
  siblings.forEach((sibling, i) => {
    hash = join(h, sibling, proof[i], hash);
  });
  if (equal(hash, root)) return ok(undefined);
  return err(fault('root-mismatch', 'the inclusion proof does not lead to the root'));
}

/**
 * Accepts iff `proof` shows that the tree of `old` leaves with `oldRoot` is a prefix of the tree of
 * `size` leaves with `root`. All arguments may come from a peer. old = 0 is refused: anything
 * extends the empty tree, so there is nothing to prove. Codes: `range-invalid`, `proof-length`,
 * `proof-hash`, `consistency-fails`.
 */
export function verifyConsistency(
  h: Hasher,
  old: number,
  size: number,
  proof: readonly Uint8Array[],
  oldRoot: Uint8Array,
  root: Uint8Array,
): Result<void> {
  if (!Number.isSafeInteger(old) || !Number.isSafeInteger(size) || old < 1 || old > size) {
    return err(fault('range-invalid', 'the old size is 0 or above the new one'));
  }
  const { siblings, lo } = walkToEdge(old, size);
  // Where the old tree is itself a node of the new one, the verifier knows its hash already.
  const known = lo === 0;
  const misshapen = checkShape(proof, siblings.length + (known ? 0 : 1));
  if (misshapen !== undefined) return err(misshapen);
  const [start, rest] = known ? [oldRoot, proof] : [proof[0] ?? oldRoot, proof.slice(1)];
  let [oldHash, hash] = [start, start];
  siblings.forEach((sibling, i) => {
    if (sibling.side === 'left') oldHash = join(h, sibling, rest[i], oldHash);
    hash = join(h, sibling, rest[i], hash);
  });
  if (equal(oldHash, oldRoot) && equal(hash, root)) return ok(undefined);
  return err(fault('consistency-fails', 'the proof does not lead to both roots'));
}

function checkShape(hashes: readonly Uint8Array[], wanted: number): Fault | undefined {
  if (hashes.length !== wanted) {
    return fault('proof-length', `${hashes.length} hashes instead of ${wanted}`);
  }
  if (hashes.every((hash) => hash.length === 32)) return undefined;
  return fault('proof-hash', 'a hash is not 32 bytes');
}

function join(h: Hasher, sibling: Sibling, other: Uint8Array | undefined, hash: Uint8Array): Hash {
  if (other === undefined) throw new RangeError('a proof shorter than checked');
  return sibling.side === 'left' ? nodeHash(h, other, hash) : nodeHash(h, hash, other);
}
