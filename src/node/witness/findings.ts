/** Witnesses that are behind for longer than they should be, as findings of `hw doctor`. */
import type { Check } from '../node-api.ts';
import type { WitnessApi } from '../witness-api.ts';

/** A witness is given so long to answer for a block before anything is said. */
const [lateWithReasonMs, lateWithoutReasonMs] = [5000, 30_000];

export function witnessFindings(
  witness: Pick<WitnessApi, 'ofOwnLogs'>,
  nowMs: number,
): readonly Omit<Check, 'since'>[] {
  return witness.ofOwnLogs().flatMap((one) => {
    const { stream, size, head, behindSince, reason } = one;
    const lateMs = behindSince === undefined ? 0 : nowMs - behindSince;
    if (lateMs < (reason === undefined ? lateWithoutReasonMs : lateWithReasonMs)) return [];
    const why = reason === undefined ? 'no answer yet' : `${reason.message} (${reason.code})`;
    return {
      name: `witness ${one.witness} of ${stream}`,
      ok: false,
      level: 'warning' as const,
      reason: `has cosigned ${size} of ${head} entries; ${why}`,
      hint: reason?.hint ?? 'hw witness list shows all of them; it is tried again by itself.',
    };
  });
}
