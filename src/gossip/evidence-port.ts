/**
 * What acknowledgements, witnesses and cosignatures need of the node beside the ledger's port. A
 * node without it (a test, a tool) neither acknowledges nor asks for cosignatures.
 */
import type { Result } from '../result.ts';
import type { Hash, LogId, PublicKey, Signature, TreeSize } from '../types.ts';

export interface CosignedNote {
  readonly size: TreeSize;
  /** Cosignatures on it. */
  readonly lines: number;
  /** Signed checkpoint with cosignature lines. */
  readonly note: string;
}

export interface CosignedPort {
  /** Are there witnesses whose lines on this log count here? */
  wants(logId: LogId): boolean;
  newest(logId: LogId): Promise<Result<CosignedNote | undefined>>;
  /** Verifies and keeps it; a fault where it does not verify or cannot be judged yet. */
  add(logId: LogId, note: string): Promise<Result<unknown>>;
}

export interface WitnessReply {
  /** As over HTTP. */
  readonly status: number;
  readonly body: Uint8Array;
}

/** This peer as a witness. */
export interface WitnessPort {
  readonly key: PublicKey;
  addCheckpoint(body: Uint8Array): Promise<WitnessReply>;
  /** What it cosigned last of the origin with this SHA-256: 200 and the checkpoint, or 404. */
  last(origin: Hash): Promise<WitnessReply>;
}

export interface EvidencePort {
  /** Root of our log at that size, once all of it is on the disk; undefined where we have less. */
  durableRoot(logId: LogId, size: TreeSize): Promise<Result<Hash | undefined>>;
  /** By the peer key. */
  sign(message: Uint8Array): Signature;
  readonly cosigned: CosignedPort;
  readonly witness?: WitnessPort | undefined;
}
