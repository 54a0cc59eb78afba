/** A trace up through 10,000 ancestors in 100 logs that are kept here: each event, leaf, root and signature. */
import { utf8 } from '../../src/bytes.ts';
import { fault } from '../../src/errors.ts';
import { parseJsonEvent } from '../../src/event/parse-json.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { limits } from '../../src/limits.ts';
import { traceEvent, type LineageParts } from '../../src/node/core/lineage.ts';
import { err } from '../../src/result.ts';
import type { LogId, LogIndex } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { benchSigner, createLog, openLedger } from './bench-ledger.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median } from './statistics.ts';
import { temporaryFolder } from './temporary.ts';

/** Logs, and events of each. */
const width = 100;

/** Each log is made from the one before: event i of it cites two events there. */
async function layered(ledger: Ledger): Promise<string> {
  let below: readonly string[] = [];
  for (let layer = 0; layer < width; layer++) {
    const log = await createLog(ledger);
    const cited = below;
    const texts = Array.from({ length: width }, (_, i) =>
      event(
        `${layer}-${i}`,
        [i, (i + 1) % width].flatMap((at) => cited[at] ?? []),
      ),
    );
    below = await publish(ledger, log, texts);
  }
  const log = await createLog(ledger);
  const [top = ''] = await publish(ledger, log, [event('top', below)]);
  return top;
}

function event(id: string, parents: readonly string[]): string {
  const hwparents = parents.length === 0 ? {} : { hwparents: parents.join(' ') };
  const context = { specversion: '1.0', id, source: '/bench', type: 'org.example.sum' };
  return JSON.stringify({ ...context, ...hwparents, data: { id } });
}

async function publish(
  ledger: Ledger,
  log: LogId,
  texts: readonly string[],
): Promise<readonly string[]> {
  const events = texts.map((text) => must(parseJsonEvent(utf8(text))));
  const receipts = must(await ledger.publish(log, events));
  return receipts.map((receipt) => refOf(log, must(receipt).index));
}

function refOf(log: LogId, index: LogIndex): string {
  return `hw:${log}/${index}`;
}

export const trace: Bench = {
  names: ['trace'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    await using folder = await temporaryFolder();
    await using ledger = await openLedger(folder.path);
    const top = await layered(ledger);
    const unnamed = err(fault('stream-unknown', 'not named'));
    const parts: LineageParts = {
      ledger,
      streams: { parse: () => unnamed, view: () => unnamed },
      registries: { ofLog: () => undefined, nameOf: () => undefined },
      limits,
      signer: benchSigner(),
    };
    const { signal } = new AbortController();
    const rates = await rounds(quick ? 1 : 3, async () => {
      const begun = performance.now();
      const request = { event: top, direction: 'up', format: 'tree' } as const;
      const { verdict, steps } = must(await traceEvent(parts, request, signal));
      if (verdict !== 'intact' || steps !== width * width + 1) {
        throw new Error(`${steps} steps, ${verdict}`);
      }
      return perSecond(width * width, begun);
    });
    return [{ name: 'trace', value: median(rates) }];
  },
};
