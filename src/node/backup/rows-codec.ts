/**
 * The rows of a store as one file or stream, `store.rows` of a backup. Integers are big-endian.
 *
 *   file     'HWBK' ‖ uint32 1
 *   frame    uint32 n > 0 ‖ n bytes: zstd of rows
 *     row    uint32 k ‖ key (k bytes) ‖ uint32 v ‖ value (v bytes), in ascending order of keys
 *   end      uint32 0 ‖ uint32 m ‖ m bytes: JSON of the trailer, and nothing behind it
 *
 * Values are as the ledger sees them (keyspace.ts), whatever the store makes of them on the disk.
 * A file without its end is no backup. What is in it is checked by the SHA-256 of the manifest.
 */
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { concat, fromHex, readUint32, toHex, utf8, writeUint32 } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import type { GuardMark } from '../../ledger/guard.ts';
import type { StoreEntry } from '../../ledger/store.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asHash } from '../../types.ts';
import { JsonView } from '../json-view.ts';

const magic = concat(utf8('HWBK'), Uint8Array.of(0, 0, 0, 1));
const pack = promisify(zstdCompress);
const unpack = promisify(zstdDecompress);

/** What is known only after the last row. */
export interface RowsTrailer {
  readonly rows: number;
  /** Bytes of keys and values. */
  readonly bytes: number;
  readonly marks: readonly GuardMark[];
}

export function encodeStart(): Uint8Array {
  return magic.slice();
}

/** One frame; compressed beside the event loop, so that a node goes on meanwhile. */
export async function encodeFrame(rows: readonly StoreEntry[]): Promise<Uint8Array> {
  const bytes = new Uint8Array(
    rows.reduce((sum, { key, value }) => sum + 8 + key.length + value.length, 0),
  );
  let at = 0;
  for (const { key, value } of rows) {
    for (const part of [key, value]) {
      writeUint32(bytes, at, part.length);
      bytes.set(part, at + 4);
      at += 4 + part.length;
    }
  }
  const body = await pack(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const frame = new Uint8Array(4 + body.length);
  writeUint32(frame, 0, body.length);
  frame.set(body, 4);
  return frame;
}

export function encodeEnd({ rows, bytes, marks }: RowsTrailer): Uint8Array {
  const listed = marks.map(({ kind, id, size, root }) => ({
    kind,
    id: toHex(id),
    size,
    root: toHex(root),
  }));
  const text = utf8(JSON.stringify({ rows, bytes, marks: listed }));
  const end = new Uint8Array(8 + text.length);
  writeUint32(end, 4, text.length);
  end.set(text, 8);
  return end;
}

/** The rows of one frame's body. Code: backup-damaged. */
export async function decodeRows(body: Uint8Array): Promise<Result<readonly StoreEntry[]>> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await unpack(body, { maxOutputLength: limits.maxBackupFrameBytes }));
  } catch {
    return err(damaged('a frame that does not unpack'));
  }
  const rows: StoreEntry[] = [];
  let at = 0;
  const take = (): Uint8Array | undefined => {
    if (at + 4 > bytes.length) return undefined;
    const end = at + 4 + readUint32(bytes, at);
    if (end > bytes.length) return undefined;
    const part = bytes.slice(at + 4, end);
    at = end;
    return part;
  };
  while (at < bytes.length) {
    const [key, value] = [take(), take()];
    if (key === undefined || value === undefined) return err(damaged('a row that is cut'));
    rows.push({ key, value });
  }
  return ok(rows);
}

/** Cuts a stream of bytes into frames; the trailer is there once `ended`. */
export class FrameReader {
  #pending: Uint8Array = new Uint8Array(0);
  #started = false;
  #trailer: RowsTrailer | undefined;

  get trailer(): RowsTrailer | undefined {
    return this.#trailer;
  }

  /** Bodies of the frames that are whole now. Code: backup-damaged. */
  push(chunk: Uint8Array): Result<readonly Uint8Array[]> {
    this.#pending = this.#pending.length === 0 ? chunk : concat(this.#pending, chunk);
    const bodies: Uint8Array[] = [];
    for (;;) {
      const taken = this.#take();
      if (!taken.ok) return taken;
      if (taken.value === undefined) return ok(bodies);
      if (taken.value.length > 0) bodies.push(taken.value);
    }
  }

  /** Call it behind the last chunk. Code: backup-damaged. */
  finish(): Result<RowsTrailer> {
    if (this.#trailer !== undefined) return ok(this.#trailer);
    return err(damaged('the rows end before their trailer'));
  }

  /** One frame; empty for what is none; undefined where more bytes are needed. */
  #take(): Result<Uint8Array | undefined> {
    const bytes = this.#pending;
    if (this.#trailer !== undefined) {
      return bytes.length === 0 ? ok(undefined) : err(damaged('there is more behind the trailer'));
    }
    if (!this.#started) {
      if (bytes.length < magic.length) return ok(undefined);
      if (toHex(bytes.subarray(0, magic.length)) !== toHex(magic)) {
        return err(damaged('these are no rows of a version that is known here'));
      }
      this.#started = true;
      return this.#cut(magic.length, new Uint8Array(0));
    }
    if (bytes.length < 4) return ok(undefined);
    const length = readUint32(bytes, 0);
    if (length > limits.maxBackupFrameBytes) return err(damaged('a frame that is too long'));
    if (length > 0) {
      if (bytes.length < 4 + length) return ok(undefined);
      return this.#cut(4 + length, bytes.slice(4, 4 + length));
    }
    if (bytes.length < 8) return ok(undefined);
    const end = 8 + readUint32(bytes, 4);
    if (end > limits.maxBackupFrameBytes) return err(damaged('a trailer that is too long'));
    if (bytes.length < end) return ok(undefined);
    this.#trailer = readTrailer(Buffer.from(bytes.subarray(8, end)).toString('utf8'));
    if (this.#trailer === undefined) return err(damaged('a trailer that cannot be read'));
    return this.#cut(end, new Uint8Array(0));
  }

  #cut(length: number, body: Uint8Array): Result<Uint8Array> {
    this.#pending = this.#pending.subarray(length);
    return ok(body);
  }
}

function readTrailer(text: string): RowsTrailer | undefined {
  const view = JsonView.parse(text);
  const [rows, bytes] = [view.number('rows'), view.number('bytes')];
  if (rows === undefined || bytes === undefined) return undefined;
  const marks: GuardMark[] = [];
  for (const mark of view.list('marks')) {
    const [id, root] = [fromHex(mark.text('id') ?? ''), fromHex(mark.text('root') ?? '')];
    const [kind, size] = [mark.number('kind'), mark.number('size')];
    if (!id.ok || !root.ok || id.value.length !== 32 || root.value.length !== 32) return undefined;
    if ((kind !== 0 && kind !== 1) || size === undefined) return undefined;
    marks.push({ kind, id: asHash(id.value), size, root: asHash(root.value) });
  }
  return { rows, bytes, marks };
}

export function damaged(message: string, file?: string): Fault {
  return fault('backup-damaged', message, file === undefined ? undefined : { file });
}
