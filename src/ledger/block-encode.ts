/** Writes wire blocks; their layout is drawn in block-codec.ts. */
import { utf8 } from '../bytes.ts';
import { CborWriter } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import type { EventBytes, Hash, LogIndex, TimeMs } from '../types.ts';
import type { BlockEntry, DecodedBlock, LeafTable } from './block.ts';
import { bodyLength, headBytes, writeBody } from './body.ts';
import { blockVersion } from './block-codec.ts';
import { saltsAt, saltsBytes, seedBytes } from './commitment.ts';
import { leafKind, type LeafKind } from './leaf.ts';
import type { CborMap } from '../cbor.ts';
import type { Frontier } from './tree.ts';

/** What an entry of a block that is being made consists of. */
export interface EntryParts {
  readonly kind: LeafKind;
  readonly time: TimeMs;
  /** Where it travels: all but public events. */
  readonly leaf: Uint8Array | undefined;
  /** The parents field of a public event. */
  readonly parents: Uint8Array;
  readonly parentsLength: number;
  /** Of a public event. */
  readonly event: EventBytes | undefined;
  /** Of a sealed event. */
  readonly sealed: Uint8Array | undefined;
  readonly control: CborMap | undefined;
}

export interface BlockParts {
  readonly log: Hash;
  readonly firstIndex: LogIndex;
  readonly frontier: Frontier;
  readonly seed: Uint8Array | null;
  readonly entries: readonly EntryParts[];
  readonly checkpoint: string;
}

/** Bytes that a public event adds to a full block. */
export function eventEntryBytes(time: number, parentsLength: number, event: EventBytes): number {
  const body = bodyLength(event);
  return 1 + headBytes(time) + headBytes(parentsLength) + parentsLength + headBytes(body) + body;
}

function entryBytes(entry: EntryParts): number {
  if (entry.event !== undefined) {
    return eventEntryBytes(entry.time, entry.parentsLength, entry.event);
  }
  const leaf = entry.leaf?.length ?? 0;
  const sealed = entry.sealed?.length;
  return 1 + headBytes(leaf) + leaf + (sealed === undefined ? 1 : headBytes(sealed) + sealed);
}

/** Bytes of a full block around its entries. */
function frameBytes(parts: BlockParts, checkpointLength: number): number {
  return (
    2 +
    34 +
    headBytes(parts.firstIndex) +
    headBytes(parts.frontier.length) +
    34 * parts.frontier.length +
    (parts.seed === null ? 1 : 2 + seedBytes) +
    headBytes(parts.entries.length) +
    headBytes(checkpointLength) +
    checkpointLength
  );
}

/** The full form, and the same block as `decodeBlock` would give it. */
export function encodeFullBlock(parts: BlockParts): DecodedBlock {
  const { log, firstIndex, frontier, seed, checkpoint } = parts;
  let length = frameBytes(parts, utf8(checkpoint).length);
  for (const entry of parts.entries) length += entryBytes(entry);
  const writer = new CborWriter(length);
  writeFrame(writer, blockVersion.full, parts);
  if (seed === null) writer.null();
  else writer.bytes(seed);
  writer.list(parts.entries.length);
  const entries = parts.entries.map((entry) => writeEntry(writer, entry));
  writer.text(checkpoint);
  return {
    wire: writer.take(),
    form: 'full',
    log,
    firstIndex,
    frontier,
    seed,
    entries,
    checkpoint,
  };
}

function writeFrame(
  writer: CborWriter,
  version: number,
  block: Pick<BlockParts, 'log' | 'firstIndex' | 'frontier'>,
): void {
  writer.list(7).uint(version).bytes(block.log).uint(block.firstIndex);
  writer.list(block.frontier.length);
  for (const hash of block.frontier) writer.bytes(hash);
}

function writeEntry(writer: CborWriter, entry: EntryParts): BlockEntry {
  const { kind, time, control, event, parents, parentsLength, sealed, leaf } = entry;
  if (event !== undefined) {
    writer.list(3).uint(time).bytes(parents);
    const parentsOffset = writer.length - parentsLength;
    const length = bodyLength(event);
    writer.bytesHead(length);
    const bodyOffset = writer.length;
    writeBody(writer, event);
    return {
      kind,
      time,
      leafOffset: -1,
      leafLength: 0,
      parentsOffset,
      parentsLength,
      bodyOffset,
      bodyLength: length,
      saltsOffset: -1,
      control,
    };
  }
  const leafLength = leaf?.length ?? 0;
  writer.list(2).bytes(leaf ?? none);
  const leafOffset = writer.length - leafLength;
  const inLeaf = kind === leafKind.sealed;
  if (sealed === undefined) writer.null();
  else writer.bytes(sealed);
  return {
    kind,
    time,
    leafOffset,
    leafLength,
    parentsOffset: inLeaf ? leafOffset + leafLength - parentsLength : -1,
    parentsLength: inLeaf ? parentsLength : 0,
    bodyOffset: sealed === undefined ? -1 : writer.length - sealed.length,
    bodyLength: sealed?.length ?? 0,
    saltsOffset: -1,
    control,
  };
}

/**
 * The reduced form of a block: bodies for which `keep` says no are left out (ledger.md "Tree, seal,
 * checkpoint"), the salts of the public ones that stay take the place of the seed. `leaves` are those of
 * `makeLeaves`. Works on both forms; verifies to the same root.
 */
export function reduceBlock(
  h: Hasher,
  block: DecodedBlock,
  leaves: LeafTable,
  keep: (position: number) => boolean,
): Uint8Array {
  const { entries, wire, seed } = block;
  const writer = new CborWriter(wire.length + leaves.bytes.length + 70 * entries.length);
  writeFrame(writer, blockVersion.reduced, block);
  writer.list(entries.length);
  for (const [i, entry] of entries.entries()) {
    const stays = entry.kind === leafKind.event && entry.bodyOffset >= 0 && keep(i);
    if (!stays) writer.null();
    else if (seed === null) {
      writer.bytes(wire.subarray(entry.saltsOffset, entry.saltsOffset + saltsBytes));
    } else writer.bytes(saltsAt(h, seed, i));
  }
  writer.list(entries.length);
  for (const [i, entry] of entries.entries()) {
    writer.list(2).bytes(leaves.leaf(i));
    if (entry.bodyOffset < 0 || !keep(i)) writer.null();
    else writer.bytes(wire.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyLength));
  }
  return writer.text(block.checkpoint).finish();
}

const none = new Uint8Array(0);
