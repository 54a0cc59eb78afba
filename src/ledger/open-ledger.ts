/** Opening a ledger: what the store holds goes into its environment, log by log. */
import type { Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { markFrozen } from './fork-check.ts';
import type { LedgerEnv } from './ledger-env.ts';
import { guardFault, openLogs } from './open-log.ts';
import { loadRetention } from './retention.ts';
import { openSchema } from './schema.ts';

/**
 * Loads schema, logs, retention and forks into `env`, and gives what was found and mended or could
 * not be. Codes: schema-newer, schema-damaged, guard-failed, those of the store.
 */
export async function loadLedger(env: LedgerEnv): Promise<Result<readonly Fault[]>> {
  const { store, guard } = env.options;
  const schema = await openSchema(store);
  if (!schema.ok) return schema;
  const handles = await openLogs(env);
  if (!handles.ok) return handles;
  const warnings = guard.recovered === undefined ? [] : [guard.recovered];
  const kept = await loadRetention(env, handles.value);
  if (!kept.ok) return kept;
  const forks = await env.forks.load();
  if (!forks.ok) return forks;
  for (const handle of handles.value) {
    const fork = env.forks.get(handle.logId);
    if (fork !== undefined) markFrozen(env, handle, fork);
    env.logs.set(handle.logId, handle);
    env.nextLogNumber = Math.max(env.nextLogNumber, handle.row.number + 1);
    if (handle.row.reason !== undefined) warnings.push(handle.row.reason);
  }
  const raised = await guardFault(env, handles.value);
  return raised === undefined ? ok(warnings) : err(raised);
}
