/**
 * Key files on disk: mode 0600, never overwritten, there whole or not at all. A new one is written
 * and synced under a name of its own and then linked to its place: a link, unlike a rename, fails
 * where the name is taken. Then the folder is synced.
 */
import { constants } from 'node:fs';
import { link, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toHex } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { signerFromSeed } from '../crypto-node.ts';
import { at, fault, type Fault } from '../errors.ts';
import type { Random } from '../host.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { decodeKeyFile, encodeKeyFile, unlockKeyFile, type KeyFile } from './key-file.ts';

/**
 * Stores a seed of 32 bytes, which stays the caller's, in an existing folder. Codes: those of
 * `encodeKeyFile`, `key-file-exists`, `key-file-io`.
 */
export async function writeKeyFile(
  path: string,
  seed: Uint8Array,
  random: Random,
  passphrase?: string,
): Promise<Result<void>> {
  const encoded = await encodeKeyFile(seed, random, passphrase);
  if (!encoded.ok) return err(at(encoded.error, { file: path }));
  const beside = `${path}.${toHex(random.bytes(8))}.new`;
  try {
    await writeSynced(beside, encoded.value);
    await link(beside, path);
    await rm(beside);
    await syncFolder(dirname(path));
    return ok(undefined);
  } catch (cause) {
    return err(writeFault(path, cause));
  } finally {
    encoded.value.fill(0);
    await rm(beside, { force: true }).catch(() => undefined); // what matters was reported above
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.chmod(0o600); // the umask may have taken more than it should
  await file.writeFile(bytes);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

function writeFault(path: string, cause: unknown): Fault {
  const reason = systemCode(cause);
  if (reason === 'EEXIST') return fault('key-file-exists', `${path} exists`, { file: path });
  return fault('key-file-io', `${path} cannot be written: ${reason}`, { file: path });
}

/**
 * Reads a key file and leaves its lock closed: tells whose key it is and whether a passphrase is
 * needed. Codes: `key-file-missing`, `key-file-mode` (others may read or write it),
 * `key-file-invalid`, `key-file-io`.
 */
export async function readKeyFile(path: string): Promise<Result<KeyFile>> {
  try {
    // Not blocking: a pipe in the place of the file must not stop us.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const refusal = await objection(path, file);
    if (refusal !== undefined) return err(refusal);
    const buffer = new Uint8Array(protocol.maxKeyFileBytes + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const decoded = decodeKeyFile(buffer.subarray(0, bytesRead));
    buffer.fill(0);
    return decoded.ok ? decoded : err(at(decoded.error, { file: path }));
  } catch (cause) {
    const reason = systemCode(cause);
    if (reason === 'ENOENT') {
      return err(fault('key-file-missing', `there is no key file ${path}`, { file: path }));
    }
    return err(fault('key-file-io', `${path} cannot be read: ${reason}`, { file: path }));
  }
}

async function objection(path: string, file: FileHandle): Promise<Fault | undefined> {
  const { mode } = await file.stat();
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) {
    return fault('key-file-invalid', `${path} is not a regular file`, { file: path });
  }
  if ((mode & 0o077) === 0) return undefined;
  const text = (mode & 0o777).toString(8).padStart(4, '0');
  return fault(
    'key-file-mode',
    `${path} has mode ${text}: others than its owner may use it`,
    { file: path },
    `Run chmod 600 ${path}; if others could read it, rotate the key.`,
  );
}

/**
 * The seed in a key file, in a fresh array that the caller should fill with zeros after use. Codes of
 * `readKeyFile` and `unlockKeyFile`. A locked one costs about half a second and 128 MiB.
 */
export async function readSeed(path: string, passphrase?: string): Promise<Result<Uint8Array>> {
  const file = await readKeyFile(path);
  if (!file.ok) return file;
  const seed = await unlockKeyFile(file.value, passphrase);
  if (!file.value.locked) file.value.seed.fill(0);
  return seed.ok ? seed : err(at(seed.error, { file: path }));
}

/** As `readSeed`, as a signer; the seed is wiped. */
export async function readSigner(path: string, passphrase?: string): Promise<Result<Signer>> {
  const seed = await readSeed(path, passphrase);
  if (!seed.ok) return seed;
  const signer = signerFromSeed(seed.value);
  seed.value.fill(0);
  return ok(signer);
}

function systemCode(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string')
    return cause.code;
  return 'unknown reason';
}
