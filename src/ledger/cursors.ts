/**
 * Positions and cursors (ledger.md "Positions"). A position in a stream is one (log, next index) for
 * each partition; its text form is base64url of the dag-cbor list
 *
 *   [[logId 32, next uint], …]   in the order of the partitions, 1 to 256 of them
 *
 * A cursor is a position under a name, moved when a consumer has acknowledged, and durable.
 */
import { fromBase64url, fromUtf8, toBase64url, utf8 } from '../bytes.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdFromHash, logIdHash } from '../ids.ts';
import { keyOf, keyspace, prefixRange } from '../keyspace.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asLogIndex, type LogId, type LogIndex } from '../types.ts';
import { eachRow } from './each-row.ts';
import type { Store } from './store.ts';

export interface LogPosition {
  readonly logId: LogId;
  /** The first entry that was not yet taken. */
  readonly next: LogIndex;
}
export type Position = readonly LogPosition[];

/** The opaque token: base64url without padding. */
export function formatPosition(position: Position): string {
  return toBase64url(encodePosition(position));
}

/** Code: bad-position. */
export function parsePosition(token: string): Result<Position> {
  const bytes = fromBase64url(token);
  return bytes.ok ? decodePosition(bytes.value) : err(bad());
}

export function encodePosition(position: Position): Uint8Array {
  const writer = new CborWriter(48 * position.length + 8);
  writer.list(position.length);
  for (const { logId, next } of position) writer.list(2).bytes(logIdHash(logId)).uint(next);
  return writer.finish();
}

/** Code: bad-position. */
export function decodePosition(bytes: Uint8Array): Result<Position> {
  const reader = new CborReader(bytes);
  const count = reader.list();
  if (count < 1 || count > protocol.maxPartitions) return err(bad());
  const position: LogPosition[] = [];
  for (let i = 0; i < count; i++) {
    const pair = reader.list();
    const log = reader.bytes();
    const next = reader.uint();
    if (reader.failed !== undefined || pair !== 2 || log.length !== 32) return err(bad());
    position.push({ logId: logIdFromHash(asHash(log.slice())), next: asLogIndex(next) });
  }
  reader.end();
  return reader.failed === undefined ? ok(position) : err(bad());
}

function bad(): Fault {
  return fault('bad-position', 'not a position token');
}

export class Cursors {
  readonly #store: Store;
  readonly #max: number;
  #count: number | undefined;

  constructor(store: Store, max: number) {
    this.#store = store;
    this.#max = max;
  }

  /** Undefined where there is no such cursor. Codes: bad-cursor, store-corrupt and those of the store. */
  async get(name: string): Promise<Result<Position | undefined>> {
    const key = cursorKey(name);
    if (!key.ok) return key;
    const value = await this.#store.get(key.value);
    if (!value.ok || value.value === undefined) return value.ok ? ok(undefined) : value;
    const position = decodePosition(value.value);
    return position.ok ? position : err(fault('store-corrupt', `cursor ${name} is damaged`));
  }

  /** Durable when it resolves. Codes: bad-cursor, busy (`maxCursors`), those of the store. */
  async set(name: string, position: Position): Promise<Result<void>> {
    const key = cursorKey(name);
    if (!key.ok) return key;
    const known = await this.#store.get(key.value);
    if (!known.ok) return known;
    if (known.value === undefined) {
      const names = this.#count === undefined ? await this.list() : undefined;
      if (names !== undefined && !names.ok) return names;
      this.#count ??= names?.value.length ?? 0;
      if (this.#count >= this.#max) return err(fault('busy', `there are ${this.#max} cursors`));
      this.#count += 1;
    }
    return this.#store.batch([{ key: key.value, value: encodePosition(position) }], { sync: true });
  }

  async remove(name: string): Promise<Result<void>> {
    const key = cursorKey(name);
    if (!key.ok) return key;
    this.#count = undefined;
    return this.#store.batch([{ key: key.value }], { sync: true });
  }

  /** Names in order of their bytes. */
  async list(): Promise<Result<readonly string[]>> {
    const names: string[] = [];
    const range = { ...prefixRange(Uint8Array.of(keyspace.cursors.prefix)), keysOnly: true };
    const read = await eachRow(this.#store, range, 1000, ({ key }) => {
      const name = fromUtf8(key.subarray(1));
      if (!name.ok) return err(fault('store-corrupt', 'a cursor name is damaged'));
      names.push(name.value);
      return ok(undefined);
    });
    return read.ok ? ok(names) : read;
  }
}

/** A name is 1 to 128 bytes of UTF-8 without control characters. */
function cursorKey(name: string): Result<Uint8Array> {
  const bytes = utf8(name);
  // eslint-disable-next-line no-control-regex
  if (bytes.length < 1 || bytes.length > 128 || /[\u0000-\u001f\u007f]/.test(name)) {
    return err(fault('bad-cursor', 'a cursor name has 1 to 128 bytes, no control characters'));
  }
  return ok(keyOf(keyspace.cursors, bytes));
}
