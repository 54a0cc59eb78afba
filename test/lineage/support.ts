/** A ledger with several logs, and the port that a trace reads it by. */
import { didFromKey } from '../../src/ids.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { LineagePort, WalkOptions } from '../../src/lineage/walk.ts';
import type { LogId } from '../../src/types.ts';
import { signer } from '../support/ledger-home.ts';

export const owner: string = didFromKey(signer.publicKey);

export const walkOptions: WalkOptions = {
  direction: 'up',
  maxDepth: 1000,
  maxNodes: 10_000,
  maxPending: 10,
};

/** Names logs `log0`, `log1`, … in the order in which they are given. */
export function portOf(
  ledger: Ledger,
  names: readonly LogId[] = [],
  more: Partial<LineagePort> = {},
): LineagePort {
  const reader = ledger.lineage();
  return {
    size: (logId) => reader.size(logId),
    closed: () => false,
    origin: (logId) => {
      const place = names.indexOf(logId);
      if (place < 0) return { stream: `hw:${logId}`, organisation: 'unknown' };
      return { stream: `log${place}`, organisation: 'acme', owner: didFromKey(signer.publicKey) };
    },
    entry: (logId, index) => reader.entry(logId, index),
    rangeRoot: (logId, from, to) => reader.rangeRoot(logId, from, to),
    children: (logId, index, max) => reader.children(logId, index, max),
    ...more,
  };
}
