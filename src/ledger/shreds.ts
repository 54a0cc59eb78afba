/**
 * Crypto-shredding an epoch, as the log says it (ledger.md "Retention and forgetting": the policy is in
 * the log before it acts). A control entry
 *
 *   shred   epoch     of an epoch that the log has opened, and that is not the one open here
 *
 * asks everybody who holds keys of the epoch to destroy them. To a reader that does not know it it is
 * an entry of an unknown type, which is sound. Leaves, ciphertext and proofs stay; who destroys keys,
 * and when, is the node's business (node/sealed/shredding.ts).
 */
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId, LogIndex } from '../types.ts';
import { unknownLog } from './create-log.ts';
import { openingOf } from './epochs.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { RetentionWriter } from './retention.ts';
import type { OpenedEpoch } from './sealing.ts';

export interface ShredEntry {
  readonly opening: OpenedEpoch;
  /** Where the log says it; undefined of a log that was closed before. */
  readonly entry: LogIndex | undefined;
  /** It said so before: nothing was appended. */
  readonly already: boolean;
}

export class Shreds {
  readonly #env: LedgerEnv;
  readonly #writer: RetentionWriter;

  constructor(env: LedgerEnv, writer: RetentionWriter) {
    this.#env = env;
    this.#writer = writer;
  }

  /**
   * Says in an own log that an epoch is shredded; durable when it resolves. Codes: log-unknown,
   * redact-denied (not written here), epoch-unknown, epoch-open, those of `publish` and of the store.
   */
  async announce(logId: LogId, epoch: number): Promise<Result<ShredEntry>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    if (handle.row.role !== 'writer') {
      return err(fault('redact-denied', 'the log is written by its owner, not here'));
    }
    const opened = await this.#env.epochs.of(logId);
    if (!opened.ok) return opened;
    const opening = openingOf(opened.value, epoch);
    if (opening === undefined) {
      return err(fault('epoch-unknown', `hw:${logId} has opened no epoch ${epoch}`));
    }
    if (opening.shredded !== undefined) {
      return ok({ opening, entry: opening.shredded, already: true });
    }
    if (handle.row.standing === 'closed') return ok({ opening, entry: undefined, already: false });
    if (opening === opened.value.at(-1)) {
      return err(fault('epoch-open', `epoch ${epoch} is still open: events are sealed in it`));
    }
    const told = await this.#writer.append(logId, { type: 'shred', epoch });
    if (!told.ok) return told;
    return ok({ opening, entry: told.value.index, already: false });
  }
}
