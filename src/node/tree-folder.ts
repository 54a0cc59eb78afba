/**
 * A folder that a static tree is written to, so that a reader and a crash see whole files only: each
 * is written and synced in a folder of this process beside them, then renamed into its place.
 */
import { access, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { fileFault, syncFolder, systemCode } from './files.ts';

export interface TreeFolder {
  /** Undefined where there is no such file. Codes: file-unreadable. */
  read(path: string): Promise<Result<Uint8Array | undefined>>;
  has(path: string): Promise<boolean>;
  /** The file is the old one or the whole new one. Codes: disk-full, file-unwritable. */
  write(path: string, bytes: Uint8Array): Promise<Result<void>>;
  /** Removes a folder with all in it, if it is there. */
  drop(path: string): Promise<Result<void>>;
  /** Resolves when names that were written will survive a power cut. */
  settle(): Promise<Result<void>>;
}

const temporary = /^\.export-(\d+)$/;

export class DiskFolder implements TreeFolder, AsyncDisposable {
  readonly #root: string;
  readonly #beside: string;
  readonly #touched = new Set<string>();
  #count = 0;

  private constructor(root: string, beside: string) {
    this.#root = root;
    this.#beside = beside;
  }

  /** Makes the folder where it is not there. What a killed export left behind is removed. */
  static async open(
    root: string,
    own: { readonly pid: number; processAlive(pid: number): boolean },
  ): Promise<Result<DiskFolder>> {
    const beside = join(root, `.export-${own.pid}`);
    try {
      await makeRoot(root);
      for (const name of await readdir(root)) {
        const pid = temporary.exec(name)?.[1];
        if (pid === undefined || (Number(pid) !== own.pid && own.processAlive(Number(pid))))
          continue;
        await rm(join(root, name), { recursive: true, force: true });
      }
      await mkdir(beside);
    } catch (cause) {
      return err(writeFault(root, cause));
    }
    return ok(new DiskFolder(root, beside));
  }

  async read(path: string): Promise<Result<Uint8Array | undefined>> {
    const file = join(this.#root, path);
    try {
      return ok(new Uint8Array(await readFile(file)));
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return ok(undefined);
      return err(fileFault('file-unreadable', file, cause));
    }
  }

  async has(path: string): Promise<boolean> {
    return access(join(this.#root, path)).then(
      () => true,
      () => false,
    );
  }

  async write(path: string, bytes: Uint8Array): Promise<Result<void>> {
    const file = join(this.#root, path);
    const beside = join(this.#beside, String(this.#count++));
    try {
      const handle = await open(beside, 'wx', 0o644);
      await using _closed = { [Symbol.asyncDispose]: () => handle.close() };
      await handle.writeFile(bytes);
      await handle.sync();
      await this.#makeFolder(dirname(file));
      await rename(beside, file);
      return ok(undefined);
    } catch (cause) {
      await rm(beside, { force: true });
      return err(writeFault(file, cause));
    }
  }

  async drop(path: string): Promise<Result<void>> {
    try {
      await rm(join(this.#root, path), { recursive: true, force: true });
      return ok(undefined);
    } catch (cause) {
      return err(writeFault(join(this.#root, path), cause));
    }
  }

  async settle(): Promise<Result<void>> {
    for (const folder of this.#touched) {
      try {
        await syncFolder(folder);
      } catch (cause) {
        return err(writeFault(folder, cause));
      }
    }
    this.#touched.clear();
    return ok(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#beside, { recursive: true, force: true });
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#touched.has(folder)) return;
    await mkdir(folder, { recursive: true });
    // A new folder's name stands in the one above.
    for (let at = folder; at.length >= this.#root.length; at = dirname(at)) this.#touched.add(at);
  }
}

/** With the folders above. Node's own recursion never ends where the system refuses a name (/proc). */
async function makeRoot(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'EEXIST') return;
    const above = dirname(folder);
    if (code !== 'ENOENT' || (await isFolder(above))) throw cause;
    await makeRoot(above);
    await mkdir(folder);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function writeFault(file: string, cause: unknown): ReturnType<typeof fault> {
  const full = ['ENOSPC', 'EDQUOT'].includes(systemCode(cause) ?? '');
  if (full) return fault('disk-full', `${file}: the disk is full`, { file });
  return fileFault('file-unwritable', file, cause);
}
