/**
 * What the ledger needs to know about events and permissions, which other rooms judge: the event
 * room and the access room implement these, and the floor above hands them in.
 */
import type { Opener } from '../cipher.ts';
import type { Crypto } from '../crypto.ts';
import type { Result } from '../result.ts';
import type { Attributes, Did, EventBytes, PublicKey, StreamName, TimeMs } from '../types.ts';

/** The question behind a genesis' `proof`. */
export interface WriteProofInput {
  readonly owner: Did;
  readonly name: StreamName;
  readonly partition: number;
  readonly writerKey: PublicKey;
  /** Recorded time of the genesis; the chain is checked as of then. */
  readonly timeMs: TimeMs;
  /** Delegation bytes, root first; empty exactly where the writer key is the owner's. */
  readonly proof: readonly Uint8Array[];
}

export interface Judges {
  /** The context attributes, if they are canonical and valid and the data fits its kind. */
  event(bytes: EventBytes): Result<Attributes>;
  /** FACTS.md section 5.2: does the owner let this key write this partition at that time? */
  writeProof(input: WriteProofInput): Result<void>;
}

/** All that checking or making a block needs from outside. */
export interface BlockEnv {
  readonly crypto: Crypto;
  readonly judges: Judges;
  /** Opens what is disclosed by the key of an event; without it that stays unread. */
  readonly opener?: Opener;
}
