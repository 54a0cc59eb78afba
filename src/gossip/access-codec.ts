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
 *
 * The asker draws the id; the same id is the same request. A stream that there is not is pending too.
 */
import { CborWriter } from '../cbor.ts';
import { toHex } from '../bytes.ts';
import { protocol } from '../limits.ts';
import type { Result } from '../result.ts';
import { decodeMessage, type Fields } from './message.ts';

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

export type AccessMessage =
  | GrantRequest
  | { readonly kind: 'state' | 'withdraw'; readonly id: RequestId }
  | AccessAnswer
  | { readonly kind: 'askCard'; readonly grant: Uint8Array }
  | { readonly kind: 'card'; readonly text: string };

const maxName = 64;
const maxSeconds = 2 ** 40;
const maxGrantText = protocol.maxGrantFieldBytes;
const maxCardText = 131_072;

export function decodeAccess(frame: Uint8Array): Result<AccessMessage> {
  return decodeMessage<AccessMessage>(
    frame,
    [
      1,
      6,
      (f) => ({
        kind: 'request',
        id: idOf(f),
        stream: f.text(maxName),
        purpose: f.text(protocol.maxPurpose),
        seconds: f.uint(maxSeconds),
        audience: f.text(128),
      }),
    ],
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
  );
}

export function encodeAccess(message: AccessMessage): Uint8Array {
  const writer = new CborWriter(512);
  switch (message.kind) {
    case 'request': {
      const { stream, purpose, seconds, audience } = message;
      writer.list(6).uint(1).bytes(idBytes(message.id)).text(stream).text(purpose);
      return writer.uint(seconds).text(audience).finish();
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
  }
}

function idOf(fields: Fields): RequestId {
  return toHex(fields.fixed(16));
}

/** The 16 bytes of a request id; ours is well-formed. */
export function idBytes(id: RequestId): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(id.slice(2 * i, 2 * i + 2), 16));
}
