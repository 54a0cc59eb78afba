/**
 * The common shape of protocol messages. A frame holds one canonical dag-cbor list whose first
 * item is a small number, the message's kind:
 *
 *   refusal   [0, code, message]      in every protocol, instead of any answer
 *   others    [kind, field, …]        each file draws its own
 *
 * Fields are read one by one with their bounds; the first fault sticks and the message is refused
 * as a whole. Byte strings are views of the frame: who keeps one copies it.
 */
import { at, fault, type Code, type Fault } from '../errors.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import { codes } from '../codes.ts';
import { logIdFromHash, logIdHash } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asHash,
  asLogIndex,
  asPeerId,
  asTimeMs,
  asTreeSize,
  type Hash,
  type LogId,
  type LogIndex,
  type PeerId,
  type TimeMs,
  type TreeSize,
} from '../types.ts';

const maxRefusalText = 300;
const refusalPointer = 'refusal';
const zeroHash = asHash(new Uint8Array(32));

/** One form of a message: its kind, its number of items (kind included) and how they are read. */
export type Layout<T> = readonly [kind: number, items: number, read: (fields: Fields) => T];

/** Decodes a frame as one of the layouts; a refusal comes back as the fault it names. */
export function decodeMessage<T>(frame: Uint8Array, ...layouts: readonly Layout<T>[]): Result<T> {
  const fields = new Fields(frame);
  const items = fields.list(64);
  const kind = fields.uint(255);
  if (fields.failed !== undefined) return err(fields.failed);
  if (kind === 0) return err(readRefusal(fields, items));
  const layout = layouts.find(([number, length]) => number === kind && length === items);
  if (layout === undefined) {
    return err(fault('message-shape', `no message of kind ${kind} with ${items} items here`));
  }
  const value = layout[2](fields);
  fields.end();
  return fields.failed === undefined ? ok(value) : err(fields.failed);
}

export function encodeRefusal(refusal: Fault): Uint8Array {
  const message = refusal.message.slice(0, maxRefusalText);
  return new CborWriter(128)
    .list(3)
    .uint(0)
    .text(refusal.code)
    .text(message.toWellFormed())
    .finish();
}

function readRefusal(fields: Fields, items: number): Fault {
  const [code, message] = [fields.text(64), fields.text(4 * maxRefusalText)];
  fields.end();
  if (fields.failed !== undefined || items !== 3) return fault('message-shape', 'a broken refusal');
  return at(remoteFault(code, `the peer refused: ${message}`), { pointer: refusalPointer });
}

/** A fault as another peer names it; a code that we do not know becomes `peer-fault`. */
export function remoteFault(code: string, message: string): Fault {
  return isCode(code) ? fault(code, message) : fault('peer-fault', `${message} (${code})`);
}

/** True for a fault that the other side stated, not one that we found in its messages. */
export function isRefusal(found: Fault): boolean {
  return found.place?.pointer === refusalPointer;
}

const malformed: ReadonlySet<Code> = new Set<Code>([
  'message-shape',
  'message-version',
  'page-over-limit',
  'block-order',
  'cbor-encoding',
  'cbor-shape',
  'truncated',
  'trailing-bytes',
  'integer-too-large',
  'bad-utf8',
  'frame-too-large',
]);

/** True for a fault that only a peer which breaks the protocol can cause: it costs him. */
export function isMalformed(found: Fault): boolean {
  return malformed.has(found.code) && !isRefusal(found);
}

function isCode(text: string): text is Code {
  return Object.hasOwn(codes, text);
}

/** Writes the 32 bytes that a log id names. */
export function writeLogId(writer: CborWriter, logId: LogId): CborWriter {
  return writer.bytes(logIdHash(logId));
}

/** Reads a message's items in order, each with its bound. After a fault it returns zeros. */
export class Fields {
  readonly #reader: CborReader;

  constructor(frame: Uint8Array) {
    this.#reader = new CborReader(frame);
  }

  get failed(): Fault | undefined {
    return this.#reader.failed;
  }

  uint(max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#reader.uint();
    if (value > max) return this.#refuse(`a number above ${max}`, 0);
    return value;
  }
  flag(): boolean {
    return this.uint(1) === 1;
  }
  time(): TimeMs {
    return asTimeMs(this.uint(2 ** 48 - 1));
  }
  index(): LogIndex {
    return asLogIndex(this.uint());
  }
  size(): TreeSize {
    return asTreeSize(this.uint());
  }
  /** A byte string of at most `max` bytes, as a view. */
  bytes(max: number): Uint8Array {
    const value = this.#reader.bytes();
    return value.length > max ? this.#refuse(`more than ${max} bytes`, empty) : value;
  }
  /** A copy of exactly 32 bytes. */
  hash(): Hash {
    const value = this.#reader.bytes();
    if (value.length !== 32) return this.#refuse('not 32 bytes', zeroHash);
    return asHash(value.slice());
  }
  /** A copy of exactly so many bytes. */
  fixed(length: number): Uint8Array {
    const value = this.#reader.bytes();
    if (value.length === length) return value.slice();
    return this.#refuse(`not ${length} bytes`, new Uint8Array(length));
  }
  logId(): LogId {
    return logIdFromHash(this.hash());
  }
  peerId(): PeerId {
    const text = this.#reader.text();
    if (!/^[1-9A-HJ-NP-Za-km-z]{1,128}$/.test(text)) return this.#refuse('not a peer id', nobody);
    return asPeerId(text);
  }
  /** Text of at most `max` UTF-16 units. */
  text(max: number): string {
    const value = this.#reader.text();
    return value.length > max ? this.#refuse(`text above ${max} characters`, '') : value;
  }
  /** A list's length, at most `max`. */
  list(max: number): number {
    const length = this.#reader.list();
    return length > max ? this.#refuse(`a list above ${max} items`, 0) : length;
  }
  /** A list head of exactly this length. */
  tuple(length: number): void {
    const found = this.#reader.list();
    if (found !== length) this.#refuse(`a list of ${found} items, not ${length}`, 0);
  }
  /** A list of at most `max` items, each read by `read`. */
  each<T>(max: number, read: (fields: Fields) => T): T[] {
    const length = this.list(max);
    const items: T[] = [];
    for (let i = 0; i < length && this.failed === undefined; i++) items.push(read(this));
    return items;
  }
  /** Undefined where the item is null. */
  optional<T>(read: (fields: Fields) => T): T | undefined {
    return this.#reader.null() ? undefined : read(this);
  }
  end(): void {
    this.#reader.end();
  }
  /** Refuses the whole message for a rule between its fields. */
  refuse(message: string): void {
    this.#refuse(message, undefined);
  }

  #refuse<T>(message: string, instead: T): T {
    this.#reader.failed ??= fault('message-shape', message, { offset: this.#reader.offset });
    return instead;
  }
}

const empty = new Uint8Array(0);
const nobody = asPeerId('1');
