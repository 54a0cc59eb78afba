/**
 * What the ledger needs to write and to read sealed logs (access.md "Sealed streams"): keys of epochs,
 * which the node holds (src/node/sealed), and the secret-key primitives.
 */
import type { Cipher } from '../cipher.ts';
import type { Result } from '../result.ts';
import type { Hash, LogId, LogIndex, TimeMs } from '../types.ts';

/** A key epoch as the log's control entry opens it. */
export interface OpenedEpoch {
  readonly epoch: number;
  readonly generation: number;
  /** What a key of this epoch is checked against (`checkEpochKey`). */
  readonly check: Hash;
  /** Of the control entry; the epoch's events come after it. */
  readonly index: LogIndex;
  /** Recorded time of the control entry. */
  readonly time: TimeMs;
  /** Of the later entry that shreds it: its keys are to be destroyed by all who hold them. */
  readonly shredded?: LogIndex;
}

/** The epoch that a writer is about to open. */
export interface NextEpoch {
  readonly epoch: number;
  readonly generation: number;
  /** No entry of the log names this generation yet: it may be given a fresh root. */
  readonly begins: boolean;
}

export interface EpochKey {
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly check: Hash;
}

export interface Sealing {
  readonly cipher: Cipher;
  /** The key of an epoch, verified against its check value; undefined where it is not held. */
  keyFor(log: LogId, opening: OpenedEpoch): Uint8Array | undefined;
  /**
   * The key of an epoch of an own log. The root that it is derived from is durable before this
   * resolves: an entry that names it is signed only afterwards. Codes: `epoch-keys-missing` (the
   * generation was begun with a root that is not here), `epoch-not-covered`, `file-unwritable`.
   */
  next(log: LogId, next: NextEpoch): Promise<Result<EpochKey>>;
}
