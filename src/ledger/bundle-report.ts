/** What checking an audit bundle found out. */
import type { Fault } from '../errors.ts';
import type { Attributes, EventBytes, Hash, LogId, LogIndex, PublicKey, TimeMs } from '../types.ts';
import type { LeftOut, ManifestLine, MissingLine } from './bundle-lines.ts';
import type { ProvenCosignature } from './checkpoint-lines.ts';
import type { Genesis } from './genesis.ts';
import type { Parent } from './leaf.ts';

export type BundleVerdict = 'intact' | 'broken' | 'incomplete' | 'untrusted';

/** A checkpoint in a bundle and who vouches for it. */
export interface BundleCheckpoint {
  readonly size: number;
  readonly root: Hash;
  /** The writer key in force at that size. */
  readonly signer: PublicKey;
  readonly cosignatures: readonly ProvenCosignature[];
  /** Seconds since 1970: by then everything below `size` existed, on the word of the quorum asked for. */
  readonly attestedBy?: bigint;
}

/** First and last of something, by its own value. */
export interface Span {
  readonly first: TimeMs;
  readonly last: TimeMs;
}

export interface BundleLogReport {
  readonly logId: LogId;
  readonly genesis: Genesis;
  readonly rotations: number;
  /** The log's own first, then the older cosigned one where there is one. */
  readonly checkpoints: readonly BundleCheckpoint[];
  /** What was asked for of this log. */
  readonly asked: readonly { readonly from: number; readonly to: number }[];
  readonly blocks: number;
  /** Entries that were asked for or are cited, and the events among them. */
  readonly entries: number;
  readonly events: number;
  readonly leftOut: Readonly<LeftOut>;
  /** Of the events those that are sealed, whose ciphertext is there, and that a key in the file opened. */
  readonly sealed: { readonly events: number; readonly there: number; readonly opened: number };
  /** The producer's word: recorded times, and the events' own. */
  readonly recorded?: Span;
  readonly times?: Span;
}

/** An entry that was asked for or is cited, copied out of the file. */
export interface SeenEntry {
  readonly logId: LogId;
  readonly index: LogIndex;
  readonly asked: boolean;
  readonly kind: 'event' | 'sealed' | 'seal' | 'control';
  readonly leafHash: Hash;
  readonly recordedTime: TimeMs;
  readonly parents: readonly Parent[];
  /** Absent where it is no event, sealed and no key opened it, or its body is gone. */
  readonly event?: EventBytes;
  readonly context?: Attributes;
  readonly bodyMissing?: keyof LeftOut;
}

export interface BundleReport {
  readonly verdict: BundleVerdict;
  /** Why it is not intact: of `broken` the first fault, else all that is missed, up to a bound. */
  readonly reasons: readonly Fault[];
  /** As the file states it; of a broken one not to be relied on. */
  readonly manifest?: ManifestLine;
  /** Those that were checked to their end. */
  readonly logs: readonly BundleLogReport[];
  /** Inputs that are cited and not in the file, up to a bound. */
  readonly missing: readonly MissingLine[];
  /** The first entries, as many as were asked for; ancestors among them. */
  readonly seen: readonly SeenEntry[];
  /** How many more entries there are. */
  readonly unseen: number;
  readonly checked: { readonly lines: number; readonly blocks: number; readonly events: number };
  /** Did the verifier state a policy? */
  readonly stated: boolean;
}
