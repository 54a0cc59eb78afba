/**
 * Key files: one Ed25519 seed (or another secret of 32 bytes), as JSON in one fixed order of
 * members, with or without a passphrase.
 *
 *   {"format": "headwater-key", "version": 1, "did": "did:key:z6Mk…",
 *    "seed": base64url 32}                                                     open
 *   {"format": "headwater-key", "version": 1, "did": "did:key:z6Mk…",
 *    "scrypt": {"N": 131072, "r": 8, "p": 1, "salt": base64url 32},
 *    "aes-256-gcm": {"nonce": base64url 12, "sealed": base64url 48}}           locked
 *
 * `did` is the public half and is checked against the seed. A locked seed is AES-256-GCM (tag last)
 * under scrypt of the passphrase (NFKC, UTF-8), with the associated data
 *
 *   "headwater/key-file/1" ‖ public key ‖ uint32 N ‖ uint32 r ‖ uint32 p ‖ salt
 *
 * The parameters come from the file, so they are bounded before they are used: N is a power of two
 * from 2^17 to `maxScryptCost`, r is 8, p is 1 to 4. A hostile file costs at most 128·N·r = 256 MiB
 * for a few seconds.
 */
import { createCipheriv, createDecipheriv, scrypt, type ScryptOptions } from 'node:crypto';
import {
  concat,
  equal,
  fromBase64url,
  fromUtf8,
  toBase64url,
  utf8,
  writeUint32,
} from '../bytes.ts';
import { signerFromSeed } from '../crypto-node.ts';
import { fault, type Code } from '../errors.ts';
import type { Random } from '../host.ts';
import { didFromKey, didKey, parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Did } from '../types.ts';

/** Cost of scrypt: 128·N·r bytes of memory, p times the work. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

interface Lock extends ScryptCost {
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

/** A key file as read; the seed of an open one is in it, so treat it as the secret it is. */
export type KeyFile =
  | { readonly did: Did; readonly locked: false; readonly seed: Uint8Array }
  | { readonly did: Did; readonly locked: true; readonly lock: Lock };

const format = 'headwater-key';
const minCost = 131_072;
const defaultCost: ScryptCost = { N: minCost, r: 8, p: 1 };

/**
 * The bytes of a key file for a seed of 32 bytes, which stays the caller's; locked where a
 * passphrase is given. An empty one is `key-passphrase-needed`. Throws on costs out of bounds.
 */
export async function encodeKeyFile(
  seed: Uint8Array,
  random: Random,
  passphrase?: string,
  cost: ScryptCost = defaultCost,
): Promise<Result<Uint8Array>> {
  if (seed.length !== 32) throw new RangeError('a seed has 32 bytes');
  if (!costFits(cost)) throw new RangeError('scrypt cost out of bounds');
  const did = didFromKey(signerFromSeed(seed).publicKey);
  const head = { format, version: 1, did };
  if (passphrase === undefined) return ok(json({ ...head, seed: toBase64url(seed) }));
  if (passphrase === '') return refuse('key-passphrase-needed', 'the passphrase is empty');
  const salt = random.bytes(32);
  const nonce = random.bytes(12);
  const key = await derive(passphrase, { ...cost, salt });
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(boundTo(did, { ...cost, salt }));
  const sealed = concat(cipher.update(seed), cipher.final(), cipher.getAuthTag());
  key.fill(0);
  const { N, r, p } = cost;
  return ok(
    json({
      ...head,
      scrypt: { N, r, p, salt: toBase64url(salt) },
      'aes-256-gcm': { nonce: toBase64url(nonce), sealed: toBase64url(sealed) },
    }),
  );
}

function json(value: unknown): Uint8Array {
  return utf8(`${JSON.stringify(value, null, 2)}\n`);
}

/** Reads the bytes of a key file without opening its lock; `key-file-invalid` otherwise. */
export function decodeKeyFile(bytes: Uint8Array): Result<KeyFile> {
  if (bytes.length > protocol.maxKeyFileBytes) return invalid('it is too long');
  const text = fromUtf8(bytes);
  if (!text.ok) return invalid('it is not text');
  const file = object(parseJson(text.value));
  if (file === undefined || file['format'] !== format) return invalid('it is no key file');
  if (file['version'] !== 1) return invalid('its version is not known');
  const did = typeof file['did'] === 'string' ? parseDid(file['did']) : undefined;
  if (did?.ok !== true) return invalid('it names no public key');
  const names = Object.keys(file).slice(3).join();
  const order = Object.keys(file).slice(0, 3).join() === 'format,version,did';
  if (!order || (names !== 'seed' && names !== 'scrypt,aes-256-gcm')) {
    return invalid('it has other members than a key file');
  }
  if (names === 'seed') {
    const seed = bytesOf(file['seed'], 32);
    if (seed === undefined) return invalid('its seed is not 32 bytes');
    return ok({ did: did.value, locked: false, seed });
  }
  const lock = readLock(object(file['scrypt']), object(file['aes-256-gcm']));
  return lock.ok ? ok({ did: did.value, locked: true, lock: lock.value }) : lock;
}

function readLock(kdf: JsonObject | undefined, sealing: JsonObject | undefined): Result<Lock> {
  if (kdf === undefined || Object.keys(kdf).join() !== 'N,r,p,salt') {
    return invalid('its scrypt parameters are not known');
  }
  if (sealing === undefined || Object.keys(sealing).join() !== 'nonce,sealed') {
    return invalid('its sealing is not known');
  }
  const { N, r, p } = kdf;
  if (typeof N !== 'number' || typeof r !== 'number' || typeof p !== 'number') {
    return invalid('its scrypt parameters are not numbers');
  }
  if (!costFits({ N, r, p })) return invalid('its scrypt parameters are out of bounds');
  const salt = bytesOf(kdf['salt'], 32);
  const nonce = bytesOf(sealing['nonce'], 12);
  const sealed = bytesOf(sealing['sealed'], 48);
  if (salt === undefined || nonce === undefined || sealed === undefined) {
    return invalid('its salt, nonce or sealed seed has another length');
  }
  return ok({ N, r, p, salt, nonce, sealed });
}

/**
 * The seed of a key file in a fresh array that the caller should fill with zeros after use. Codes:
 * `key-passphrase-needed`, `key-passphrase-wrong` (or the file was changed), `key-file-invalid`
 * (the seed is not that of its public key).
 */
export async function unlockKeyFile(
  file: KeyFile,
  passphrase?: string,
): Promise<Result<Uint8Array>> {
  const seed = file.locked
    ? await openLock(file.did, file.lock, passphrase)
    : ok(file.seed.slice());
  if (!seed.ok) return seed;
  if (!equal(signerFromSeed(seed.value).publicKey, didKey(file.did))) {
    seed.value.fill(0);
    return invalid('its seed does not give its public key');
  }
  return seed;
}

async function openLock(did: Did, lock: Lock, passphrase?: string): Promise<Result<Uint8Array>> {
  if (passphrase === undefined || passphrase === '') {
    return refuse('key-passphrase-needed', 'the key file is locked with a passphrase');
  }
  const key = await derive(passphrase, lock);
  const decipher = createDecipheriv('aes-256-gcm', key, lock.nonce, { authTagLength: 16 });
  decipher.setAAD(boundTo(did, lock));
  decipher.setAuthTag(lock.sealed.subarray(32));
  const opened = decipher.update(lock.sealed.subarray(0, 32));
  key.fill(0);
  try {
    decipher.final();
    return ok(new Uint8Array(opened));
  } catch {
    return refuse('key-passphrase-wrong', 'the passphrase does not open the key file');
  } finally {
    opened.fill(0);
  }
}

function costFits({ N, r, p }: ScryptCost): boolean {
  const power = Number.isSafeInteger(N) && N > 0 && Number.isInteger(Math.log2(N));
  if (!power || N < minCost || N > protocol.maxScryptCost) return false;
  return r === 8 && Number.isInteger(p) && p >= 1 && p <= 4;
}

function derive(
  passphrase: string,
  { N, r, p, salt }: ScryptCost & { readonly salt: Uint8Array },
): Promise<Uint8Array> {
  const password = utf8(passphrase.normalize('NFKC'));
  const options: ScryptOptions = { N, r, p, maxmem: 128 * r * (N + p + 2) };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, options, (error, key) => {
      password.fill(0);
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function boundTo(
  did: Did,
  { N, r, p, salt }: ScryptCost & { readonly salt: Uint8Array },
): Uint8Array {
  const numbers = new Uint8Array(12);
  writeUint32(numbers, 0, N);
  writeUint32(numbers, 4, r);
  writeUint32(numbers, 8, p);
  return concat(utf8('headwater/key-file/1'), didKey(did), numbers, salt);
}

type JsonObject = Readonly<Record<string, unknown>>;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function object(value: unknown): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bytesOf(value: unknown, length: number): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined;
  const bytes = fromBase64url(value);
  return bytes.ok && bytes.value.length === length ? bytes.value : undefined;
}

function invalid(message: string): Result<never> {
  return refuse('key-file-invalid', `the key file cannot be used: ${message}`);
}

function refuse(code: Code, message: string): Result<never> {
  return err(fault(code, message));
}
