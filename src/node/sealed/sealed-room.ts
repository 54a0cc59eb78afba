/**
 * Sealed streams at this node: which keys there are, and what they open. A reader without the key of
 * an entry is told so (`SealedWhy`), never given an error.
 */
import { nodeCrypto } from '../../crypto-node.ts';
import { readUint32 } from '../../bytes.ts';
import type { Code, Fault } from '../../errors.ts';
import { logIdHash } from '../../ids.ts';
import { openingOf, type EpochsOf } from '../../ledger/epochs.ts';
import type { LedgerEntry, Receipt } from '../../ledger/ledger-types.ts';
import { leafAt } from '../../ledger/leaf.ts';
import { openBody } from '../../ledger/sealed-body.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { err, ok, type Result } from '../../result.ts';
import type { EventBytes, LogId } from '../../types.ts';
import { fault } from '../../errors.ts';
import type { GotKeys } from './got-keys.ts';
import type { OwnKeys } from './own-keys.ts';

/** Why an entry of a sealed log is given without its event. */
export interface SealedWhy {
  readonly epoch: number;
  /** `invalid`: there is a key, but what the producer sealed is not what it committed to. */
  readonly reason: 'no-key' | 'shredded' | 'invalid';
  /** Of `invalid`. */
  readonly code?: Code;
}

export type OpenedEntry =
  | { readonly event: EventBytes; readonly epoch: number; readonly salts: Uint8Array }
  | { readonly sealed: SealedWhy };

/** What it needs of the ledger. */
export interface SealedLedger {
  readonly epochs: EpochsOf;
}

export class SealedRoom {
  readonly own: OwnKeys;
  readonly got: GotKeys;
  readonly #ledger: SealedLedger;

  constructor(ledger: SealedLedger, { own, got }: Pick<SealedRoom, 'own' | 'got'>) {
    this.#ledger = ledger;
    this.own = own;
    this.got = got;
  }

  /** Own keys first, then those that were delivered; verified against the opening. */
  keyFor(log: LogId, opening: OpenedEpoch): Uint8Array | undefined {
    if (opening.shredded !== undefined) return undefined;
    return this.own.keyFor(log, opening) ?? this.got.keyFor(log, opening);
  }

  /** The log says so, or its owner here has destroyed the keys of a log that was closed. */
  isShredded(log: LogId, opening: OpenedEpoch): boolean {
    return opening.shredded !== undefined || this.own.isShredded(log, opening);
  }

  /**
   * Opens an entry of kind `sealed` whose body is there; both commitments are recomputed. Codes: those
   * of the ledger.
   */
  async open(entry: LedgerEntry): Promise<Result<OpenedEntry>> {
    const opened = await this.#ledger.epochs(entry.logId);
    return opened.ok ? ok(this.openWith(opened.value, entry)) : opened;
  }

  /** The same with the epochs of its log at hand. */
  openWith(epochs: readonly OpenedEpoch[], entry: LedgerEntry): OpenedEntry {
    const leaf = entry.leaf();
    const epoch = readUint32(leaf, leafAt.sealedEpoch);
    const { logId, index, sealedBody: body } = entry;
    const opening = openingOf(epochs, epoch);
    const key = opening && this.keyFor(logId, opening);
    if (opening === undefined || key === undefined || body === undefined) {
      const shredded = opening !== undefined && this.isShredded(logId, opening);
      return { sealed: { epoch, reason: shredded ? 'shredded' : 'no-key' } };
    }
    const place = { log: logIdHash(logId), index, leaf };
    const plain = openBody(this.own.cipher, nodeCrypto, place, key, body);
    if (!plain.ok) return { sealed: { epoch, reason: 'invalid', code: plain.error.code } };
    return { ...plain.value, epoch };
  }

  /**
   * A fresh random root for the keys of an own log, from the next epoch on, which opens now. Calls
   * that come while one is under way share it.
   */
  newGeneration(_log: LogId): Promise<Result<Receipt>> {
    return Promise.resolve(err(notYet()));
  }
}

function notYet(): Fault {
  return fault('epoch-keys-missing', 'no new generation can be opened yet');
}
