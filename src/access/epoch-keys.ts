/**
 * Epoch keys of a sealed stream (access.md "Sealed streams"; FACTS.md section 7): the leaves of a
 * hash tree of depth 32.
 *
 *   (32, 0) root, 32 random bytes of a generation          children of a node:
 *   (level, node)     node = epoch >> level                (level - 1, 2·node + bit) =
 *   (0, epoch)        the key of that epoch                    HMAC-SHA-256(key of the node, bit)
 *
 * Whoever holds a node has every key below it, and no other: a range of epochs is handed over as the
 * few nodes that cover exactly that range.
 */
import { concat, equal, utf8, writeUint32 } from '../bytes.ts';
import type { Cipher } from '../cipher.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { Hash } from '../types.ts';

export interface EpochSpan {
  /** 0..32. */
  readonly level: number;
  /** 0..2^(32 - level) - 1. */
  readonly node: number;
}

export interface EpochNode extends EpochSpan {
  /** 32 bytes. */
  readonly key: Uint8Array;
}

const depth = 32;
/** One past the last epoch. */
export const epochs: number = 2 ** depth;
const bits = [Uint8Array.of(0), Uint8Array.of(1)] as const;

/** The root of a generation, from 32 random bytes. */
export function epochRoot(key: Uint8Array): EpochNode {
  return { level: depth, node: 0, key };
}

/** Whether a node has the key of this epoch below it. */
export function spans({ level, node }: EpochSpan, epoch: number): boolean {
  return Math.floor(epoch / 2 ** level) === node;
}

/** The node (level, node) below one that is held. Code: `epoch-not-covered`. */
export function nodeBelow(cipher: Cipher, held: EpochNode, wanted: EpochSpan): Result<EpochNode> {
  const first = wanted.node * 2 ** wanted.level;
  if (wanted.level > held.level || !spans(held, first)) {
    return err(fault('epoch-not-covered', 'the epoch is not under the node that is held'));
  }
  let { key } = held;
  for (let level = held.level - 1; level >= wanted.level; level--) {
    key = cipher.hmacSha256(key, bits[Math.floor(first / 2 ** level) % 2 === 0 ? 0 : 1]);
  }
  return ok({ ...wanted, key });
}

/** The key of one epoch. Code: `epoch-not-covered`. */
export function epochKey(cipher: Cipher, held: EpochNode, epoch: number): Result<Uint8Array> {
  const leaf = nodeBelow(cipher, held, { level: 0, node: epoch });
  return leaf.ok ? ok(leaf.value.key) : leaf;
}

/** The fewest nodes that cover [from, to) and nothing else, in order. Code: `epoch-range`. */
export function coverOf(from: number, to: number): Result<readonly EpochSpan[]> {
  if (
    !Number.isSafeInteger(from) ||
    !Number.isSafeInteger(to) ||
    from < 0 ||
    to > epochs ||
    from >= to
  ) {
    return err(fault('epoch-range', 'a range of epochs lies in [0, 2^32) and is not empty'));
  }
  const cover: EpochSpan[] = [];
  for (let at = from; at < to;) {
    let level = 0;
    while (level < depth && at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level++;
    cover.push({ level, node: at / 2 ** level });
    at += 2 ** level;
  }
  return ok(cover);
}

/** What is handed over for [from, to). Codes: `epoch-range`, `epoch-not-covered`. */
export function grantEpochs(
  cipher: Cipher,
  held: EpochNode,
  from: number,
  to: number,
): Result<readonly EpochNode[]> {
  const cover = coverOf(from, to);
  if (!cover.ok) return cover;
  const nodes: EpochNode[] = [];
  for (const span of cover.value) {
    const node = nodeBelow(cipher, held, span);
    if (!node.ok) return node;
    nodes.push(node.value);
  }
  return ok(nodes);
}

/**
 * Crypto-shreds one epoch: its leaf and every ancestor go, the siblings along the way stay, so all
 * other epochs can still be read. `held` as it is where it never had the epoch.
 */
export function shredEpoch(
  cipher: Cipher,
  held: readonly EpochNode[],
  epoch: number,
): readonly EpochNode[] {
  return held.flatMap((node) => {
    if (!spans(node, epoch)) return [node];
    const kept: EpochNode[] = [];
    for (let level = 0; level < node.level; level++) {
      const own = Math.floor(epoch / 2 ** level);
      const sibling = nodeBelow(cipher, node, { level, node: own % 2 === 0 ? own + 1 : own - 1 });
      if (sibling.ok) kept.push(sibling.value);
    }
    return kept;
  });
}

const checkPrefix = utf8('headwater/epoch/1');

/** What the control entry that opens an epoch says of its key. `log` is the id as bytes. */
export function epochCheck(h: Hasher, log: Hash, epoch: number, key: Uint8Array): Hash {
  const number = new Uint8Array(4);
  writeUint32(number, 0, epoch);
  return h.sha256(concat(checkPrefix, log, number, key));
}

/** That a key is the one that the log announced. Code: `epoch-key`. */
export function checkEpochKey(
  h: Hasher,
  log: Hash,
  epoch: number,
  key: Uint8Array,
  check: Uint8Array,
): Result<void> {
  if (equal(epochCheck(h, log, epoch, key), check)) return ok(undefined);
  return err(fault('epoch-key', "the key does not fit the epoch's check value"));
}
