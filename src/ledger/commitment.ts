/**
 * Salted commitments (ledger.md "Leaves"; FACTS.md section 3.2):
 *
 *   salts       attributes salt ‖ data salt = SHA-512(seed 32 ‖ uint32 position in the block)
 *   attributes  SHA-256(0x10 ‖ attributes salt 32 ‖ attributes)
 *   data        SHA-256(0x11 ‖ data salt 32 ‖ kind 1 ‖ data)
 */
import { equal, writeUint32 } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { asHash, type DataKind, type EventBytes, type Hash } from '../types.ts';

export const seedBytes = 32;
export const saltsBytes = 64;
const attributesPrefix = 0x10;
const dataPrefix = 0x11;

// Hash inputs are laid out here and hashed at once: the functions below never yield between.
const salted = new Uint8Array(seedBytes + 4);
let scratch = new Uint8Array(8192);

function room(length: number): Uint8Array {
  if (scratch.length < length) scratch = new Uint8Array(Math.max(length, 2 * scratch.length));
  return scratch;
}

/** 64 bytes: the attributes salt, then the data salt, of entry `position` (seal included, from 0). */
export function saltsAt(h: Hasher, seed: Uint8Array, position: number): Uint8Array {
  salted.set(seed);
  writeUint32(salted, seedBytes, position);
  return h.sha512(salted);
}

/** Writes both commitments, 64 bytes in the order of the leaf, to `out[at…]`. `salts` are 64 bytes. */
export function commitInto(
  h: Hasher,
  salts: Uint8Array,
  event: EventBytes,
  out: Uint8Array,
  at: number,
): void {
  const { attributes, kind, data } = event;
  const bytes = room(34 + Math.max(attributes.length, data.length));
  bytes[0] = attributesPrefix;
  for (let i = 0; i < 32; i++) bytes[1 + i] = salts[i] ?? 0;
  bytes.set(attributes, 33);
  h.sha256Into(bytes.subarray(0, 33 + attributes.length), out, at);
  bytes[0] = dataPrefix;
  for (let i = 0; i < 32; i++) bytes[1 + i] = salts[32 + i] ?? 0;
  bytes[33] = kind;
  bytes.set(data, 34);
  h.sha256Into(bytes.subarray(0, 34 + data.length), out, at + 32);
}

/** `salt` is 32 bytes. */
export function attributesCommitment(h: Hasher, salt: Uint8Array, attributes: Uint8Array): Hash {
  const bytes = new Uint8Array(33 + attributes.length);
  bytes[0] = attributesPrefix;
  bytes.set(salt, 1);
  bytes.set(attributes, 33);
  return h.sha256(bytes);
}

/** `salt` is 32 bytes. */
export function dataCommitment(
  h: Hasher,
  salt: Uint8Array,
  kind: DataKind,
  data: Uint8Array,
): Hash {
  const bytes = new Uint8Array(34 + data.length);
  bytes[0] = dataPrefix;
  bytes.set(salt, 1);
  bytes[33] = kind;
  bytes.set(data, 34);
  return h.sha256(bytes);
}

const opened = new Uint8Array(64);

/**
 * Does the event open the two commitments at `leaf[at, at + 64)` under these salts? Undefined, or
 * attributes-commitment or data-commitment.
 */
export function checkOpening(
  h: Hasher,
  salts: Uint8Array,
  event: EventBytes,
  leaf: Uint8Array,
  at: number,
): Fault | undefined {
  commitInto(h, salts, event, opened, 0);
  if (!equal(opened.subarray(0, 32), leaf.subarray(at, at + 32))) {
    return fault('attributes-commitment', 'the attributes do not open their commitment');
  }
  if (!equal(opened.subarray(32), leaf.subarray(at + 32, at + 64))) {
    return fault('data-commitment', 'kind and data do not open their commitment');
  }
  return undefined;
}

/** The two commitments of a public event. */
export function commitments(
  h: Hasher,
  salts: Uint8Array,
  event: EventBytes,
): { readonly attributes: Hash; readonly data: Hash } {
  const both = new Uint8Array(64);
  commitInto(h, salts, event, both, 0);
  return { attributes: asHash(both.slice(0, 32)), data: asHash(both.slice(32)) };
}
