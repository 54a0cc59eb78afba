/** Whether delivered nodes are those of the log: its control entries say what each epoch's key hashes to. */
import { checkEpochKey, epochKey, spans, type EpochNode } from '../../access/epoch-keys.ts';
import type { EpochRange } from '../../access/key-delivery.ts';
import { nodeCipher } from '../../cipher-node.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { logIdHash } from '../../ids.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import type { LogId } from '../../types.ts';

/** Epochs that are checked before others have their turn. */
const atOnce = 256;

/**
 * The first opened epoch of the range whose key, as the nodes give it, is not the one that the log
 * announced. Those that have not opened yet cannot be judged, and are judged when they do.
 */
export async function firstWrong(
  log: LogId,
  opened: readonly OpenedEpoch[],
  { generation, from, to }: EpochRange,
  nodes: readonly EpochNode[],
  pause: () => Promise<void>,
): Promise<number | undefined> {
  const hash = logIdHash(log);
  let checked = 0;
  let at = 0;
  for (const { epoch, generation: own, check } of opened) {
    if (own !== generation || epoch < from || epoch >= to) continue;
    // Both are in order.
    while (at < nodes.length && isBelow(nodes[at], epoch)) at += 1;
    const node = nodes[at];
    if (node === undefined || !spans(node, epoch)) continue;
    const key = epochKey(nodeCipher, node, epoch);
    if (!key.ok || !checkEpochKey(nodeCrypto, hash, epoch, key.value, check).ok) return epoch;
    checked += 1;
    if (checked % atOnce === 0) await pause();
  }
  return undefined;
}

function isBelow(node: EpochNode | undefined, epoch: number): boolean {
  return node !== undefined && (node.node + 1) * 2 ** node.level <= epoch;
}
