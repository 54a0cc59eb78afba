/**
 * `manifest.json` of a backup: who made it, when, what is in it, and the SHA-256 of every file.
 * `SHA256SUMS` beside it has the same sums and that of the manifest, for `sha256sum -c`.
 *
 *   NAME/manifest.json  SHA256SUMS  store.rows     rows-codec.ts
 *        home/config.yaml  control.json  keys/…  guard/marks
 */
import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import { exists, readText } from '../files.ts';
import { JsonView } from '../json-view.ts';
import { damaged } from './rows-codec.ts';
import type { WrittenFile } from './staging.ts';

export const rowsFile = 'store.rows';
export const manifestFile = 'manifest.json';
export const sumsFile = 'SHA256SUMS';
const version = 1;

/** A log as the backup has it. */
export interface BackedUpLog {
  readonly log: string;
  readonly stream: string;
  readonly role: 'writer' | 'replica';
  readonly size: number;
  /** Hex. */
  readonly root: string;
}

export interface Manifest {
  readonly software: string;
  /** RFC 3339. */
  readonly created: string;
  readonly organisation: string;
  /** Of the store's rows. */
  readonly schema: number;
  readonly keys: boolean;
  readonly rows: number;
  readonly logs: readonly BackedUpLog[];
  readonly files: readonly WrittenFile[];
}

export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify({ format: 'headwater-backup', version, ...manifest }, null, 2)}\n`;
}

export function sumsText(files: readonly WrittenFile[]): string {
  return files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join('');
}

/** Reads the manifest and compares it with SHA256SUMS. Codes: backup-missing, backup-damaged, backup-newer. */
export async function readManifest(folder: string): Promise<Result<Manifest>> {
  const file = join(folder, manifestFile);
  if (!(await exists(file))) {
    const unfinished = folder.endsWith('.incomplete');
    const message = unfinished ? 'this backup was not finished' : 'there is no manifest.json';
    return err(fault('backup-missing', message, { file: folder }));
  }
  const [text, sums] = [await readText(file), await readText(join(folder, sumsFile))];
  if (!text.ok) return text;
  if (!sums.ok) return err(damaged(sums.error.message, sumsFile));
  const view = JsonView.parse(text.value);
  if (view.text('format') !== 'headwater-backup') {
    return err(damaged('this is no manifest of a backup', manifestFile));
  }
  if ((view.number('version') ?? 0) > version) {
    return err(fault('backup-newer', 'a newer version of Headwater wrote this backup'));
  }
  const manifest = readFields(view);
  if (manifest === undefined) return err(damaged('a member is missing or wrong', manifestFile));
  const sha256 = createHash('sha256').update(text.value).digest('hex');
  const own = { path: manifestFile, bytes: Buffer.byteLength(text.value), sha256 };
  if (sums.value !== sumsText([...manifest.files, own])) {
    return err(damaged('manifest.json and SHA256SUMS differ', sumsFile));
  }
  return ok(manifest);
}

function readFields(view: JsonView): Manifest | undefined {
  const [software, created] = [view.text('software'), view.text('created')];
  const [organisation, schema] = [view.text('organisation'), view.number('schema')];
  const rows = view.number('rows');
  if (software === undefined || created === undefined || organisation === undefined)
    return undefined;
  if (schema === undefined || rows === undefined) return undefined;
  const files: WrittenFile[] = [];
  for (const one of view.list('files')) {
    const [path, bytes, sha256] = [one.text('path'), one.number('bytes'), one.text('sha256')];
    if (path === undefined || bytes === undefined || sha256 === undefined) return undefined;
    if (!isInside(path)) return undefined;
    files.push({ path, bytes, sha256 });
  }
  const logs: BackedUpLog[] = [];
  for (const one of view.list('logs')) {
    const [log, stream, root] = [one.text('log'), one.text('stream'), one.text('root')];
    const [size, role] = [one.number('size'), one.text('role')];
    if (log === undefined || stream === undefined || root === undefined) return undefined;
    if (size === undefined || (role !== 'writer' && role !== 'replica')) return undefined;
    logs.push({ log, stream, role, size, root });
  }
  const keys = view.flag('keys');
  return { software, created, organisation, schema, keys, rows, logs, files };
}

/** `store.rows`, or a plain path under `home/`: nothing that leads out of the folder. */
function isInside(path: string): boolean {
  return path === rowsFile || /^home(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/.test(path);
}

/** Chunks of a file of the backup, its size and sum compared at the end. Throws what reading throws. */
export async function* checkedChunks(
  folder: string,
  { path, bytes, sha256 }: WrittenFile,
  found: (problem: ReturnType<typeof damaged>) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of createReadStream(join(folder, path), { highWaterMark: 1_048_576 })) {
    const part: unknown = chunk;
    if (!(part instanceof Uint8Array)) continue;
    hash.update(part);
    length += part.length;
    yield part;
  }
  if (length !== bytes) found(damaged(`it has ${length} bytes, not ${bytes}`, path));
  else if (hash.digest('hex') !== sha256) found(damaged('its SHA-256 is another one', path));
}
