/** Retention policies as people see them. */
import { drops, type RetentionPolicy } from '../../ledger/retention-policy.ts';
import type { RetentionView } from '../retention-api.ts';

export function viewOf(policy: RetentionPolicy): RetentionView {
  return drops(policy) ? policy : { keep: 'all' };
}

/** In words, as `hw stream policy` prints it. */
export function policyText({ maxAgeMs, maxBytes, below, compact }: RetentionView): string {
  const parts = [
    maxAgeMs === undefined ? [] : [`${maxAgeMs} ms`],
    maxBytes === undefined ? [] : [`${maxBytes} bytes`],
    below === undefined ? [] : [`from index ${below} on`],
    compact === true ? ['the newest of each subject'] : [],
  ].flat();
  return parts.length === 0 ? 'keep all' : `keep ${parts.join(', ')}`;
}

export interface JournalLimits {
  readonly journalMaxAgeMs: number;
  readonly journalMaxBytes: number;
}

export function journalPolicy(limits: JournalLimits): RetentionPolicy {
  return { maxAgeMs: limits.journalMaxAgeMs, maxBytes: limits.journalMaxBytes };
}
