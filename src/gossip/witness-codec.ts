/**
 * `/headwater/1/witness`: C2SP add-checkpoint between peers of a network, with the bytes and status
 * codes of its HTTP form (src/ledger/witness.ts).
 *
 *   → add     [1, request bytes]          "old <size>" LF, proof lines, blank line, signed checkpoint
 *   ← answer  [2, status, body bytes]     200: cosignature line; 409: the size; else a reason
 *   → who     [3]
 *   ← key     [4, key 32]                 of the witness' cosignatures; it is named by its did:key
 *   → last    [5, SHA-256 of the origin]  ← answer: 200 and the checkpoint that it cosigned last, or 404
 *
 * A key that a peer states is a hint whom to ask: its cosignatures show whether it has it.
 */
import { CborWriter } from '../cbor.ts';
import { protocol } from '../limits.ts';
import type { Result } from '../result.ts';
import { asPublicKey, type Hash, type PublicKey } from '../types.ts';
import { decodeMessage } from './message.ts';

export type WitnessMessage =
  | { readonly kind: 'add'; readonly body: Uint8Array }
  | { readonly kind: 'answer'; readonly status: number; readonly body: Uint8Array }
  | { readonly kind: 'who' }
  | { readonly kind: 'key'; readonly key: PublicKey }
  | { readonly kind: 'last'; readonly origin: Hash };

/** Byte strings are copies. Faults: `message-shape`, those of dag-cbor, or a refusal of the peer. */
export function decodeWitness(frame: Uint8Array): Result<WitnessMessage> {
  return decodeMessage<WitnessMessage>(
    frame,
    [1, 2, (f) => ({ kind: 'add', body: f.bytes(protocol.maxWitnessRequestBytes).slice() })],
    [
      2,
      3,
      (f) => ({
        kind: 'answer',
        status: f.uint(599),
        body: f.bytes(protocol.maxWitnessAnswerBytes).slice(),
      }),
    ],
    [3, 1, () => ({ kind: 'who' })],
    [4, 2, (f) => ({ kind: 'key', key: asPublicKey(f.fixed(32)) })],
    [5, 2, (f) => ({ kind: 'last', origin: f.hash() })],
  );
}

export function encodeWitness(message: WitnessMessage): Uint8Array {
  switch (message.kind) {
    case 'add':
      return new CborWriter(message.body.length + 16).list(2).uint(1).bytes(message.body).finish();
    case 'answer': {
      const writer = new CborWriter(message.body.length + 16).list(3).uint(2);
      return writer.uint(message.status).bytes(message.body).finish();
    }
    case 'who':
      return new CborWriter(8).list(1).uint(3).finish();
    case 'key':
      return new CborWriter(48).list(2).uint(4).bytes(message.key).finish();
    case 'last':
      return new CborWriter(48).list(2).uint(5).bytes(message.origin).finish();
  }
}
