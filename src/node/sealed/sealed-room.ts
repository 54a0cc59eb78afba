/**
 * Sealed streams at this node: which keys there are, and what they open. A reader without the key of
 * an entry is told so (`SealedWhy`), never given an error.
 */
import { nodeCrypto } from '../../crypto-node.ts';
import { readUint32 } from '../../bytes.ts';
import { HeadwaterError, type Code } from '../../errors.ts';
import { judgeEvent } from '../../event/judge.ts';
import { logIdHash } from '../../ids.ts';
import { openingOf, type EpochsOf } from '../../ledger/epochs.ts';
import type { EntryBatch, LedgerEntry } from '../../ledger/ledger-types.ts';
import { leafAt } from '../../ledger/leaf.ts';
import { openStoredBody, type SealedPlace } from '../../ledger/sealed-body.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { ok, type Result } from '../../result.ts';
import type { EventBytes, LogId } from '../../types.ts';
import type { GotKeys } from './got-keys.ts';
import type { KeysComing } from './key-wait.ts';
import type { OwnKeys } from './own-keys.ts';

/** Why an entry of a sealed log is given without its event. */
export interface SealedWhy {
  readonly epoch: number;
  /** `invalid`: there is a key, but what the producer sealed is not what it committed to. */
  readonly reason: 'no-key' | 'shredded' | 'invalid';
  /** Of `invalid`. */
  readonly code?: Code;
}

/** What is given of an entry by its index; undefined for one without a body. */
export type ReadSealed = (
  index: number,
) => { readonly event: EventBytes } | { readonly sealed: SealedWhy } | undefined;

export type OpenedEntry =
  | { readonly event: EventBytes; readonly epoch: number; readonly salts: Uint8Array }
  | { readonly sealed: SealedWhy };

/** What it needs of the ledger. */
export interface SealedLedger {
  readonly epochs: EpochsOf;
  openEpoch(log: LogId, what: 'generation'): Promise<Result<OpenedEpoch>>;
}

export class SealedRoom {
  readonly own: OwnKeys;
  readonly got: GotKeys;
  readonly #ledger: SealedLedger;
  #coming: KeysComing | undefined;

  constructor(ledger: SealedLedger, { own, got }: Pick<SealedRoom, 'own' | 'got'>) {
    this.#ledger = ledger;
    this.own = own;
    this.got = got;
  }

  /** What live readers wait for, once keys are asked for. */
  waitFor(coming: KeysComing): void {
    this.#coming = coming;
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
    const { logId, index, sealedBody } = entry;
    const lock = this.#lock(epochs, logId, readUint32(leaf, leafAt.sealedEpoch));
    return this.#open(lock, { log: logIdHash(logId), index, leaf }, sealedBody);
  }

  /**
   * What opens the sealed events of one block: own ones as they were sealed, those of others judged as
   * events too, since no relay could. A live reader waits a moment for keys that are on their way.
   */
  async reader(log: LogId, batch: EntryBatch, live?: AbortSignal): Promise<ReadSealed> {
    const epochs = await this.#ledger.epochs(log);
    if (!epochs.ok) throw new HeadwaterError(epochs.error);
    if (live !== undefined) await this.#coming?.(log, epochs.value, batch, live);
    const own = this.own.held(log).length > 0;
    const hash = logIdHash(log);
    let last: Lock | undefined;
    return (index) => {
      const entry = batch.sealed(index);
      if (entry === undefined) return undefined;
      const epoch = readUint32(entry.leaf, leafAt.sealedEpoch);
      // Nearly all events of a block are of one epoch.
      if (last?.epoch !== epoch) last = this.#lock(epochs.value, log, epoch);
      const opened = this.#open(last, { log: hash, index, leaf: entry.leaf }, entry.body);
      if ('sealed' in opened) return opened;
      const judged = own ? ok(undefined) : judgeEvent(opened.event);
      if (judged.ok) return { event: opened.event };
      return { sealed: { epoch: opened.epoch, reason: 'invalid', code: judged.error.code } };
    };
  }

  /**
   * A fresh random root for the keys of an own log, from the next epoch on, which opens now. Calls
   * that come while one is under way share it. Codes: those of `Ledger.openEpoch`.
   */
  newGeneration(log: LogId): Promise<Result<OpenedEpoch>> {
    return this.#ledger.openEpoch(log, 'generation');
  }

  #lock(epochs: readonly OpenedEpoch[], log: LogId, epoch: number): Lock {
    const opening = openingOf(epochs, epoch);
    const key = opening && this.keyFor(log, opening);
    const shredded = opening !== undefined && this.isShredded(log, opening);
    return { epoch, key, reason: shredded ? 'shredded' : 'no-key' };
  }

  #open(
    { epoch, key, reason }: Lock,
    place: SealedPlace,
    body: Uint8Array | undefined,
  ): OpenedEntry {
    if (key === undefined || body === undefined) return { sealed: { epoch, reason } };
    const plain = openStoredBody(this.own.cipher, nodeCrypto, place, key, body);
    if (!plain.ok) return { sealed: { epoch, reason: 'invalid', code: plain.error.code } };
    return { ...plain.value, epoch };
  }
}

/** The key of an epoch, or why there is none. */
interface Lock {
  readonly epoch: number;
  readonly key: Uint8Array | undefined;
  readonly reason: 'no-key' | 'shredded';
}
