/**
 * The gzip member that an audit bundle is (RFC 1952): from bytes to lines, within bounds.
 *
 *   1f 8b 08 00 | time stamp 4 · extra flags 1 · system 1 | deflate … | CRC-32 4 · length 4
 *
 * Just one member, no optional fields (flags 00), nothing behind it. Time stamp, extra flags and
 * system say nothing of the content and may be anything; we write zeros and 255. Inflating is
 * handed in, of raw deflate data: it must fail on data that ends early or goes on behind its end.
 */
import { HeadwaterError, at, fault, type Code } from '../errors.ts';
import { fromUtf8 } from '../bytes.ts';
import { protocol } from '../limits.ts';

/** Inflates raw deflate data; throws where it is not whole or something follows. */
export type Inflate = (deflated: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

export const gzipHead: Uint8Array = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
const tailBytes = 8;

export interface TextLine {
  /** With its LF. */
  readonly bytes: Uint8Array;
  /** Without. */
  readonly text: string;
}

/**
 * The lines of a bundle. Throws HeadwaterError: bundle-gzip (not this form, damaged, cut),
 * bundle-too-large (ratio, total, a line), bundle-line (no UTF-8), bundle-truncated (no LF at the end).
 */
export async function* bundleTextLines(
  file: AsyncIterable<Uint8Array>,
  inflate: Inflate,
): AsyncGenerator<TextLine> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  let number = 1;
  for await (const chunk of inflated(file, inflate)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const bytes = joined(rest, chunk.subarray(start, end + 1));
      yield lineOf(bytes, number);
      number += 1;
      [rest, restBytes, start] = [[], 0, end + 1];
    }
    if (start === chunk.length) continue;
    rest.push(chunk.slice(start));
    restBytes += chunk.length - start;
    if (restBytes > protocol.maxBundleLineBytes) throw tooLarge(`line ${number} is too long`);
  }
  if (restBytes > 0) throw refused('bundle-truncated', `line ${number} has no end`);
}

function lineOf(bytes: Uint8Array, number: number): TextLine {
  if (bytes.length > protocol.maxBundleLineBytes) throw tooLarge(`line ${number} is too long`);
  const text = fromUtf8(bytes.subarray(0, -1));
  if (text.ok) return { bytes, text: text.value };
  throw new HeadwaterError(at(fault('bundle-line', 'a line is not UTF-8'), { line: number }));
}

function joined(parts: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  if (parts.length === 0) return last;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, last.length));
  let place = 0;
  for (const part of [...parts, last]) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}

async function* inflated(
  file: AsyncIterable<Uint8Array>,
  inflate: Inflate,
): AsyncGenerator<Uint8Array> {
  const member = new Member(file);
  let [crc, length] = [0xffff_ffff, 0];
  const chunks = inflate(member.deflated())[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextOf(chunks, member);
      if (next === undefined) break;
      crc = crc32(crc, next);
      length += next.length;
      const most = protocol.freeBundleBytes + protocol.maxBundleRatio * member.read;
      if (length > Math.min(most, protocol.maxBundleBytes)) {
        throw tooLarge(`it unpacks to more than ${length} bytes`);
      }
      yield next;
    }
  } finally {
    await chunks.return?.();
  }
  const tail = new DataView(member.tail.buffer, member.tail.byteOffset);
  if (tail.getUint32(0, true) !== (crc ^ 0xffff_ffff) >>> 0)
    throw badGzip('its check sum is wrong');
  if (tail.getUint32(4, true) !== length % 2 ** 32) throw badGzip('its length is wrong');
}

/** What the inflater throws is a damaged file, unless reading the file failed or was refused. */
async function nextOf(
  chunks: AsyncIterator<Uint8Array>,
  member: Member,
): Promise<Uint8Array | undefined> {
  try {
    const next = await chunks.next();
    return next.done === true ? undefined : next.value;
  } catch (cause) {
    if (member.failure !== undefined) throw member.failure.cause;
    throw badGzip('the compressed data is damaged, cut, or something follows it', cause);
  }
}

/** Cuts head and tail off. */
class Member {
  /** Bytes taken from the file. */
  read = 0;
  /** The last eight, once all was read. */
  tail: Uint8Array = new Uint8Array(tailBytes);
  /** Why reading the file ended; undefined where it did not fail. */
  failure: { readonly cause: unknown } | undefined;
  readonly #file: AsyncIterable<Uint8Array>;

  constructor(file: AsyncIterable<Uint8Array>) {
    this.#file = file;
  }

  async *deflated(): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#deflated();
    } catch (cause) {
      this.failure = { cause };
      throw cause;
    }
  }

  async *#deflated(): AsyncGenerator<Uint8Array> {
    let held: Uint8Array = new Uint8Array(0);
    let headed = false;
    for await (const chunk of this.#file) {
      this.read += chunk.length;
      held = held.length === 0 ? chunk : joined([held], chunk);
      if (!headed) {
        if (held.length < gzipHead.length) continue;
        checkHead(held);
        held = held.subarray(gzipHead.length);
        headed = true;
      }
      const ready = held.length - tailBytes;
      if (ready <= 0) continue;
      // A copy of the end: a file reader may use its buffer again.
      yield held.subarray(0, ready);
      held = held.slice(ready);
    }
    if (!headed) {
      checkHead(held);
      throw badGzip('it is cut');
    }
    if (held.length < tailBytes) throw badGzip('it is cut');
    this.tail = held;
  }
}

function checkHead(bytes: Uint8Array): void {
  const same = [0, 1, 2].every((i) => i >= bytes.length || bytes[i] === gzipHead[i]);
  if (!same || bytes.length === 0) throw badGzip('this is no gzip file');
  if (bytes.length > 3 && bytes[3] !== 0) throw badGzip('optional fields in its header');
}

const crcTable = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value;
});

/** CRC-32 of RFC 1952 without its first and last complement. */
function crc32(crc: number, bytes: Uint8Array): number {
  let value = crc;
  for (let i = 0; i < bytes.length; i++) {
    value = (crcTable[(value ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (value >>> 8);
  }
  return value >>> 0;
}

function refused(code: Code, message: string, cause?: unknown): HeadwaterError {
  return new HeadwaterError(fault(code, message), { cause });
}
function badGzip(message: string, cause?: unknown): HeadwaterError {
  return refused('bundle-gzip', message, cause);
}
function tooLarge(message: string): HeadwaterError {
  return refused('bundle-too-large', message);
}
