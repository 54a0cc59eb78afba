/**
 * Wire blocks (ledger.md "Tree, seal, checkpoint"; FACTS.md section 6), dag-cbor:
 *
 *   full     [1, logId 32, first index, [frontier hash 32 …], seed 32 or null, [entry …], checkpoint]
 *            entry  [time, parents bytes, body bytes]     a public event, without its leaf
 *                   [leaf bytes, body bytes]              a sealed event
 *                   [leaf bytes, null]                    seal, control
 *            at most 262,144 bytes; seed null exactly where there is no public event
 *   reduced  [2, logId, first index, [frontier], [salts 64 or null …], [entry …], checkpoint]
 *            entry  [leaf bytes, body bytes or null]      at most 327,680 bytes
 *            salts stand exactly where a public body remains
 *
 * A body is a byte string that holds the encoding. One block has one full encoding.
 */
import { readUint48 } from '../bytes.ts';
import { CborReader, type CborMap } from '../cbor.ts';
import { fault, type Code, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asLogIndex, asTimeMs, type Hash, type TimeMs } from '../types.ts';
import type { BlockEntry, BlockForm, DecodedBlock } from './block.ts';
import { saltsBytes, seedBytes } from './commitment.ts';
import { checkLeaf, checkParents, leafAt, leafKind, parentsStart, type LeafKind } from './leaf.ts';

export const blockVersion = { full: 1, reduced: 2 } as const;
const maxTime = 2 ** 48 - 1;

/** A fault found while reading, beside those that the reader itself keeps. */
class BlockReader extends CborReader {
  readonly wire: Uint8Array;
  constructor(wire: Uint8Array) {
    super(wire);
    this.wire = wire;
  }
  refuse(code: Code, message: string, index?: number): void {
    this.failed ??= fault(code, message, index === undefined ? undefined : { index });
  }
  /** Start of a byte string, whose end is then the reader's offset; -1 where it is none. */
  span(what: string): number {
    if (this.failed !== undefined) return -1;
    const [major, length] = this.head();
    if (this.failed !== undefined) return -1;
    if (major !== 2) this.refuse('block-shape', `${what} is not a byte string`);
    const start = this.offset;
    this.skip(length);
    return start;
  }
  /** Major type of the next item without reading it; -1 at the end. */
  peek(): number {
    const first = this.wire[this.offset];
    return first === undefined ? -1 : first >>> 5;
  }
}

/**
 * Takes a block apart and checks all that it says by itself, without hashing: canonical encoding,
 * form, leaves one by one. Codes: block-too-large, block-encoding, block-shape, block-version,
 * block-form, entry-form, body-missing, body-unexpected, body-too-large, seed, salts, and those of
 * `checkLeaf`. Everything in the result is a view of `wire`, which must not change.
 */
export function decodeBlock(
  wire: Uint8Array,
  options: { readonly reduced: boolean },
): Result<DecodedBlock> {
  const most = options.reduced ? protocol.maxFrameBytes : protocol.maxMessageBytes;
  if (wire.length > most) return err(fault('block-too-large', `a block of ${wire.length} bytes`));
  const reader = new BlockReader(wire);
  if (reader.list() !== 7) reader.refuse('block-shape', 'a block is a list of seven');
  const form = readForm(reader, options.reduced);
  const log = readHash(reader, 'the log id');
  const firstIndex = reader.uint();
  const frontier = readFrontier(reader);
  const seed = form === 'full' ? readSeed(reader) : null;
  const salts = form === 'reduced' ? readSalts(reader) : undefined;
  const entries = readEntries(reader, salts);
  const checkpoint = reader.text();
  reader.end();
  if (reader.failed === undefined && form === 'full') checkSeed(reader, entries, seed);
  if (!Number.isSafeInteger(firstIndex + entries.length)) {
    reader.refuse('block-encoding', 'the log would have more than 2^53-1 entries');
  }
  if (reader.failed !== undefined) return err(asBlockFault(reader.failed));
  return ok({
    wire,
    form,
    log,
    firstIndex: asLogIndex(firstIndex),
    frontier,
    seed,
    entries,
    checkpoint,
  });
}

/** The reader's own codes become those of a block; codes of leaves and rules stay. */
function asBlockFault(inner: Fault): Fault {
  switch (inner.code) {
    case 'cbor-shape':
      return { ...inner, code: 'block-shape' };
    case 'cbor-encoding':
    case 'bad-utf8':
      return { ...inner, code: 'block-encoding' };
    case 'truncated':
    case 'trailing-bytes':
    case 'integer-too-large':
      // Of a leaf these carry the entry's index; of the block an offset.
      return inner.place?.index === undefined ? { ...inner, code: 'block-encoding' } : inner;
    default:
      return inner;
  }
}

function readForm(reader: BlockReader, reducedAllowed: boolean): BlockForm {
  const version = reader.uint();
  if (version === blockVersion.full) {
    if (reader.wire.length > protocol.maxMessageBytes) {
      reader.refuse('block-too-large', 'a full block above 262,144 bytes');
    }
    return 'full';
  }
  if (version !== blockVersion.reduced) {
    reader.refuse('block-version', `unknown block version ${version}`);
  } else if (!reducedAllowed) reader.refuse('block-form', 'a reduced block is not taken here');
  return 'reduced';
}

function readHash(reader: BlockReader, what: string): Hash {
  const bytes = reader.bytes();
  if (bytes.length === 32) return asHash(bytes);
  reader.refuse('block-shape', `${what} is not 32 bytes`);
  return asHash(new Uint8Array(32));
}

function readFrontier(reader: BlockReader): readonly Hash[] {
  const hashes: Hash[] = [];
  for (let left = reader.list(); left > 0 && reader.failed === undefined; left--) {
    hashes.push(readHash(reader, 'a hash of the frontier'));
  }
  return hashes;
}

function readSeed(reader: BlockReader): Uint8Array | null {
  if (reader.null()) return null;
  const seed = reader.bytes();
  if (seed.length !== seedBytes) reader.refuse('seed', 'the seed is not 32 bytes');
  return seed;
}

/** Offsets of the salts, -1 for null. */
function readSalts(reader: BlockReader): readonly number[] {
  const offsets: number[] = [];
  if (reader.failed !== undefined) return offsets;
  if (reader.peek() !== 4) reader.refuse('salts', 'not a list of one item for each entry');
  for (let left = reader.list(); left > 0 && reader.failed === undefined; left--) {
    if (reader.null()) {
      offsets.push(-1);
      continue;
    }
    const start = reader.span('an item of the salts');
    if (reader.offset - start !== saltsBytes) reader.refuse('salts', 'salts are null or 64 bytes');
    offsets.push(start);
  }
  return offsets;
}

function readEntries(
  reader: BlockReader,
  salts: readonly number[] | undefined,
): readonly BlockEntry[] {
  const count = reader.list();
  if (count === 0) reader.refuse('block-shape', 'a block has at least one entry');
  if (salts !== undefined && salts.length !== count) {
    reader.refuse('salts', 'not one item for each entry');
  }
  const entries: BlockEntry[] = [];
  for (let i = 0; i < count && reader.failed === undefined; i++) {
    const items = reader.list();
    if (items === 3 && salts === undefined) entries.push(readEvent(reader, i));
    else if (items === 2) entries.push(readWithLeaf(reader, i, salts));
    else reader.refuse('block-shape', 'an entry is [leaf, body] or [time, parents, body]', i);
  }
  return entries;
}

/** [time, parents, body]: a public event of the full form. */
function readEvent(reader: BlockReader, index: number): BlockEntry {
  const time = reader.uint();
  if (time > maxTime) reader.refuse('block-shape', 'a time above 48 bits', index);
  const parentsOffset = reader.span('the parents field');
  const parentsLength = reader.offset - parentsOffset;
  if (reader.failed === undefined) {
    const wrong = checkParents(reader.wire, parentsOffset, reader.offset);
    if (wrong !== undefined) reader.refuse(wrong.code, wrong.message, index);
  }
  const bodyOffset = reader.span('the body');
  const bodyLength = reader.offset - bodyOffset;
  checkBodySize(reader, bodyLength, index);
  return {
    kind: leafKind.event,
    time: asTimeMs(reader.failed === undefined ? time : 0),
    leafOffset: -1,
    leafLength: 0,
    parentsOffset,
    parentsLength,
    bodyOffset,
    bodyLength,
    saltsOffset: -1,
    control: undefined,
  };
}

/** [leaf, body or null]: everything else. */
function readWithLeaf(
  reader: BlockReader,
  index: number,
  salts: readonly number[] | undefined,
): BlockEntry {
  const leafOffset = reader.span('the leaf');
  const leafLength = reader.offset - leafOffset;
  const leaf = readLeaf(reader, leafOffset, index);
  const kind = leaf.kind;
  const bodyOffset = reader.null() ? -1 : reader.span('the body');
  const bodyLength = bodyOffset < 0 ? 0 : reader.offset - bodyOffset;
  checkBodySize(reader, bodyLength, index);
  const saltsOffset = salts?.[index] ?? -1;
  if (reader.failed === undefined) {
    checkForm(reader, kind, bodyOffset >= 0, salts === undefined ? undefined : saltsOffset, index);
  }
  const event = kind === leafKind.event || kind === leafKind.sealed;
  const parentsAt = event ? parentsStart(kind) : -1;
  return {
    kind,
    time: leaf.time,
    leafOffset,
    leafLength,
    parentsOffset: event ? leafOffset + parentsAt : -1,
    parentsLength: event ? leafLength - parentsAt : 0,
    bodyOffset,
    bodyLength,
    saltsOffset,
    control: leaf.map,
  };
}

function readLeaf(
  reader: BlockReader,
  start: number,
  index: number,
): { kind: LeafKind; time: TimeMs; map: CborMap | undefined } {
  const nothing = { kind: leafKind.seal, time: asTimeMs(0), map: undefined };
  if (reader.failed !== undefined) return nothing;
  const checked = checkLeaf(reader.wire.subarray(start, reader.offset));
  if (!checked.ok) {
    reader.refuse(checked.error.code, checked.error.message, index);
    return nothing;
  }
  const { kind, map } = checked.value;
  const timeAt = start + (kind === leafKind.seal ? leafAt.sealTime : leafAt.time);
  return { kind, time: asTimeMs(readUint48(reader.wire, timeAt)), map };
}

function checkBodySize(reader: BlockReader, length: number, index: number): void {
  if (length > protocol.maxBodyBytes) {
    reader.refuse('body-too-large', 'a body is at most 192 KiB', index);
  }
}

/** Which parts an entry of this kind has in this form; `saltsOffset` undefined in the full one. */
function checkForm(
  reader: BlockReader,
  kind: LeafKind,
  hasBody: boolean,
  saltsOffset: number | undefined,
  index: number,
): void {
  const event = kind === leafKind.event || kind === leafKind.sealed;
  if (!event && hasBody) {
    reader.refuse('body-unexpected', 'a seal or control entry has no body', index);
  }
  if (saltsOffset !== undefined) {
    if (saltsOffset >= 0 !== (kind === leafKind.event && hasBody)) {
      reader.refuse('salts', 'salts stand exactly where a public body remains', index);
    }
  } else if (kind === leafKind.event) {
    reader.refuse('entry-form', 'here a public event is [time, parents, body]', index);
  } else if (event && !hasBody) {
    reader.refuse('body-missing', 'the full form has all bodies', index);
  }
}

function checkSeed(
  reader: BlockReader,
  entries: readonly BlockEntry[],
  seed: Uint8Array | null,
): void {
  const wanted = entries.some((entry) => entry.kind === leafKind.event);
  if (wanted !== (seed !== null)) {
    reader.refuse('seed', 'the seed is there exactly when the block holds a public event');
  }
}
