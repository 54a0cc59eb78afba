/** What `npm start` says at its end (operations.md "Testnet"), as one JSON object or as a table. */

export interface Tamper {
  /** Every change that was made to a stopped replica was found and named rightly. */
  readonly detected: boolean;
  /** What `hw verify --offline` said of the first changed event. */
  readonly code: string;
  readonly index: number;
}

export interface Summary {
  readonly ok: boolean;
  /** Those that publish. */
  readonly organisations: number;
  /** Processes. */
  readonly peers: number;
  readonly streams: number;
  readonly eventsPublished: number;
  /** Events in verified replicas, all peers together, own streams left out. */
  readonly eventsReplicated: number;
  /** Verified copies of streams by verdict, own ones too. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly tamper: Tamper;
  /** From the first event sent to the last one acknowledged. */
  readonly publishPerSecond: number;
  /** From the first event sent until every live follower had everything. */
  readonly replicatePerSecond: number;
  readonly seconds: number;
}

/** One row of the summary: a stream, who has it, how its copies stand. */
export interface StreamRow {
  readonly stream: string;
  readonly events: number;
  readonly entries: number;
  readonly root: string;
  readonly copies: number;
  readonly verdict: string;
}

/** One promise of the network and whether it was kept. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** The share of the run that is measured, in seconds. */
export function perSecond(count: number, seconds: number): number {
  return seconds > 0 ? Math.round(count / seconds) : 0;
}

/** Counts by verdict, in order of the alphabet. */
export function countVerdicts(verdicts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const verdict of verdicts.toSorted()) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

/** True where every check held, every verified copy is intact and there was one at least. */
export function allWell(
  checks: readonly Check[],
  verdicts: Readonly<Record<string, number>>,
  tamper: Tamper,
): boolean {
  const words = Object.keys(verdicts);
  const intact = words.length === 1 && words[0] === 'intact';
  return checks.length > 0 && checks.every(({ ok }) => ok) && intact && tamper.detected;
}

/** The summary for people. */
export function summaryText(
  summary: Summary,
  rows: readonly StreamRow[],
  checks: readonly Check[],
): string {
  const verdicts = Object.entries(summary.verdicts).map(([word, count]) => `${count} ${word}`);
  return [
    ...columns([
      ['STREAM', 'EVENTS', 'ENTRIES', 'ROOT', 'COPIES', 'VERDICT'],
      ...rows.map((row) => [
        row.stream,
        String(row.events),
        String(row.entries),
        row.root.slice(0, 12),
        String(row.copies),
        row.verdict,
      ]),
    ]),
    '',
    ...columns(checks.map(({ ok, name, detail }) => [ok ? 'passed' : 'FAILED', name, detail])),
    '',
    `${summary.organisations} organisations, ${summary.peers} peers, ${summary.streams} streams`,
    `${summary.eventsPublished} events published (${summary.publishPerSecond} a second), ` +
      `${summary.eventsReplicated} replicated (${summary.replicatePerSecond} a second)`,
    `verified copies: ${verdicts.join(', ') || 'none'}`,
    `tampering: ${tamperText(summary.tamper)}`,
    `${summary.ok ? 'ok' : 'NOT OK'} in ${summary.seconds} s`,
    '',
  ].join('\n');
}

function tamperText({ detected, code, index }: Tamper): string {
  if (!detected) return 'NOT detected';
  return `detected at index ${index} [${code}]`;
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((cell, i) => Math.max(cell.length, widest[i] ?? 0)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
