/**
 * The guard on the disk: a journal of frames in a file of fixed, zero-filled size, so that a write
 * changes no metadata and costs one synced write (O_DSYNC; measured 158 µs against 301 µs for
 * appending and fsync). When the journal is full the file is written anew: to a second name, synced,
 * renamed, folder synced.
 *
 *   frame   at a multiple of 128 bytes, zeros up to the next
 *   0       'HWG1'
 *   4       uint32 n, number of marks
 *   8       n times: kind uint8 ‖ id 32 ‖ size uint64 ‖ root 32
 *   8+73n   SHA-256 of all before it, cut to 16
 *
 * A frame is a write of its own, and the next begins when it is on the disk. So a crash can cut
 * only the last frame, whose marks nobody has acted on: it is dropped, and said (`guard-torn`). A
 * damaged frame with a sound one behind it, or a damaged first frame, is no crash: `guard-corrupt`.
 */
import { constants } from 'node:fs';
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { equal, readUint32, readUint64, writeUint32, writeUint64 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, type Hash } from '../types.ts';
import { GuardMarks, type Guard, type GuardKind, type GuardMark } from './guard.ts';

const magic = 0x48574731;
const align = 128;
const markBytes = 73;
const checkBytes = 16;

interface Journal {
  readonly marks: GuardMarks;
  /** Where the next frame goes. */
  readonly end: number;
  readonly torn: boolean;
}

export class GuardFile implements Guard {
  readonly fresh: boolean;
  readonly recovered: Fault | undefined;
  readonly #path: string;
  readonly #hasher: Hasher;
  readonly #marks: GuardMarks;
  #file: FileHandle | undefined;
  #end: number;
  #size = 0;
  #waiting: { readonly marks: readonly GuardMark[]; done(result: Result<void>): void }[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;

  private constructor(path: string, h: Hasher, journal: Journal | undefined) {
    this.#path = path;
    this.#hasher = h;
    this.#marks = journal?.marks ?? new GuardMarks();
    this.#end = journal?.end ?? 0;
    this.fresh = journal === undefined;
    this.recovered = journal?.torn
      ? fault('guard-torn', 'the last write of the guard file was cut', { file: path })
      : undefined;
  }

  /**
   * Opens the guard, or makes one where there is none (its folder exists). Codes: guard-corrupt,
   * guard-failed.
   */
  static async open(path: string, h: Hasher): Promise<Result<GuardFile>> {
    let bytes: Uint8Array | undefined;
    try {
      bytes = new Uint8Array(await readFile(path));
    } catch (cause) {
      if (!isMissing(cause)) return err(failed(path, cause));
    }
    const journal = bytes === undefined ? undefined : readJournal(h, bytes);
    if (journal !== undefined && !journal.ok) {
      return err({ ...journal.error, place: { file: path } });
    }
    const guard = new GuardFile(path, h, journal?.value);
    const renewed = await guard.#attempt(() =>
      bytes === undefined || guard.recovered !== undefined ? guard.#renew() : guard.#reopen(),
    );
    return renewed.ok ? ok(guard) : renewed;
  }

  mark(kind: GuardKind, id: Hash): GuardMark | undefined {
    return this.#marks.get(kind, id);
  }

  marks(): readonly GuardMark[] {
    return this.#marks.all();
  }

  async advance(marks: readonly GuardMark[]): Promise<Result<void>> {
    this.#marks.check(marks);
    if (this.#closed) return err(fault('guard-failed', 'the guard file is closed'));
    const { promise, resolve } = Promise.withResolvers<Result<void>>();
    this.#waiting.push({ marks, done: resolve });
    this.#writing ??= this.#drain();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#file?.close().catch(() => undefined); // Every write was synced before.
    this.#file = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** One frame for all who wait, until nobody does. */
  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const result = await this.#attempt(() => this.#write(group.flatMap((one) => one.marks)));
      for (const one of group) one.done(result);
    }
    this.#writing = undefined;
  }

  async #attempt(run: () => Promise<void>): Promise<Result<void>> {
    try {
      await run();
      return ok(undefined);
    } catch (cause) {
      // What the file holds now is not known: the next write begins with a new one.
      await this.#file?.close().catch(() => undefined);
      this.#file = undefined;
      return err(failed(this.#path, cause));
    }
  }

  async #write(marks: readonly GuardMark[]): Promise<void> {
    if (this.#file === undefined) await this.#renew();
    const frame = encodeFrame(this.#hasher, marks);
    if (this.#end + frame.length > this.#size) await this.#renew();
    await writeAll(this.#file, frame, this.#end);
    this.#end += frame.length;
    for (const mark of marks) this.#marks.set(mark);
  }

  /** A new file with one frame of all marks takes the place of the old one. */
  async #renew(): Promise<void> {
    const frame = encodeFrame(this.#hasher, this.#marks.all());
    const size = Math.max(limits.guardFileBytes, 2 * frame.length);
    const next = `${this.#path}.new`;
    await rm(next, { force: true });
    const file = await open(next, 'w', 0o600);
    try {
      const bytes = new Uint8Array(size);
      bytes.set(frame);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#path);
    await syncFolder(dirname(this.#path));
    await this.#file?.close();
    await this.#reopen();
    this.#end = frame.length;
  }

  async #reopen(): Promise<void> {
    this.#file = await open(this.#path, constants.O_RDWR | constants.O_DSYNC);
    this.#size = (await this.#file.stat()).size;
  }
}

async function writeAll(
  file: FileHandle | undefined,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const written = await file?.write(bytes, at, bytes.length - at, position + at);
    if (written === undefined || written.bytesWritten === 0) throw new Error('nothing was written');
    at += written.bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function frameLength(marks: number): number {
  return Math.ceil((8 + markBytes * marks + checkBytes) / align) * align;
}

function encodeFrame(h: Hasher, marks: readonly GuardMark[]): Uint8Array {
  const bytes = new Uint8Array(frameLength(marks.length));
  writeUint32(bytes, 0, magic);
  writeUint32(bytes, 4, marks.length);
  marks.forEach((mark, i) => {
    const at = 8 + markBytes * i;
    bytes[at] = mark.kind;
    bytes.set(mark.id, at + 1);
    writeUint64(bytes, at + 33, mark.size);
    bytes.set(mark.root, at + 41);
  });
  const end = 8 + markBytes * marks.length;
  bytes.set(h.sha256(bytes.subarray(0, end)).subarray(0, checkBytes), end);
  return bytes;
}

/** The marks of the frame at `at`, undefined where there is no sound one. */
function readFrame(h: Hasher, bytes: Uint8Array, at: number): readonly GuardMark[] | undefined {
  if (at + 8 > bytes.length || readUint32(bytes, at) !== magic) return undefined;
  const count = readUint32(bytes, at + 4);
  const end = at + 8 + markBytes * count;
  if (end + checkBytes > bytes.length) return undefined;
  const check = h.sha256(bytes.subarray(at, end)).subarray(0, checkBytes);
  if (!equal(check, bytes.subarray(end, end + checkBytes))) return undefined;
  const marks: GuardMark[] = [];
  for (let i = at + 8; i < end; i += markBytes) {
    const kind = bytes[i] === 1 ? 1 : 0;
    const [size, root] = [readUint64(bytes, i + 33), bytes.slice(i + 41, i + markBytes)];
    marks.push({ kind, id: asHash(bytes.slice(i + 1, i + 33)), size, root: asHash(root) });
  }
  return marks;
}

function readJournal(h: Hasher, bytes: Uint8Array): Result<Journal> {
  const marks = new GuardMarks();
  let end = 0;
  for (;;) {
    const frame = readFrame(h, bytes, end);
    if (frame === undefined) break;
    for (const mark of frame) marks.set(mark);
    end += frameLength(frame.length);
  }
  if (end === 0) return err(fault('guard-corrupt', 'the guard file has no sound beginning'));
  for (let at = end + align; at < bytes.length; at += align) {
    if (readFrame(h, bytes, at) !== undefined) {
      return err(fault('guard-corrupt', 'the guard file is damaged before its end'));
    }
  }
  const torn = bytes.subarray(end).some((byte) => byte !== 0);
  return ok({ marks, end, torn });
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

function failed(path: string, cause: unknown): Fault {
  const text = cause instanceof Error ? cause.message : String(cause);
  return fault('guard-failed', `the guard file: ${text}`, { file: path });
}
