/** A replica: whole blocks in, verified and stored, all on the disk at the end. */
import type { Ledger } from '../../src/ledger/ledger.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { blockEvents, openLedger } from './bench-ledger.ts';
import { Events, type Size } from './events.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { Publisher } from './publish.ts';
import { RawLevel } from './raw-level.ts';
import { median } from './statistics.ts';
import { temporaryFolder } from './temporary.ts';

const blocksAtOnce = 8;

/** The wire blocks of a log of `count` events. */
async function makeWires(
  events: Events,
  count: number,
): Promise<{ readonly log: LogId; readonly wires: readonly Uint8Array[] }> {
  await using publisher = await Publisher.open();
  await publisher.parsed(events.parsed(count));
  const wires: Uint8Array[] = [];
  for await (const { wire } of publisher.ledger.blocks(publisher.log, asLogIndex(0))) {
    wires.push(wire);
  }
  return { log: publisher.log, wires };
}

/** Applies all in order, several under way; throws unless each is accepted. */
export async function applyAll(ledger: Ledger, wires: readonly Uint8Array[]): Promise<void> {
  const running: Promise<void>[] = [];
  for (const wire of wires) {
    if (running.length === blocksAtOnce) await running.shift();
    running.push(applyOne(ledger, wire));
  }
  await Promise.all(running);
  must(await ledger.flush());
}

async function applyOne(ledger: Ledger, wire: Uint8Array): Promise<void> {
  const { verdict, applied } = await ledger.apply(wire, 'gossip');
  if (verdict.kind !== 'accept' || applied !== true) throw new Error(JSON.stringify(verdict));
}

async function measure(
  size: Size,
  count: number,
  times: number,
): Promise<{ apply: number; raw: number; ratio: number }> {
  const { log, wires } = await makeWires(new Events(size), count);
  const events = new Events(size);
  const all = await rounds(times, async () => {
    await using folder = await temporaryFolder();
    await using level = await RawLevel.open();
    const raw = await level.put(events.bytes(count), false);
    await using ledger = await openLedger(folder.path);
    must(await ledger.follow(log));
    const begun = performance.now();
    await applyAll(ledger, wires);
    return { apply: perSecond(count, begun), raw };
  });
  return {
    apply: median(all.map((one) => one.apply)),
    raw: median(all.map((one) => one.raw)),
    ratio: median(all.map((one) => one.apply / one.raw)),
  };
}

export const apply: Bench = {
  names: ['apply', 'applyLarge', 'rawLevelUnsynced'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const times = quick ? 3 : 7;
    const small = await measure('small', blockEvents * (quick ? 40 : 200), times);
    const large = await measure('large', blockEvents * (quick ? 20 : 80), times);
    return [
      { name: 'apply', value: small.apply, ratio: small.ratio },
      { name: 'applyLarge', value: large.apply },
      { name: 'rawLevelUnsynced', value: small.raw },
    ];
  },
};
