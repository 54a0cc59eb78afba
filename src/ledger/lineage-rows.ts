/**
 * The reverse index (ledger.md "Leaves"): one row, without value, for each maximal aligned subtree
 * of each range that an event cites, written in the batch of the event's block.
 *
 *   0d | parent log 32 | level 1 | node 6 | child log 4 | child index 6
 *
 * The children of entry x of a log stand under (level, x >> level) of every level. A row says only
 * where to look: whoever reads it compares the child's own parents (lineage-reader.ts). So a block
 * made to be costly, thousands of parents that each split into a hundred subtrees, gets one row a
 * parent for the smallest subtree around the whole range; and nodes from 2^48 on, which no log has,
 * get none.
 */
import {
  equal,
  readUint16,
  readUint48,
  readUint64,
  readUint32,
  writeUint32,
  writeUint48,
} from '../bytes.ts';
import { afterPrefix, keyOf, keyspace } from '../keyspace.ts';
import { protocol } from '../limits.ts';
import { hasParents, type DecodedBlock } from './block.ts';
import { parentBytes } from './leaf.ts';
import { alignedSubtrees } from './range.ts';
import type { StoreWrite } from './store.ts';
import type { NodeRef } from './tree.ts';

const keyBytes = 1 + 32 + 1 + 6 + 4 + 6;
const prefixBytes = 1 + 32 + 1 + 6;
const maxNode = 2 ** 48;
/** Levels that a subtree can have: indexes are below 2^53. */
export const lineageLevels = 54;

/** Adds the rows of all events of a block that cite parents; `log` is the number of their log. */
export function lineageRows(log: number, block: DecodedBlock, writes: StoreWrite[]): void {
  let exact = protocol.maxLineageRowsPerBlock;
  for (const [i, entry] of block.entries.entries()) {
    if (!hasParents(entry)) continue;
    const { wire } = block;
    const count = readUint16(wire, entry.parentsOffset);
    for (let n = 0; n < count; n++) {
      const at = entry.parentsOffset + 2 + parentBytes * n;
      const from = readUint64(wire, at + 32);
      const to = readUint64(wire, at + 40);
      const subtrees = alignedSubtrees(from, to);
      exact -= subtrees.length;
      const nodes = exact >= 0 ? subtrees : [around(from, to)];
      for (const node of nodes) {
        if (node.index >= maxNode) continue;
        const key = rowKey(wire.subarray(at, at + 32), node, log, block.firstIndex + i);
        writes.push({ key, value: nothing });
      }
    }
  }
}

const nothing = new Uint8Array(0);

/** The smallest aligned subtree that holds the whole range. */
function around(from: number, to: number): NodeRef {
  let level = 0;
  for (let width = 1; Math.floor(from / width) !== Math.floor((to - 1) / width); width *= 2)
    level++;
  return { level, index: Math.floor(from / 2 ** level) };
}

function rowKey(parent: Uint8Array, node: NodeRef, log: number, index: number): Uint8Array {
  const key = new Uint8Array(keyBytes);
  key.set(nodePrefix(parent, node));
  writeUint32(key, prefixBytes, log);
  writeUint48(key, prefixBytes + 4, index);
  return key;
}

function nodePrefix(parent: Uint8Array, { level, index }: NodeRef): Uint8Array {
  const key = new Uint8Array(prefixBytes);
  key.set(keyOf(keyspace.lineage, parent));
  key[33] = level;
  writeUint48(key, 34, index);
  return key;
}

/** Where the rows of the subtree lie that holds an entry at one level. */
export interface LineageRange {
  /** From the subtree's first row to the parent log's last. */
  readonly onwards: { readonly gte: Uint8Array; readonly lt: Uint8Array };
  /** Is the row one of the subtree? */
  holds(key: Uint8Array): boolean;
}

/** `parent` is the id of the log as bytes; undefined for nodes that have no rows. */
export function lineageRange(
  parent: Uint8Array,
  level: number,
  index: number,
): LineageRange | undefined {
  const node = { level, index: Math.floor(index / 2 ** level) };
  if (node.index >= maxNode) return undefined;
  const gte = nodePrefix(parent, node);
  const lt = afterPrefix(gte.slice(0, 33));
  return { onwards: { gte, lt }, holds: (key) => equal(key.subarray(0, prefixBytes), gte) };
}

/** The subtree that a row is about. */
export function lineageNode(key: Uint8Array): NodeRef {
  return { level: key[33] ?? 0, index: readUint48(key, 34) };
}

/** The child that a row names: the number of its log and its index there. */
export function childOf(key: Uint8Array): { readonly log: number; readonly index: number } {
  return { log: readUint32(key, prefixBytes), index: readUint48(key, prefixBytes + 4) };
}
