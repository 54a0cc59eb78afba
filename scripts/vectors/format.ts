/** What the modules of the golden vectors share: their shape, labelled seeds, checks while making. */
import { strict as assert } from 'node:assert';
import { concat, toHex, utf8 } from '../../src/bytes.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import type { Result } from '../../src/result.ts';
import type { Hash } from '../../src/types.ts';

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** One golden file: test/vectors/<name>.json. */
export interface Format {
  readonly name: string;
  make(): Promise<Json>;
}

/** SHA-256 of the ASCII text `headwater/vectors/<label>`: every key, salt and id of the files. */
export function labelled(label: string): Hash {
  return nodeCrypto.sha256(utf8(`headwater/vectors/${label}`));
}

export function labelledSigner(label: string): Signer {
  return signerFromSeed(labelled(label));
}

/** The value that a valid case must give, else the making stops. */
export function accepted<T>(result: Result<T>, what: string): T {
  if (!result.ok) throw new Error(`${what}: refused with ${result.error.code}`);
  return result.value;
}

/** The code of a case that must be refused with just this code, else the making stops. */
export function refused(result: Result<unknown>, code: Code, what: string): Code {
  assert.equal(result.ok ? 'accepted' : result.error.code, code, what);
  return code;
}

export function hexes(hashes: readonly Uint8Array[]): readonly string[] {
  return hashes.map(toHex);
}

/** The hash with its first bit flipped. */
export function flipped(hash: Uint8Array): Uint8Array {
  return hash.with(0, (hash[0] ?? 0) ^ 0x80);
}

export function joined(hashes: readonly Uint8Array[]): Uint8Array {
  return concat(...hashes);
}
