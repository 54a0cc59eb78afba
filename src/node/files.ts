/** Small files of the home: read whole, written so that a crash leaves the old or the new one. */
import { constants } from 'node:fs';
import { access, link, mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';

/** The system's own code of a failed call (`ENOENT`, `EACCES`, …), where it has one. */
export function systemCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}

/** What went wrong with a file, in words for its user. */
export function fileFault(
  code: 'file-unreadable' | 'file-unwritable',
  file: string,
  cause: unknown,
): Fault {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'it does not exist',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is not a folder',
    ENOSPC: 'the disk is full',
    EROFS: 'the file system is read-only',
  };
  const name = systemCode(cause) ?? 'unknown reason';
  const verb = code === 'file-unreadable' ? 'read' : 'written';
  return fault(code, `${file} cannot be ${verb}: ${reasons[name] ?? name}`, { file });
}

export async function exists(file: string): Promise<boolean> {
  try {
    await access(file, constants.F_OK);
    return true;
  } catch {
    return false;
  }
}

/** `file-unreadable` where it is absent or not ours to read. */
export async function readBytes(file: string): Promise<Result<Uint8Array>> {
  try {
    return ok(new Uint8Array(await readFile(file)));
  } catch (cause) {
    return err(fileFault('file-unreadable', file, cause));
  }
}

export async function readText(file: string): Promise<Result<string>> {
  try {
    return ok(await readFile(file, 'utf8'));
  } catch (cause) {
    return err(fileFault('file-unreadable', file, cause));
  }
}

/**
 * Writes beside it, syncs, renames over it, syncs the folder: after a crash the file is the old
 * one or the new one. `mode` is that of a new file.
 */
export async function replaceFile(
  file: string,
  data: string | Uint8Array,
  mode = 0o600,
): Promise<Result<void>> {
  const beside = `${file}.new`;
  try {
    await writeSynced(beside, data, mode, 'w');
    await rename(beside, file);
    await syncFolder(dirname(file));
    return ok(undefined);
  } catch (cause) {
    await rm(beside, { force: true });
    return err(fileFault('file-unwritable', file, cause));
  }
}

/**
 * Creates a file that must not exist yet; the value is false where it does. It appears whole or
 * not at all: written and synced in a folder of its own beside it, then linked to its name.
 */
export async function createFile(
  file: string,
  data: string | Uint8Array,
  mode = 0o600,
): Promise<Result<boolean>> {
  let beside: string | undefined;
  try {
    beside = await mkdtemp(`${file}.`);
    const whole = join(beside, 'new');
    await writeSynced(whole, data, mode, 'wx');
    await link(whole, file);
    await syncFolder(dirname(file));
    return ok(true);
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return ok(false);
    return err(fileFault('file-unwritable', file, cause));
  } finally {
    if (beside !== undefined) await rm(beside, { recursive: true, force: true });
  }
}

/** Makes folders for the owner alone; one that exists is left as it is. */
export async function makeFolders(root: string, names: readonly string[]): Promise<Result<void>> {
  for (const name of names) {
    const folder = join(root, name);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (cause) {
      return err(fileFault('file-unwritable', folder, cause));
    }
  }
  return ok(undefined);
}

async function writeSynced(
  file: string,
  data: string | Uint8Array,
  mode: number,
  flag: 'w' | 'wx',
): Promise<void> {
  const handle = await open(file, flag, mode);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Names in the folder survive a power cut. Throws what the system says. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
