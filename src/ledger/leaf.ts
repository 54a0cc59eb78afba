/**
 * Leaves, byte by byte (ledger.md "Leaves"; FACTS.md section 2). Big-endian, canonical by
 * construction; the leaf hash is SHA-256(0x00 ‖ leaf).
 *
 *   0 event    00 | time 6 | attributes commitment 32 | data commitment 32 | body length 4 | parents
 *   1 sealed   01 | time 6 | attributes commitment 32 | data commitment 32 | body length 4
 *                 | sealed-body hash 32 | epoch 4 | parents
 *   2 seal     02 | block number 8 | previous seal 32 | entries 4 | time 6 | epoch 4 | lowest 8
 *   3 control  03 | time 6 | dag-cbor map
 *
 *   parents    count 2 | count × ( log 32 | from 8 | to 8, exclusive | range root 32 )
 */
import {
  readUint16,
  readUint32,
  readUint48,
  readUint64,
  writeUint16,
  writeUint32,
  writeUint48,
  writeUint64,
} from '../bytes.ts';
import { decodeCbor, encodeCbor, isCborMap, type CborMap } from '../cbor.ts';
import { fault, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asBlockNumber,
  asHash,
  asLogIndex,
  asTimeMs,
  type BlockNumber,
  type Hash,
  type LogIndex,
  type TimeMs,
} from '../types.ts';

export const leafKind = { event: 0, sealed: 1, seal: 2, control: 3 } as const;
export type LeafKind = 0 | 1 | 2 | 3;

/** Byte offsets within a leaf, for code that reads single fields on a hot path. */
export const leafAt = {
  time: 1,
  attributesCommitment: 7,
  dataCommitment: 39,
  bodyLength: 71,
  eventParents: 75,
  bodyHash: 75,
  sealedEpoch: 107,
  sealedParents: 111,
  blockNumber: 1,
  previousSeal: 9,
  sealEntries: 41,
  sealTime: 45,
  sealEpoch: 51,
  lowest: 55,
  map: 7,
} as const;

const sealBytes = 63;
export const parentBytes = 80;
/** The parents field of an event without parents. */
export const noParents: Uint8Array = new Uint8Array(2);

/** A half-open range of entries of one log that an event was made from. */
export interface Parent {
  /** The parent log's id as bytes. */
  readonly log: Hash;
  readonly from: LogIndex;
  readonly to: LogIndex;
  readonly rangeRoot: Hash;
}

export interface EventLeaf {
  readonly kind: 0;
  readonly time: TimeMs;
  readonly attributesCommitment: Hash;
  readonly dataCommitment: Hash;
  readonly bodyLength: number;
  readonly parents: readonly Parent[];
}
export interface SealedLeaf {
  readonly kind: 1;
  readonly time: TimeMs;
  readonly attributesCommitment: Hash;
  readonly dataCommitment: Hash;
  readonly bodyLength: number;
  readonly bodyHash: Hash;
  readonly epoch: number;
  readonly parents: readonly Parent[];
}
export interface SealLeaf {
  readonly kind: 2;
  readonly blockNumber: BlockNumber;
  readonly previousSeal: Hash;
  readonly entries: number;
  readonly time: TimeMs;
  readonly epoch: number;
  readonly lowest: LogIndex;
}
export interface ControlLeaf {
  readonly kind: 3;
  readonly time: TimeMs;
  readonly map: CborMap;
}
export type Leaf = EventLeaf | SealedLeaf | SealLeaf | ControlLeaf;

/** The bytes of a leaf. Throws RangeError on a leaf that `decodeLeaf` would refuse. */
export function encodeLeaf(leaf: Leaf): Uint8Array {
  const bytes = layOutLeaf(leaf);
  const sound = checkLeaf(bytes);
  if (!sound.ok) throw new RangeError(sound.error.message);
  return bytes;
}

/** As `encodeLeaf` without its check, for a caller that checks. */
export function layOutLeaf(leaf: Leaf): Uint8Array {
  if (leaf.kind === 2) return sealLeaf(leaf);
  if (leaf.kind === 3) return controlLeaf(leaf.time, leaf.map);
  const parents = encodeParents(leaf.parents);
  const fixed = leaf.kind === 0 ? leafAt.eventParents : leafAt.sealedParents;
  const bytes = new Uint8Array(fixed + parents.length);
  bytes[0] = leaf.kind;
  writeUint48(bytes, leafAt.time, leaf.time);
  bytes.set(leaf.attributesCommitment, leafAt.attributesCommitment);
  bytes.set(leaf.dataCommitment, leafAt.dataCommitment);
  writeUint32(bytes, leafAt.bodyLength, leaf.bodyLength);
  if (leaf.kind === 1) {
    bytes.set(leaf.bodyHash, leafAt.bodyHash);
    writeUint32(bytes, leafAt.sealedEpoch, leaf.epoch);
  }
  bytes.set(parents, fixed);
  return bytes;
}

function sealLeaf(leaf: SealLeaf): Uint8Array {
  const bytes = new Uint8Array(sealBytes);
  bytes[0] = leafKind.seal;
  writeUint64(bytes, leafAt.blockNumber, leaf.blockNumber);
  bytes.set(leaf.previousSeal, leafAt.previousSeal);
  writeUint32(bytes, leafAt.sealEntries, leaf.entries);
  writeUint48(bytes, leafAt.sealTime, leaf.time);
  writeUint32(bytes, leafAt.sealEpoch, leaf.epoch);
  writeUint64(bytes, leafAt.lowest, leaf.lowest);
  return bytes;
}

function controlLeaf(time: TimeMs, map: CborMap): Uint8Array {
  const body = encodeCbor(map);
  const bytes = new Uint8Array(leafAt.map + body.length);
  bytes[0] = leafKind.control;
  writeUint48(bytes, leafAt.time, time);
  bytes.set(body, leafAt.map);
  return bytes;
}

/** The parents field: count and items, in the publisher's order. */
export function encodeParents(parents: readonly Parent[]): Uint8Array {
  if (parents.length === 0) return noParents;
  const bytes = new Uint8Array(2 + parentBytes * parents.length);
  writeUint16(bytes, 0, parents.length);
  parents.forEach((parent, i) => {
    const at = 2 + parentBytes * i;
    bytes.set(parent.log, at);
    writeUint64(bytes, at + 32, parent.from);
    writeUint64(bytes, at + 40, parent.to);
    bytes.set(parent.rangeRoot, at + 48);
  });
  return bytes;
}

/** Checks a parents field that fills `bytes[at, end)`; undefined if it is sound. */
export function checkParents(bytes: Uint8Array, at: number, end: number): Fault | undefined {
  if (end - at < 2) return cut();
  const count = readUint16(bytes, at);
  if (count > protocol.maxParents) {
    return fault('parents-over-limit', `more than ${protocol.maxParents} parents`);
  }
  const length = 2 + parentBytes * count;
  if (end - at < length) return cut();
  if (end - at > length) return left();
  for (let item = at + 2; item < end; item += parentBytes) {
    const from = readUint64(bytes, item + 32);
    const to = readUint64(bytes, item + 40);
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) return tooLarge('a parent index');
    if (from >= to) return fault('parent-range', 'a parent range is empty or runs backwards');
  }
  return undefined;
}

/** The items of a parents field; the hashes are views. */
export function decodeParents(bytes: Uint8Array): Result<readonly Parent[]> {
  const wrong = checkParents(bytes, 0, bytes.length);
  if (wrong !== undefined) return err(wrong);
  const parents: Parent[] = [];
  for (let at = 2; at < bytes.length; at += parentBytes) {
    parents.push({
      log: asHash(bytes.subarray(at, at + 32)),
      from: asLogIndex(readUint64(bytes, at + 32)),
      to: asLogIndex(readUint64(bytes, at + 40)),
      rangeRoot: asHash(bytes.subarray(at + 48, at + 80)),
    });
  }
  return ok(parents);
}

/**
 * Checks one leaf by itself and returns its kind and, for a control record, its map. Codes:
 * truncated, trailing-bytes, leaf-kind, leaf-too-long, parents-over-limit, parent-range,
 * integer-too-large, body-too-large, seal-entries, seal-previous, control-encoding, control-shape.
 */
export function checkLeaf(bytes: Uint8Array): Result<{ kind: LeafKind; map?: CborMap }> {
  if (bytes.length > protocol.maxLeafBytes) {
    return err(fault('leaf-too-long', `a leaf of ${bytes.length} bytes`));
  }
  const kind = bytes[0];
  switch (kind) {
    case undefined:
      return err(cut());
    case leafKind.event:
    case leafKind.sealed: {
      const wrong = checkEvent(bytes, kind === 0 ? leafAt.eventParents : leafAt.sealedParents);
      return wrong === undefined ? ok({ kind }) : err(wrong);
    }
    case leafKind.seal: {
      const wrong = checkSeal(bytes);
      return wrong === undefined ? ok({ kind }) : err(wrong);
    }
    case leafKind.control:
      return readControl(bytes);
    default:
      return err(fault('leaf-kind', `unknown leaf kind ${kind}`));
  }
}

function checkEvent(bytes: Uint8Array, parentsAt: number): Fault | undefined {
  if (bytes.length < parentsAt + 2) return cut();
  if (readUint32(bytes, leafAt.bodyLength) > protocol.maxBodyBytes) {
    return fault('body-too-large', 'a body length above 192 KiB');
  }
  return checkParents(bytes, parentsAt, bytes.length);
}

function checkSeal(bytes: Uint8Array): Fault | undefined {
  if (bytes.length < sealBytes) return cut();
  if (bytes.length > sealBytes) return left();
  const number = readUint64(bytes, leafAt.blockNumber);
  if (!Number.isSafeInteger(number)) return tooLarge('the block number');
  if (!Number.isSafeInteger(readUint64(bytes, leafAt.lowest))) return tooLarge('the lowest index');
  if (readUint32(bytes, leafAt.sealEntries) === 0) {
    return fault('seal-entries', 'a seal counts at least itself');
  }
  let first = true;
  for (let i = leafAt.previousSeal; i < leafAt.sealEntries; i++) first &&= bytes[i] === 0;
  if (first !== (number === 0)) {
    return fault('seal-previous', 'the previous seal is zero in block 0 and only there');
  }
  return undefined;
}

function readControl(bytes: Uint8Array): Result<{ kind: LeafKind; map?: CborMap }> {
  if (bytes.length < leafAt.map) return err(cut());
  const decoded = decodeCbor(bytes.subarray(leafAt.map));
  if (!decoded.ok) return err(fault('control-encoding', decoded.error.message));
  const map = decoded.value;
  if (!isCborMap(map) || typeof map['type'] !== 'string') {
    return err(fault('control-shape', 'a control record is a map with a text field type'));
  }
  return ok({ kind: leafKind.control, map });
}

/** A leaf taken apart; codes as `checkLeaf`. Hashes are views of `bytes`. */
export function decodeLeaf(bytes: Uint8Array): Result<Leaf> {
  const checked = checkLeaf(bytes);
  if (!checked.ok) return checked;
  const { kind, map } = checked.value;
  if (kind === leafKind.control) return ok({ kind, time: leafTime(bytes), map: map ?? {} });
  if (kind === leafKind.seal) {
    return ok({
      kind,
      blockNumber: asBlockNumber(readUint64(bytes, leafAt.blockNumber)),
      previousSeal: hashAt(bytes, leafAt.previousSeal),
      entries: readUint32(bytes, leafAt.sealEntries),
      time: leafTime(bytes),
      epoch: readUint32(bytes, leafAt.sealEpoch),
      lowest: asLogIndex(readUint64(bytes, leafAt.lowest)),
    });
  }
  const parents = decodeParents(bytes.subarray(parentsStart(kind)));
  if (!parents.ok) return parents;
  const event = {
    time: leafTime(bytes),
    attributesCommitment: hashAt(bytes, leafAt.attributesCommitment),
    dataCommitment: hashAt(bytes, leafAt.dataCommitment),
    bodyLength: readUint32(bytes, leafAt.bodyLength),
    parents: parents.value,
  };
  if (kind === leafKind.event) return ok({ kind, ...event });
  const epoch = readUint32(bytes, leafAt.sealedEpoch);
  return ok({ kind, ...event, bodyHash: hashAt(bytes, leafAt.bodyHash), epoch });
}

/** Recorded time of a checked leaf. */
export function leafTime(bytes: Uint8Array): TimeMs {
  return asTimeMs(readUint48(bytes, bytes[0] === leafKind.seal ? leafAt.sealTime : leafAt.time));
}

/** Where the parents field of an event of this kind begins. */
export function parentsStart(kind: 0 | 1): number {
  return kind === leafKind.event ? leafAt.eventParents : leafAt.sealedParents;
}

function hashAt(bytes: Uint8Array, at: number): Hash {
  return asHash(bytes.subarray(at, at + 32));
}
function cut(): Fault {
  return fault('truncated', 'the bytes end inside a field');
}
function left(): Fault {
  return fault('trailing-bytes', 'bytes are left over after the last field');
}
function tooLarge(what: string): Fault {
  return fault('integer-too-large', `${what} is above 2^53-1`);
}
