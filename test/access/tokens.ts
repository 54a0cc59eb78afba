/** Keys and tokens for the tests of this room; `forge` makes what our minter refuses to make. */
import assert from 'node:assert/strict';
import { encode } from '@ipld/dag-cbor';
import { concat } from '../../src/bytes.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Random } from '../../src/host.ts';
import { didFromKey } from '../../src/ids.ts';
import type { Result } from '../../src/result.ts';
import { asDid, asTimeMs, type Did, type TimeMs } from '../../src/types.ts';
import type { Claim } from '../../src/access/ucan-chain.ts';
import { mintDelegation, type DelegationTerms } from '../../src/access/ucan-delegation.ts';

export interface Person {
  readonly signer: Signer;
  readonly did: Did;
}

export function person(n: number): Person {
  const signer = signerFromSeed(new Uint8Array(32).fill(n));
  return { signer, did: didFromKey(signer.publicKey) };
}

export const owner: Person = person(1);
export const peer: Person = person(2);
export const writer: Person = person(3);
export const thief: Person = person(4);

export const now: TimeMs = asTimeMs(1_763_683_200_000);
export const seconds: number = now / 1000;

/** Counts up: what a test draws is known. */
export const random: Random = {
  bytes: (length) => Uint8Array.from({ length }, (_, i) => i + 1),
};

export const terms: DelegationTerms = {
  audience: peer.did,
  subject: owner.did,
  command: '/flow/write',
  policy: [],
  nonce: new Uint8Array(12).fill(7),
  expires: seconds + 3600,
};

export function token(from: Person, changes: Partial<DelegationTerms> = {}): Uint8Array {
  return mintDelegation(from.signer, { ...terms, ...changes });
}

/** owner → peer → writer for `/flow/write`. */
export function chainOf(
  first: Partial<DelegationTerms> = {},
  second: Partial<DelegationTerms> = {},
): Uint8Array[] {
  return [token(owner, first), token(peer, { audience: writer.did, ...second })];
}

export const claim: Claim = {
  subject: owner.did,
  holder: writer.did,
  command: '/flow/write',
  args: { name: 'orders', partition: 0 },
  time: now,
};

export const varsig: Uint8Array = Uint8Array.of(0x34, 0x01, 0xed, 0x01, 0xed, 0x01, 0x13, 0x71);

/** The payload of `terms`, for changing at will. */
export function payload(): Record<string, unknown> {
  return {
    iss: owner.did,
    aud: peer.did,
    sub: owner.did,
    cmd: '/flow/write',
    pol: [],
    nonce: new Uint8Array(12).fill(7),
    exp: seconds + 3600,
  };
}

/** A well-signed envelope around any signed part. */
export function forge(
  fields: Record<string, unknown>,
  options: { tag?: string; header?: Uint8Array; by?: Person } = {},
): Uint8Array {
  const { tag = 'ucan/dlg@1.0.0', header = varsig, by = owner } = options;
  return envelope(encode({ h: header, [tag]: fields }), by);
}

/** Signature and head around bytes that need not even be dag-cbor. */
export function envelope(signed: Uint8Array, by: Person = owner): Uint8Array {
  return concat(Uint8Array.of(0x82, 0x58, 0x40), by.signer.sign(signed), signed);
}

/** Asserts a refusal with this code, and optionally at this link. */
export function refused(result: Result<unknown>, code: string, link?: number): void {
  assert.equal(result.ok, false, `not refused, expected ${code}`);
  assert.equal(result.error.code, code, result.error.message);
  if (link !== undefined) assert.equal(result.error.place?.index, link, 'another link');
}

export function value<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : `${result.error.code}: ${result.error.message}`);
  return result.value;
}

export { asDid, nodeCrypto };
