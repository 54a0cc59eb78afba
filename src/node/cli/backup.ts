/** `hw backup create|verify|restore`: a copy of a home that can be checked and brought back. */
import { resolve } from 'node:path';
import { HeadwaterError, fault } from '../../errors.ts';
import { BackupRows } from '../../ledger/backup-rows.ts';
import { err, ok, type Result } from '../../result.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { createBackup } from '../backup/create.ts';
import type { SealedLog } from '../backup/epoch-keys.ts';
import type { Manifest } from '../backup/manifest.ts';
import { rowsStream } from '../backup/rows-stream.ts';
import { lockHolder, lockHome } from '../home-lock.ts';
import { homePaths, type HomeView } from '../home.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { existingPassphrase } from './passphrase.ts';
import { startProgress, type Progress } from './progress.ts';
import { countText } from './table.ts';
import { packageVersion } from './version.ts';

export const create: Action = async (context, [path = ''], options) => {
  const home = await context.readHome();
  if (!home.ok) return home;
  const target = resolve(context.runtime.directory, path);
  const keys = !options.flag('withoutKeys');
  using progress = await startProgress(context.runtime.stderr, 'backup', 0);
  const made = await withRows(context, home.value, (chunks) =>
    createBackup(
      {
        home: home.value,
        target,
        keys,
        software: `headwater/${packageVersion()}`,
        clock: context.runtime.clock,
        signal: context.signal,
        onProgress: (bytes, rows) =>
          progress.update(rows, `${countText(rows)} rows, ${megabytes(bytes)}`),
      },
      chunks,
    ),
  );
  if (!made.ok) return made;
  await report(context, target, made.value, {});
  const secrets = keys
    ? 'It holds the secret keys of this home: keep it where only you can read it.'
    : 'Without the secret keys: put them into keys/ of the restored home.';
  await context.say(secrets);
  return ok(0);
};

/** The rows of the running node, or else of the store itself. */
async function withRows(
  context: Context,
  home: HomeView,
  run: (chunks: AsyncIterable<Uint8Array>) => Promise<Result<Manifest>>,
): Promise<Result<Manifest>> {
  try {
    const holder = await lockHolder(context.paths, context.runtime);
    if (holder === undefined) return await withStoppedRows(context, home, run);
    const connection = await connect(context);
    if (!connection.ok) return connection;
    using open = connection.value;
    const answer = await open.client.open({
      method: 'GET',
      path: '/backup',
      signal: context.signal,
    });
    return answer.ok ? await run(answer.value.chunks) : answer;
  } catch (cause) {
    if (cause instanceof HeadwaterError) return err(cause.fault);
    if (context.signal.aborted) return err(fault('interrupted', 'interrupted'));
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (!code.startsWith('E')) throw cause;
    return err(fault('node-unreachable', `the node broke off in the middle of the rows (${code})`));
  }
}

async function withStoppedRows(
  context: Context,
  { paths }: HomeView,
  run: (chunks: AsyncIterable<Uint8Array>) => Promise<Result<Manifest>>,
): Promise<Result<Manifest>> {
  const locked = await lockHome(paths, context.runtime);
  if (!locked.ok) return locked;
  await using scope = new AsyncDisposableStack();
  scope.use(locked.value);
  const { LevelStore } = await import('../../ledger/store.ts');
  const { GuardFile } = await import('../../ledger/guard-file.ts');
  const store = await LevelStore.open(paths.store);
  if (!store.ok) return store;
  scope.use(store.value);
  const guard = await GuardFile.open(resolve(paths.guard, 'marks'), nodeCrypto);
  if (!guard.ok) return guard;
  scope.use(guard.value);
  const snapshot = scope.use(new BackupRows(store.value, guard.value).open());
  return await run(rowsStream(snapshot));
}

export const verify: Action = async (context, [path = ''], options) => {
  const folder = resolve(context.runtime.directory, path);
  const { auditBackup, checkBackup } = await import('../backup/verify.ts');
  using progress = await startProgress(context.runtime.stderr, 'verify', 100);
  const check = { folder, host: context.runtime, signal: context.signal, ...shown(progress) };
  if (!options.flag('full')) {
    const checked = await checkBackup(check);
    if (!checked.ok) return checked;
    const { manifest, unreadable } = checked.value;
    const verdict = unreadable.length === 0 ? 'intact' : 'incomplete';
    await report(context, folder, manifest, {
      verdict,
      checked: 'tails',
      ...keysFound(unreadable),
    });
    await context.say(`${verdict}: every file, and the newest block of every log`);
    return sayUnreadable(context, unreadable, 0);
  }
  const secret = await nodeSecret(context, folder, options);
  if (!secret.ok) return secret;
  const scratch = context.runtime.environment['TMPDIR'] ?? '/tmp';
  const audited = await auditBackup({ ...check, scratch, nodeSecret: secret.value });
  if (!audited.ok) return audited;
  const { unreadable } = audited.value;
  const { checkedEvents, firstProblem } = audited.value.view;
  const sound = audited.value.view.verdict;
  const verdict = sound === 'intact' && unreadable.length > 0 ? 'incomplete' : sound;
  const checked = { checked: 'everything', checkedEvents, firstProblem };
  const found = { verdict, ...checked, ...keysFound(unreadable) };
  await report(context, folder, audited.value.manifest, found);
  await context.say(`${verdict}: ${countText(checkedEvents)} events checked`);
  if (firstProblem !== undefined) {
    await context.say(`  first problem at index ${firstProblem.index} of ${firstProblem.log}`);
  }
  return sayUnreadable(
    context,
    unreadable,
    verdict === 'intact' ? 0 : verdict === 'broken' ? 3 : 4,
  );
};

function keysFound(unreadable: readonly SealedLog[]): object {
  return unreadable.length === 0 ? {} : { withoutEpochKeys: unreadable };
}

/** Names the logs that nobody could read after a restore; the exit code. */
async function sayUnreadable(
  context: Context,
  unreadable: readonly SealedLog[],
  code: number,
): Promise<Result<number>> {
  for (const { stream, log } of unreadable) {
    await context.say(
      `  the epoch keys of ${stream} are not in it: nobody can read hw:${log} with it`,
    );
  }
  return ok(unreadable.length > 0 && code === 0 ? 4 : code);
}

/** What keys the index of ids; undefined in a backup without keys. */
async function nodeSecret(
  context: Context,
  folder: string,
  options: Options,
): Promise<Result<Uint8Array | undefined>> {
  const { SeedReader } = await import('../home-keys.ts');
  const paths = homePaths(resolve(folder, 'home'));
  const read = await new SeedReader(paths, existingPassphrase(context, options)).read('node');
  if (!read.ok && read.error.code === 'key-file-missing') return ok(undefined);
  return read;
}

export const restore: Action = async (context, [path = '']) => {
  const folder = resolve(context.runtime.directory, path);
  const { restoreBackup } = await import('../backup/restore.ts');
  const home = context.paths.root;
  const { runtime, signal } = context;
  const restored = await (async () => {
    using progress = await startProgress(runtime.stderr, 'restore', 100);
    return await restoreBackup({ folder, home, host: runtime, signal, ...shown(progress) });
  })();
  if (!restored.ok) return restored;
  await report(context, home, restored.value, { backup: folder });
  await context.say(
    'Before you start it: the home that this is a copy of must never run again.',
    'Its streams wait for a peer that keeps them, and fetch from it what was signed since.',
  );
  if (!restored.value.keys) await context.say('Put the secret keys into keys/ first.');
  return ok(0);
};

function shown(progress: Progress): { readonly onProgress: (done: number, of: number) => void } {
  return {
    onProgress: (done, of) => progress.update((100 * done) / Math.max(1, of), megabytes(done)),
  };
}

async function report(
  context: Context,
  path: string,
  { created, organisation, rows, keys, logs, files }: Manifest,
  more: Readonly<Record<string, unknown>>,
): Promise<void> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  await context.value({ path, created, organisation, keys, rows, bytes, logs, ...more });
  await context.say(`${path}  of ${created}, ${countText(rows)} rows, ${megabytes(bytes)}`);
  for (const { stream, role, size, root } of logs) {
    const name = `${stream}${role === 'writer' ? '' : ' (followed)'}`;
    await context.say(`  ${name}  ${countText(size)} entries, root ${root.slice(0, 16)}…`);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
