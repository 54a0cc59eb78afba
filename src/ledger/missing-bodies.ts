/** Why bodies of a log are missing, by its own control entries and its newest seal. */
import { fault, type Fault } from '../errors.ts';
import { never, ok, type Result } from '../result.ts';
import type { LogIndex } from '../types.ts';
import { controlsOf } from './controls.ts';
import type { MissingBodies } from './entry-batch.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LedgerEntry } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import { policyOf } from './retention-policy.ts';

/** Of a block that has all its bodies. */
export const nothingMissing: MissingBodies = { lowest: 0, redacted: new Set(), compact: false };

/** What a reader of a missing body is told. */
export function bodyFault(
  index: LogIndex,
  why: NonNullable<LedgerEntry['bodyMissing']>,
  hint?: string,
): Fault {
  const at = { index };
  switch (why) {
    case 'retention':
      return fault('event-dropped', `the content of entry ${index} is no longer kept`, at, hint);
    case 'redacted':
      return fault('event-redacted', `the content of entry ${index} was redacted`, at, hint);
    case 'withheld':
      return fault('body-withheld', `the content of entry ${index} was left out`, at, hint);
    default:
      return never(why);
  }
}

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
