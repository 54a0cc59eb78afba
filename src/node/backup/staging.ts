/**
 * A folder that appears whole or not at all: it is filled beside its place as `NAME.incomplete`,
 * synced, and renamed. What a crash or `kill -9` leaves has that name, and the next run removes it.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Code } from '../../errors.ts';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { exists, fileFault, syncFolder, systemCode } from '../files.ts';

const marker = 'INCOMPLETE';

export interface WrittenFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export class Staging implements AsyncDisposable {
  readonly target: string;
  /** Where the files go meanwhile. */
  readonly folder: string;
  #done = false;

  private constructor(target: string) {
    this.target = target;
    this.folder = `${target}.incomplete`;
  }

  /** Codes: `refusal` where something is at the target or beside it, file-unwritable. */
  static async begin(target: string, refusal: Code): Promise<Result<Staging>> {
    const staging = new Staging(target);
    const entries = await entriesOf(target);
    if (entries === undefined)
      return err(fault(refusal, `${target} is no folder`, { file: target }));
    if (entries.length > 0) {
      return err(fault(refusal, `${target} is not empty`, { file: target }));
    }
    const left = await entriesOf(staging.folder);
    if (left === undefined || (left.length > 0 && !left.includes(marker))) {
      const message = `${staging.folder} is in the way`;
      return err(fault(refusal, message, { file: staging.folder }));
    }
    try {
      await rm(staging.folder, { recursive: true, force: true });
      await mkdir(staging.folder, { recursive: true, mode: 0o700 });
      await (await open(join(staging.folder, marker), 'w', 0o600)).close();
    } catch (cause) {
      return err(fileFault('file-unwritable', staging.folder, cause));
    }
    return ok(staging);
  }

  /** Writes a file of the folder from its chunks, synced. Code: file-unwritable; what `chunks` throws. */
  async write(
    path: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<Result<WrittenFile>> {
    const file = join(this.folder, path);
    const hash = createHash('sha256');
    let bytes = 0;
    let handle: FileHandle | undefined;
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      handle = await open(file, 'wx', 0o600);
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        await handle.writeFile(chunk);
      }
      await handle.sync();
    } catch (cause) {
      if (systemCode(cause) === undefined) throw cause;
      return err(fileFault('file-unwritable', file, cause));
    } finally {
      await handle?.close();
    }
    return ok({ path, bytes, sha256: hash.digest('hex') });
  }

  /** Removes something of the folder again. */
  discard(path: string): Promise<void> {
    return rm(join(this.folder, path), { recursive: true, force: true });
  }

  /** The folder takes its place. Code: file-unwritable. */
  async finish(): Promise<Result<void>> {
    try {
      await rm(join(this.folder, marker));
      for (const folder of await foldersOf(this.folder)) await syncFolder(folder);
      await rename(this.folder, this.target);
      this.#done = true;
      await syncFolder(dirname(this.target));
      return ok(undefined);
    } catch (cause) {
      return err(fileFault('file-unwritable', this.target, cause));
    }
  }

  /** Removes what is not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#done) await rm(this.folder, { recursive: true, force: true });
  }
}

/** Names in a folder; none where it does not exist; undefined where it is something else. */
async function entriesOf(folder: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (cause) {
    return systemCode(cause) === 'ENOENT' ? [] : undefined;
  }
}

async function foldersOf(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const inner = entries.filter((entry) => entry.isDirectory());
  return [root, ...inner.map((entry) => join(entry.parentPath, entry.name))];
}

/** Whether the folder or one above it is `parent`; both absolute. */
export async function liesIn(folder: string, parent: string): Promise<boolean> {
  const { realpath } = await import('node:fs/promises');
  const real = async (path: string): Promise<string> => {
    for (let at = path; ; at = dirname(at)) {
      if (await exists(at)) return join(await realpath(at), path.slice(at.length));
      if (dirname(at) === at) return path;
    }
  };
  const [inner, outer] = [await real(folder), await real(parent)];
  return inner === outer || inner.startsWith(`${outer}/`);
}
