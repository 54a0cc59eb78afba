/**
 * Publishing through the library, in turn with the raw LevelDB rate of the same event texts, so that
 * a busy machine slows both. Blocks of 256: 255 events and the seal.
 */
import { parseJsonEvent } from '../../src/event/parse-json.ts';
import type { LedgerLimits } from '../../src/ledger/ledger-types.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { LogId, ParsedEvent } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { blockEvents, createLog, openLedger, publishAll, publishOne } from './bench-ledger.ts';
import { Events, type Size } from './events.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { RawLevel } from './raw-level.ts';
import { RawPair } from './raw-pair.ts';
import { median } from './statistics.ts';
import { temporaryFolder, type Folder } from './temporary.ts';

/** A ledger with one log in a folder of its own. */
export class Publisher implements AsyncDisposable {
  readonly ledger: Ledger;
  readonly log: LogId;
  readonly #folder: Folder;

  private constructor(ledger: Ledger, log: LogId, folder: Folder) {
    this.ledger = ledger;
    this.log = log;
    this.#folder = folder;
  }

  static async open(changed: Partial<LedgerLimits> = {}): Promise<Publisher> {
    const folder = await temporaryFolder();
    const ledger = await openLedger(folder.path, changed);
    return new Publisher(ledger, await createLog(ledger), folder);
  }

  /** Events a second from parsed events to the last receipt, in calls that fill a block each. */
  async parsed(events: readonly ParsedEvent[]): Promise<number> {
    const begun = performance.now();
    const next = (at: number, count: number): readonly ParsedEvent[] =>
      events.slice(at, at + count);
    await publishAll(this.ledger, this.log, events.length, next);
    return perSecond(events.length, begun);
  }

  /** Events a second, each published when the one before is durable. */
  async oneByOne(events: readonly ParsedEvent[]): Promise<number> {
    const begun = performance.now();
    for (const event of events) await publishOne(this.ledger, this.log, [event]);
    return perSecond(events.length, begun);
  }

  /** As `parsed`, from JSON texts that are parsed call by call. */
  async json(texts: readonly Uint8Array[]): Promise<number> {
    const begun = performance.now();
    const next = (at: number, count: number): readonly ParsedEvent[] =>
      texts.slice(at, at + count).map((text) => must(parseJsonEvent(text)));
    await publishAll(this.ledger, this.log, texts.length, next);
    return perSecond(texts.length, begun);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ledger.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function parse(texts: readonly Uint8Array[]): readonly ParsedEvent[] {
  return texts.map((text) => must(parseJsonEvent(text)));
}

async function besideRaw(
  size: Size,
  count: number,
  times: number,
): Promise<{ raw: number; parsed: number; json: number; ratio: number; jsonRatio: number }> {
  const events = new Events(size);
  await using publisher = await Publisher.open();
  await using level = await RawLevel.open();
  const all = await rounds(times, async () => {
    const texts = events.bytes(count);
    const raw = await level.put(texts, true);
    const parsed = await publisher.parsed(parse(texts));
    const json = await publisher.json(events.bytes(count));
    return { raw, parsed, json };
  });
  return {
    raw: median(all.map((one) => one.raw)),
    parsed: median(all.map((one) => one.parsed)),
    json: median(all.map((one) => one.json)),
    ratio: median(all.map((one) => one.parsed / one.raw)),
    jsonRatio: median(all.map((one) => one.json / one.raw)),
  };
}

export const publish: Bench = {
  names: ['publish', 'publishFromJson', 'publishLarge', 'rawLevelBatch', 'rawLevelBatchLarge'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const times = quick ? 5 : 25;
    const small = await besideRaw('small', blockEvents * 60, times);
    const large = await besideRaw('large', blockEvents * 20, times);
    return [
      { name: 'publish', value: small.parsed, ratio: small.ratio },
      { name: 'publishFromJson', value: small.json, ratio: small.jsonRatio },
      { name: 'publishLarge', value: large.parsed, ratio: large.ratio },
      { name: 'rawLevelBatch', value: small.raw },
      { name: 'rawLevelBatchLarge', value: large.raw },
    ];
  },
};

/** A block of one event is its event and the seal: it is full at once and waits for nothing. */
export const publishSingle: Bench = {
  names: ['publishSingle', 'rawPair', 'rawPairMs'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const count = quick ? 100 : 500;
    const events = new Events();
    await using publisher = await Publisher.open({ maxBlockEvents: 2 });
    await using pair = await RawPair.open();
    const all = await rounds(quick ? 3 : 9, async () => {
      const texts = events.bytes(count);
      const times = await pair.run(texts);
      const raw = (1000 * count) / times.reduce((sum, ms) => sum + ms, 0);
      const single = await publisher.oneByOne(parse(texts));
      return { raw, single, ms: median(times) };
    });
    return [
      {
        name: 'publishSingle',
        value: median(all.map((one) => one.single)),
        ratio: median(all.map((one) => one.single / one.raw)),
      },
      { name: 'rawPair', value: median(all.map((one) => one.raw)) },
      { name: 'rawPairMs', value: median(all.map((one) => one.ms)) },
    ];
  },
};
