/**
 * When a writer trusts its clock (ledger.md "Leaves"): not behind its own last time by more than
 * five minutes, not ahead of the home's last recorded time by more than `maxClockStepMs` unless the
 * operator said so, and not against the word of its peers (`clockCheck`).
 */
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asTimeMs, type TimeMs } from '../types.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogState } from './log-state.ts';

/** The recorded time of the next block: never before the last one. Code: clock-untrusted. */
export function recordedTime(env: LedgerEnv, state: LogState | undefined): Result<TimeMs> {
  const { host, limits, acceptClockStep, clockCheck } = env.options;
  const now = host.clock.now();
  const own = state?.time ?? 0;
  if (own - now > limits.maxClockSkewMs) {
    const seconds = Math.round((own - now) / 1000);
    return err(fault('clock-untrusted', `the clock is ${seconds} s behind the last entry`));
  }
  const last = lastOwnTime(env);
  if (last > 0 && now - last > limits.maxClockStepMs && acceptClockStep !== true) {
    const days = Math.round((now - last) / 86_400_000);
    const message = `the clock is ${days} days ahead of what was recorded last`;
    const hint = 'Set the clock; if it is right, start once with hw up --accept-clock.';
    return err(fault('clock-untrusted', message, undefined, hint));
  }
  const peers = clockCheck?.() ?? ok(undefined);
  if (!peers.ok) return peers;
  return ok(asTimeMs(Math.max(own, now)));
}

/** The newest recorded time of all own logs: an idle log beside a busy one is no sign of a jump. */
function lastOwnTime(env: LedgerEnv): number {
  let last = 0;
  for (const handle of env.logs.values()) {
    const time = handle.row.role === 'writer' ? (handle.tip?.state.time ?? 0) : 0;
    if (time > last) last = time;
  }
  return last;
}
