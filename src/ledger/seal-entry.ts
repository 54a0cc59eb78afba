/**
 * Seals an event of a block that is being made (access.md "Sealed streams"): leaf and body depend on
 * its index in the log, on the block's time and on the open epoch, so both are made here, at the last
 * moment, and made anew when the block is.
 */
import { writeUint32, writeUint48 } from '../bytes.ts';
import type { Cipher } from '../cipher.ts';
import type { Hasher } from '../crypto.ts';
import type { EventBytes, Hash, TimeMs } from '../types.ts';
import type { EntryParts } from './block-encode.ts';
import { commitInto, saltsBytes } from './commitment.ts';
import { leafAt, leafKind } from './leaf.ts';
import { sealBody, sealedLength } from './sealed-body.ts';

/** With what the events of one block are sealed. */
export interface BlockSeal {
  readonly cipher: Cipher;
  readonly epoch: number;
  /** 32 bytes: the key of that epoch. */
  readonly key: Uint8Array;
  /** 64 fresh random bytes for each draft of the block. */
  readonly salts: Uint8Array;
}

/** Where an event will stand. */
export interface SealPlace {
  /** The log's id as bytes. */
  readonly log: Hash;
  readonly index: number;
  /** Among the drafts of its block. */
  readonly position: number;
  readonly time: TimeMs;
}

/** `parents` is the field as `encodeParents` makes it. */
export function sealedParts(
  h: Hasher,
  seal: BlockSeal,
  { log, index, position, time }: SealPlace,
  event: EventBytes,
  parents: Uint8Array,
): EntryParts {
  const salts = seal.salts.subarray(saltsBytes * position, saltsBytes * (position + 1));
  if (salts.length !== saltsBytes) throw new RangeError('a sealed event without its salts');
  const leaf = new Uint8Array(leafAt.sealedParents + parents.length);
  leaf[0] = leafKind.sealed;
  writeUint48(leaf, leafAt.time, time);
  commitInto(h, salts, event, leaf, leafAt.attributesCommitment);
  writeUint32(leaf, leafAt.bodyLength, sealedLength(event));
  writeUint32(leaf, leafAt.sealedEpoch, seal.epoch);
  leaf.set(parents, leafAt.sealedParents);
  const sealed = sealBody(seal.cipher, h, { log, index, leaf }, seal.key, salts, event);
  h.sha256Into(sealed, leaf, leafAt.bodyHash);
  return {
    kind: leafKind.sealed,
    time,
    leaf,
    parents,
    parentsLength: parents.length,
    event: undefined,
    sealed,
    control: undefined,
  };
}
