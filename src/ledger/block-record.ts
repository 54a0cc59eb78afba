/**
 * How a block lies in the store: one value with the wire bytes as they were received or made, and
 * before them columns that say where each body is, so that replay reads bodies without decoding
 * dag-cbor. Integers big-endian; n entries.
 *
 *   offset     bytes   what
 *   0          1       version, 1
 *   1          16      checksum: SHA-256 of everything behind it, cut
 *   17         1       form: 0 full, 1 reduced
 *   18         6       block number
 *   24         6       index of the first entry
 *   30         2       n
 *   32         32      root after the block
 *   64         n       kind of each leaf (0 event, 1 sealed, 2 seal, 3 control)
 *   64 + n     6·n     recorded times
 *   64 + 7·n   2·n     first two bytes of each leaf hash: they name the entry that was changed
 *   64 + 9·n   4·n     bytes between the end of the last body (at first the wire's begin) and this
 *                      entry's body; 0 where there is none
 *   64 + 13·n  4·n     length of the body; 0 where there is none
 *   64 + 17·n          wire block
 *
 * Distances instead of offsets because they are nearly all equal and compress to nothing. LevelDB
 * can return damaged data without an error, hence the checksum: it is looked at on every read.
 */
import {
  equal,
  readUint16,
  readUint32,
  readUint48,
  writeUint16,
  writeUint32,
  writeUint48,
} from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asBlockNumber,
  asHash,
  asLogIndex,
  asTimeMs,
  asTreeSize,
  type BlockNumber,
  type Hash,
  type LogIndex,
  type TimeMs,
  type TreeSize,
} from '../types.ts';
import type { BlockEntry, BlockForm } from './block.ts';
import type { LeafKind } from './leaf.ts';

const version = 1;
const checksumAt = 1;
const checkedFrom = 17;
const formAt = 17;
const columnsAt = 64;
const perEntry = 17;

/** What a record is made of. */
export interface RecordInput {
  readonly number: BlockNumber;
  readonly firstIndex: LogIndex;
  readonly form: BlockForm;
  readonly entries: readonly BlockEntry[];
  /** 32 bytes an entry. */
  readonly leafHashes: Uint8Array;
  readonly root: Hash;
  readonly wire: Uint8Array;
}

export function encodeRecord(h: Hasher, input: RecordInput): Uint8Array {
  const { entries, wire } = input;
  const n = entries.length;
  const wireAt = columnsAt + perEntry * n;
  const bytes = new Uint8Array(wireAt + wire.length);
  bytes[0] = version;
  bytes[formAt] = input.form === 'full' ? 0 : 1;
  writeUint48(bytes, 18, input.number);
  writeUint48(bytes, 24, input.firstIndex);
  writeUint16(bytes, 30, n);
  bytes.set(input.root, 32);
  let end = 0;
  for (const [i, entry] of entries.entries()) {
    bytes[columnsAt + i] = entry.kind;
    writeUint48(bytes, columnsAt + n + 6 * i, entry.time);
    bytes[columnsAt + 7 * n + 2 * i] = input.leafHashes[32 * i] ?? 0;
    bytes[columnsAt + 7 * n + 2 * i + 1] = input.leafHashes[32 * i + 1] ?? 0;
    if (entry.bodyOffset < 0) continue;
    writeUint32(bytes, columnsAt + 9 * n + 4 * i, entry.bodyOffset - end);
    writeUint32(bytes, columnsAt + 13 * n + 4 * i, entry.bodyLength);
    end = entry.bodyOffset + entry.bodyLength;
  }
  bytes.set(wire, wireAt);
  bytes.set(checksum(h, bytes), checksumAt);
  return bytes;
}

/** A stored block. Everything it gives is a view of the stored value. */
export class BlockRecord {
  readonly bytes: Uint8Array;
  readonly number: BlockNumber;
  readonly firstIndex: LogIndex;
  readonly count: number;
  readonly form: BlockForm;
  readonly #bodyStarts: Uint32Array;

  /** Entries that have a body. */
  readonly bodies: number;

  private constructor(bytes: Uint8Array, bodyStarts: Uint32Array, bodies: number) {
    this.bytes = bytes;
    this.bodies = bodies;
    this.number = asBlockNumber(readUint48(bytes, 18));
    this.firstIndex = asLogIndex(readUint48(bytes, 24));
    this.count = readUint16(bytes, 30);
    this.form = bytes[formAt] === 0 ? 'full' : 'reduced';
    this.#bodyStarts = bodyStarts;
  }

  /**
   * Takes a stored value apart after comparing its checksum. With `trusted` the checksum is passed
   * over: for the audit, which goes on behind damage and checks every hash itself. Code:
   * store-corrupt.
   */
  static read(h: Hasher, bytes: Uint8Array, trusted: boolean = false): Result<BlockRecord> {
    const n = readUint16(bytes, 30);
    const wireAt = columnsAt + perEntry * n;
    if (bytes[0] !== version || n === 0 || n > protocol.maxBlockEvents || bytes.length <= wireAt) {
      return err(damaged('is not a block record'));
    }
    if (!trusted && !equal(checksum(h, bytes), bytes.subarray(checksumAt, checkedFrom))) {
      return err(damaged('does not have its checksum'));
    }
    const starts = new Uint32Array(n);
    let end = 0;
    let bodies = 0;
    for (let i = 0; i < n; i++) {
      const length = readUint32(bytes, columnsAt + 13 * n + 4 * i);
      if (length === 0) continue;
      bodies += 1;
      const start = end + readUint32(bytes, columnsAt + 9 * n + 4 * i);
      end = start + length;
      if (wireAt + end > bytes.length) return err(damaged('has a body beyond its end'));
      starts[i] = start;
    }
    return ok(new BlockRecord(bytes, starts, bodies));
  }

  get size(): TreeSize {
    return asTreeSize(this.firstIndex + this.count);
  }
  get root(): Hash {
    return asHash(this.bytes.subarray(32, 64));
  }
  get wire(): Uint8Array {
    return this.bytes.subarray(columnsAt + perEntry * this.count);
  }
  /** Position in the block, from 0. */
  kind(position: number): LeafKind {
    const kind = this.bytes[columnsAt + position];
    return kind === 0 || kind === 1 || kind === 2 ? kind : 3;
  }
  time(position: number): TimeMs {
    return asTimeMs(readUint48(this.bytes, columnsAt + this.count + 6 * position));
  }
  /** The first two bytes that the leaf hash had when the block was stored. */
  leafCheck(position: number): number {
    return readUint16(this.bytes, columnsAt + 7 * this.count + 2 * position);
  }
  /** Undefined where the entry has no body. */
  body(position: number): Uint8Array | undefined {
    const length = readUint32(this.bytes, columnsAt + 13 * this.count + 4 * position);
    if (length === 0) return undefined;
    const start = columnsAt + perEntry * this.count + (this.#bodyStarts[position] ?? 0);
    return this.bytes.subarray(start, start + length);
  }
}

function checksum(h: Hasher, bytes: Uint8Array): Uint8Array {
  return h.sha256(bytes.subarray(checkedFrom)).subarray(0, 16);
}

function damaged(what: string): Fault {
  return fault('store-corrupt', `a stored block ${what}`);
}
