/** Why bodies of a log are missing, by its own control entries and its newest seal. */
import { ok, type Result } from '../result.ts';
import { controlsOf } from './controls.ts';
import type { MissingBodies } from './entry-batch.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { policyOf } from './retention-policy.ts';

/** Of a block that has all its bodies. */
export const nothingMissing: MissingBodies = { lowest: 0, redacted: new Set(), compact: false };

/** Codes: store-corrupt, those of the store. */
export async function missingBodies(
  env: LedgerEnv,
  handle: LogHandle,
): Promise<Result<MissingBodies>> {
  const controls = await controlsOf(env, handle);
  if (!controls.ok) return controls;
  const redacted = new Set<number>();
  let compact = false;
  for (const { map } of controls.value) {
    if (map['type'] === 'redact' && typeof map['index'] === 'number') redacted.add(map['index']);
    compact ||= policyOf(map)?.compact === true;
  }
  return ok({ lowest: handle.stored?.state.lowest ?? 0, redacted, compact });
}
