/** Beginning to follow a log: a durable role, and a row for what will arrive. */
import { ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import { newHandle, purgeLog, storeRole } from './create-log.ts';
import { markFrozen } from './fork-check.ts';
import type { LedgerEnv } from './ledger-env.ts';

/** Following what is known already is no error; what is damaged begins anew. Codes: those of the store. */
export async function followLog(env: LedgerEnv, logId: LogId): Promise<Result<void>> {
  const known = env.logs.get(logId);
  if (known !== undefined && known.row.role !== 'unfollowed') return ok(undefined);
  const handle = known ?? newHandle(env, logId, 'replica');
  if (known?.row.standing === 'damaged') {
    const purged = await purgeLog(env, handle, { keepRow: true });
    if (!purged.ok) return purged;
    handle.reset({ ...handle.row, standing: 'open', reason: undefined }, undefined);
  }
  // A proof may have come before the log was followed: then nothing of it is taken.
  const fork = env.forks.get(logId);
  if (fork !== undefined) markFrozen(env, handle, fork);
  const stored = await storeRole(env, handle, 'replica');
  if (stored.ok) env.logs.set(logId, handle);
  return stored;
}
