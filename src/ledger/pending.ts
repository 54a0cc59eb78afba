/** What waits to become an entry of an own log, and who is told of it. */
import type { CborMap } from '../cbor.ts';
import type { Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { ParsedEvent } from '../types.ts';
import { equal } from '../bytes.ts';
import type { Receipt } from './ledger-types.ts';

export interface PendingEvent {
  readonly kind: 'event';
  readonly event: ParsedEvent;
  /** The parents field of its leaf, where it cites any. */
  parents: Uint8Array | undefined;
  /** Bytes of the body: what it counts against the limits. */
  readonly bytes: number;
  readonly idKey: Uint8Array;
  /** The id key as text, for maps. */
  readonly name: string;
  readonly contentHash: Uint8Array;
  readonly request: PublishRequest;
  readonly position: number;
  /** The same source and id again, while this one is under way. */
  waiters: PendingEvent[] | undefined;
  /** It waits for a block and may still be taken back. */
  queued: boolean;
  /** Its publisher does not want it any more; it is left out if it is in no block yet. */
  unwanted: boolean;
  /** Left out and answered. */
  dropped: boolean;
}

/**
 * A control entry, alone in its block; with `rotateTo` the map is made when its index is known. With
 * neither map nor `rotateTo` the block has only its seal, or what opens the next key epoch and its seal.
 */
export interface PendingControl {
  readonly kind: 'control';
  readonly map: CborMap | undefined;
  readonly rotateTo: Signer | undefined;
  readonly settle: (result: Result<Receipt>) => void;
}

export type Pending = PendingEvent | PendingControl;

/** One call of `publish`: resolves when each of its events has its result. */
export class PublishRequest {
  readonly done: Promise<readonly Result<Receipt>[]>;
  readonly #results: Result<Receipt>[] = [];
  readonly #resolve: (results: readonly Result<Receipt>[]) => void;
  #left: number;

  constructor(count: number) {
    const { promise, resolve } = Promise.withResolvers<readonly Result<Receipt>[]>();
    this.done = promise;
    this.#resolve = resolve;
    this.#left = count;
    if (count === 0) resolve([]);
  }

  settle(position: number, result: Result<Receipt>): void {
    this.#results[position] = result;
    this.#left -= 1;
    if (this.#left === 0) this.#resolve(this.#results);
  }
}

/** The answer to an event whose source and id are there: the first receipt, or the conflict. */
export function repeated(
  event: PendingEvent,
  contentHash: Uint8Array,
  first: Result<Receipt>,
): Result<Receipt> {
  if (!first.ok) return first;
  const same = equal(event.contentHash.subarray(0, contentHash.length), contentHash);
  if (same) return ok({ ...first.value, duplicate: true });
  const message = `source and id belong to another event, at index ${first.value.index}`;
  return err(fault('event-conflict', message));
}
