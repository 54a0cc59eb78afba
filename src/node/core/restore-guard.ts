/**
 * The restored-backup guard of a home (ledger.md "Guard file"): which own logs wait for a word of
 * those who keep them is the ledger's affair; here is when it is asked for, and what it said.
 */
import { rm } from 'node:fs/promises';
import { fault, type Fault } from '../../errors.ts';
import type { ConfirmNotice } from '../../ledger/confirming.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { RestoreGuard } from '../../ledger/unconfirmed.ts';
import { ok, type Result } from '../../result.ts';
import type { Config } from '../config-schema.ts';
import { exists } from '../files.ts';
import { readNetwork, type Home, type HomePaths } from '../home.ts';
import type { NodeLog } from '../logger.ts';

/** For `hw up`. A home without a network has nobody to ask, and nobody who could know more. */
export async function guardOfNode(home: Home): Promise<RestoreGuard | undefined> {
  if (home.network === undefined) return undefined;
  return guardOf(home.config, await exists(home.paths.restored));
}

/**
 * For commands that open a stopped home themselves: one that came out of a backup and has not been
 * up since signs nothing by them.
 */
export async function guardOfCommand(
  paths: HomePaths,
  config: Config,
): Promise<Result<RestoreGuard | undefined>> {
  if (!(await exists(paths.restored))) return ok(undefined);
  const network = await readNetwork(paths);
  if (!network.ok) return network;
  if (network.value === undefined) return ok(undefined);
  return ok({ ...guardOf(config, true), mode: 'strict', waitMs: 1 });
}

function guardOf({ restoreGuard, limits }: Config, restored: boolean): RestoreGuard {
  return { mode: restoreGuard, waitMs: limits.restoreGuardMs, restored };
}

export interface NoticePorts {
  readonly warn: (subject: string, problem: Fault) => void;
  readonly log: NodeLog;
  readonly track: (work: Promise<unknown>) => void;
}

/** Tells what becomes of the logs that wait; when none does any longer the home is as any other. */
export function watchRestoreGuard(
  ledger: Ledger,
  paths: HomePaths,
  ports: NoticePorts,
): Disposable {
  return ledger.confirming.listen((notice) => {
    tell(notice, ports);
    if (ledger.confirming.waiting().length > 0) return;
    ports.track(rm(paths.restored, { force: true }));
  });
}

function tell(notice: ConfirmNotice, { warn, log }: NoticePorts): void {
  const { kind, logId, problem } = notice;
  const text = noticeText(notice);
  if (problem === undefined && kind !== 'accepted') log.info({ log: logId }, text);
  else warn(`log ${logId}`, fault(problem?.code ?? 'head-unconfirmed', text));
}

/** A notice as one line for the log. */
function noticeText({ kind, logId, problem }: ConfirmNotice): string {
  switch (kind) {
    case 'confirmed':
      return `${logId}: a peer that keeps it has no more than this home`;
    case 'behind':
      return `${logId}: others have more than this home: ${problem?.message ?? 'it is fetched'}`;
    case 'caughtUp':
      return `${logId}: what was missing has come back from peers`;
    case 'accepted':
      return `${logId}: signs although nobody has confirmed its head (--accept-fork-risk)`;
    case 'unheard':
      return problem?.message ?? `${logId}: nobody was heard in time`;
  }
}
