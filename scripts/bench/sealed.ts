/**
 * Sealed streams beside open ones, in turn: publishing through the library, and reading as HTTP does it
 * (history, opening, rendering as NDJSON) without the socket.
 */
import { join } from 'node:path';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { asLogIndex, type LogId, type ParsedEvent } from '../../src/types.ts';
import { historyOf } from '../../src/node/core/history.ts';
import { readStream } from '../../src/node/core/reader.ts';
import { lineFormat, renderAll } from '../../src/node/http/formats.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import { GotKeys } from '../../src/node/sealed/got-keys.ts';
import { OwnKeys, sealingOf } from '../../src/node/sealed/own-keys.ts';
import { SealedRoom } from '../../src/node/sealed/sealed-room.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { blockEvents, createLog, nodeSecret, openLedger, publishAll } from './bench-ledger.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median } from './statistics.ts';
import { temporaryFolder } from './temporary.ts';

interface Side {
  readonly ledger: Ledger;
  readonly log: LogId;
  readonly room: SealedRoom;
}

async function open(folder: string, visibility: 'public' | 'sealed'): Promise<Side> {
  const { random } = processRuntime();
  const keys = join(folder, 'keys');
  const own = must(await OwnKeys.open(keys, nodeSecret, random));
  const got = must(await GotKeys.open(join(folder, 'got'), nodeSecret, random));
  const ledger = await openLedger(folder, {}, sealingOf(own, got));
  const log = await createLog(ledger, visibility);
  return { ledger, log, room: new SealedRoom(ledger, { own, got }) };
}

async function write({ ledger, log }: Side, events: readonly ParsedEvent[]): Promise<number> {
  const begun = performance.now();
  await publishAll(ledger, log, events.length, (at, count) => events.slice(at, at + count));
  return perSecond(events.length, begun);
}

async function read({ ledger, log, room }: Side): Promise<number> {
  const begun = performance.now();
  let count = 0;
  const reading = {
    partitions: [{ logId: log, next: asLogIndex(0) }],
    live: false,
    signal: new AbortController().signal,
    position: () => '',
  };
  for await (const batch of readStream(historyOf(ledger, room), reading)) {
    if (batch.some(({ event }) => event === undefined)) throw new Error('an event stayed sealed');
    if (renderAll(lineFormat, batch).length === 0) throw new Error('nothing was read');
    count += batch.length;
  }
  return perSecond(count, begun);
}

export const sealed: Bench = {
  names: ['publishSealed', 'publishOpen', 'readSealed', 'readOpen'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    await using folder = await temporaryFolder();
    const plain = await open(join(folder.path, 'open'), 'public');
    const secret = await open(join(folder.path, 'sealed'), 'sealed');
    await using _plain = plain.ledger;
    await using _secret = secret.ledger;
    const events = new Events();
    const written = await rounds(quick ? 4 : 11, async () => {
      const list = events.parsed(blockEvents * (quick ? 40 : 80));
      return { open: await write(plain, list), sealed: await write(secret, list) };
    });
    const seen = await rounds(quick ? 3 : 7, async () => ({
      open: await read(plain),
      sealed: await read(secret),
    }));
    return [
      {
        name: 'publishSealed',
        value: median(written.map((one) => one.sealed)),
        ratio: ratio(written),
      },
      { name: 'publishOpen', value: median(written.map((one) => one.open)) },
      { name: 'readSealed', value: median(seen.map((one) => one.sealed)), ratio: ratio(seen) },
      { name: 'readOpen', value: median(seen.map((one) => one.open)) },
    ];
  },
};

function ratio(all: readonly { open: number; sealed: number }[]): number {
  return median(all.map((one) => one.sealed / one.open));
}
