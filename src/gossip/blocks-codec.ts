/**
 * `/headwater/1/blocks`: a range of a log's blocks, and with `live` what is appended after them.
 *
 *   → read    [1, logId 32, from, max bytes, live, grant bytes or null]
 *   ← blocks  [2, next, [wire block…]]   consecutive; next = tree size after the last of them
 *   ← end     [3, size]                  the page is over; size = the answerer's tree size
 *   ← pulse   [4, size]                  nothing to send yet: still here
 *   ← cosigned [6, note]                 the newest cosigned checkpoint, where there is one
 *   → ack     [5, next]                  applied up to here
 *
 * `from` is the asker's tree size: the first block begins at or before it. `max bytes` bounds a page
 * that is not live (at least one block comes). The answerer never has more than `maxUnackedBytes` of
 * frames unacknowledged: libp2p's own pause and resume loses data.
 */
import { CborWriter } from '../cbor.ts';
import { protocol } from '../limits.ts';
import type { Result } from '../result.ts';
import type { LogId, LogIndex, TreeSize } from '../types.ts';
import { maxCosignedNote } from './heads-codec.ts';
import { decodeMessage, writeLogId } from './message.ts';

/** Blocks in one frame; more small ones go into the next. */
export const maxBlocksPerFrame = 1024;

export interface BlocksRequest {
  readonly kind: 'read';
  readonly logId: LogId;
  readonly from: LogIndex;
  readonly maxBytes: number;
  readonly live: boolean;
  readonly grant?: Uint8Array;
}

export type BlocksMessage =
  | BlocksRequest
  | { readonly kind: 'blocks'; readonly next: TreeSize; readonly wires: readonly Uint8Array[] }
  | { readonly kind: 'end'; readonly size: TreeSize }
  | { readonly kind: 'pulse'; readonly size: TreeSize }
  | { readonly kind: 'cosigned'; readonly note: string }
  | { readonly kind: 'ack'; readonly next: LogIndex };

/** Wire blocks are views of the frame. Faults: `message-shape`, those of dag-cbor, or a refusal. */
export function decodeBlocks(frame: Uint8Array): Result<BlocksMessage> {
  return decodeMessage<BlocksMessage>(
    frame,
    [
      1,
      6,
      (f) => {
        const read = { logId: f.logId(), from: f.index(), maxBytes: f.uint(), live: f.flag() };
        const grant = f.optional((field) => field.bytes(protocol.maxGrantFieldBytes).slice());
        return { kind: 'read', ...read, ...(grant === undefined ? {} : { grant }) };
      },
    ],
    [
      2,
      3,
      (f) => ({
        kind: 'blocks',
        next: f.size(),
        wires: f.each(maxBlocksPerFrame, (field) => field.bytes(protocol.maxMessageBytes)),
      }),
    ],
    [3, 2, (f) => ({ kind: 'end', size: f.size() })],
    [4, 2, (f) => ({ kind: 'pulse', size: f.size() })],
    [5, 2, (f) => ({ kind: 'ack', next: f.index() })],
    [6, 2, (f) => ({ kind: 'cosigned', note: f.text(maxCosignedNote) })],
  );
}

export function encodeBlocks(message: BlocksMessage): Uint8Array {
  switch (message.kind) {
    case 'read': {
      const writer = writeLogId(new CborWriter(128).list(6).uint(1), message.logId);
      writer
        .uint(message.from)
        .uint(message.maxBytes)
        .uint(message.live ? 1 : 0);
      return (message.grant === undefined ? writer.null() : writer.bytes(message.grant)).finish();
    }
    case 'blocks': {
      let bytes = 32;
      for (const wire of message.wires) bytes += wire.length + 9;
      const writer = new CborWriter(bytes).list(3).uint(2).uint(message.next);
      writer.list(message.wires.length);
      for (const wire of message.wires) writer.bytes(wire);
      return writer.finish();
    }
    case 'end':
      return new CborWriter(16).list(2).uint(3).uint(message.size).finish();
    case 'pulse':
      return new CborWriter(16).list(2).uint(4).uint(message.size).finish();
    case 'cosigned':
      return new CborWriter(1024).list(2).uint(6).text(message.note).finish();
    case 'ack':
      return new CborWriter(16).list(2).uint(5).uint(message.next).finish();
  }
}
