/** `hw verify --repair`: every log of a stream is walked and mended before the verdict. */
import type { Finding } from '../ledger/findings.ts';
import type { LogRepair } from '../ledger/scrub.ts';
import type { RepairSource } from '../ledger/repair.ts';
import { ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { RepairView } from './evidence-api.ts';

export interface RepairLedger {
  readonly scrub: {
    repair(
      logId: LogId,
      options: { readonly source?: RepairSource | undefined; readonly signal?: AbortSignal },
    ): Promise<Result<LogRepair>>;
  };
}

/**
 * Repairs the logs one after the other; what was found in each, repaired or not. Without a source
 * only what the home's own blocks give is mended. Codes: interrupted, those of a store that fails.
 */
export async function repairLogs(
  ledger: RepairLedger,
  logs: readonly LogId[],
  source: RepairSource | undefined,
  signal: AbortSignal,
): Promise<Result<readonly RepairView[]>> {
  const views: RepairView[] = [];
  for (const log of logs) {
    const done = await ledger.scrub.repair(log, { source, signal });
    if (!done.ok) return done;
    views.push(...done.value.findings.map(repairView));
  }
  return ok(views);
}

function repairView(finding: Finding): RepairView {
  const { log, kind, index, to, fault, repairedFrom, reason } = finding;
  return {
    log,
    what: kind,
    index,
    ...(to === undefined ? {} : { to }),
    code: fault.code,
    ...(repairedFrom === undefined ? {} : { from: repairedFrom }),
    ...(reason === undefined ? {} : { reason: { code: reason.code, message: reason.message } }),
  };
}
