import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import {
  EdgeTiles,
  openTiles,
  tileReader,
  type OpenTileRef,
  type TileStore,
} from '../../src/ledger/edge-tiles.ts';
import { consistencyProof, inclusionProof, verifyInclusion } from '../../src/ledger/proof.ts';
import { nodeInTile, tileBytes, tileRoot, type FullTile } from '../../src/ledger/tile.ts';
import { appendLeaves, rootOf, type Appended, type NodeRef } from '../../src/ledger/tree.ts';
import { asLogIndex, asTreeSize, type Hash } from '../../src/types.ts';
import { flat, naiveReader, someHashes } from './naive-tree.ts';

/** A log's tree as a node keeps it: the frontier, the edge, and a store of full tiles. */
class KeptTree implements TileStore {
  readonly edge = new EdgeTiles();
  readonly stored = new Map<string, FullTile>();
  tree: Appended = appendLeaves(nodeCrypto, [], asTreeSize(0), new Uint8Array(0));
  reads = 0;

  append(hashes: readonly Hash[]): readonly FullTile[] {
    const leaves = flat(hashes);
    this.tree = appendLeaves(nodeCrypto, this.tree.frontier, this.tree.size, leaves);
    const full = this.edge.append(leaves, this.tree.nodes);
    for (const tile of full) this.stored.set(`${tile.level}/${tile.index}`, tile);
    return full;
  }

  async tiles(refs: readonly { level: number; index: number }[]): Promise<readonly Uint8Array[]> {
    this.reads += refs.length;
    return refs.map(({ level, index }) => {
      return this.stored.get(`${level}/${index}`)?.bytes ?? new Uint8Array(0);
    });
  }

  /** What a store reads for `EdgeTiles.rebuild`. */
  lowest(leaves: readonly Hash[]): readonly Uint8Array[] {
    return openTiles(this.tree.size).map(({ level, index, width }: OpenTileRef) => {
      const first = index * 256;
      if (level === 0) return flat(leaves.slice(first, first + width));
      const roots = Array.from({ length: width }, (_, i) =>
        tileRoot(this.stored.get(`${level - 1}/${first + i}`)?.bytes ?? new Uint8Array(0)),
      );
      return flat(roots);
    });
  }
}

/** Every complete subtree of a tree. */
function allNodes(size: number): readonly NodeRef[] {
  const refs: NodeRef[] = [];
  for (let level = 0, width = 1; width <= size; level++, width *= 2) {
    for (let index = 0; (index + 1) * width <= size; index++) refs.push({ level, index });
  }
  return refs;
}

describe('the right edge of the tile tree', () => {
  it('hands out a full tile when its last leaf comes, with all 511 nodes', async () => {
    const leaves = someHashes(513, 5);
    const kept = new KeptTree();
    assert.deepEqual(kept.append(leaves.slice(0, 255)), []);
    const [first, none] = kept.append(leaves.slice(255, 256));
    assert.ok(first !== undefined && none === undefined);
    assert.deepEqual([first.level, first.index, first.bytes.length], [0, 0, tileBytes]);
    const reader = naiveReader(leaves);
    for (const ref of allNodes(256).filter(({ level }) => level < 8)) {
      assert.deepEqual([nodeInTile(first.bytes, ref)], await reader.nodes([ref]));
    }
    assert.deepEqual([tileRoot(first.bytes)], await reader.nodes([{ level: 8, index: 0 }]));
    const [second] = kept.append(leaves.slice(256));
    assert.deepEqual([second?.level, second?.index], [0, 1]);
    assert.deepEqual(
      [second && tileRoot(second.bytes)],
      await reader.nodes([{ level: 8, index: 1 }]),
    );
  });

  it('fills several tiles and the tile above them in one append', async () => {
    const leaves = someHashes(65_536 + 300, 2);
    const kept = new KeptTree();
    kept.append(leaves.slice(0, 100));
    const full = kept.append(leaves.slice(100));
    assert.deepEqual(
      full.map(({ level, index }) => ({ level, index })),
      [...Array.from({ length: 257 }, (_, index) => ({ level: 0, index })), { level: 1, index: 0 }],
    );
    assert.deepEqual(openTiles(kept.tree.size), [
      { level: 0, index: 257, width: 44 },
      { level: 1, index: 1, width: 1 },
      { level: 2, index: 0, width: 1 },
    ]);
    const refs = [0, 1, 7, 8, 9, 15, 16].flatMap((level) => {
      const last = Math.floor(leaves.length / 2 ** level) - 1;
      return [0, Math.floor(last / 2), last].map((index) => ({ level, index }));
    });
    const [read, wanted] = [tileReader(kept.edge, kept), naiveReader(leaves)];
    assert.deepEqual(await read.nodes(refs), await wanted.nodes(refs));
  });

  it('answers every node of the tree together with the stored tiles', async () => {
    const leaves = someHashes(700, 9);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 256 }), { maxLength: 5 }), async (lengths) => {
        const kept = new KeptTree();
        for (const length of lengths) {
          const from = kept.tree.size;
          kept.append(leaves.slice(from, Math.min(from + length, 700)));
        }
        const size = kept.tree.size;
        const refs = allNodes(size);
        const wanted = await naiveReader(leaves.slice(0, size)).nodes(refs);
        assert.deepEqual(await tileReader(kept.edge, kept).nodes(refs), wanted);
        for (const [i, ref] of refs.entries()) {
          const full = Math.floor(size / 256);
          const inFull = ref.level < 8 && (ref.index + 1) * 2 ** ref.level <= full * 256;
          assert.deepEqual(kept.edge.node(ref), inFull ? undefined : wanted[i]);
        }
      }),
      { numRuns: 8 },
    );
  });

  it('does not answer a node that is not complete', () => {
    const kept = new KeptTree();
    kept.append(someHashes(5));
    assert.equal(kept.edge.node({ level: 0, index: 5 }), undefined);
    assert.equal(kept.edge.node({ level: 1, index: 2 }), undefined);
    assert.equal(kept.edge.node({ level: 3, index: 0 }), undefined);
    assert.equal(kept.edge.node({ level: 9, index: 0 }), undefined);
  });

  it('refuses nodes of another append', () => {
    const kept = new KeptTree();
    kept.append(someHashes(3));
    const leaf = flat(someHashes(1));
    const { nodes } = appendLeaves(nodeCrypto, [], asTreeSize(0), leaf);
    assert.throws(() => kept.edge.append(leaf, nodes), RangeError);
  });

  it('is rebuilt from what a store has, goes on as if it had never stopped', async () => {
    const leaves = someHashes(66_500, 4);
    for (const size of [0, 1, 255, 256, 257, 1000, 65_535, 65_536, 65_900]) {
      const kept = new KeptTree();
      kept.append(leaves.slice(0, size));
      const lowest = kept.lowest(leaves);
      const { frontier } = kept.tree;
      const rebuilt = EdgeTiles.rebuild(nodeCrypto, asTreeSize(size), frontier, lowest);
      assert.ok(rebuilt.ok, `size ${size}`);
      const more = flat(leaves.slice(size, size + 300));
      const next = appendLeaves(nodeCrypto, frontier, asTreeSize(size), more);
      const [full, expected] = [
        rebuilt.value.append(more, next.nodes),
        kept.edge.append(more, next.nodes),
      ];
      assert.equal(rebuilt.value.size, size + 300);
      assert.deepEqual(full, expected);
      for (const ref of [0, 1, 7, 8, 16].map((level) => ({
        level,
        index: Math.floor((size + 300) / 2 ** level) - 1,
      }))) {
        assert.deepEqual(rebuilt.value.node(ref), kept.edge.node(ref));
      }
    }
  });

  it('is not rebuilt from damaged or missing hashes', () => {
    const leaves = someHashes(600, 6);
    const kept = new KeptTree();
    kept.append(leaves);
    const { frontier, size } = kept.tree;
    const lowest = kept.lowest(leaves);
    const build = (hashes: readonly Uint8Array[], by = frontier): string => {
      const result = EdgeTiles.rebuild(nodeCrypto, size, by, hashes);
      return result.ok ? 'accepted' : result.error.code;
    };
    assert.equal(build(lowest), 'accepted');
    assert.equal(build(lowest.slice(0, 1)), 'tile-mismatch');
    assert.equal(build(lowest.map((bytes) => bytes.subarray(32))), 'tile-mismatch');
    assert.equal(build(lowest, frontier.slice(1)), 'tile-mismatch');
    lowest.forEach((bytes, i) => {
      const at = Math.floor(bytes.length / 2);
      const damaged = lowest.with(i, bytes.with(at, (bytes[at] ?? 0) ^ 1));
      assert.equal(build(damaged), 'tile-mismatch');
    });
  });

  it('reads each stored tile once for a proof', async () => {
    const leaves = someHashes(1500, 8);
    const kept = new KeptTree();
    kept.append(leaves);
    const reader = tileReader(kept.edge, kept);
    const root = rootOf(nodeCrypto, kept.tree.frontier);
    const size = kept.tree.size;
    const proof = await inclusionProof(nodeCrypto, reader, asLogIndex(700), size);
    assert.equal(kept.reads, 1);
    const [leaf = root] = leaves.slice(700);
    assert.ok(verifyInclusion(nodeCrypto, leaf, 700, size, proof, root).ok);
    const old = asTreeSize(777);
    const made = await consistencyProof(nodeCrypto, reader, old, size);
    const wanted = await consistencyProof(nodeCrypto, naiveReader(leaves), old, size);
    assert.deepEqual(made.map(toHex), wanted.map(toHex));
  });

  it('throws where the store has lost a tile or the node does not exist', async () => {
    const kept = new KeptTree();
    kept.append(someHashes(300));
    kept.stored.clear();
    const reader = tileReader(kept.edge, kept);
    await assert.rejects(reader.nodes([{ level: 0, index: 3 }]), RangeError);
    await assert.rejects(reader.nodes([{ level: 0, index: 300 }]), RangeError);
  });
});
