/**
 * Which epochs a grant reaches (access.md "Sealed streams"): its time range against the epochs that the
 * log has opened, and how far ahead of the open one keys are leased. Pure.
 *
 *   opened        e0    e1    e2    e3 (open)     e4, e5, … are leased: none that would begin at the
 *   entries    ───┬─────┬─────┬─────┬──▶          end of the range or of the grant, at most
 *   range             [from ────────── to)        `keyLeaseEpochs`
 *   delivered         e1    e2    e3
 */
import { grantEpochs, type EpochNode } from '../../access/epoch-keys.ts';
import type { EpochRange } from '../../access/key-delivery.ts';
import type { Cipher } from '../../cipher.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';

export interface GrantReach {
  /** First entry recorded at the beginning of the grant's range or later. */
  readonly fromIndex: number;
  /** First entry recorded at its end or later; the size of the log where there is none yet. */
  readonly toIndex: number;
  /** Has the range begun? What is open now may be closed before it does. */
  readonly begun: boolean;
  /** Has its end passed? Then nothing more will be recorded in it. */
  readonly ended: boolean;
  /** When range or grant end, whichever is first, in ms; undefined: never. */
  readonly endMs: number | undefined;
}

export interface Lease {
  /** Length of an epoch; undefined where epochs are not cut by time. */
  readonly epochMs: number | undefined;
  readonly maxEpochs: number;
}

/** The epochs of a grant as ranges of one generation each, in order; none where nothing is in reach. */
export function planKeys(
  opened: readonly OpenedEpoch[],
  reach: GrantReach,
  lease: Lease,
): readonly EpochRange[] {
  if (!reach.begun) return [];
  const ranges: { generation: number; from: number; to: number }[] = [];
  for (const [i, { epoch, generation, index }] of opened.entries()) {
    const next = opened[i + 1];
    if (next !== undefined && next.index <= reach.fromIndex) continue;
    // The open epoch has room for more, unless the range is over.
    if (index >= reach.toIndex && (next !== undefined || reach.ended)) break;
    const last = ranges.at(-1);
    if (last?.generation === generation) last.to = epoch + 1;
    else ranges.push({ generation, from: epoch, to: epoch + 1 });
  }
  const [open, last] = [opened.at(-1), ranges.at(-1)];
  const reachesOpen = open !== undefined && last?.to === open.epoch + 1;
  if (reachesOpen && !reach.ended) last.to += ahead(open, reach.endMs, lease);
  return ranges;
}

/** Epochs after the open one that begin before the end. */
function ahead(
  open: OpenedEpoch,
  endMs: number | undefined,
  { epochMs, maxEpochs }: Lease,
): number {
  const room = Math.min(maxEpochs, 2 ** 32 - 1 - open.epoch);
  if (endMs === undefined) return room;
  // Cut by events, the next one may begin at any time: each is asked for when it opens.
  if (epochMs === undefined) return 0;
  return Math.max(0, Math.min(room, Math.ceil((endMs - open.time) / epochMs) - 1));
}

/**
 * The nodes of a range out of those that are held, in order; what was shredded is left out. Stops at
 * `max` nodes: `to` is how far it got.
 */
export function nodesOf(
  cipher: Cipher,
  held: readonly EpochNode[],
  { from, to }: EpochRange,
  max: number,
): { readonly nodes: readonly EpochNode[]; readonly to: number } {
  const nodes: EpochNode[] = [];
  for (const node of held.toSorted((a, b) => first(a) - first(b))) {
    const start = Math.max(from, first(node));
    const end = Math.min(to, first(node) + 2 ** node.level);
    const found = start < end ? grantEpochs(cipher, node, start, end) : undefined;
    if (found?.ok !== true) continue;
    for (const one of found.value) {
      if (nodes.length === max) return { nodes, to: first(one) };
      nodes.push(one);
    }
  }
  return { nodes, to };
}

/** The first epoch below a node. */
function first({ level, node }: EpochNode): number {
  return node * 2 ** level;
}
