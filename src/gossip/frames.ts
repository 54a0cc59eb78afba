/**
 * Frames on a stream of bytes:
 *
 *   uint32 big-endian   length of what follows, 0 to `protocol.maxFrameBytes`
 *   bytes               the frame
 *
 * A longer announced length ends the stream at once, before a byte of it is kept. Memory grows with
 * what has arrived, not with what was announced, so that a header alone costs nothing.
 */
import { readUint32, writeUint32 } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';

const headerBytes = 4;
/** Kept for each waiting frame beside its bytes, so that empty frames are bounded too. */
const frameOverhead = 64;
const firstAllocation = 4096;

/** The four bytes before a frame of this length. */
export function frameHeader(length: number): Uint8Array {
  const header = new Uint8Array(headerBytes);
  writeUint32(header, 0, length);
  return header;
}

export class FrameDecoder {
  readonly #maxFrameBytes: number;
  readonly #header = new Uint8Array(headerBytes);
  #headerHave = 0;
  /** Length of the frame being read; undefined while its header is. */
  #length: number | undefined;
  #body = new Uint8Array(0);
  #bodyHave = 0;
  #failed: Fault | undefined;

  constructor(maxFrameBytes: number = protocol.maxFrameBytes) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Whether the bytes so far end within a frame. */
  get partial(): boolean {
    return this.#headerHave > 0 || this.#length !== undefined;
  }

  /**
   * The frames that `chunk` completes, in arrays of their own. `frame-too-large` where one announces
   * too much; frames before it in the same chunk are lost with the stream, and so is all after it.
   */
  push(chunk: Uint8Array): Result<readonly Uint8Array[]> {
    if (this.#failed !== undefined) return err(this.#failed);
    const frames: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length || this.#length === 0) {
      if (this.#length === undefined) {
        at = this.#takeHeader(chunk, at);
        if (this.#failed !== undefined) return err(this.#failed);
      } else {
        at = this.#takeBody(chunk, at, this.#length, frames);
      }
    }
    return ok(frames);
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    const count = Math.min(headerBytes - this.#headerHave, chunk.length - at);
    this.#header.set(chunk.subarray(at, at + count), this.#headerHave);
    this.#headerHave += count;
    if (this.#headerHave < headerBytes) return at + count;
    const length = readUint32(this.#header, 0);
    if (length > this.#maxFrameBytes) {
      const message = `a frame of ${length} bytes was announced`;
      this.#failed = fault('frame-too-large', message);
      return chunk.length;
    }
    this.#headerHave = 0;
    this.#length = length;
    this.#bodyHave = 0;
    return at + count;
  }

  #takeBody(chunk: Uint8Array, at: number, length: number, frames: Uint8Array[]): number {
    const count = Math.min(length - this.#bodyHave, chunk.length - at);
    this.#reserve(this.#bodyHave + count, length);
    this.#body.set(chunk.subarray(at, at + count), this.#bodyHave);
    this.#bodyHave += count;
    if (this.#bodyHave === length) {
      frames.push(this.#body.length === length ? this.#body : this.#body.slice(0, length));
      this.#body = new Uint8Array(0);
      this.#length = undefined;
    }
    return at + count;
  }

  /** Doubles, so that many small chunks cost neither an array each nor a copy each. */
  #reserve(need: number, length: number): void {
    if (this.#body.length >= need) return;
    const size = Math.min(length, Math.max(need, firstAllocation, 2 * this.#body.length));
    const grown = new Uint8Array(size);
    grown.set(this.#body.subarray(0, this.#bodyHave));
    this.#body = grown;
  }
}

/**
 * Frames that have arrived and wait to be received, and how the stream ended. It does not refuse:
 * whoever fills it looks at `full` and stops the other side, and goes on at `onRoom`.
 */
export class Inbox {
  readonly #maxBytes: number;
  readonly #onRoom: () => void;
  readonly #frames: Uint8Array[] = [];
  #bytes = 0;
  #end: Result<undefined> | undefined;
  #waiting: ((result: Result<Uint8Array | undefined>) => void) | undefined;

  constructor(maxBytes: number, onRoom: () => void) {
    this.#maxBytes = maxBytes;
    this.#onRoom = onRoom;
  }

  get full(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  push(frame: Uint8Array): void {
    if (this.#end !== undefined) return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting(ok(frame));
      return;
    }
    this.#frames.push(frame);
    this.#bytes += frame.length + frameOverhead;
  }

  /** Nothing follows; a fault where the end came too early. The first end counts. */
  end(reason?: Fault): void {
    if (this.#end !== undefined) return;
    this.#end = reason === undefined ? ok(undefined) : err(reason);
    this.#waiting?.(this.#end);
    this.#waiting = undefined;
  }

  /** As `end`, and what waits is dropped. */
  drop(reason: Fault): void {
    this.#frames.length = 0;
    this.#bytes = 0;
    if (this.#end?.ok !== false) this.#end = undefined;
    this.end(reason);
  }

  /** The next frame, then the end, again and again. Throws where a receive is under way. */
  receive(): Promise<Result<Uint8Array | undefined>> {
    if (this.#waiting !== undefined) throw new Error('one receive at a time');
    const frame = this.#frames.shift();
    if (frame !== undefined) {
      const wasFull = this.full;
      this.#bytes -= frame.length + frameOverhead;
      if (wasFull && !this.full) this.#onRoom();
      return Promise.resolve(ok(frame));
    }
    if (this.#end !== undefined) return Promise.resolve(this.#end);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}
