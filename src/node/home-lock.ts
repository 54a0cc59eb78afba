/**
 * One process on a home at a time. `run/lock` names the process by id and start time, so that a
 * lock left by `kill -9` is told from a later process that was given the same id. LevelDB's own
 * lock stands behind this one; this one is there to say who holds it.
 */
import { rm } from 'node:fs/promises';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { createFile, makeFolders, readText } from './files.ts';
import type { HomePaths } from './home.ts';
import type { Runtime } from './runtime.ts';

type Processes = Pick<Runtime, 'pid' | 'processAlive' | 'processStart'>;

export interface HomeLock extends AsyncDisposable {
  /** Gives the home free. Idempotent. */
  release(): Promise<void>;
}

/** `node-running`, naming the process, where another one holds the home. */
export async function lockHome(paths: HomePaths, runtime: Processes): Promise<Result<HomeLock>> {
  const folder = await makeFolders(paths.root, ['run']);
  if (!folder.ok) return folder;
  const mine = `${runtime.pid} ${runtime.processStart(runtime.pid) ?? '-'}\n`;
  for (let attempt = 0; attempt < 3; attempt++) {
    const created = await createFile(paths.lock, mine);
    if (!created.ok) return created;
    if (created.value) return ok(heldLock(paths, mine));
    const holder = await lockHolder(paths, runtime);
    if (holder !== undefined) return err(runningFault(paths, holder));
    await rm(paths.lock, { force: true });
  }
  return err(fault('node-running', `${paths.lock} keeps coming back`, { file: paths.lock }));
}

/** The id of the living process that holds the home; undefined where none does. */
export async function lockHolder(
  paths: HomePaths,
  runtime: Processes,
): Promise<number | undefined> {
  const text = await readText(paths.lock);
  if (!text.ok) return undefined;
  const [pidText, start] = text.value.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !runtime.processAlive(pid)) return undefined;
  const startNow = runtime.processStart(pid);
  // A zombie has no start time any more. Where the system tells none at all, its being alive must do.
  if (start !== '-' && startNow !== start) return undefined;
  return pid;
}

/** The fault of whoever wants a home that process `pid` holds. */
export function runningFault(paths: HomePaths, pid: number): ReturnType<typeof fault> {
  return fault('node-running', `process ${pid} runs on ${paths.root}`, { file: paths.lock });
}

function heldLock(paths: HomePaths, mine: string): HomeLock {
  const release = async (): Promise<void> => {
    const text = await readText(paths.lock);
    if (text.ok && text.value === mine) await rm(paths.lock, { force: true });
  };
  return { release, [Symbol.asyncDispose]: release };
}
