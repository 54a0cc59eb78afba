/** Reading, proving and opening a log of 1,000,000 events. */
import { join } from 'node:path';
import type { EntryBatch } from '../../src/ledger/ledger-types.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { blockEvents, createLog, openLedger, publishAll } from './bench-ledger.ts';
import { Events, type Size } from './events.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median, percentile } from './statistics.ts';
import { Child, folderBytes, temporaryFolder } from './temporary.ts';

async function fill(folder: string, size: Size, count: number): Promise<LogId> {
  await using ledger = await openLedger(folder);
  const log = await createLog(ledger);
  const events = new Events(size);
  const perPart = blockEvents * 100;
  for (let done = 0; done < count; done += perPart) {
    const part = Math.min(perPart, count - done);
    await publishAll(ledger, log, part, (_, number) => events.parsed(number));
  }
  return log;
}

/** Events a second; `take` does with each batch what the reader does. */
async function replay(
  ledger: Ledger,
  log: LogId,
  take: (batch: EntryBatch) => number,
): Promise<number> {
  const begun = performance.now();
  let count = 0;
  for await (const batch of ledger.batches(log, asLogIndex(0))) count += take(batch);
  return perSecond(count, begun);
}

/** Attributes and data as the bytes they are kept as. */
function takeBytes(batch: EntryBatch): number {
  let count = 0;
  for (let index: number = batch.from; index < batch.to; index++) {
    const event = batch.event(index);
    if (event === undefined) continue;
    if (event.attributes.length === 0 || event.data.length === 0) throw new Error('an empty event');
    count += 1;
  }
  return count;
}

/** Attributes and data as values. */
function takeParsed(batch: EntryBatch): number {
  let count = 0;
  for (let index: number = batch.from; index < batch.to; index++) {
    const event = batch.event(index);
    if (event === undefined) continue;
    const attributes: unknown = JSON.parse(text(event.attributes));
    const data: unknown = JSON.parse(text(event.data));
    if (attributes === null || data === null) throw new Error('an empty event');
    count += 1;
  }
  return count;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

async function proofMicroseconds(
  ledger: Ledger,
  log: LogId,
  count: number,
): Promise<{ readonly p50: number; readonly p99: number }> {
  const size = ledger.log(log)?.size ?? 0;
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const index = asLogIndex(Math.floor(Math.random() * size));
    const begun = performance.now();
    must(await ledger.proofs.inclusion(log, index));
    times.push(1000 * (performance.now() - begun));
  }
  const warm = times.slice(count / 10);
  return { p50: percentile(warm, 0.5), p99: percentile(warm, 0.99) };
}

async function openMilliseconds(folder: string): Promise<number> {
  await using child = new Child('open-process.ts', [folder]);
  return Number(await child.line());
}

async function wireBytes(ledger: Ledger, log: LogId): Promise<number> {
  let bytes = 0;
  let events = 0;
  let first = true;
  for await (const block of ledger.blocks(log, asLogIndex(0))) {
    // The genesis has a block of its own.
    if (!first) {
      bytes += block.wire.length;
      events += block.size - block.firstIndex - 1;
    }
    first = false;
  }
  return bytes / events;
}

export const million: Bench = {
  names: [
    'replayLibrary',
    'replayBytes',
    'coldOpen',
    'inclusionProof',
    'diskBytes',
    'wireBytes',
    'inclusionProofP99',
  ],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const count = quick ? 100_000 : 1_000_000;
    await using folder = await temporaryFolder();
    const home = join(folder.path, 'home');
    const log = await fill(home, 'small', count);
    const disk = (await folderBytes(home)) / count;
    const opens = await rounds(quick ? 1 : 5, () => openMilliseconds(home));
    await using ledger = await openLedger(home);
    const bytes = await rounds(3, () => replay(ledger, log, takeBytes));
    const parsed = await rounds(3, () => replay(ledger, log, takeParsed));
    const proof = await proofMicroseconds(ledger, log, quick ? 2000 : 20_000);
    return [
      { name: 'replayLibrary', value: median(parsed) },
      { name: 'replayBytes', value: median(bytes) },
      { name: 'coldOpen', value: median(opens) },
      { name: 'inclusionProof', value: proof.p50 },
      { name: 'diskBytes', value: disk },
      { name: 'wireBytes', value: await wireBytes(ledger, log) },
      { name: 'inclusionProofP99', value: proof.p99 },
    ];
  },
};

/** The same of events of 1 KB, and fewer. */
export const large: Bench = {
  names: ['replayLarge', 'diskBytesLarge', 'wireBytesLarge'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const count = quick ? 20_000 : 100_000;
    await using folder = await temporaryFolder();
    const log = await fill(folder.path, 'large', count);
    const disk = (await folderBytes(folder.path)) / count;
    await using ledger = await openLedger(folder.path);
    const parsed = await rounds(3, () => replay(ledger, log, takeParsed));
    return [
      { name: 'replayLarge', value: median(parsed) },
      { name: 'diskBytesLarge', value: disk },
      { name: 'wireBytesLarge', value: await wireBytes(ledger, log) },
    ];
  },
};
