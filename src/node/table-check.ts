/**
 * Checks LevelDB's table files byte by byte, because LevelDB itself does not: it may hand out what a
 * damaged block holds, or leave it out, without an error. Nothing is written. The layout
 * (leveldb/doc/table_format.md), each block followed by its kind (0 plain, 1 snappy) and a masked
 * CRC-32C over block and kind:
 *
 *   data blocks ‖ filter block ‖ metaindex block ‖ index block ‖ footer
 *   footer   48 bytes: handles of metaindex and index, zeros up to 40, then the magic
 *   handle   varint offset ‖ varint length, without kind and checksum
 *   entry    varint shared, varint rest, varint value length, rest of the key, value
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readUint32 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { crc32c } from './crc32c.ts';
import { systemCode } from './files.ts';
import { readVarint, unsnappy } from './snappy.ts';

export interface TableDamage {
  readonly file: string;
  /** First byte of the part that is damaged, and one past its last. */
  readonly from: number;
  readonly to: number;
  readonly expected: string;
  readonly found: string;
}

interface Handle {
  readonly offset: number;
  readonly length: number;
}

const footerBytes = 48;
const handlesBytes = 40;
const trailerBytes = 5;
const magic = '57fb808b247547db';

/** Damage in the table files of a store that nobody has open, file by file. Code: `store-failed`. */
export async function checkTables(store: string): Promise<Result<readonly TableDamage[]>> {
  try {
    const found: TableDamage[] = [];
    const names = (await readdir(store)).filter((name) => /\.(?:ldb|sst)$/.test(name));
    for (const name of names.toSorted()) {
      found.push(...new TableFile(name, await readFile(join(store, name))).check());
    }
    return ok(found);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return ok([]);
    return err(fault('store-failed', String(cause), { file: store }));
  }
}

class TableFile {
  readonly #name: string;
  readonly #bytes: Uint8Array;
  readonly #damage: TableDamage[] = [];

  constructor(name: string, bytes: Uint8Array) {
    this.#name = name;
    this.#bytes = bytes;
  }

  check(): readonly TableDamage[] {
    const end = this.#bytes.length - footerBytes;
    const handles = this.#footer(end);
    if (handles === undefined) {
      this.#found(Math.max(0, end), this.#bytes.length, `a footer with ${magic}`, 'none');
      return this.#damage;
    }
    const [metaindex, index] = handles;
    for (const { value } of this.#entries(metaindex)) this.#inner(value);
    for (const { value } of this.#entries(index)) this.#inner(value);
    return this.#damage.toSorted((a, b) => a.from - b.from);
  }

  /** Handles of metaindex and index; undefined where the footer is not one. */
  #footer(at: number): readonly [Handle, Handle] | undefined {
    if (at < 0) return undefined;
    const footer = this.#bytes.subarray(at);
    const metaindex = readHandle(footer, 0);
    const index = readHandle(footer, metaindex?.end ?? 0);
    if (metaindex === undefined || index === undefined || index.end > handlesBytes)
      return undefined;
    const zeros = footer.subarray(index.end, handlesBytes);
    const sound = zeros.every((byte) => byte === 0);
    const tail = Buffer.from(footer.subarray(handlesBytes)).toString('hex');
    return sound && tail === magic ? [metaindex, index] : undefined;
  }

  /** A data or filter block that a handle names. */
  #inner(value: Uint8Array): void {
    const handle = readHandle(value, 0);
    if (handle !== undefined) this.#block(handle);
  }

  /** Contents with their kind; undefined where the checksum is another. */
  #block({ offset, length }: Handle): Uint8Array | undefined {
    const end = offset + length + trailerBytes;
    if (end > this.#bytes.length - footerBytes) {
      this.#found(offset, this.#bytes.length, `a block up to ${end}`, 'the end of the file');
      return undefined;
    }
    const checked = this.#bytes.subarray(offset, end - 4);
    const [expected, found] = [unmask(littleEndian(this.#bytes, end - 4)), crc32c(checked)];
    if (expected === found) return checked;
    this.#found(offset, end, `crc32c ${hex(expected)}`, `crc32c ${hex(found)}`);
    return undefined;
  }

  *#entries(handle: Handle): Generator<{ readonly value: Uint8Array }> {
    const checked = this.#block(handle);
    if (checked === undefined) return;
    const kind = checked.at(-1);
    const body = checked.subarray(0, -1);
    const block = kind === 1 ? unsnappy(body, limits.maxStoredValueBytes) : body;
    if (block === undefined || block.length < 4) return;
    // The block ends with its restart points and their number.
    const restarts = littleEndian(block, block.length - 4);
    const end = block.length - 4 - 4 * restarts;
    for (let at = 0; at < end;) {
      const [, restAt] = readVarint(block, at);
      const [rest = 0, valueAt] = readVarint(block, restAt);
      const [length = 0, keyAt] = readVarint(block, valueAt);
      const from = keyAt + rest;
      if (keyAt <= at || from + length > end) return;
      yield { value: block.subarray(from, from + length) };
      at = from + length;
    }
  }

  #found(from: number, to: number, expected: string, found: string): void {
    this.#damage.push({ file: this.#name, from, to, expected, found });
  }
}

function readHandle(
  bytes: Uint8Array,
  at: number,
): (Handle & { readonly end: number }) | undefined {
  const [offset, middle] = readVarint(bytes, at);
  const [length, end] = readVarint(bytes, middle);
  return offset === undefined || length === undefined ? undefined : { offset, length, end };
}

/** LevelDB turns and shifts a stored checksum, so that a checksum of checksums stays one. */
function unmask(masked: number): number {
  const turned = (masked - 0xa282_ead8) >>> 0;
  return ((turned >>> 17) | (turned << 15)) >>> 0;
}

function littleEndian(bytes: Uint8Array, at: number): number {
  return readUint32(bytes.slice(at, at + 4).toReversed(), 0);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
