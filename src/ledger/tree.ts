/**
 * The Merkle tree of a log: RFC 6962 section 2.1 with SHA-256.
 *
 *   leaf hash   SHA-256(0x00 ‖ leaf)
 *   node hash   SHA-256(0x01 ‖ left ‖ right)
 *   empty tree  SHA-256 of nothing
 *
 * A node is named (level, index): the complete subtree over the leaves
 * [index · 2^level, (index + 1) · 2^level). A tree of 6 leaves, its frontier in brackets:
 *
 *   level 2      [2,0]
 *   level 1   1,0     1,1   [1,2]
 *   level 0  0  1    2  3   4  5
 *
 * The **frontier** is the list of complete subtrees along the right edge, largest first, one for
 * each 1 bit of the size (FACTS.md section 4). It is all that is needed to go on appending.
 *
 * Sizes go up to 2^53-1, so nothing here shifts: JavaScript's bit operators cut to 32 bits.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asTreeSize, type Hash, type TreeSize } from '../types.ts';

export type Frontier = readonly Hash[];

/** Names the complete subtree over [index · 2^level, (index + 1) · 2^level). */
export interface NodeRef {
  readonly level: number;
  readonly index: number;
}

/** Consecutive nodes of one level: (level, first) … (level, first + count - 1). */
export interface NodeRun {
  /** At least 1; leaves are not in here. */
  readonly level: number;
  readonly first: number;
  readonly count: number;
  /** Where the first of them stands in `NewNodes.bytes`, in bytes. */
  readonly offset: number;
}

/** Reads roots of complete subtrees, one for each ref and in the same order. */
export interface NodeReader {
  nodes(refs: readonly NodeRef[]): Promise<readonly Hash[]>;
}

/**
 * The interior nodes that an append completed: level 1 first, each level from left to right, 32
 * bytes a node. The runs say which they are. A level without new nodes has no run.
 */
export interface NewNodes {
  /** Size of the tree before the append. */
  readonly from: TreeSize;
  readonly bytes: Uint8Array;
  readonly runs: readonly NodeRun[];
}

export interface Appended {
  readonly frontier: Frontier;
  readonly size: TreeSize;
  readonly nodes: NewNodes;
}

// Filled and hashed within one synchronous call, so it can be shared: 0x01, left, right.
const nodeInput = new Uint8Array(65).fill(1, 0, 1);
const leafInput = new Uint8Array(1024);

/** SHA-256(0x00 ‖ leaf), RFC 6962 section 2.1. */
export function leafHash(h: Hasher, leaf: Uint8Array): Hash {
  const out = new Uint8Array(32);
  leafHashInto(h, leaf, out, 0);
  return asHash(out);
}

/** `leafHash` written to `out[at, at + 32)`: no allocation for leaves below 1 KiB. */
function leafHashInto(h: Hasher, leaf: Uint8Array, out: Uint8Array, at: number): void {
  const length = leaf.length + 1;
  const input = length <= leafInput.length ? leafInput : new Uint8Array(length);
  input.set(leaf, 1);
  h.sha256Into(input.subarray(0, length), out, at);
}

/** SHA-256(0x01 ‖ left ‖ right), RFC 6962 section 2.1. */
export function nodeHash(h: Hasher, left: Uint8Array, right: Uint8Array): Hash {
  const out = new Uint8Array(32);
  const length = left.length + right.length + 1;
  const input = length === 65 ? nodeInput : new Uint8Array(length).fill(1, 0, 1);
  input.set(left, 1);
  input.set(right, 1 + left.length);
  h.sha256Into(input, out, 0);
  return asHash(out);
}

/** Root of the tree without leaves: SHA-256 of nothing. */
export function emptyRoot(h: Hasher): Hash {
  return h.sha256(new Uint8Array(0));
}

/** Root of the tree that has this frontier; of no frontier the empty root. */
export function rootOf(h: Hasher, frontier: Frontier): Hash {
  return foldRight(h, frontier) ?? emptyRoot(h);
}

/** acc = last; then, from right to left, acc = SHA-256(0x01 ‖ hash ‖ acc). Undefined for none. */
export function foldRight(h: Hasher, hashes: readonly Hash[]): Hash | undefined {
  let root = hashes[hashes.length - 1];
  for (let i = hashes.length - 2; i >= 0 && root !== undefined; i--) {
    const left = hashes[i];
    if (left !== undefined) root = nodeHash(h, left, root);
  }
  return root;
}

/** Number of hashes in the frontier of a tree of this size: its 1 bits. */
export function frontierLength(size: number): number {
  let bits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}

/**
 * Takes a frontier that a peer sent: `frontier-size` unless it has one hash for each 1 bit of the
 * size, `proof-hash` where one is not 32 bytes. Whether the hashes are right only a root can tell.
 */
export function checkFrontier(size: TreeSize, hashes: readonly Uint8Array[]): Result<Frontier> {
  const wanted = frontierLength(size);
  if (hashes.length !== wanted) {
    return err(fault('frontier-size', `${hashes.length} hashes for a size that needs ${wanted}`));
  }
  if (hashes.some((hash) => hash.length !== 32)) {
    return err(fault('proof-hash', 'a hash of the frontier is not 32 bytes'));
  }
  return ok(hashes.map(asHash));
}

/**
 * Appends leaves, given as `n · 32` bytes of leaf hashes, to a tree of `size` leaves. Costs one
 * node hash a leaf. Hashes in the result are copies. Throws a RangeError where the frontier does
 * not fit the size (see `checkFrontier`) or the new size is above 2^53-1.
 */
export function appendLeaves(
  h: Hasher,
  frontier: Frontier,
  size: TreeSize,
  leafHashes: Uint8Array,
): Appended {
  if (leafHashes.length % 32 !== 0) throw new RangeError('leaf hashes are not n · 32 bytes');
  if (frontier.length !== frontierLength(size))
    throw new RangeError('not the frontier of the size');
  const newSize = asTreeSize(size + leafHashes.length / 32);
  const nodes = newNodes(h, frontier, size, newSize, leafHashes);
  return { frontier: newFrontier(frontier, nodes, newSize, leafHashes), size: newSize, nodes };
}

/**
 * `appendLeaves` for what a peer sent: also checks the frontier and the signed root. Codes:
 * `frontier-size`, `proof-hash`, `integer-too-large`, `root-mismatch`.
 */
export function verifyAppend(
  h: Hasher,
  size: TreeSize,
  frontier: readonly Uint8Array[],
  leafHashes: Uint8Array,
  root: Hash,
): Result<Appended> {
  const checked = checkFrontier(size, frontier);
  if (!checked.ok) return checked;
  if (!Number.isSafeInteger(size + leafHashes.length / 32)) {
    return err(fault('integer-too-large', 'the tree would have more than 2^53-1 leaves'));
  }
  const appended = appendLeaves(h, checked.value, size, leafHashes);
  if (equal(rootOf(h, appended.frontier), root)) return ok(appended);
  return err(fault('root-mismatch', 'frontier and leaves do not give the root'));
}

/** On each level the new nodes are [size >> level, newSize >> level): one run. */
function runsBetween(size: number, newSize: number): readonly NodeRun[] {
  const runs: NodeRun[] = [];
  let offset = 0;
  for (let level = 1, width = 2; width <= newSize; level++, width *= 2) {
    const first = Math.floor(size / width);
    const count = Math.floor(newSize / width) - first;
    if (count === 0) break; // nor on any level above
    runs.push({ level, first, count, offset });
    offset += count * 32;
  }
  return runs;
}

function newNodes(
  h: Hasher,
  frontier: Frontier,
  size: TreeSize,
  newSize: TreeSize,
  leafHashes: Uint8Array,
): NewNodes {
  const runs = runsBetween(size, newSize);
  const bytes = new Uint8Array(32 * runs.reduce((sum, run) => sum + run.count, 0));
  let children = leafHashes;
  let at = 0;
  let firstChild: number = size;
  let open = frontier.length - 1;
  for (const run of runs) {
    let out = run.offset;
    const end = out + run.count * 32;
    if (firstChild % 2 === 1) {
      // The left child was complete before: it is the frontier's node of this level.
      const left = frontier[open--];
      if (left !== undefined) nodeInput.set(left, 1);
      nodeInput.set(children.subarray(at, at + 32), 33);
      h.sha256Into(nodeInput, bytes, out);
      out += 32;
      at += 32;
    }
    for (; out < end; out += 32, at += 64) {
      nodeInput.set(children.subarray(at, at + 64), 1);
      h.sha256Into(nodeInput, bytes, out);
    }
    children = bytes;
    at = run.offset;
    firstChild = run.first;
  }
  return { from: size, bytes, runs };
}

/** Each 1 bit of the new size names a node: a new one, a leaf, or one of the old frontier. */
function newFrontier(
  old: Frontier,
  nodes: NewNodes,
  newSize: TreeSize,
  leafHashes: Uint8Array,
): Frontier {
  const frontier: Hash[] = [];
  let open = old.length - 1;
  for (let level = 0, width = 1; width <= newSize; level++, width *= 2) {
    const before = Math.floor(nodes.from / width);
    const after = Math.floor(newSize / width);
    const kept = before % 2 === 1 ? old[open--] : undefined;
    if (after % 2 === 0) continue;
    if (after === before) {
      if (kept !== undefined) frontier.push(kept);
      continue;
    }
    const last = (after - 1 - before) * 32;
    const source = level === 0 ? leafHashes : nodes.bytes;
    const at = last + (level === 0 ? 0 : (nodes.runs[level - 1]?.offset ?? 0));
    frontier.push(asHash(source.slice(at, at + 32)));
  }
  return frontier.toReversed();
}
