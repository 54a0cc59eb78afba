/** Verifies all logs of a stream and says it in the shape of `hw verify --json` (operations.md). */
import type { Clock } from '../host.ts';
import type { VerifyOptions, VerifyReport } from '../ledger/ledger-types.ts';
import { toHex } from '../bytes.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogId } from '../types.ts';
import type { VerifyView } from './evidence-api.ts';
import type { CheckContents } from './sealed/contents.ts';
import type { TableDamage } from './table-check.ts';

export interface VerifyLedger {
  verify(logId: LogId, options?: VerifyOptions): Promise<Result<VerifyReport>>;
  readonly forks?: { known(logId: LogId): object | undefined };
}

/** Worst last: the verdict of a stream is that of its worst log. */
const order = ['intact', 'untrusted', 'incomplete', 'broken'] as const;

/**
 * A log of which nothing is stored (size 0: not synced yet, or lost) makes the stream incomplete from
 * its first entry on.
 */
export async function verifyLogs(
  ledger: VerifyLedger,
  stream: string,
  logs: readonly { readonly log: LogId; readonly size: number }[],
  clock: Clock,
  options: VerifyOptions,
  contents: CheckContents = notSealed,
): Promise<Result<VerifyView>> {
  const started = clock.monotonic();
  const total = logs.reduce((sum, { size }) => sum + size, 0);
  const reports: (VerifyReport & Pick<LogsView, 'sealed'>)[] = [];
  let done = 0;
  const absent = logs.find(({ size }) => size === 0);
  for (const { log, size } of logs) {
    if (size === 0) continue;
    const before = done;
    const report = await ledger.verify(log, {
      ...options,
      onProgress: (checked) => options.onProgress?.(before + checked, total),
    });
    if (!report.ok) return report;
    const opened = await withContents(report.value, contents, options.signal);
    if (!opened.ok) return opened;
    reports.push(opened.value);
    done += size;
  }
  const least = absent === undefined ? 'intact' : 'incomplete';
  const verdict =
    order.findLast((word) => word === least || reports.some((report) => report.verdict === word)) ??
    'incomplete';
  const worst = reports.find(
    (report) => report.verdict === verdict && report.firstProblem !== undefined,
  );
  return ok({
    verdict,
    stream,
    logs: reports.map((report) => ({
      ...logView(report),
      ...(ledger.forks?.known(report.log) === undefined ? {} : { forked: true as const }),
    })),
    checkedEvents: reports.reduce((sum, report) => sum + report.checkedEvents, 0),
    ...(worst === undefined ? absence(absent) : { firstProblem: problemView(worst) }),
    seconds: Math.round(clock.monotonic() - started) / 1000,
  });
}

/**
 * The same where table files of the store are damaged (table-check.ts). What the check of the entries
 * has found is nearer; where it found nothing, the damage lies in an index or in another stream, and
 * nobody can say that all is well.
 */
export function withTableDamage(
  view: Result<VerifyView>,
  damage: readonly TableDamage[],
): Result<VerifyView> {
  const [first] = damage;
  if (first === undefined) return view;
  if (!view.ok) {
    const { code } = view.error;
    if (code !== 'stream-unknown' && code !== 'stream-not-followed') return view;
    const message = `${first.file} of the store is damaged from byte ${first.from} on`;
    return err(fault('store-corrupt', message, { file: first.file, offset: first.from }));
  }
  const head = view.value.logs[0];
  if (view.value.verdict !== 'intact' || head === undefined) return view;
  const { log, size } = head;
  const place = `${first.file}, bytes ${first.from} to ${first.to}`;
  const expected = `${first.expected} (${place})`;
  const { found } = first;
  const firstProblem = { log, index: 0, to: size, code: 'store-corrupt', expected, found };
  return ok({ ...view.value, verdict: 'incomplete', firstProblem });
}

type LogsView = VerifyView['logs'][number];

/** What was sealed, where it can be opened: it may be wrong although all that was signed is right. */
async function withContents(
  report: VerifyReport,
  check: CheckContents,
  signal: AbortSignal | undefined,
): Promise<Result<VerifyReport & Pick<LogsView, 'sealed'>>> {
  const found = await check(report.log, signal);
  if (!found.ok || found.value === undefined) return found.ok ? ok(report) : found;
  const { problem, ...sealed } = found.value;
  const earlier = report.verdict === 'broken' ? report.firstProblem?.index : undefined;
  if (problem === undefined || (earlier ?? Infinity) <= problem.index) {
    return ok({ ...report, sealed });
  }
  const index = asLogIndex(problem.index);
  const message = 'what was sealed is not what was committed to';
  const firstProblem = { index, code: problem.code, message };
  return ok({ ...report, sealed, verdict: 'broken', firstProblem });
}

const notSealed: CheckContents = () => Promise.resolve(ok(undefined));

function absence(absent: { readonly log: LogId } | undefined): Pick<VerifyView, 'firstProblem'> {
  return absent === undefined
    ? {}
    : { firstProblem: { log: absent.log, index: 0, code: 'log-not-synced' } };
}

function logView(report: VerifyReport & Pick<LogsView, 'sealed'>): LogsView {
  const { log, size, root, blocks, signer, witnesses, entries, redacted, dropped, sealed } = report;
  const counts = { entries, redacted, dropped, ...(sealed === undefined ? {} : { sealed }) };
  return { log, size, root: toHex(root), blocks, signer, witnesses, ...counts };
}

function problemView(report: VerifyReport): NonNullable<VerifyView['firstProblem']> {
  const problem = report.firstProblem;
  return {
    log: report.log,
    index: problem?.index ?? 0,
    ...(problem?.to === undefined ? {} : { to: problem.to }),
    code: problem?.code ?? 'internal',
    ...(problem?.expected === undefined ? {} : { expected: problem.expected }),
    ...(problem?.found === undefined ? {} : { found: problem.found }),
  };
}
