/**
 * From a block to the leaves that were signed (FACTS.md section 6.2): those that travelled are
 * taken, those of public events are made again from seed, position, time, body and parents. Each
 * body that is there is held against its leaf.
 */
import { equal, readUint32, writeUint32, writeUint48 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { at, fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { EventBytes } from '../types.ts';
import { LeafTable, type BlockEntry, type DecodedBlock } from './block.ts';
import { decodeBodyAt } from './body.ts';
import { checkOpening, commitInto, saltsAt, saltsBytes } from './commitment.ts';
import { leafAt, leafKind } from './leaf.ts';

export interface BlockLeaves {
  readonly leaves: LeafTable;
  /** 32 bytes an entry: SHA-256(0x00 ‖ leaf). */
  readonly leafHashes: Uint8Array;
  /** Parallel to the entries: public events whose body is there. Views of the wire bytes. */
  readonly bodies: readonly (EventBytes | undefined)[];
}

/** Writes the fields of a public event's leaf in front of its commitments, and its length. */
export function writeEventHead(
  out: Uint8Array,
  start: number,
  time: number,
  bodyLength: number,
): void {
  out[start] = leafKind.event;
  writeUint48(out, start + leafAt.time, time);
  writeUint32(out, start + leafAt.bodyLength, bodyLength);
}

/**
 * Leaves, their hashes and the decoded bodies. Codes, with the entry's position in the block as
 * `place.index`: body-encoding, body-shape, body-kind, body-length, sealed-body-hash,
 * attributes-commitment, data-commitment.
 */
export function makeLeaves(h: Hasher, block: DecodedBlock): Result<BlockLeaves> {
  const leaves = new LeafTable(block.entries.map(lengthOfLeaf));
  const bodies: (EventBytes | undefined)[] = [];
  for (const [i, entry] of block.entries.entries()) {
    const body = fillLeaf(h, block, i, entry, leaves);
    if (!body.ok) return body;
    bodies.push(body.value);
  }
  return ok({ leaves, leafHashes: hashLeaves(h, leaves), bodies });
}

/** One leaf of a block by itself, with the codes of `makeLeaves`. Throws RangeError for no position. */
export function makeLeaf(h: Hasher, block: DecodedBlock, position: number): Result<Uint8Array> {
  const entry = block.entries[position];
  if (entry === undefined) throw new RangeError('the block has no entry there');
  const lengths = block.entries.map((one, i) => (i === position ? lengthOfLeaf(one) : 0));
  const leaves = new LeafTable(lengths);
  const made = fillLeaf(h, block, position, entry, leaves);
  return made.ok ? ok(leaves.leaf(position).slice()) : made;
}

/** Writes the leaf of entry i to its place and holds its body against it; returns the body. */
function fillLeaf(
  h: Hasher,
  block: DecodedBlock,
  i: number,
  entry: BlockEntry,
  leaves: LeafTable,
): Result<EventBytes | undefined> {
  if (entry.leafOffset >= 0) {
    const end = entry.leafOffset + entry.leafLength;
    leaves.bytes.set(block.wire.subarray(entry.leafOffset, end), leaves.start(i));
  }
  const body = entry.kind === leafKind.event ? readBody(block, entry) : undefined;
  if (body?.ok === false) return err(at(body.error, { index: i }));
  const wrong = entry.leafOffset < 0 ? remake(h, block, i, leaves, body?.value) : undefined;
  const unfit = wrong ?? holdAgainst(h, block, i, leaves, body?.value);
  return unfit === undefined ? ok(body?.value) : err(at(unfit, { index: i }));
}

function lengthOfLeaf(entry: BlockEntry): number {
  return entry.leafOffset < 0 ? leafAt.eventParents + entry.parentsLength : entry.leafLength;
}

/** RFC 6962 leaf hashes of all leaves, 32 bytes each. */
export function hashLeaves(h: Hasher, leaves: LeafTable): Uint8Array {
  const hashes = new Uint8Array(32 * leaves.count);
  for (let i = 0; i < leaves.count; i++) h.sha256Into(leaves.hashed(i), hashes, 32 * i);
  return hashes;
}

function readBody(block: DecodedBlock, entry: BlockEntry): Result<EventBytes> | undefined {
  if (entry.bodyOffset < 0) return undefined;
  return decodeBodyAt(block.wire, entry.bodyOffset, entry.bodyOffset + entry.bodyLength);
}

/** A public event of the full form: its leaf is made here, and the root shows if it is right. */
function remake(
  h: Hasher,
  block: DecodedBlock,
  i: number,
  leaves: LeafTable,
  body: EventBytes | undefined,
): Fault | undefined {
  const entry = block.entries[i];
  if (entry === undefined || body === undefined || block.seed === null) {
    return fault('entry-form', 'a public event without body or seed');
  }
  const start = leaves.start(i);
  writeEventHead(leaves.bytes, start, entry.time, entry.bodyLength);
  const salts = saltsAt(h, block.seed, i);
  commitInto(h, salts, body, leaves.bytes, start + leafAt.attributesCommitment);
  if (entry.parentsLength > 2) {
    const parents = block.wire.subarray(
      entry.parentsOffset,
      entry.parentsOffset + entry.parentsLength,
    );
    leaves.bytes.set(parents, start + leafAt.eventParents);
  }
  return undefined;
}

/** A body beside the leaf that it came with. */
function holdAgainst(
  h: Hasher,
  block: DecodedBlock,
  i: number,
  leaves: LeafTable,
  body: EventBytes | undefined,
): Fault | undefined {
  const entry = block.entries[i];
  if (entry === undefined || entry.leafOffset < 0 || entry.bodyOffset < 0) return undefined;
  const start = leaves.start(i);
  if (readUint32(leaves.bytes, start + leafAt.bodyLength) !== entry.bodyLength) {
    return fault('body-length', 'the body is not as long as the leaf says');
  }
  if (body !== undefined) {
    const salts = block.wire.subarray(entry.saltsOffset, entry.saltsOffset + saltsBytes);
    return checkOpening(h, salts, body, leaves.bytes, start + leafAt.attributesCommitment);
  }
  const sealed = block.wire.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyLength);
  return checkSealedBody(h, leaves.leaf(i), sealed);
}

/**
 * Does this ciphertext belong to this leaf of kind 1? What relays can check without a key
 * (access.md "Sealed streams"). Codes: body-length, sealed-body-hash.
 */
export function checkSealedBody(h: Hasher, leaf: Uint8Array, body: Uint8Array): Fault | undefined {
  if (readUint32(leaf, leafAt.bodyLength) !== body.length) {
    return fault('body-length', 'the body is not as long as the leaf says');
  }
  if (!equal(h.sha256(body), leaf.subarray(leafAt.bodyHash, leafAt.bodyHash + 32))) {
    return fault('sealed-body-hash', 'the body does not have the hash in the leaf');
  }
  return undefined;
}
