/**
 * The tree by the recursion of RFC 6962 section 2.1, from all leaf hashes: slow and obvious, the
 * second opinion that the tests compare with.
 */
import { nodeCrypto } from '../../src/crypto-node.ts';
import { concat, utf8 } from '../../src/bytes.ts';
import { leafHash, type Frontier, type NodeReader, type NodeRef } from '../../src/ledger/tree.ts';
import { asHash, type Hash } from '../../src/types.ts';

/** Hashes of the leaves `leaf 0`, `leaf 1`, …, as most suites have them. */
export function namedLeaves(count: number): readonly Hash[] {
  return Array.from({ length: count }, (_, i) => leafHash(nodeCrypto, utf8(`leaf ${i}`)));
}

/** MTH(D[n]) of RFC 6962. */
export function naiveRoot(leaves: readonly Hash[]): Hash {
  const [first] = leaves;
  if (first === undefined) return nodeCrypto.sha256(new Uint8Array(0));
  if (leaves.length === 1) return first;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  const [left, right] = [naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k))];
  return nodeCrypto.sha256(concat(Uint8Array.of(1), left, right));
}

/** Answers every complete subtree from the leaves. */
export function naiveReader(leaves: readonly Hash[]): NodeReader {
  const known = new Map<string, Hash>();
  const node = (ref: NodeRef): Hash => {
    const name = `${ref.level}/${ref.index}`;
    const width = 2 ** ref.level;
    const from = ref.index * width;
    if (from + width > leaves.length) throw new RangeError(`no complete subtree ${name}`);
    const hash = known.get(name) ?? naiveRoot(leaves.slice(from, from + width));
    known.set(name, hash);
    return hash;
  };
  return { nodes: async (refs) => refs.map(node) };
}

export function flat(hashes: readonly Hash[]): Uint8Array {
  return concat(...hashes);
}

/** Different, reproducible hashes without hashing. */
export function someHashes(count: number, label = 0): readonly Hash[] {
  return Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(32).fill(label);
    new DataView(bytes.buffer).setUint32(28, i);
    return asHash(bytes);
  });
}

export const noFrontier: Frontier = [];
