/**
 * `hw backup verify`: every file against the manifest, every row in its place, the newest block of
 * each log against its head and the guard; with `full` every event, in a scratch store.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeCrypto } from '../../crypto-node.ts';
import type { Host } from '../../host.ts';
import { schemaVersion } from '../../keyspace.ts';
import { MemoryGuard } from '../../ledger/guard.ts';
import { Ledger } from '../../ledger/ledger.ts';
import { LevelStore, type Store, type StoreEntry, type StoreWrite } from '../../ledger/store.ts';
import { limits, protocol } from '../../limits.ts';
import { caught, err, ok, type Result } from '../../result.ts';
import { fault, type Fault } from '../../errors.ts';
import { fileFault, systemCode } from '../files.ts';
import { nodeJudges } from '../judges.ts';
import { verifyLogs } from '../verify-view.ts';
import type { VerifyView } from '../evidence-api.ts';
import { unusableKeys, withoutKeys, type SealedLog } from './epoch-keys.ts';
import { checkedChunks, readManifest, rowsFile, type Manifest } from './manifest.ts';
import { damaged, decodeRows, FrameReader, type RowsTrailer } from './rows-codec.ts';
import { Survey } from './survey.ts';

export interface CheckBackup {
  /** Absolute. */
  readonly folder: string;
  readonly host: Host;
  readonly signal: AbortSignal;
  /** Bytes of all files that have been read, and of how many. */
  readonly onProgress: (done: number, of: number) => void;
  /** Given each page of rows; its fault ends the check. */
  readonly onRows?: (rows: readonly StoreEntry[]) => Promise<Result<void>>;
}

export interface CheckedBackup {
  readonly manifest: Manifest;
  readonly trailer: RowsTrailer;
  /** Own sealed logs, and those of them whose epoch keys are not in a backup that has keys. */
  readonly sealed: readonly SealedLog[];
  readonly unreadable: readonly SealedLog[];
}

/** Codes: backup-missing, backup-damaged, backup-newer, schema-newer, file-unreadable, interrupted. */
export async function checkBackup(options: CheckBackup): Promise<Result<CheckedBackup>> {
  const { folder, host, signal } = options;
  const manifest = await readManifest(folder);
  if (!manifest.ok) return manifest;
  const { files, schema, logs } = manifest.value;
  if (schema > schemaVersion) {
    const message = `the backup has schema ${schema}, this version knows up to ${schemaVersion}`;
    return err(fault('schema-newer', message));
  }
  const of = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  let problem: Fault | undefined;
  const rows = new RowsCheck(options.onRows);
  for (const file of files) {
    try {
      for await (const chunk of checkedChunks(folder, file, (found) => (problem ??= found))) {
        if (signal.aborted) return err(fault('interrupted', 'interrupted'));
        done += chunk.length;
        options.onProgress(done, of);
        if (file.path !== rowsFile) continue;
        const taken = await rows.add(chunk);
        if (!taken.ok) return taken;
      }
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return err(damaged('it is missing', file.path));
      if (systemCode(cause) === undefined) throw cause;
      return err(fileFault('file-unreadable', join(folder, file.path), cause));
    }
    if (problem !== undefined) return err(problem);
  }
  const trailer = await rows.finish(host);
  if (!trailer.ok) return trailer;
  const same =
    rows.survey.schema === schema && JSON.stringify(rows.survey.logs()) === JSON.stringify(logs);
  if (!same) return err(damaged('the rows have other heads than the manifest', rowsFile));
  const sealed = rows.survey.sealed();
  const unreadable = withoutKeys(manifest.value, sealed);
  return ok({ manifest: manifest.value, trailer: trailer.value, sealed, unreadable });
}

class RowsCheck {
  readonly survey: Survey = new Survey();
  readonly #frames = new FrameReader();
  readonly #onRows: CheckBackup['onRows'];

  constructor(onRows: CheckBackup['onRows']) {
    this.#onRows = onRows;
  }

  async add(chunk: Uint8Array): Promise<Result<void>> {
    const frames = this.#frames.push(chunk);
    if (!frames.ok) return frames;
    for (const frame of frames.value) {
      const rows = await decodeRows(frame);
      const added = rows.ok ? this.survey.add(rows.value) : rows;
      if (!rows.ok || !added.ok) return added;
      const taken = await this.#onRows?.(rows.value);
      if (taken?.ok === false) return taken;
    }
    return ok(undefined);
  }

  async finish(host: Host): Promise<Result<RowsTrailer>> {
    const trailer = this.#frames.finish();
    if (!trailer.ok) return trailer;
    const judged = await this.survey.judge(trailer.value, host);
    return judged.ok ? trailer : judged;
  }
}

/** Puts rows into a store in batches of bounded size. */
class RowsWriter {
  readonly #store: Store;
  #writes: StoreWrite[] = [];
  #bytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async add(rows: readonly StoreEntry[]): Promise<Result<void>> {
    for (const { key, value } of rows) {
      this.#writes.push({ key, value });
      this.#bytes += key.length + value.length;
    }
    return this.#bytes < limits.restoreBatchBytes ? ok(undefined) : this.#write(false);
  }

  /** The last batch; all of them are on the disk then. */
  finish(): Promise<Result<void>> {
    return this.#write(true);
  }

  async #write(sync: boolean): Promise<Result<void>> {
    const writes = this.#writes;
    [this.#writes, this.#bytes] = [[], 0];
    return this.#store.batch(writes, { sync });
  }
}

export interface AuditOptions {
  /** A folder with as much room as the store needs. */
  readonly scratch: string;
  /** Of the home that was backed up; without it the index of ids is not compared. */
  readonly nodeSecret: Uint8Array | undefined;
}

/** As `checkBackup`, and every row is written to `store`. Codes also of the store. */
export async function checkInto(
  store: Store,
  options: CheckBackup,
): Promise<Result<CheckedBackup>> {
  const writer = new RowsWriter(store);
  const checked = await checkBackup({ ...options, onRows: (rows) => writer.add(rows) });
  if (!checked.ok) return checked;
  const written = await writer.finish();
  return written.ok ? checked : written;
}

/**
 * Audits every log of a backup in a store of its own under `scratch`, which is removed again. Codes:
 * as `checkBackup`, and those of a store.
 */
export async function auditBackup(
  options: CheckBackup & AuditOptions,
): Promise<Result<CheckedBackup & { readonly view: VerifyView }>> {
  const folder = await mkdtemp(join(options.scratch, 'hw-backup-'));
  try {
    const opened = await LevelStore.open(join(folder, 'store'));
    if (!opened.ok) return opened;
    await using store = opened.value;
    const checked = await checkInto(store, options);
    if (!checked.ok) return checked;
    const view = await audit(store, checked.value, options);
    if (!view.ok) return view;
    const unreadable = await unusable(checked.value, options);
    return unreadable.ok
      ? ok({ ...checked.value, ...unreadable.value, view: view.value })
      : unreadable;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** With the node's secret the files of epoch keys can be opened as well. */
async function unusable(
  { sealed, unreadable, manifest }: CheckedBackup,
  { folder, host, nodeSecret }: CheckBackup & AuditOptions,
): Promise<Result<Pick<CheckedBackup, 'unreadable'>>> {
  if (nodeSecret === undefined || !manifest.keys) return ok({ unreadable });
  const found = await unusableKeys(folder, nodeSecret, host, sealed);
  return found.ok ? ok({ unreadable: found.value }) : found;
}

async function audit(
  store: Store,
  { trailer }: CheckedBackup,
  { host, signal, onProgress, nodeSecret }: CheckBackup & AuditOptions,
): Promise<Result<VerifyView>> {
  const opened = await Ledger.open({
    store,
    guard: new MemoryGuard(trailer.marks),
    host,
    crypto: nodeCrypto,
    judges: nodeJudges,
    limits: { ...protocol, ...limits },
    nodeSecret: nodeSecret ?? new Uint8Array(32),
  });
  if (!opened.ok) return opened;
  await using ledger = opened.value;
  const logs = ledger.logs().flatMap(({ logId: log, size }) => (size > 0 ? [{ log, size }] : []));
  return await caught(() => verifyLogs(ledger, 'backup', logs, host.clock, { onProgress, signal }));
}
