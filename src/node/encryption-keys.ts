/**
 * The encryption key of a home: `keys/encryption.key`, and beside it those that `hw key rotate
 * encryption` replaced, as `keys/encryption-<first 16 hex digits of the public key>.key`, so that what
 * was sealed to them can be opened. Its public half goes into the organisation's profile.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  encryptionPair,
  formatEncryptionKey,
  type EncryptionKeys,
} from '../access/encryption-key.ts';
import type { KeyPair } from '../access/hpke.ts';
import { equal } from '../bytes.ts';
import { nodeCipher } from '../cipher-node.ts';
import type { Random } from '../host.ts';
import { err, ok, type Result } from '../result.ts';
import { exists, fileFault, systemCode } from './files.ts';
import { ensureKey, keyPath, type SeedReader } from './home-keys.ts';
import type { HomePaths } from './home.ts';

const olderName = /^encryption-[0-9a-f]{16}\.key$/;

/** Files of the keys that were replaced, in no order that means anything. */
export async function olderEncryptionFiles(paths: HomePaths): Promise<Result<readonly string[]>> {
  try {
    const names = await readdir(paths.keys);
    const found = names.filter((name) => olderName.test(name)).toSorted();
    return ok(found.map((name) => join(paths.keys, name)));
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    return err(fileFault('file-unreadable', paths.keys, cause));
  }
}

/**
 * Opens them all. A home that is older than such keys gets one where `random` is given, locked as its
 * other keys are; undefined otherwise. Codes: those of key files.
 */
export async function openEncryption(
  paths: HomePaths,
  seeds: SeedReader,
  random: Random | undefined,
): Promise<Result<EncryptionKeys | undefined>> {
  if (!(await exists(keyPath(paths, 'encryption')))) {
    if (random === undefined) return ok(undefined);
    const made = await ensureKey(paths, 'encryption', random, seeds.passphrase);
    if (!made.ok) return made;
  }
  const current = await readPair(seeds.read('encryption'));
  if (!current.ok) return current;
  const files = await olderEncryptionFiles(paths);
  if (!files.ok) return files;
  const older: KeyPair[] = [];
  for (const file of files.value) {
    const pair = await readPair(seeds.readFile(file));
    if (!pair.ok) return pair;
    // Twice the same: a rotation was cut off before the new key took its place.
    if (!equal(pair.value.publicKey, current.value.publicKey)) older.push(pair.value);
  }
  return ok({ current: current.value, older });
}

async function readPair(reading: Promise<Result<Uint8Array>>): Promise<Result<KeyPair>> {
  const seed = await reading;
  if (!seed.ok) return seed;
  const pair = encryptionPair(nodeCipher, seed.value);
  seed.value.fill(0);
  return ok(pair);
}

/** The public half of the file at hand, without opening more than it. */
export async function readEncryptionKey(seeds: SeedReader): Promise<Result<string>> {
  const pair = await readPair(seeds.read('encryption'));
  return pair.ok ? ok(formatEncryptionKey(pair.value.publicKey)) : pair;
}
