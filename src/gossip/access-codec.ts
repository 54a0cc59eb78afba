/**
 * `/headwater/1/access`: asking for grants, and for what a grant opens. One request a stream.
 *
 *   → request    [1, id 16, stream text, purpose text, seconds, did text]   for whom: the asker's
 *                                                    organisation or its peer; seconds 0: no end
 *   → state      [2, id 16]
 *   → withdraw   [3, id 16]
 *   ← answer     [4, id 16, state, reason text, grant text]
 *                state 0 pending, 1 accepted, 2 rejected, 3 withdrawn; the grant is a container
 *   → card       [5, grant]                          an invocation and its delegations
 *   ← card       [6, JSON text]                      {name, partitions, …} as in a registry
 *   → renew      [7, id 16, stream text, purpose text, seconds, did text, grant text]
 *                                                    a request for a grant in the place of one, by its id
 *   → mine       [8]                                 by a peer of the same organisation
 *   ← grants     [9, [grant text…]]                  that were handed to the asker, the newest first
 *   → keys       [10, logId 32, epoch, grant]        keys of this epoch and later ones, as far as the grant goes
 *   ← keys       [11, epoch or null, [[generation, from, to, enc 32, ciphertext, signature 64], …]]
 *                                                    deliveries (access/key-delivery.ts); where the next page begins
 *
 * The asker draws the id; the same id is the same request. A stream that there is not is pending too.
 */
import { epochs } from '../access/epoch-keys.ts';
import { maxCiphertextBytes, type KeyDelivery } from '../access/key-delivery.ts';
import { CborWriter } from '../cbor.ts';
import { toHex } from '../bytes.ts';
import { protocol } from '../limits.ts';
import type { Result } from '../result.ts';
import { asSignature, type LogId } from '../types.ts';
import { decodeMessage, writeLogId, type Fields } from './message.ts';

/** 32 hex digits. */
export type RequestId = string;

export const requestStates = ['pending', 'accepted', 'rejected', 'withdrawn'] as const;
export type RequestState = (typeof requestStates)[number];

export interface GrantRequest {
  readonly kind: 'request';
  readonly id: RequestId;
  readonly stream: string;
  readonly purpose: string;
  /** For how long; 0: without end. */
  readonly seconds: number;
  readonly audience: string;
  /** Id of the grant whose place it is to take; '' for a first one. */
  readonly renews: string;
}

export interface AccessAnswer {
  readonly kind: 'answer';
  readonly id: RequestId;
  readonly state: RequestState;
  /** Why it was rejected; else ''. */
  readonly reason: string;
  /** Text form of a container; '' unless accepted. */
  readonly grant: string;
}

/** For epoch keys of a sealed log. Where they are sealed to is nothing that an asker could say. */
export interface AskKeys {
  readonly kind: 'askKeys';
  readonly log: LogId;
  /** The first epoch that is wanted. */
  readonly from: number;
  readonly grant: Uint8Array;
}

export interface KeysAnswer {
  readonly kind: 'keys';
  /** Where the next page begins; undefined: that was all. */
  readonly next: number | undefined;
  readonly deliveries: readonly KeyDelivery[];
}

export type AccessMessage =
  | GrantRequest
  | { readonly kind: 'state' | 'withdraw'; readonly id: RequestId }
  | AccessAnswer
  | { readonly kind: 'askCard'; readonly grant: Uint8Array }
  | { readonly kind: 'card'; readonly text: string }
  | { readonly kind: 'mine' }
  | { readonly kind: 'grants'; readonly grants: readonly string[] }
  | AskKeys
  | KeysAnswer;

const maxName = 64;
const maxSeconds = 2 ** 40;
const maxGrantText = protocol.maxGrantFieldBytes;
const maxCardText = 131_072;
const maxGrantId = 128;
/** Grants of one answer; what has no room is there the next time. */
export const maxGrantsTold = 64;

export function decodeAccess(frame: Uint8Array): Result<AccessMessage> {
  return decodeMessage<AccessMessage>(
    frame,
    [1, 6, (f) => ({ ...readRequest(f), renews: '' })],
    [2, 2, (f) => ({ kind: 'state', id: idOf(f) })],
    [3, 2, (f) => ({ kind: 'withdraw', id: idOf(f) })],
    [
      4,
      5,
      (f) => ({
        kind: 'answer',
        id: idOf(f),
        state: requestStates[f.uint(requestStates.length - 1)] ?? 'pending',
        reason: f.text(protocol.maxPurpose),
        grant: f.text(maxGrantText),
      }),
    ],
    [5, 2, (f) => ({ kind: 'askCard', grant: f.bytes(protocol.maxGrantFieldBytes).slice() })],
    [6, 2, (f) => ({ kind: 'card', text: f.text(maxCardText) })],
    [7, 7, (f) => ({ ...readRequest(f), renews: f.text(maxGrantId) })],
    [8, 1, () => ({ kind: 'mine' })],
    [
      10,
      4,
      (f) => ({
        kind: 'askKeys',
        log: f.logId(),
        from: f.uint(epochs),
        grant: f.bytes(protocol.maxGrantFieldBytes).slice(),
      }),
    ],
    [
      11,
      3,
      (f) => ({
        kind: 'keys',
        next: f.optional((g) => g.uint(epochs)),
        deliveries: f.each(protocol.maxKeyDeliveries, readDelivery),
      }),
    ],
    [9, 2, (f) => ({ kind: 'grants', grants: f.each(maxGrantsTold, (g) => g.text(maxGrantText)) })],
  );
}

export function encodeAccess(message: AccessMessage): Uint8Array {
  const writer = new CborWriter(512);
  switch (message.kind) {
    case 'request': {
      const { stream, purpose, seconds, audience, renews } = message;
      if (renews === '') writer.list(6).uint(1);
      else writer.list(7).uint(7);
      writer.bytes(idBytes(message.id)).text(stream).text(purpose).uint(seconds).text(audience);
      return renews === '' ? writer.finish() : writer.text(renews).finish();
    }
    case 'state':
      return writer.list(2).uint(2).bytes(idBytes(message.id)).finish();
    case 'withdraw':
      return writer.list(2).uint(3).bytes(idBytes(message.id)).finish();
    case 'answer': {
      const { state, reason, grant } = message;
      writer.list(5).uint(4).bytes(idBytes(message.id)).uint(requestStates.indexOf(state));
      return writer.text(reason).text(grant).finish();
    }
    case 'askCard':
      return writer.list(2).uint(5).bytes(message.grant).finish();
    case 'card':
      return writer.list(2).uint(6).text(message.text).finish();
    case 'mine':
      return writer.list(1).uint(8).finish();
    case 'grants':
      writer.list(2).uint(9).list(message.grants.length);
      for (const grant of message.grants) writer.text(grant);
      return writer.finish();
    case 'askKeys':
      writeLogId(writer.list(4).uint(10), message.log);
      return writer.uint(message.from).bytes(message.grant).finish();
    case 'keys':
      writer.list(3).uint(11);
      if (message.next === undefined) writer.null();
      else writer.uint(message.next);
      writer.list(message.deliveries.length);
      for (const delivery of message.deliveries) writeDelivery(writer, delivery);
      return writer.finish();
  }
}

function readRequest(fields: Fields): Omit<GrantRequest, 'renews'> {
  return {
    kind: 'request',
    id: idOf(fields),
    stream: fields.text(maxName),
    purpose: fields.text(protocol.maxPurpose),
    seconds: fields.uint(maxSeconds),
    audience: fields.text(128),
  };
}

function readDelivery(fields: Fields): KeyDelivery {
  fields.tuple(6);
  const [generation, from, to] = [
    fields.uint(epochs - 1),
    fields.uint(epochs),
    fields.uint(epochs),
  ];
  if (from >= to) fields.refuse('a range of epochs is not empty');
  const enc = fields.fixed(32);
  const ciphertext = fields.bytes(maxCiphertextBytes).slice();
  return { generation, from, to, enc, ciphertext, signature: asSignature(fields.fixed(64)) };
}

function writeDelivery(writer: CborWriter, delivery: KeyDelivery): void {
  const { generation, from, to, enc, ciphertext, signature } = delivery;
  writer.list(6).uint(generation).uint(from).uint(to).bytes(enc).bytes(ciphertext);
  writer.bytes(signature);
}

function idOf(fields: Fields): RequestId {
  return toHex(fields.fixed(16));
}

/** The 16 bytes of a request id; ours is well-formed. */
export function idBytes(id: RequestId): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(id.slice(2 * i, 2 * i + 2), 16));
}
