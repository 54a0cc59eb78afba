/**
 * `hw backup restore`: a home out of a backup, checked while it is written and put in its place when
 * it is whole. It says of itself that it came out of a backup (`guard/restored`), so that its own
 * logs wait for a word of others before they sign; its API has a new token.
 */
import { join } from 'node:path';
import { toBase64url } from '../../bytes.ts';
import type { Host } from '../../host.ts';
import { LevelStore } from '../../ledger/store.ts';
import { err, ok, type Result } from '../../result.ts';
import { fault } from '../../errors.ts';
import { makeFolders } from '../files.ts';
import { checkedChunks, rowsFile, type Manifest } from './manifest.ts';
import { Staging } from './staging.ts';
import { checkInto, type CheckBackup, type CheckedBackup } from './verify.ts';

export interface RestoreBackup extends Omit<CheckBackup, 'onRows'> {
  /** Absolute; must not exist, or be empty. */
  readonly home: string;
  readonly host: Host;
}

/** Codes: restore-target, those of `checkBackup` and of the store, file-unwritable. */
export async function restoreBackup(options: RestoreBackup): Promise<Result<Manifest>> {
  const begun = await Staging.begin(options.home, 'restore-target');
  if (!begun.ok) return begun;
  await using staging = begun.value;
  const checked = await fillStore(options, staging);
  if (!checked.ok) return checked;
  const { manifest } = checked.value;
  const filled = await fillHome(options, staging, manifest);
  if (!filled.ok) return filled;
  const finished = await staging.finish();
  return finished.ok ? ok(manifest) : finished;
}

async function fillStore(options: RestoreBackup, staging: Staging): Promise<Result<CheckedBackup>> {
  const made = await makeFolders(staging.folder, ['store']);
  if (!made.ok) return made;
  const opened = await LevelStore.open(join(staging.folder, 'store'));
  if (!opened.ok) return opened;
  await using store = opened.value;
  return await checkInto(store, options);
}

async function fillHome(
  { folder, host }: RestoreBackup,
  staging: Staging,
  { files, created }: Manifest,
): Promise<Result<void>> {
  for (const file of files) {
    if (file.path === rowsFile) continue;
    const name = file.path.slice('home/'.length);
    const written = await staging.write(
      name,
      checkedChunks(folder, file, () => undefined),
    );
    if (!written.ok) return written;
    if (written.value.sha256 !== file.sha256) {
      return err(fault('backup-damaged', 'it was changed meanwhile', { file: file.path }));
    }
  }
  const token = Buffer.from(`${toBase64url(host.random.bytes(32))}\n`);
  const marker = Buffer.from(`${JSON.stringify({ backup: created })}\n`);
  for (const [name, text] of [
    ['api.token', token],
    ['guard/restored', marker],
  ] as const) {
    const written = await staging.write(name, [text]);
    if (!written.ok) return written;
  }
  return ok(undefined);
}
