/** Golden vectors of the Merkle tree: roots, frontiers, inclusion, consistency and range proofs. */
import { toHex, utf8 } from '../../src/bytes.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from '../../src/ledger/proof.ts';
import {
  alignedSubtrees,
  rangeProof,
  reverseIndexPrefixes,
  reverseIndexRows,
  verifyRange,
} from '../../src/ledger/range.ts';
import {
  appendLeaves,
  leafHash,
  rootOf,
  verifyAppend,
  type Appended,
  type NodeReader,
} from '../../src/ledger/tree.ts';
import { asHash, asLogIndex, asTreeSize, type Hash } from '../../src/types.ts';
import { accepted, flipped, hexes, joined, refused, type Format, type Json } from './format.ts';

const leaves: readonly Hash[] = Array.from({ length: 300 }, (_, i) =>
  leafHash(h, utf8(`headwater leaf ${i}`)),
);

function treeOf(size: number): Appended {
  return appendLeaves(h, [], asTreeSize(0), joined(leaves.slice(0, size)));
}

const rootAt = (size: number): Hash => rootOf(h, treeOf(size).frontier);

/** Complete subtrees have the frontier [root] of their own leaves. */
const reader: NodeReader = {
  nodes: async (refs) =>
    refs.map(({ level, index }) => {
      const width = 2 ** level;
      const own = leaves.slice(index * width, (index + 1) * width);
      return rootOf(h, appendLeaves(h, [], asTreeSize(0), joined(own)).frontier);
    }),
};

/** Ways to spoil a proof, with the code each gives. `last` is the code of a wrong hash. */
function spoiled(proof: readonly Uint8Array[], wrong: Code): readonly Spoiled[] {
  const extra = leaves[0] ?? new Uint8Array(32);
  const first = proof[0];
  const always: Spoiled[] = [
    { how: 'a hash more', proof: [...proof, extra], code: 'proof-length' },
  ];
  if (first === undefined) return always;
  return [
    ...always,
    { how: 'a hash missing', proof: proof.slice(1), code: 'proof-length' },
    { how: 'first hash changed', proof: proof.with(0, flipped(first)), code: wrong },
    { how: 'a hash of 31 bytes', proof: proof.with(0, first.slice(1)), code: 'proof-hash' },
  ];
}

interface Spoiled {
  readonly how: string;
  readonly proof: readonly Uint8Array[];
  readonly code: Code;
}

function sizes(): Json {
  const list = [...Array.from({ length: 34 }, (_, i) => i), 63, 64, 65, 255, 256, 257, 300];
  return list.map((size) => {
    const { frontier } = treeOf(size);
    return { size, root: toHex(rootOf(h, frontier)), frontier: hexes(frontier) };
  });
}

async function inclusion(): Promise<Json> {
  const [valid, invalid]: [Json[], Json[]] = [[], []];
  for (const [index, size] of [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
    [4, 7],
    [6, 7],
    [255, 256],
    [256, 257],
    [100, 300],
  ] as const) {
    const [leaf, root] = [leaves[index] ?? rootAt(0), rootAt(size)];
    const proof = await inclusionProof(h, reader, asLogIndex(index), asTreeSize(size));
    const base = { index, size, leafHash: toHex(leaf), root: toHex(root) };
    accepted(verifyInclusion(h, leaf, index, size, proof, root), `leaf ${index} of ${size}`);
    valid.push({ ...base, proof: hexes(proof) });
    for (const { how, proof: bad, code } of spoiled(proof, 'root-mismatch')) {
      refused(verifyInclusion(h, leaf, index, size, bad, root), code, how);
      invalid.push({ how, ...base, proof: hexes(bad), code });
    }
    const code = refused(
      verifyInclusion(h, leaf, size, size, proof, root),
      'range-invalid',
      'past',
    );
    invalid.push({ how: 'index past the end', ...base, index: size, proof: hexes(proof), code });
  }
  return { valid, invalid };
}

async function consistency(): Promise<Json> {
  const [valid, invalid]: [Json[], Json[]] = [[], []];
  for (const [old, size] of [
    [1, 1],
    [1, 2],
    [2, 3],
    [3, 7],
    [4, 7],
    [6, 8],
    [255, 300],
    [256, 300],
  ] as const) {
    const [oldRoot, root] = [rootAt(old), rootAt(size)];
    const proof = await consistencyProof(h, reader, asTreeSize(old), asTreeSize(size));
    const base = { old, size, oldRoot: toHex(oldRoot), root: toHex(root) };
    accepted(verifyConsistency(h, old, size, proof, oldRoot, root), `${old} to ${size}`);
    valid.push({ ...base, proof: hexes(proof) });
    for (const { how, proof: bad, code } of spoiled(proof, 'consistency-fails')) {
      refused(verifyConsistency(h, old, size, bad, oldRoot, root), code, how);
      invalid.push({ how, ...base, proof: hexes(bad), code });
    }
    const code = refused(verifyConsistency(h, 0, size, proof, oldRoot, root), 'range-invalid', '0');
    invalid.push({ how: 'from size 0', ...base, old: 0, proof: hexes(proof), code });
  }
  return { valid, invalid };
}

async function ranges(): Promise<Json> {
  const [valid, invalid]: [Json[], Json[]] = [[], []];
  for (const [from, to, size] of [
    [0, 1, 1],
    [0, 3, 3],
    [1, 3, 3],
    [3, 5, 7],
    [5, 13, 20],
    [255, 257, 300],
    [0, 300, 300],
  ] as const) {
    const root = rootAt(size);
    const proof = await rangeProof(reader, from, to, size);
    const rangeRoot = accepted(verifyRange(h, from, to, size, proof, root), `[${from}, ${to})`);
    const base = { from, to, size, root: toHex(root) };
    const nodes = alignedSubtrees(from, to).map(({ level, index }) => ({ level, index }));
    valid.push({ ...base, nodes, proof: hexes(proof), rangeRoot: toHex(rangeRoot) });
    for (const { how, proof: bad, code } of spoiled(proof, 'root-mismatch')) {
      refused(verifyRange(h, from, to, size, bad, root), code, how);
      invalid.push({ how, ...base, proof: hexes(bad), code });
    }
    const code = refused(verifyRange(h, from, from, size, proof, root), 'range-invalid', 'empty');
    invalid.push({ how: 'empty range', ...base, to: from, proof: hexes(proof), code });
  }
  return { valid, invalid };
}

function appends(): Json {
  const [valid, invalid]: [Json[], Json[]] = [[], []];
  for (const [size, count] of [
    [0, 1],
    [1, 2],
    [3, 3],
    [7, 1],
    [100, 5],
    [255, 2],
  ] as const) {
    const [{ frontier }, root] = [treeOf(size), rootAt(size + count)];
    const added = leaves.slice(size, size + count);
    const check = (hashes: readonly Uint8Array[]): ReturnType<typeof verifyAppend> =>
      verifyAppend(h, asTreeSize(size), hashes, joined(added), root);
    const base = { size, leafHashes: hexes(added), root: toHex(root) };
    const after = accepted(check(frontier), `append at ${size}`).frontier;
    valid.push({ ...base, frontier: hexes(frontier), frontierAfter: hexes(after) });
    for (const { how, proof: bad, code } of spoiled(frontier, 'root-mismatch')) {
      const own = code === 'proof-length' ? 'frontier-size' : code;
      refused(check(bad), own, how);
      invalid.push({ how, ...base, frontier: hexes(bad), code: own });
    }
  }
  return { valid, invalid };
}

function largeRanges(): Json {
  return (
    [
      [1_000_000, 1_010_000],
      [2 ** 31 - 1, 2 ** 33 + 1],
      [1, Number.MAX_SAFE_INTEGER],
    ] as const
  ).map(([from, to]) => ({
    from,
    to,
    nodes: alignedSubtrees(from, to).map(({ level, index }) => [level, index]),
  }));
}

function reverseIndex(): Json {
  const children = [
    [0, 10],
    [7, 8],
    [5, 13],
    [255, 257],
  ] as const;
  return {
    rows: children.map(([from, to]) => ({
      from,
      to,
      rows: reverseIndexRows(from, to).map(({ level, index }) => [level, index]),
    })),
    prefixes: [0, 7, 12, 256].map((index) => ({
      index,
      size: 300,
      prefixes: reverseIndexPrefixes(index, 300).map(({ level, index: node }) => [level, node]),
    })),
  };
}

async function make(): Promise<Json> {
  return {
    leafRule: "leaf i is the ASCII text 'headwater leaf ' followed by decimal i",
    leafHashes: hexes(leaves.slice(0, 4).map(asHash)),
    sizes: sizes(),
    appends: appends(),
    inclusion: await inclusion(),
    consistency: await consistency(),
    ranges: await ranges(),
    largeRanges: largeRanges(),
    reverseIndex: reverseIndex(),
  };
}

export const tree: Format = { name: 'tree', make };
