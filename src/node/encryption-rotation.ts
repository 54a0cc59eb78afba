/** `hw key rotate encryption`. */
import { link, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encryptionPair, formatEncryptionKey } from '../access/encryption-key.ts';
import type { KeyPair } from '../access/hpke.ts';
import { writeKeyFile } from '../access/key-file-store.ts';
import { toHex } from '../bytes.ts';
import { nodeCipher } from '../cipher-node.ts';
import type { Random } from '../host.ts';
import { err, ok, type Result } from '../result.ts';
import { openEncryption } from './encryption-keys.ts';
import { fileFault, syncFolder, systemCode } from './files.ts';
import { keyPath, SeedReader, type AskPassphrase } from './home-keys.ts';
import { withEncryption, type HomePaths, type HomeView } from './home.ts';

/**
 * On a home that the caller holds: a new key in its place, the old one kept beside it. The node announces the new one at its next start. Codes: those of key files.
 */
export async function rotateEncryption(
  home: HomeView,
  random: Random,
  ask: AskPassphrase,
): Promise<Result<string>> {
  const pair = await replaceEncryption(home.paths, random, ask, random.bytes(32));
  if (!pair.ok) return pair;
  const keys = { current: pair.value, older: [] };
  const saved = await withEncryption(home.paths, home.identity, keys, true);
  return saved.ok ? ok(formatEncryptionKey(pair.value.publicKey)) : saved;
}

/** The same with a key that is given, whose seed is wiped; nothing is said of it in identity.json. */
export async function replaceEncryption(
  paths: HomePaths,
  random: Random,
  ask: AskPassphrase,
  seed: Uint8Array,
): Promise<Result<KeyPair>> {
  const seeds = new SeedReader(paths, ask);
  const opened = await openEncryption(paths, seeds, random);
  if (!opened.ok) return opened;
  const file = keyPath(paths, 'encryption');
  const next = join(paths.keys, 'encryption.next.key');
  const old = opened.value?.current;
  try {
    await rm(next, { force: true }); // of a rotation that was cut off: nobody has heard of it
    const written = await writeKeyFile(next, seed, random, seeds.passphrase);
    const pair = encryptionPair(nodeCipher, seed);
    seed.fill(0);
    if (!written.ok) return written;
    if (old !== undefined) await keep(file, paths, old);
    await rename(next, file);
    await syncFolder(dirname(file));
    return ok(pair);
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    return err(fileFault('file-unwritable', file, cause));
  }
}

async function keep(file: string, paths: HomePaths, { publicKey }: KeyPair): Promise<void> {
  const kept = join(paths.keys, `encryption-${toHex(publicKey.subarray(0, 8))}.key`);
  try {
    await link(file, kept);
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw cause; // kept by a rotation that was cut off
  }
}
