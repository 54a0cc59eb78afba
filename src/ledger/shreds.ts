/**
 * Crypto-shredding an epoch, as the log says it (ledger.md "Retention and forgetting": the policy is in
 * the log before it acts). A control entry
 *
 *   shred   epoch     of an epoch that the log has opened, and that is not the one open here
 *
 * asks everybody who holds keys of the epoch to destroy them. To a reader that does not know it it is
 * an entry of an unknown type, which is sound. Leaves, ciphertext and proofs stay. Before it is said the
 * writer takes out of its indexes what the events are, for that it must be able to read them. Who
 * destroys keys, and when, is the node's business (node/sealed/shredding.ts).
 */
import { readUint32 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, type LogId, type LogIndex } from '../types.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaves } from './block-leaves.ts';
import { unknownLog } from './create-log.ts';
import { forgottenRows } from './drop-bodies.ts';
import { openingOf } from './epochs.ts';
import { leafAt } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { eventsOf } from './open-sealed.ts';
import { blockNumberAt, recordOf } from './read-block.ts';
import type { RetentionWriter } from './retention.ts';
import type { OpenedEpoch } from './sealing.ts';
import type { StoreWrite } from './store.ts';

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
    const next = opened.value[opened.value.indexOf(opening) + 1]?.index ?? handle.size;
    const forgotten = await this.#forget(handle, opening, next);
    if (!forgotten.ok) return forgotten;
    const told = await this.#writer.append(logId, { type: 'shred', epoch });
    if (!told.ok) return told;
    return ok({ opening, entry: told.value.index, already: false });
  }

  /** Rows of the subjects of its events, and the hashes of their content; ids stay taken. */
  async #forget(
    handle: LogHandle,
    { epoch, index }: OpenedEpoch,
    to: number,
  ): Promise<Result<void>> {
    const { crypto, store } = this.#env.options;
    const first = await blockNumberAt(this.#env, handle, index);
    if (!first.ok) return first;
    let number: number = first.value;
    for (let at: number = index; at < to; number++) {
      const record = await recordOf(this.#env, handle, asBlockNumber(number));
      if (!record.ok) return record;
      const { firstIndex, wire, size } = record.value;
      at = size;
      const block = decodeBlock(wire, { reduced: true });
      if (!block.ok) return block;
      const made = makeLeaves(crypto, block.value);
      if (!made.ok) return made;
      const events = await eventsOf(this.#env, handle, block.value, made.value);
      const writes: StoreWrite[] = [];
      for (const [i, event] of events.entries()) {
        const leaf = made.value.leaves.leaf(i);
        if (event === undefined || readUint32(leaf, leafAt.sealedEpoch) !== epoch) continue;
        const rows = await forgottenRows(this.#env, handle, event, firstIndex + i, true);
        if (!rows.ok) return rows;
        writes.push(...rows.value);
      }
      if (writes.length === 0) continue;
      const written = await store.batch(writes, { sync: true });
      if (!written.ok) return written;
    }
    return ok(undefined);
  }
}
