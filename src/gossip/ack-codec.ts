/**
 * `/headwater/1/ack`: a replica's word that a log of this size and root is on its disk.
 *
 *   → ask     [1, logId 32, size, root 32]
 *   ← ack     [2, logId 32, size, root 32, signature 64]
 *   ← behind  [3, size]                        the answerer's tree size, which is smaller
 *
 * The signature is by the answerer's peer key over
 *
 *   "headwater/ack/1" ‖ logId 32 ‖ uint64 size ‖ root 32
 */
import { concat, utf8, writeUint64 } from '../bytes.ts';
import { CborWriter } from '../cbor.ts';
import { logIdHash } from '../ids.ts';
import type { Result } from '../result.ts';
import { asSignature, type Hash, type LogId, type Signature, type TreeSize } from '../types.ts';
import { decodeMessage, writeLogId, type Fields } from './message.ts';

export interface AckSubject {
  readonly logId: LogId;
  readonly size: TreeSize;
  readonly root: Hash;
}

export type AckMessage =
  | ({ readonly kind: 'ask' } & AckSubject)
  | ({ readonly kind: 'ack'; readonly signature: Signature } & AckSubject)
  | { readonly kind: 'behind'; readonly size: TreeSize };

const prefix = utf8('headwater/ack/1');

/** What an acknowledgement signs. */
export function ackMessage({ logId, size, root }: AckSubject): Uint8Array {
  const number = new Uint8Array(8);
  writeUint64(number, 0, size);
  return concat(prefix, logIdHash(logId), number, root);
}

/** Faults: `message-shape`, those of dag-cbor, or a refusal of the peer. */
export function decodeAck(frame: Uint8Array): Result<AckMessage> {
  return decodeMessage<AckMessage>(
    frame,
    [1, 4, (f) => ({ kind: 'ask', ...readSubject(f) })],
    [2, 5, (f) => ({ kind: 'ack', ...readSubject(f), signature: asSignature(f.fixed(64)) })],
    [3, 2, (f) => ({ kind: 'behind', size: f.size() })],
  );
}

export function encodeAck(message: AckMessage): Uint8Array {
  const writer = new CborWriter(192);
  switch (message.kind) {
    case 'ask':
      return writeSubject(writer.list(4).uint(1), message).finish();
    case 'ack':
      return writeSubject(writer.list(5).uint(2), message).bytes(message.signature).finish();
    case 'behind':
      return writer.list(2).uint(3).uint(message.size).finish();
  }
}

function readSubject(fields: Fields): AckSubject {
  return { logId: fields.logId(), size: fields.size(), root: fields.hash() };
}

function writeSubject(writer: CborWriter, { logId, size, root }: AckSubject): CborWriter {
  return writeLogId(writer, logId).uint(size).bytes(root);
}
