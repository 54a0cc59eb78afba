/** Checking a whole log again, on one core and with two threads, and the scrub beside publishing. */
import { join } from 'node:path';
import type { VerifyOptions } from '../../src/ledger/ledger-types.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { AuditWorkers } from '../../src/node/audit-workers.ts';
import type { LogId } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { blockEvents, createLog, openLedger, publishAll } from './bench-ledger.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median } from './statistics.ts';
import { temporaryFolder } from './temporary.ts';

async function fill(folder: string, count: number): Promise<LogId> {
  await using ledger = await openLedger(folder);
  const log = await createLog(ledger);
  const events = new Events('small');
  const perPart = blockEvents * 100;
  for (let done = 0; done < count; done += perPart) {
    const part = Math.min(perPart, count - done);
    await publishAll(ledger, log, part, (_, number) => events.parsed(number));
  }
  return log;
}

/** Events a second: every commitment, leaf, seal, root and signature; with `rows` the indexes too. */
async function check(ledger: Ledger, log: LogId, options: VerifyOptions): Promise<number> {
  const begun = performance.now();
  const report = must(await ledger.verify(log, options));
  if (report.verdict !== 'intact') throw new Error(`the log is ${report.verdict}`);
  return perSecond(report.checkedEvents, begun);
}

export const audit: Bench = {
  names: ['audit', 'auditTwoWorkers', 'auditWithIndexes'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    await using folder = await temporaryFolder();
    const home = join(folder.path, 'home');
    const log = await fill(home, quick ? 100_000 : 1_000_000);
    await using ledger = await openLedger(home);
    const one = await rounds(3, () => check(ledger, log, { rows: false }));
    await using workers = new AuditWorkers(2);
    const two = await rounds(3, () => check(ledger, log, { rows: false, workers }));
    const whole = await rounds(1, () => check(ledger, log, {}));
    return [
      { name: 'audit', value: median(one) },
      { name: 'auditTwoWorkers', value: median(two) },
      { name: 'auditWithIndexes', value: median(whole) },
    ];
  },
};

/** Publishing with and without the scrub in turn, so that a busy machine hurts both alike. */
async function publishBeside(quick: boolean): Promise<number> {
  await using folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  const count = quick ? 25_500 : 102_000;
  await fill(home, count);
  const events = new Events('small', count);
  const rate = async (scrub: boolean): Promise<number> => {
    // A round begins at once and lasts longer than the measurement.
    await using ledger = await openLedger(home, { minScrubRoundMs: 1 });
    const log = await createLog(ledger);
    if (scrub) ledger.scrub.start({ repair: true });
    const begun = performance.now();
    await publishAll(ledger, log, count, (_, number) => events.parsed(number));
    return perSecond(count, begun);
  };
  const ratios = await rounds(quick ? 2 : 5, async (round) => {
    const first = await rate(round % 2 === 0);
    const second = await rate(round % 2 !== 0);
    return round % 2 === 0 ? first / second : second / first;
  });
  return median(ratios);
}

export const scrubImpact: Bench = {
  names: ['scrubImpact'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    return [{ name: 'scrubImpact', value: await publishBeside(quick) }];
  },
};
