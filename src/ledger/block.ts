/**
 * A block in memory. Bodies, parents and leaves are not copied out of the wire bytes: an entry says
 * where they stand, so that storage can index them where they lie.
 */
import type { CborMap } from '../cbor.ts';
import type { Hash, LogIndex, ParsedEvent, TimeMs } from '../types.ts';
import { leafKind, type LeafKind } from './leaf.ts';
import type { LogState } from './log-state.ts';
import type { NewNodes } from './tree.ts';

/** `full` has all bodies and is the only form that is gossiped; `reduced` is for sync. */
export type BlockForm = 'full' | 'reduced';

/** Offsets count bytes from the start of the wire block; -1 where there is nothing. */
export interface BlockEntry {
  readonly kind: LeafKind;
  readonly time: TimeMs;
  /** The leaf, where it travels: not for a public event in the full form. */
  readonly leafOffset: number;
  readonly leafLength: number;
  /** The parents field of an event: uint16 count and items. */
  readonly parentsOffset: number;
  readonly parentsLength: number;
  /** The body of an event. */
  readonly bodyOffset: number;
  readonly bodyLength: number;
  /** 64 bytes of salts, in the reduced form where a public body remains. */
  readonly saltsOffset: number;
  /** The map of a control entry. */
  readonly control: CborMap | undefined;
}

export interface DecodedBlock {
  readonly wire: Uint8Array;
  readonly form: BlockForm;
  /** Id of the log as bytes. */
  readonly log: Hash;
  readonly firstIndex: LogIndex;
  /** As sent: right only if the block verifies. */
  readonly frontier: readonly Hash[];
  /** 32 bytes in a full block with public events, else null. */
  readonly seed: Uint8Array | null;
  /** At least one. */
  readonly entries: readonly BlockEntry[];
  readonly checkpoint: string;
}

/** View of an entry's body within the wire bytes. */
export function bodyBytes(block: DecodedBlock, entry: BlockEntry): Uint8Array | undefined {
  if (entry.bodyOffset < 0) return undefined;
  return block.wire.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyLength);
}

/** View of an event's parents field within the wire bytes; empty for other entries. */
export function parentsBytes(block: DecodedBlock, entry: BlockEntry): Uint8Array {
  if (entry.parentsOffset < 0) return none;
  return block.wire.subarray(entry.parentsOffset, entry.parentsOffset + entry.parentsLength);
}

/** True for an event that cites parents. */
export function hasParents(entry: BlockEntry): boolean {
  return entry.parentsLength > 2;
}

export function isEvent(entry: BlockEntry): boolean {
  return entry.kind === leafKind.event || entry.kind === leafKind.sealed;
}

const none = new Uint8Array(0);

/**
 * The leaves of a block in one array, each behind the byte 0x00 that its hash begins with:
 * `bytes[offsets[i]]` is that byte, and `offsets[i + 1]` the end of leaf i.
 */
export class LeafTable {
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  readonly count: number;

  /** `lengths` are those of the leaves; the caller fills them in. */
  constructor(lengths: readonly number[]) {
    this.count = lengths.length;
    this.offsets = new Uint32Array(lengths.length + 1);
    let end = 0;
    for (let i = 0; i < lengths.length; i++) {
      end += 1 + (lengths[i] ?? 0);
      this.offsets[i + 1] = end;
    }
    this.bytes = new Uint8Array(end);
  }

  /** Where leaf i begins. */
  start(i: number): number {
    return (this.offsets[i] ?? 0) + 1;
  }
  end(i: number): number {
    return this.offsets[i + 1] ?? 0;
  }
  /** View of leaf i. */
  leaf(i: number): Uint8Array {
    return this.bytes.subarray(this.start(i), this.end(i));
  }
  /** View of leaf i with the byte before it: what is hashed. */
  hashed(i: number): Uint8Array {
    return this.bytes.subarray(this.offsets[i] ?? 0, this.end(i));
  }
}

/** A block that extends its log, whether it came from a peer or was made here. */
export interface VerifiedBlock {
  readonly wire: Uint8Array;
  readonly block: DecodedBlock;
  /** The log after this block. */
  readonly state: LogState;
  readonly leaves: LeafTable;
  /** 32 bytes an entry. */
  readonly leafHashes: Uint8Array;
  /** Interior nodes of the tree that this block completed, for tiles. */
  readonly nodes: NewNodes;
  /** Parallel to the entries: public events whose body is there, with their attributes. */
  readonly events: readonly (ParsedEvent | undefined)[];
}
