/**
 * The tree of another history, as far as one of its blocks shows it: a frontier and the leaves after
 * it. Enough for a consistency proof from any size within the block to its end, which is all that a
 * fork proof needs.
 */
import type { Hasher } from '../crypto.ts';
import { asHash, type Hash, type TreeSize } from '../types.ts';
import { alignedSubtrees } from './range.ts';
import { nodeHash, type Frontier, type NodeReader, type NodeRef } from './tree.ts';

export class BranchNodes implements NodeReader {
  readonly #h: Hasher;
  readonly #known = new Map<string, Hash>();

  /**
   * `frontier` is that of the tree of `size` leaves, `leafHashes` n · 32 bytes that follow. Throws a
   * RangeError where the frontier does not fit the size: see `checkFrontier`.
   */
  constructor(h: Hasher, frontier: Frontier, size: TreeSize, leafHashes: Uint8Array) {
    this.#h = h;
    const refs = alignedSubtrees(0, size);
    if (refs.length !== frontier.length) throw new RangeError('not the frontier of the size');
    refs.forEach((ref, i) => this.#put(ref, frontier[i]));
    for (let i = 0; i < leafHashes.length / 32; i++) {
      const hash = asHash(leafHashes.slice(32 * i, 32 * i + 32));
      this.#put({ level: 0, index: size + i }, hash);
    }
  }

  /** Throws a RangeError for a node that the block does not show. */
  nodes(refs: readonly NodeRef[]): Promise<readonly Hash[]> {
    return Promise.resolve(refs.map((ref) => this.#node(ref)));
  }

  #put(ref: NodeRef, hash: Hash | undefined): void {
    if (hash !== undefined) this.#known.set(`${ref.level}/${ref.index}`, hash);
  }

  #node(ref: NodeRef): Hash {
    const known = this.#known.get(`${ref.level}/${ref.index}`);
    if (known !== undefined) return known;
    const { level, index } = ref;
    if (level === 0) throw new RangeError(`the block does not show leaf ${index}`);
    const left = this.#node({ level: level - 1, index: 2 * index });
    const hash = nodeHash(this.#h, left, this.#node({ level: level - 1, index: 2 * index + 1 }));
    this.#put(ref, hash);
    return hash;
  }
}
