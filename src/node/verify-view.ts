/** Verifies all logs of a stream and says it in the shape of `hw verify --json` (operations.md). */
import type { Clock } from '../host.ts';
import type { VerifyOptions, VerifyReport } from '../ledger/ledger-types.ts';
import { toHex } from '../bytes.ts';
import { ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { VerifyView } from './node-api.ts';

export interface VerifyLedger {
  verify(logId: LogId, options?: VerifyOptions): Promise<Result<VerifyReport>>;
}

/** Worst last: the verdict of a stream is that of its worst log. */
const order = ['intact', 'untrusted', 'incomplete', 'broken'] as const;

export async function verifyLogs(
  ledger: VerifyLedger,
  stream: string,
  logs: readonly { readonly log: LogId; readonly size: number }[],
  clock: Clock,
  options: VerifyOptions,
): Promise<Result<VerifyView>> {
  const started = clock.monotonic();
  const total = logs.reduce((sum, { size }) => sum + size, 0);
  const reports: VerifyReport[] = [];
  let done = 0;
  for (const { log, size } of logs) {
    const before = done;
    const report = await ledger.verify(log, {
      ...options,
      onProgress: (checked) => options.onProgress?.(before + checked, total),
    });
    if (!report.ok) return report;
    reports.push(report.value);
    done += size;
  }
  const verdict = order.findLast((word) => reports.some((report) => report.verdict === word));
  const worst = reports.find(
    (report) => report.verdict === verdict && report.firstProblem !== undefined,
  );
  return ok({
    verdict: verdict ?? 'incomplete',
    stream,
    logs: reports.map(logView),
    checkedEvents: reports.reduce((sum, report) => sum + report.checkedEvents, 0),
    ...(worst === undefined ? {} : { firstProblem: problemView(worst) }),
    seconds: Math.round(clock.monotonic() - started) / 1000,
  });
}

function logView(report: VerifyReport): VerifyView['logs'][number] {
  const { log, size, root, blocks, signer, witnesses, entries, redacted, dropped } = report;
  return { log, size, root: toHex(root), blocks, signer, witnesses, entries, redacted, dropped };
}

function problemView(report: VerifyReport): NonNullable<VerifyView['firstProblem']> {
  const problem = report.firstProblem;
  return {
    log: report.log,
    index: problem?.index ?? 0,
    code: problem?.code ?? 'internal',
    ...(problem?.expected === undefined ? {} : { expected: problem.expected }),
    ...(problem?.found === undefined ? {} : { found: problem.found }),
  };
}
