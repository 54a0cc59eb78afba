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
import type { SealedRoom } from './sealed-room.ts';

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

type ReadLedger = Pick<Ledger, 'entries' | 'epochs'>;

/** Undefined for a log that is not sealed. Codes: those of the ledger's `epochs`. */
export function contentsCheck(
  ledger: ReadLedger,
  room: Pick<SealedRoom, 'openWith'>,
): CheckContents {
  return async (log, signal) => {
    const epochs = await ledger.epochs(log);
    if (!epochs.ok) return epochs;
    if (epochs.value.length === 0) return ok(undefined);
    const counts = { events: 0, opened: 0, noKey: 0, shredded: 0 };
    let problem: SealedContents['problem'];
    const options = signal === undefined ? {} : { signal };
    try {
      for await (const entry of ledger.entries(log, asLogIndex(0), undefined, options)) {
        if (entry.kind !== 'sealed' || entry.sealedBody === undefined) continue;
        counts.events += 1;
        const opened = room.openWith(epochs.value, entry);
        const judged = 'event' in opened ? judgeEvent(opened.event) : undefined;
        if (judged?.ok === true) counts.opened += 1;
        else if (judged !== undefined) {
          problem ??= { index: entry.index, code: judged.error.code };
        } else if ('sealed' in opened) {
          const { reason, code } = opened.sealed;
          if (reason === 'no-key') counts.noKey += 1;
          else if (reason === 'shredded') counts.shredded += 1;
          else problem ??= { index: entry.index, code: code ?? 'sealed-plaintext' };
        }
      }
    } catch (cause) {
      // What cannot be read the audit of the log has told already.
      if (!(cause instanceof HeadwaterError)) throw cause;
    }
    return ok({ ...counts, ...(problem === undefined ? {} : { problem }) });
  };
}
