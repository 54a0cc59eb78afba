/**
 * Live readers wait a moment for keys that are on their way: an epoch opens, its first block is here,
 * and the key that was asked for at that moment comes a little later. What does not come is given
 * without content, as ever.
 */
import { readUint32 } from '../../bytes.ts';
import type { Timers } from '../../host.ts';
import { openingOf } from '../../ledger/epochs.ts';
import { leafAt } from '../../ledger/leaf.ts';
import type { EntryBatch } from '../../ledger/ledger-types.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import type { LogId } from '../../types.ts';
import type { GotKeys } from './got-keys.ts';

/** Resolves when a block can be read, or nothing more is to be waited for. */
export type KeysComing = (
  log: LogId,
  epochs: readonly OpenedEpoch[],
  batch: EntryBatch,
  live: AbortSignal,
) => Promise<void>;

export interface WaitParts {
  readonly got: Pick<GotKeys, 'onNew'>;
  readonly keyFor: (log: LogId, opening: OpenedEpoch) => Uint8Array | undefined;
  /** Whether we hold what the key of this epoch is given for, and nobody has refused it. */
  readonly expects: (log: LogId, opening: OpenedEpoch) => boolean;
  readonly timers: Timers;
  readonly limits: { readonly liveKeyWaitMs: number };
}

export function waitForKeys(parts: WaitParts): KeysComing {
  /** The last epoch that was waited for in vain: its other blocks do not wait again. */
  const inVain = new Map<LogId, number>();
  return async (log, epochs, batch, live) => {
    const lacking = epochsOf(epochs, batch).filter(
      (opening) =>
        opening.shredded === undefined &&
        opening.epoch > (inVain.get(log) ?? -1) &&
        parts.keyFor(log, opening) === undefined &&
        parts.expects(log, opening),
    );
    if (lacking.length === 0) return;
    const over = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      const open = lacking.filter((opening) => parts.keyFor(log, opening) === undefined);
      if (open.length === 0 || live.aborted) resolve();
    };
    const listening = parts.got.onNew((news) => {
      if (news === log) look();
    });
    live.addEventListener('abort', look);
    look();
    await Promise.race([promise, parts.timers.sleep(parts.limits.liveKeyWaitMs, over.signal)]);
    over.abort();
    live.removeEventListener('abort', look);
    listening[Symbol.dispose]();
    const missed = lacking.findLast((opening) => parts.keyFor(log, opening) === undefined);
    if (missed !== undefined && !live.aborted) inVain.set(log, missed.epoch);
  };
}

/** Epochs of a block: one, or a few where it opens another. */
function epochsOf(opened: readonly OpenedEpoch[], batch: EntryBatch): readonly OpenedEpoch[] {
  const found: OpenedEpoch[] = [];
  let last: number | undefined;
  for (let index = Number(batch.from); index < batch.to; index++) {
    const leaf = batch.sealed(index)?.leaf;
    const epoch = leaf === undefined ? undefined : readUint32(leaf, leafAt.sealedEpoch);
    if (epoch === undefined || epoch === last) continue;
    last = epoch;
    const opening = openingOf(opened, epoch);
    if (opening !== undefined) found.push(opening);
  }
  return found;
}
