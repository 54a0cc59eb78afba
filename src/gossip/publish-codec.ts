/**
 * `/headwater/1/publish`: events for a partition that the receiver writes, from another peer of the
 * same organisation.
 *
 *   → events   [1, logId 32, more, [[kind, attributes, data]…]]   one frame's worth, in order
 *   ← results  [2, [result…]]                                     one for each event, in order
 *
 *   result     [1, index, leaf hash 32, block, size, root 32, duplicate]   or   [0, code, message]
 *
 * With more = 1 the next frame of events follows the results. kind, attributes and data are those of
 * an event in bytes (ledger.md); the receiver judges each anew. A refusal instead of results means
 * that nothing of that frame was appended.
 */
import { CborWriter } from '../cbor.ts';
import type { Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asBlockNumber,
  dataKind,
  type BlockNumber,
  type DataKind,
  type EventBytes,
  type Hash,
  type LogId,
  type LogIndex,
  type TreeSize,
} from '../types.ts';
import { decodeMessage, remoteFault, writeLogId, type Fields } from './message.ts';

/** Events in one frame; more go into the next. */
export const maxEventsPerFrame = 4096;
const maxMessageText = 300;

/** A receipt as it travels; the log is the request's. */
export interface WireReceipt {
  readonly index: LogIndex;
  readonly leafHash: Hash;
  readonly block: BlockNumber;
  readonly size: TreeSize;
  readonly root: Hash;
  readonly duplicate: boolean;
}

export interface PublishEvents {
  readonly kind: 'events';
  readonly logId: LogId;
  readonly more: boolean;
  /** Copies, so that they may outlive the frame. */
  readonly events: readonly EventBytes[];
}

export type PublishMessage =
  PublishEvents | { readonly kind: 'results'; readonly results: readonly Result<WireReceipt>[] };

export function decodePublish(frame: Uint8Array): Result<PublishMessage> {
  return decodeMessage<PublishMessage>(
    frame,
    [
      1,
      4,
      (f) => ({
        kind: 'events',
        logId: f.logId(),
        more: f.flag(),
        events: f.each(maxEventsPerFrame, readEvent),
      }),
    ],
    [2, 2, (f) => ({ kind: 'results', results: f.each(maxEventsPerFrame, readResult) })],
  );
}

export function encodePublish(message: PublishMessage): Uint8Array {
  const writer = new CborWriter(4096);
  if (message.kind === 'events') {
    writeLogId(writer.list(4).uint(1), message.logId).uint(message.more ? 1 : 0);
    writer.list(message.events.length);
    for (const event of message.events) {
      writer.list(3).uint(event.kind).bytes(event.attributes).bytes(event.data);
    }
    return writer.finish();
  }
  writer.list(2).uint(2).list(message.results.length);
  for (const result of message.results) writeResult(writer, result);
  return writer.finish();
}

/** Bytes of an event in a frame, at most. */
export function framedLength(event: EventBytes): number {
  return event.attributes.length + event.data.length + 16;
}

function writeResult(writer: CborWriter, result: Result<WireReceipt>): void {
  if (result.ok) {
    const { index, leafHash, block, size, root, duplicate } = result.value;
    writer.list(7).uint(1).uint(index).bytes(leafHash).uint(block).uint(size).bytes(root);
    writer.uint(duplicate ? 1 : 0);
  } else {
    const message = result.error.message.slice(0, maxMessageText).toWellFormed();
    writer.list(3).uint(0).text(result.error.code).text(message);
  }
}

function readEvent(fields: Fields): EventBytes {
  fields.tuple(3);
  const kind = kindOf(fields.uint(3));
  return {
    kind,
    attributes: fields.bytes(protocol.maxBodyBytes).slice(),
    data: fields.bytes(protocol.maxBodyBytes).slice(),
  };
}

function kindOf(number: number): DataKind {
  switch (number) {
    case 1:
      return dataKind.json;
    case 2:
      return dataKind.text;
    case 3:
      return dataKind.binary;
    default:
      return dataKind.none;
  }
}

function readResult(fields: Fields): Result<WireReceipt> {
  const items = fields.list(7);
  const good = fields.flag();
  if (good !== (items === 7) || (!good && items !== 3)) fields.refuse('a result of another length');
  if (!good) return err(readFault(fields));
  return ok({
    index: fields.index(),
    leafHash: fields.hash(),
    block: asBlockNumber(fields.uint()),
    size: fields.size(),
    root: fields.hash(),
    duplicate: fields.flag(),
  });
}

function readFault(fields: Fields): Fault {
  const [code, message] = [fields.text(64), fields.text(4 * maxMessageText)];
  return remoteFault(code, message);
}
