/**
 * `hw backup create`: the home's files, and the rows of its store as they come (from a running node
 * over HTTP, or from the store of a stopped one), into a folder that appears when it is whole.
 */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { nodeCrypto } from '../../crypto-node.ts';
import type { Clock } from '../../host.ts';
import { GuardFile } from '../../ledger/guard-file.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { fault } from '../../errors.ts';
import { exists, fileFault, makeFolders, systemCode } from '../files.ts';
import type { HomeView } from '../home.ts';
import {
  manifestFile,
  manifestText,
  rowsFile,
  sumsFile,
  sumsText,
  type Manifest,
} from './manifest.ts';
import { isEpochFile } from '../sealed/epoch-file.ts';
import { decodeRows, FrameReader, type RowsTrailer } from './rows-codec.ts';
import { liesIn, Staging, type WrittenFile } from './staging.ts';
import { Survey } from './survey.ts';

export interface CreateBackup {
  readonly home: HomeView;
  /** Absolute. */
  readonly target: string;
  /** False: without the secret keys. */
  readonly keys: boolean;
  readonly software: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Bytes and rows that have been written. */
  readonly onProgress: (bytes: number, rows: number) => void;
}

/**
 * Codes: backup-target, backup-damaged (the rows that came are not sound), file-unreadable,
 * file-unwritable, interrupted; what `chunks` throws goes through.
 */
export async function createBackup(
  options: CreateBackup,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Result<Manifest>> {
  const { home, target } = options;
  if (await liesIn(target, home.paths.root)) {
    return err(fault('backup-target', `${target} is in the home itself`, { file: target }));
  }
  const begun = await Staging.begin(target, 'backup-target');
  if (!begun.ok) return begun;
  await using staging = begun.value;
  const files = await copyHome(options, staging);
  if (!files.ok) return files;
  const taken = new Taken(options);
  const rows = await staging.write(rowsFile, taken.pass(chunks));
  if (options.signal.aborted) return err(fault('interrupted', 'interrupted'));
  if (!rows.ok) return rows;
  const trailer = taken.finish();
  if (!trailer.ok) return trailer;
  // After the rows: every key tree that they name is on the disk by then.
  const epochs = await copyEpochs(options, staging);
  if (!epochs.ok) return epochs;
  const guard = await writeGuard(staging, trailer.value);
  if (!guard.ok) return guard;
  const manifest: Manifest = {
    software: options.software,
    created: formatTime(options.clock.now()),
    organisation: home.identity.organisation,
    schema: taken.survey.schema,
    keys: options.keys,
    rows: trailer.value.rows,
    logs: taken.survey.logs(),
    files: [...files.value, ...epochs.value, guard.value, rows.value],
  };
  const listed = await staging.write(manifestFile, [Buffer.from(manifestText(manifest))]);
  if (!listed.ok) return listed;
  const sums = sumsText([...manifest.files, listed.value]);
  const summed = await staging.write(sumsFile, [Buffer.from(sums)]);
  if (!summed.ok) return summed;
  const finished = await staging.finish();
  return finished.ok ? ok(manifest) : finished;
}

/** Passes the rows on to the file and notes what they say. */
class Taken {
  readonly survey: Survey = new Survey();
  readonly #options: CreateBackup;
  readonly #frames = new FrameReader();
  #problem: Result<never> | undefined;

  constructor(options: CreateBackup) {
    this.#options = options;
  }

  async *pass(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let [bytes, rows] = [0, 0];
    for await (const chunk of chunks) {
      if (this.#options.signal.aborted) return;
      const frames = this.#frames.push(chunk);
      if (!frames.ok) return this.#fail(frames);
      for (const frame of frames.value) {
        const decoded = await decodeRows(frame);
        const added = decoded.ok ? this.survey.add(decoded.value) : decoded;
        if (!added.ok || !decoded.ok) return this.#fail(added.ok ? decoded : added);
        rows += decoded.value.length;
      }
      bytes += chunk.length;
      this.#options.onProgress(bytes, rows);
      yield chunk;
    }
  }

  finish(): Result<RowsTrailer> {
    return this.#problem ?? this.#frames.finish();
  }

  #fail(problem: Result<unknown>): void {
    if (!problem.ok) this.#problem = problem;
  }
}

/** What a home needs beside its store; not the API's token, which a restored home makes anew. */
async function copyHome(
  { home: { paths }, keys }: CreateBackup,
  staging: Staging,
): Promise<Result<readonly WrittenFile[]>> {
  const names = ['config.yaml'];
  if (await exists(paths.control)) names.push('control.json');
  const listed = await filesOf(paths.keys);
  if (!listed.ok) return listed;
  const wanted = listed.value.filter((name) => keys || !name.endsWith('.key'));
  names.push(...wanted.map((name) => `keys/${name}`));
  // Without it what other peers were given could not be taken back as a whole.
  const given = (await exists(paths.enrolled)) ? await filesOf(paths.enrolled) : ok([]);
  if (!given.ok) return given;
  names.push(...given.value.map((name) => `keys/enrolled/${name}`));
  return copyAll(paths.root, names, staging);
}

/** Epoch keys of sealed streams, own ones and those that were delivered; with the secret keys only. */
async function copyEpochs(
  { home: { paths }, keys }: CreateBackup,
  staging: Staging,
): Promise<Result<readonly WrittenFile[]>> {
  const names: string[] = [];
  for (const folder of keys ? [paths.epochKeys, paths.gotKeys] : []) {
    if (!(await exists(folder))) continue;
    const listed = await filesOf(folder);
    if (!listed.ok) return listed;
    const place = relative(paths.root, folder);
    names.push(...listed.value.filter(isEpochFile).map((name) => `${place}/${name}`));
  }
  return copyAll(paths.root, names, staging);
}

async function copyAll(
  root: string,
  names: readonly string[],
  staging: Staging,
): Promise<Result<readonly WrittenFile[]>> {
  const written: WrittenFile[] = [];
  for (const name of names) {
    const source = join(root, name);
    try {
      const copied = await staging.write(`home/${name}`, readChunks(source));
      if (!copied.ok) return copied;
      written.push(copied.value);
    } catch (cause) {
      return err(fileFault('file-unreadable', source, cause));
    }
  }
  return ok(written);
}

async function filesOf(folder: string): Promise<Result<readonly string[]>> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return ok(
      entries
        .filter((entry) => entry.isFile() && /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(entry.name))
        .map(({ name }) => name)
        .toSorted(),
    );
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    return err(fileFault('file-unreadable', folder, cause));
  }
}

async function* readChunks(file: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(file)) {
    const part: unknown = chunk;
    if (part instanceof Uint8Array) yield part;
  }
}

/** The guard as a file of its own format, so that a restored home has it as it was. */
async function writeGuard(staging: Staging, { marks }: RowsTrailer): Promise<Result<WrittenFile>> {
  const folder = await makeFolders(staging.folder, ['scratch']);
  if (!folder.ok) return folder;
  const scratch = join(staging.folder, 'scratch', 'marks');
  const guard = await GuardFile.open(scratch, nodeCrypto);
  if (!guard.ok) return guard;
  const advanced = await guard.value.advance(marks);
  await guard.value.close();
  if (!advanced.ok) return advanced;
  const written = await staging.write('home/guard/marks', readChunks(scratch));
  await staging.discard('scratch');
  return written;
}
