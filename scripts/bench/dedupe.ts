/**
 * Publishing with 10 million earlier rows in the dedupe window. The rows are put into the store in
 * the order of their keys, in slices as a writer would have made them: what counts is that the
 * filters and the tables are as large as they would be.
 */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { writeUint32 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { keyspace, logKey } from '../../src/keyspace.ts';
import { decodeHead, encodeHead } from '../../src/ledger/head-record.ts';
import { idRow } from '../../src/ledger/id-rows.ts';
import { nextSlices, type Slice } from '../../src/ledger/id-slices.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { LevelStore } from '../../src/ledger/store.ts';
import { limits } from '../../src/limits.ts';
import type { LogId, ParsedEvent } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { benchSigner, blockEvents, createLog, openLedger, publishAll } from './bench-ledger.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { must, there } from './must.ts';
import { Publisher } from './publish.ts';
import { median } from './statistics.ts';
import { temporaryFolder } from './temporary.ts';

const rowsAtOnce = 10_000;
/** A home's first log has this number. */
const logNumber = 1;
const contentHash = new Uint8Array(32).fill(9);

/** Adds rows to the log that the home holds; it is closed before and after. */
async function addRows(folder: string, count: number): Promise<void> {
  await using store = must(await LevelStore.open(join(folder, 'store')));
  const key = logKey(keyspace.heads, logNumber);
  const head = must(decodeHead(nodeCrypto, there(must(await store.get(key)), 'head')));
  const { time } = head.state;
  let slices: readonly Slice[] = head.slices;
  for (let rows = 0; rows < count; rows += blockEvents) {
    slices = nextSlices(limits, slices, { firstIndex: head.state.size, time, rows: blockEvents });
  }
  for (const slice of slices) await addSlice(store, slice);
  const value = encodeHead(nodeCrypto, { ...head, slices });
  must(await store.batch([{ key, value }], { sync: true }));
}

async function addSlice(store: LevelStore, { number, rows }: Slice): Promise<void> {
  for (let done = 0; done < rows; done += rowsAtOnce) {
    const part = Math.min(rowsAtOnce, rows - done);
    const random = randomFillSync(new Uint8Array(16 * part));
    const writes = Array.from({ length: part }, (_, i) => {
      const idKey = random.subarray(16 * i, 16 * i + 16);
      writeUint32(idKey, 0, Math.floor(((done + i) * 2 ** 32) / rows));
      return idRow(logNumber, number, idKey, 2 ** 24 + i, contentHash);
    });
    must(await store.batch(writes, { sync: false }));
  }
}

/** Until the filters answer, every event is looked up. */
async function filtersLoaded(ledger: Ledger, log: LogId, events: Events): Promise<void> {
  const probes = 50;
  for (let tries = 0; tries < 600; tries++) {
    const before = ledger.stats().dedupeLookups;
    must(await ledger.publish(log, events.parsed(probes)));
    if (ledger.stats().dedupeLookups - before < probes / 2) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the filters were not loaded within a minute');
}

export const publishDeduped: Bench = {
  names: ['publishDeduped'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const events = new Events();
    await using folder = await temporaryFolder();
    const created = await openLedger(folder.path);
    const log = await createLog(created);
    await created.close();
    await addRows(folder.path, quick ? 500_000 : 10_000_000);
    await using ledger = await openLedger(folder.path);
    must(ledger.attachSigner(log, benchSigner()));
    await filtersLoaded(ledger, log, events);
    await using without = await Publisher.open();
    const count = blockEvents * (quick ? 40 : 200);
    const all = await rounds(quick ? 3 : 7, async () => {
      const plain = await without.parsed(events.parsed(count));
      const parsed = events.parsed(count);
      const next = (at: number, number: number): readonly ParsedEvent[] =>
        parsed.slice(at, at + number);
      const begun = performance.now();
      await publishAll(ledger, log, count, next);
      return { plain, deduped: perSecond(count, begun) };
    });
    return [
      {
        name: 'publishDeduped',
        value: median(all.map((one) => one.deduped)),
        ratio: median(all.map((one) => one.deduped / one.plain)),
      },
    ];
  },
};
