/**
 * `/headwater/1/keys`: how a log's keys came to be, provable from its logId alone.
 *
 *   → ask   [1, logId 32, from]       control entries at this index and after it
 *   → ask   [3, logId 32, from, grant]   the same of a direct log
 *   ← page  [2, size, checkpoint text, next or null, [[index, leaf, [hash 32…]]…]]
 *
 * The first entry is the genesis (index 0), whose leaf hash is the logId. Each path is the RFC 6962
 * inclusion path of its leaf in the tree of `size`, whose root the checkpoint signs. A page holds at
 * most 64 KiB of entries (at least one); `next` is where the next one begins. Pages may be asked for
 * separately: each carries its own checkpoint.
 */
import { CborWriter } from '../cbor.ts';
import { protocol } from '../limits.ts';
import type { Result } from '../result.ts';
import type { Hash, LogId, LogIndex, TreeSize } from '../types.ts';
import { decodeMessage, writeLogId, type Fields } from './message.ts';

const maxPathHashes = 64;
const maxEntries = 1024;

export interface KeyEntry {
  readonly index: LogIndex;
  /** Leaf bytes of a control entry. */
  readonly leaf: Uint8Array;
  readonly path: readonly Hash[];
}

export interface KeysPage {
  readonly kind: 'page';
  readonly size: TreeSize;
  readonly checkpoint: string;
  /** Index from which the next page goes on; absent on the last. */
  readonly next?: LogIndex;
  readonly entries: readonly KeyEntry[];
}

export type KeysMessage =
  | {
      readonly kind: 'ask';
      readonly logId: LogId;
      readonly from: LogIndex;
      readonly grant?: Uint8Array;
    }
  | KeysPage;

export function decodeKeys(frame: Uint8Array): Result<KeysMessage> {
  return decodeMessage<KeysMessage>(
    frame,
    [1, 3, (f) => ({ kind: 'ask', logId: f.logId(), from: f.index() })],
    [2, 5, readPage],
    [
      3,
      4,
      (f) => ({
        kind: 'ask',
        logId: f.logId(),
        from: f.index(),
        grant: f.bytes(protocol.maxGrantFieldBytes).slice(),
      }),
    ],
  );
}

export function encodeKeys(message: KeysMessage): Uint8Array {
  const writer = new CborWriter(1024);
  if (message.kind === 'ask') {
    const { logId, from, grant } = message;
    if (grant === undefined) return writeLogId(writer.list(3).uint(1), logId).uint(from).finish();
    return writeLogId(writer.list(4).uint(3), logId).uint(from).bytes(grant).finish();
  }
  writer.list(5).uint(2).uint(message.size).text(message.checkpoint);
  if (message.next === undefined) writer.null();
  else writer.uint(message.next);
  writer.list(message.entries.length);
  for (const entry of message.entries) {
    writer.list(3).uint(entry.index).bytes(entry.leaf).list(entry.path.length);
    for (const hash of entry.path) writer.bytes(hash);
  }
  return writer.finish();
}

function readPage(fields: Fields): KeysPage {
  const [size, checkpoint] = [fields.size(), fields.text(2048)];
  const next = fields.optional((f) => f.index());
  const entries = fields.each(maxEntries, readEntry);
  const page = { kind: 'page' as const, size, checkpoint, entries };
  return next === undefined ? page : { ...page, next };
}

function readEntry(fields: Fields): KeyEntry {
  fields.tuple(3);
  return {
    index: fields.index(),
    leaf: fields.bytes(protocol.maxLeafBytes).slice(),
    path: fields.each(maxPathHashes, (f) => f.hash()),
  };
}
