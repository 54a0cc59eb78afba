/**
 * Newline-delimited JSON, one event a line, from chunks of any size in bounded memory. A line ends
 * with LF; CR LF is tolerated (CR is white space to JSON) and the last line needs no end. Lines that
 * are empty or blank are passed over but counted. A line above `maxEventTextBytes` is one
 * `line-too-long` fault: its bytes are dropped as they come, up to its LF.
 */
import { at, fault, type Place } from '../errors.ts';
import { limits } from '../limits.ts';
import { err, type Result } from '../result.ts';
import type { ParsedEvent } from '../types.ts';
import { view } from './data.ts';
import { parseJsonEvent, type ParseLimits } from './parse-json.ts';

/** A line without its end. `bytes` may be a view of the chunk. */
export interface TextLine {
  /** From 1. */
  readonly line: number;
  /** Byte offset of the line in the stream. */
  readonly offset: number;
  /** Undefined where the line is too long. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * Cuts chunks into lines that are not blank. What it keeps between chunks is one copied part of a
 * line, at most `maxLineBytes`, however small the chunks are.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #held: Uint8Array = new Uint8Array(256);
  #heldLength = 0;
  #line = 1;
  #offset = 0;
  /** Bytes of the line at hand so far, held or dropped. */
  #lineLength = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  push(chunk: Uint8Array): TextLine[] {
    const lines: TextLine[] = [];
    let start = 0;
    for (;;) {
      const newline = chunk.indexOf(0x0a, start);
      if (newline < 0) break;
      this.#finish(view(chunk, start, newline), lines);
      this.#offset += 1;
      start = newline + 1;
    }
    if (start < chunk.length) this.#hold(view(chunk, start, chunk.length), lines);
    return lines;
  }

  /** The last line, where it has no LF. */
  end(): TextLine[] {
    const lines: TextLine[] = [];
    this.#finish(new Uint8Array(0), lines);
    return lines;
  }

  /** Keeps a part of a line; one too long is told of once, at the part that makes it so. */
  #hold(part: Uint8Array, lines: TextLine[]): boolean {
    const before = this.#lineLength;
    this.#lineLength += part.length;
    if (this.#lineLength > this.#maxLineBytes) {
      if (before <= this.#maxLineBytes) {
        lines.push({ line: this.#line, offset: this.#offset, bytes: undefined });
      }
      this.#heldLength = 0;
      return false;
    }
    if (this.#lineLength > this.#held.length) {
      const larger = new Uint8Array(Math.max(this.#lineLength, 2 * this.#held.length));
      larger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = larger;
    }
    this.#held.set(part, this.#heldLength);
    this.#heldLength = this.#lineLength;
    return true;
  }

  /** The line ends behind `part`; where nothing was held it needs no copy. */
  #finish(part: Uint8Array, lines: TextLine[]): void {
    let bytes: Uint8Array | undefined;
    if (this.#lineLength === 0 && part.length <= this.#maxLineBytes) {
      bytes = part;
      this.#lineLength = part.length;
    } else if (this.#hold(part, lines)) {
      bytes = this.#held.slice(0, this.#heldLength);
    }
    if (bytes !== undefined && !isBlank(bytes)) {
      lines.push({ line: this.#line, offset: this.#offset, bytes });
    }
    this.#line += 1;
    this.#offset += this.#lineLength;
    this.#lineLength = 0;
    this.#heldLength = 0;
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/** One line and what it is. `bytes` as sent, undefined where the line is too long. */
export interface NdjsonLine {
  readonly line: number;
  readonly bytes: Uint8Array | undefined;
  readonly result: Result<ParsedEvent>;
}

/** Events of NDJSON, chunk by chunk. Faults are those of `parseJsonEvent` and `line-too-long`. */
export class NdjsonParser {
  readonly #splitter: LineSplitter;
  readonly #bounds: ParseLimits;

  constructor(bounds: ParseLimits = limits) {
    this.#bounds = bounds;
    this.#splitter = new LineSplitter(bounds.maxEventTextBytes);
  }

  push(chunk: Uint8Array): NdjsonLine[] {
    return this.#splitter.push(chunk).map((line) => this.#parse(line));
  }

  end(): NdjsonLine[] {
    return this.#splitter.end().map((line) => this.#parse(line));
  }

  #parse({ line, offset, bytes }: TextLine): NdjsonLine {
    if (bytes === undefined) {
      const message = `a line is at most ${this.#bounds.maxEventTextBytes} bytes`;
      return { line, bytes, result: err(fault('line-too-long', message, { line, offset })) };
    }
    const result = parseJsonEvent(bytes, this.#bounds);
    if (result.ok) return { line, bytes, result };
    const inner = result.error.place;
    const place: Place = { line, offset: offset + (inner?.offset ?? 0) };
    return { line, bytes, result: err(at(result.error, place)) };
  }
}

/**
 * Events of a stream of chunks, line by line, in order. Nothing is read ahead of the consumer; to
 * stop early ends the source. What the source throws passes through.
 */
export async function* parseNdjson(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  bounds: ParseLimits = limits,
): AsyncGenerator<NdjsonLine, void, undefined> {
  const parser = new NdjsonParser(bounds);
  for await (const chunk of chunks) yield* parser.push(chunk);
  yield* parser.end();
}
