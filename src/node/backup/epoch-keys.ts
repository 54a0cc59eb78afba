/** Does a backup hold the epoch keys of the sealed logs in it? Without them nobody reads these again. */
import { join, relative } from 'node:path';
import type { Host } from '../../host.ts';
import { ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { homePaths } from '../home.ts';
import { epochFileName, EpochFiles } from '../sealed/epoch-file.ts';
import type { Manifest } from './manifest.ts';

/** An own sealed log that has opened an epoch. */
export interface SealedLog {
  readonly log: LogId;
  readonly stream: string;
  /** Of the epoch that is open. */
  readonly generation: number;
}

/** Logs whose file is not listed; none where the backup was made without secret keys. */
export function withoutKeys(
  { keys, files }: Pick<Manifest, 'keys' | 'files'>,
  sealed: readonly SealedLog[],
): readonly SealedLog[] {
  if (!keys) return [];
  const { root, epochKeys } = homePaths('/');
  const folder = `home/${relative(root, epochKeys)}`;
  const listed = new Set(files.map(({ path }) => path));
  return sealed.filter(({ log }) => !listed.has(`${folder}/${epochFileName(log)}`));
}

/** The same of files that are there, and do not open or lack a generation. */
export async function unusableKeys(
  backup: string,
  nodeSecret: Uint8Array,
  { random }: Pick<Host, 'random'>,
  sealed: readonly SealedLog[],
): Promise<Result<readonly SealedLog[]>> {
  const { epochKeys } = homePaths(join(backup, 'home'));
  const read = await new EpochFiles(epochKeys, nodeSecret, random).readAll();
  if (!read.ok) return read;
  return ok(
    sealed.filter(({ log, generation }) => {
      const held = read.value.logs.get(log) ?? [];
      return !held.some((one) => one.generation === generation);
    }),
  );
}
