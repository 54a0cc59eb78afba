/**
 * What sealed events hold, checked as far as there are keys: `hw verify` of a stream. The ledger has
 * verified leaves, ciphertexts and signatures of all of them without any key (ledger/audit.ts); here
 * the plaintext is held against the commitments in the leaves. No key is no fault: it is counted.
 */
import { HeadwaterError, type Code } from '../../errors.ts';
import { judgeEvent } from '../../event/judge.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { ok, type Result } from '../../result.ts';
import { asLogIndex, type LogId } from '../../types.ts';
import type { ReadSealed, SealedRoom } from './sealed-room.ts';

export interface SealedCounts {
  /** Sealed events whose ciphertext is here. */
  readonly events: number;
  /** Opened with a key that is held here, and fitting what was signed. */
  readonly opened: number;
  /** No key: no access. */
  readonly noKey: number;
  /** Nobody here can open them any more. */
  readonly shredded: number;
}

export interface SealedContents extends SealedCounts {
  /** The first event that is not what its producer committed to. */
  readonly problem?: { readonly index: number; readonly code: Code };
}

export type CheckContents = (
  log: LogId,
  signal?: AbortSignal,
) => Promise<Result<SealedContents | undefined>>;

type ReadLedger = Pick<Ledger, 'batches' | 'epochs'>;

type Counts = { -readonly [Name in keyof SealedCounts]: number };

/** Counts one entry; the code of what is wrong with it. */
function tally(counts: Counts, opened: ReturnType<ReadSealed>): Code | undefined {
  if (opened === undefined) return undefined;
  counts.events += 1;
  if ('event' in opened) {
    const judged = judgeEvent(opened.event);
    if (!judged.ok) return judged.error.code;
    counts.opened += 1;
    return undefined;
  }
  const { reason, code } = opened.sealed;
  if (reason === 'invalid') return code ?? 'sealed-plaintext';
  if (reason === 'no-key') counts.noKey += 1;
  else counts.shredded += 1;
  return undefined;
}

/** Undefined for a log that is not sealed. Codes: those of the ledger's `epochs`. */
export function contentsCheck(ledger: ReadLedger, room: Pick<SealedRoom, 'reader'>): CheckContents {
  return async (log, signal) => {
    const epochs = await ledger.epochs(log);
    if (!epochs.ok) return epochs;
    if (epochs.value.length === 0) return ok(undefined);
    const counts = { events: 0, opened: 0, noKey: 0, shredded: 0 };
    let problem: SealedContents['problem'];
    const options = signal === undefined ? {} : { signal };
    try {
      for await (const batch of ledger.batches(log, asLogIndex(0), undefined, options)) {
        const read = await room.reader(log, batch);
        for (let index: number = batch.from; index < batch.to; index++) {
          const wrong = tally(counts, read(index));
          if (wrong !== undefined) problem ??= { index, code: wrong };
        }
      }
    } catch (cause) {
      // What cannot be read the audit of the log has told already.
      if (!(cause instanceof HeadwaterError)) throw cause;
    }
    return ok({ ...counts, ...(problem === undefined ? {} : { problem }) });
  };
}
