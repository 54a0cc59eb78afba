/**
 * Showing single sealed events to somebody who holds no epoch key (access.md "Sealed streams"): with
 * their plaintext and salts as of a public stream, or by the event's own key, which opens just it.
 */
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import { judgeEvent } from '../../event/judge.ts';
import { logIdHash } from '../../ids.ts';
import type { SealedPart } from '../../ledger/bundle-opening.ts';
import { openingOf } from '../../ledger/epochs.ts';
import { leafAt } from '../../ledger/leaf.ts';
import type { LedgerEntry } from '../../ledger/ledger-types.ts';
import { openBodyWith, sealedKey } from '../../ledger/sealed-body.ts';
import type { OpenedEpoch } from '../../ledger/sealing.ts';
import { readUint32 } from '../../bytes.ts';
import { err, ok, type Result } from '../../result.ts';
import type { EventBytes, LogId } from '../../types.ts';
import type { EventKey, EventKeys } from '../core/bundle-plan.ts';
import type { SealedLedger, SealedRoom } from './sealed-room.ts';

export interface DisclosedEvent {
  readonly event: EventBytes;
  /** 64 bytes. */
  readonly salts: Uint8Array;
  readonly sealed: { readonly key: Uint8Array; readonly body: Uint8Array };
}

export class Disclosing implements EventKeys {
  readonly #ledger: SealedLedger;
  readonly #room: Pick<SealedRoom, 'keyFor' | 'own' | 'isShredded'>;

  constructor(ledger: SealedLedger, room: Pick<SealedRoom, 'keyFor' | 'own' | 'isShredded'>) {
    this.#ledger = ledger;
    this.#room = room;
  }

  /** Keys of the events of a log; undefined where it has opened no epoch, or is not kept here. */
  async of(logId: LogId): Promise<EventKey | undefined> {
    const epochs = await this.#ledger.epochs(logId);
    if (!epochs.ok || epochs.value.length === 0) return undefined;
    return (index, part) => {
      const opened = this.#open(logId, epochs.value, index, part);
      return opened.ok ? opened.value.sealed.key : undefined;
    };
  }

  /**
   * What can be shown of an entry of kind `sealed` whose body is there. Codes: event-sealed (no key),
   * event-shredded, those of `openBodyWith`, of the event judge and of the ledger.
   */
  async entry(entry: LedgerEntry): Promise<Result<DisclosedEvent>> {
    const { logId, index, sealedBody } = entry;
    const epochs = await this.#ledger.epochs(logId);
    if (!epochs.ok) return epochs;
    if (sealedBody === undefined) return err(fault('event-unknown', 'no sealed event', { index }));
    return this.#open(logId, epochs.value, index, { leaf: entry.leaf(), body: sealedBody });
  }

  #open(
    logId: LogId,
    epochs: readonly OpenedEpoch[],
    index: number,
    { leaf, body }: SealedPart,
  ): Result<DisclosedEvent> {
    const opening = openingOf(epochs, readUint32(leaf, leafAt.sealedEpoch));
    const epochKey = opening && this.#room.keyFor(logId, opening);
    if (opening === undefined || epochKey === undefined) {
      const shredded = opening !== undefined && this.#room.isShredded(logId, opening);
      return err(closed(shredded, readUint32(leaf, leafAt.sealedEpoch), index));
    }
    const place = { log: logIdHash(logId), index, leaf };
    const key = sealedKey(nodeCrypto, place, epochKey);
    const opened = openBodyWith(this.#room.own.cipher, nodeCrypto, place, key, body);
    if (!opened.ok) return opened;
    // Who gets it judges as a replica does: what is no event is disclosed to nobody.
    const valid = judgeEvent(opened.value.event);
    return valid.ok ? ok({ ...opened.value, sealed: { key, body: body.slice() } }) : valid;
  }
}

function closed(shredded: boolean, epoch: number, index: number): Fault {
  if (shredded) {
    const message = `the keys of epoch ${epoch} were shredded: nobody can open entry ${index} here`;
    return fault('event-shredded', message, { index });
  }
  return fault('event-sealed', `entry ${index} is sealed in epoch ${epoch}: no key`, { index });
}
