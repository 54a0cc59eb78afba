/**
 * What a bundle is made from: the logs of this home and, where it is told to, logs that its peers
 * show, read and verified for the time that it takes (ledger/foreign-log.ts).
 */
import { HeadwaterError, fault, type Fault } from '../../errors.ts';
import type { Reference } from '../../ids.ts';
import type { CosignedNote, ForeignLog } from '../../ledger/foreign-log.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LogSummary, StoredBlock } from '../../ledger/ledger-types.ts';
import type { KeyEntry } from '../../ledger/key-chain.ts';
import type { LogProofs } from '../../ledger/log-proofs.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, asTreeSize, type LogId, type LogIndex } from '../../types.ts';
import type { ForeignLogs } from './foreign-logs.ts';

type Proofs = Pick<LogProofs, 'inclusion' | 'consistency' | 'range'>;
type Block = Pick<StoredBlock, 'firstIndex' | 'size' | 'wire'>;

export interface BundleLedger {
  log(logId: LogId): Pick<LogSummary, 'size' | 'checkpoint' | 'genesis' | 'state'> | undefined;
  blocks(
    logId: LogId,
    from: LogIndex,
    options: { readonly maxBytes?: number; readonly signal?: AbortSignal },
  ): AsyncIterable<Block>;
  keyChain(logId: LogId): Promise<Result<{ readonly entries: readonly KeyEntry[] }>>;
  readonly proofs: Proofs;
  readonly cosigned: { newest(logId: LogId): Promise<Result<CosignedNote | undefined>> };
  /** Makes a place readable that is not kept here; why not. Absent: only what is kept is read. */
  reach?(place: Pick<Reference, 'logId' | 'from' | 'to'>): Promise<Fault | undefined>;
}

/** The ledger with what its peers show of other logs. */
export function withForeign(ledger: Ledger, others: ForeignLogs): BundleLedger {
  const foreign = (logId: LogId): ForeignLog | undefined =>
    (ledger.log(logId)?.size ?? 0) > 0 ? undefined : others.get(logId);
  return {
    reach: (place) => reachAll(ledger, others, place),
    log(logId) {
      const log = foreign(logId);
      if (log?.head === undefined || log.chain === undefined) return ledger.log(logId);
      const { size, checkpoint } = log.head;
      return { size, checkpoint, genesis: log.chain.genesis, state: 'open' };
    },
    blocks(logId, from, options) {
      const log = foreign(logId);
      return log === undefined ? ledger.blocks(logId, from, options) : foreignBlocks(log, from);
    },
    keyChain(logId) {
      const log = foreign(logId);
      if (log === undefined) return ledger.keyChain(logId);
      return Promise.resolve(ok({ entries: log.controls }));
    },
    proofs: proofsOf(ledger, foreign),
    cosigned: {
      async newest(logId) {
        const log = foreign(logId);
        return log === undefined ? ledger.cosigned.newest(logId) : ok(await log.cosigned());
      },
    },
  };
}

/** A bundle is written as it was planned, so entries are read before they are counted on. */
async function reachAll(
  ledger: Ledger,
  others: ForeignLogs,
  place: Pick<Reference, 'logId' | 'from' | 'to'>,
): Promise<Fault | undefined> {
  if ((ledger.log(place.logId)?.size ?? 0) > 0) return undefined;
  const away = await others.reach(place);
  const log = others.get(place.logId);
  if (away !== undefined || log === undefined) return away;
  for (let next: number = place.from; next < place.to;) {
    const block = await log.block(asLogIndex(next));
    if (!block.ok) return block.error;
    next = block.value.end;
  }
  return undefined;
}

function proofsOf(ledger: Ledger, foreign: (logId: LogId) => ForeignLog | undefined): Proofs {
  return {
    inclusion(logId, index, size) {
      const log = foreign(logId);
      if (log === undefined) return ledger.proofs.inclusion(logId, index, size);
      return atHead(log, size, () => log.inclusion(index));
    },
    consistency(logId, from, to) {
      const log = foreign(logId);
      if (log === undefined) return ledger.proofs.consistency(logId, from, to);
      return atHead(log, to, () => log.consistency(from));
    },
    range(logId, from, to, size) {
      const log = foreign(logId);
      if (log === undefined) return ledger.proofs.range(logId, from, to, size);
      return atHead(log, size, async () => {
        const range = await log.range(from, to);
        return range.ok ? ok(range.value.hashes) : range;
      });
    },
  };
}

/** A bundle is of one head: one that has moved on since would make proofs of two sizes. */
function atHead<T>(
  log: ForeignLog,
  size: number | undefined,
  run: () => Promise<Result<T>>,
): Promise<Result<T>> {
  if (log.head?.size === size) return run();
  return Promise.resolve(err(fault('bundle-changed', 'the log grew while it was read')));
}

async function* foreignBlocks(log: ForeignLog, from: LogIndex): AsyncGenerator<Block> {
  for (let next: number = from; next < (log.head?.size ?? 0);) {
    const block = await log.block(asLogIndex(next));
    if (!block.ok) throw new HeadwaterError(block.error);
    const { first, end, wire } = block.value;
    yield { firstIndex: asLogIndex(first), size: asTreeSize(end), wire };
    next = end;
  }
}
