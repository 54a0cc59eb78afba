/**
 * `/headwater/1/heads`: who has how much. One stream, one exchange; lists are dag-cbor.
 *
 *   → compare     [1, now, digest 32]             digest of the asker's logs, see `headsDigest`
 *   ← same        [2, now]                        the answerer's digest is the same: the end
 *   ← differs     [3, now]
 *   → page        [4, more, [[logId 32, size]…]]  the asker's logs, at most 4,096 a page
 *   ← rows        [5, more, [row…]]               of this page, those where the answerer is ahead
 *   → go on       [6]                             after rows with more = 1
 *   → registries  [7, now, digest 32]             digest of the answerer's registries as last seen
 *   ← registries  [8, now, digest 32, more, [row…]]  or [2, now] where nothing is new
 *
 *   → cosigned    [9, [[logId 32, size, lines]…]]  newest cosigned checkpoints that the asker has
 *   ← cosigned    [10, more, [[logId 32, note]…]]  those of which the answerer has a newer one, or
 *                                                  more lines on it; frames follow while more = 1
 *
 *   → fresh       [11, [[logId, seconds]…]]       registries, the newest time that the asker knows of each
 *   ← fresh       [12, [[logId 32, note]…]]       those of which the answerer has a newer freshness line
 *
 *   row           [logId 32, size, root 32, checkpoint text, [cosignature line…], freshness line or null]
 *
 * `more` is 0 or 1, `now` milliseconds. A page or rows with more = 0 is the last of its kind. The
 * answerer learns from the pages where the asker is ahead, so one exchange serves both. Logs of
 * visibility `direct` are listed by neither. Rows are claims until their blocks are applied.
 */
import { writeUint64 } from '../bytes.ts';
import { CborWriter } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import { logIdHash } from '../ids.ts';
import { protocol } from '../limits.ts';
import type { Result } from '../result.ts';
import type { Hash, LogId, TimeMs, TreeSize } from '../types.ts';
import type { FreshSeconds } from './freshness-port.ts';
import { decodeMessage, writeLogId, type Fields } from './message.ts';

const maxCheckpointText = 2048;
const maxCosignatures = 16;
/** Characters of a checkpoint with its cosignature lines. */
export const maxCosignedNote = 16_384;

export interface SizeRow {
  readonly logId: LogId;
  readonly size: TreeSize;
}

export interface HeadRow extends SizeRow {
  readonly root: Hash;
  /** Signed note over this size and root. */
  readonly checkpoint: string;
  readonly cosignatures: readonly string[];
  /** Registries: a cosignature/v1 line at most 60 s old. */
  readonly freshness?: string;
}

/** Size 0 where nothing is cosigned. */
export interface CosignedSize extends SizeRow {
  readonly lines: number;
}

export interface CosignedRow {
  readonly logId: LogId;
  /** Signed checkpoint with cosignature lines. */
  readonly note: string;
}

export type HeadsMessage =
  | { readonly kind: 'compare'; readonly now: TimeMs; readonly digest: Hash }
  | { readonly kind: 'same'; readonly now: TimeMs }
  | { readonly kind: 'differs'; readonly now: TimeMs }
  | { readonly kind: 'page'; readonly more: boolean; readonly sizes: readonly SizeRow[] }
  | { readonly kind: 'rows'; readonly more: boolean; readonly rows: readonly HeadRow[] }
  | { readonly kind: 'goOn' }
  | { readonly kind: 'askRegistries'; readonly now: TimeMs; readonly digest: Hash }
  | {
      readonly kind: 'registries';
      readonly now: TimeMs;
      readonly digest: Hash;
      readonly more: boolean;
      readonly rows: readonly HeadRow[];
    }
  | { readonly kind: 'askCosigned'; readonly sizes: readonly CosignedSize[] }
  | { readonly kind: 'cosigned'; readonly more: boolean; readonly rows: readonly CosignedRow[] }
  | { readonly kind: 'askFresh'; readonly registries: readonly FreshSeconds[] }
  | { readonly kind: 'fresh'; readonly rows: readonly CosignedRow[] };

/** Faults: `message-shape` and those of dag-cbor; a refusal of the peer comes back as its fault. */
export function decodeHeads(frame: Uint8Array): Result<HeadsMessage> {
  return decodeMessage<HeadsMessage>(
    frame,
    [1, 3, (f) => ({ kind: 'compare', now: f.time(), digest: f.hash() })],
    [2, 2, (f) => ({ kind: 'same', now: f.time() })],
    [3, 2, (f) => ({ kind: 'differs', now: f.time() })],
    [
      4,
      3,
      (f) => ({ kind: 'page', more: f.flag(), sizes: f.each(protocol.maxHeadsPage, readSize) }),
    ],
    [5, 3, (f) => ({ kind: 'rows', more: f.flag(), rows: f.each(protocol.maxHeadsPage, readRow) })],
    [6, 1, () => ({ kind: 'goOn' })],
    [7, 3, (f) => ({ kind: 'askRegistries', now: f.time(), digest: f.hash() })],
    [
      8,
      5,
      (f) => ({
        kind: 'registries',
        now: f.time(),
        digest: f.hash(),
        more: f.flag(),
        rows: f.each(protocol.maxHeadsPage, readRow),
      }),
    ],
    [9, 2, (f) => ({ kind: 'askCosigned', sizes: f.each(protocol.maxHeadsPage, readLines) })],
    [
      10,
      3,
      (f) => ({ kind: 'cosigned', more: f.flag(), rows: f.each(protocol.maxHeadsPage, readNote) }),
    ],
    [11, 2, (f) => ({ kind: 'askFresh', registries: f.each(protocol.maxFreshRows, readSeconds) })],
    [12, 2, (f) => ({ kind: 'fresh', rows: f.each(protocol.maxFreshRows, readNote) })],
  );
}

export function encodeHeads(message: HeadsMessage): Uint8Array {
  const writer = new CborWriter(256);
  switch (message.kind) {
    case 'compare':
      return writer.list(3).uint(1).uint(message.now).bytes(message.digest).finish();
    case 'same':
      return writer.list(2).uint(2).uint(message.now).finish();
    case 'differs':
      return writer.list(2).uint(3).uint(message.now).finish();
    case 'page':
      writer.list(3).uint(4).uint(bit(message.more)).list(message.sizes.length);
      for (const row of message.sizes) writeLogId(writer.list(2), row.logId).uint(row.size);
      return writer.finish();
    case 'rows':
      writer.list(3).uint(5).uint(bit(message.more));
      return writeRows(writer, message.rows).finish();
    case 'goOn':
      return writer.list(1).uint(6).finish();
    case 'askRegistries':
      return writer.list(3).uint(7).uint(message.now).bytes(message.digest).finish();
    case 'registries':
      writer.list(5).uint(8).uint(message.now).bytes(message.digest).uint(bit(message.more));
      return writeRows(writer, message.rows).finish();
    case 'askCosigned':
      writer.list(2).uint(9).list(message.sizes.length);
      for (const { logId, size, lines } of message.sizes) {
        writeLogId(writer.list(3), logId).uint(size).uint(lines);
      }
      return writer.finish();
    case 'cosigned':
      writer.list(3).uint(10).uint(bit(message.more)).list(message.rows.length);
      return writeNotes(writer, message.rows).finish();
    case 'askFresh':
      writer.list(2).uint(11).list(message.registries.length);
      for (const { logId, seconds } of message.registries) {
        writeLogId(writer.list(2), logId).uint(seconds);
      }
      return writer.finish();
    case 'fresh':
      writer.list(2).uint(12).list(message.rows.length);
      return writeNotes(writer, message.rows).finish();
  }
}

/** SHA-256 over (logId 32 ‖ uint64 size) of the logs, in the order of their text forms. */
export function headsDigest(hasher: Hasher, rows: readonly SizeRow[]): Hash {
  const sorted = rows.toSorted((a, b) => (a.logId < b.logId ? -1 : a.logId > b.logId ? 1 : 0));
  const bytes = new Uint8Array(40 * sorted.length);
  for (const [i, row] of sorted.entries()) {
    bytes.set(logIdHash(row.logId), 40 * i);
    writeUint64(bytes, 40 * i + 32, row.size);
  }
  return hasher.sha256(bytes);
}

/** Cuts rows into pages that fit a frame: at most `maxHeadsPage` rows and `maxHeadsPageBytes`. */
export function pagesOf(rows: readonly HeadRow[]): readonly (readonly HeadRow[])[] {
  const pages: HeadRow[][] = [];
  let bytes = Infinity;
  for (const row of rows) {
    const lines = row.cosignatures.join('').length + (row.freshness?.length ?? 0);
    const length = 200 + row.checkpoint.length + lines;
    const page = pages.at(-1);
    if (page === undefined || bytes + length > protocol.maxHeadsPageBytes) {
      pages.push([row]);
      bytes = length;
    } else {
      page.push(row);
      bytes += length;
      if (page.length >= protocol.maxHeadsPage) bytes = Infinity;
    }
  }
  return pages.length === 0 ? [[]] : pages;
}

function bit(flag: boolean): number {
  return flag ? 1 : 0;
}

function readSize(fields: Fields): SizeRow {
  fields.tuple(2);
  return { logId: fields.logId(), size: fields.size() };
}

function readLines(fields: Fields): CosignedSize {
  fields.tuple(3);
  return { logId: fields.logId(), size: fields.size(), lines: fields.uint(maxCosignatures) };
}

function readSeconds(fields: Fields): FreshSeconds {
  fields.tuple(2);
  return { logId: fields.logId(), seconds: fields.uint(Number.MAX_SAFE_INTEGER) };
}

function writeNotes(writer: CborWriter, rows: readonly CosignedRow[]): CborWriter {
  for (const { logId, note } of rows) writeLogId(writer.list(2), logId).text(note);
  return writer;
}

function readNote(fields: Fields): CosignedRow {
  fields.tuple(2);
  return { logId: fields.logId(), note: fields.text(maxCosignedNote) };
}

function readRow(fields: Fields): HeadRow {
  fields.tuple(6);
  const row = {
    logId: fields.logId(),
    size: fields.size(),
    root: fields.hash(),
    checkpoint: fields.text(maxCheckpointText),
    cosignatures: fields.each(maxCosignatures, (f) => f.text(maxCheckpointText)),
  };
  const freshness = fields.optional((f) => f.text(maxCheckpointText));
  return freshness === undefined ? row : { ...row, freshness };
}

function writeRows(writer: CborWriter, rows: readonly HeadRow[]): CborWriter {
  writer.list(rows.length);
  for (const row of rows) {
    writeLogId(writer.list(6), row.logId).uint(row.size).bytes(row.root).text(row.checkpoint);
    writer.list(row.cosignatures.length);
    for (const line of row.cosignatures) writer.text(line);
    if (row.freshness === undefined) writer.null();
    else writer.text(row.freshness);
  }
  return writer;
}
