import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { utf8 } from '../../../src/bytes.ts';
import { fault, HeadwaterError } from '../../../src/errors.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { logIdFromHash } from '../../../src/ids.ts';
import type { EntryBatch } from '../../../src/ledger/ledger-types.ts';
import type { Delivery } from '../../../src/node/node-api.ts';
import { readStream, type ReadLedger } from '../../../src/node/core/reader.ts';
import { asBlockNumber, asLogIndex, asTimeMs, type LogId } from '../../../src/types.ts';

const [a, b] = ['a', 'b'].map((label) => logIdFromHash(nodeCrypto.sha256(utf8(label)))) as [
  LogId,
  LogId,
];

/** A ledger of two-entry blocks (one event, one seal); the event's recorded time is given. */
class Blocks implements ReadLedger {
  readonly times = new Map<LogId, number[]>([
    [a, []],
    [b, []],
  ]);
  readonly #listeners = new Set<(block: { readonly logId: LogId }) => void>();

  append(logId: LogId, time: number): void {
    this.times.get(logId)?.push(time);
    for (const listener of this.#listeners) listener({ logId });
  }
  readonly successors = new Map<LogId, { readonly size: number; readonly next: LogId }>();

  successorOf(logId: LogId): { readonly size: number; readonly next: LogId } | undefined {
    return this.successors.get(logId);
  }
  /** Closed where it is now. */
  close(logId: LogId, next: LogId): void {
    this.successors.set(logId, { size: this.sizeOf(logId), next });
    for (const listener of this.#listeners) listener({ logId });
  }
  sizeOf(logId: LogId): number {
    return 2 * (this.times.get(logId)?.length ?? 0);
  }
  async *batches(logId: LogId, from: number, to: number): AsyncGenerator<EntryBatch> {
    for (let block = from >> 1; block * 2 < to; block++) {
      const time = asTimeMs(this.times.get(logId)?.[block] ?? 0);
      const attributes = utf8(`${logId.slice(-1)}${block}`);
      const event = { attributes, kind: 0 as const, data: new Uint8Array(0) };
      yield {
        logId,
        block: asBlockNumber(block),
        from: asLogIndex(Math.max(from, 2 * block)),
        to: asLogIndex(Math.min(to, 2 * block + 2)),
        next: asLogIndex(2 * block + 2),
        kind: (index) => (index % 2 === 0 ? 'event' : 'seal'),
        recordedTime: () => time,
        event: (index) => (index % 2 === 0 ? event : undefined),
        body: () => undefined,
        sealed: () => undefined,
        entry: () => {
          throw new Error('not used');
        },
      };
    }
  }
  onAppended(listener: (block: { readonly logId: LogId }) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
  get listeners(): number {
    return this.#listeners.size;
  }
}

const position = (next: ReadonlyMap<LogId, number>): string => `${next.get(a)} ${next.get(b)}`;
const name = (item: Delivery): string =>
  `${item.log === a ? 'a' : 'b'}${item.index}@${item.recordedTime}`;

async function all(reading: AsyncIterable<readonly Delivery[]>): Promise<Delivery[]> {
  const items: Delivery[] = [];
  for await (const batch of reading) items.push(...batch);
  return items;
}

const both = (): { readonly logId: LogId; readonly next: number }[] => [
  { logId: a, next: 0 },
  { logId: b, next: 0 },
];

describe('reading a stream', () => {
  it('merges the history of partitions by recorded time', async () => {
    const ledger = new Blocks();
    for (const time of [1, 4, 5]) ledger.append(a, time);
    for (const time of [2, 3, 6]) ledger.append(b, time);
    const { signal } = new AbortController();
    const items = await all(
      readStream(ledger, { partitions: both(), live: false, signal, position }),
    );
    assert.deepEqual(items.map(name), ['a0@1', 'b0@2', 'b2@3', 'a2@4', 'a4@5', 'b4@6']);
  });

  it('gives positions from which the rest follows without gap or duplicate', async () => {
    const ledger = new Blocks();
    for (const time of [1, 4, 5]) ledger.append(a, time);
    for (const time of [2, 3, 6]) ledger.append(b, time);
    const { signal } = new AbortController();
    const read = (next: readonly number[]): Promise<Delivery[]> =>
      all(
        readStream(ledger, {
          partitions: [a, b].map((logId, i) => ({ logId, next: next[i] ?? 0 })),
          live: false,
          signal,
          position,
        }),
      );
    const items = await read([0, 0]);
    for (const [i, item] of items.entries()) {
      const rest = await read(item.position().split(' ').map(Number));
      assert.deepEqual(
        rest.map(name).sort(),
        items
          .slice(i + 1)
          .map(name)
          .sort(),
      );
    }
  });

  it('goes on live after the history and stops when told', async () => {
    const ledger = new Blocks();
    ledger.append(a, 1);
    const stop = new AbortController();
    const names: string[] = [];
    const partitions = [{ logId: a, next: 0 }];
    for await (const batch of readStream(ledger, {
      partitions,
      live: true,
      signal: stop.signal,
      position,
    })) {
      names.push(...batch.map(name));
      const last = names.length;
      if (last < 4) queueMicrotask(() => ledger.append(a, last + 1));
      else stop.abort();
    }
    assert.deepEqual(names, ['a0@1', 'a2@2', 'a4@3', 'a6@4']);
    assert.equal(ledger.listeners, 0);
  });

  it('wakes and ends when aborted while it waits for news', async () => {
    const ledger = new Blocks();
    const stop = new AbortController();
    queueMicrotask(() => stop.abort());
    const reading = readStream(ledger, {
      partitions: both(),
      live: true,
      signal: stop.signal,
      position,
    });
    assert.deepEqual(await all(reading), []);
    assert.equal(ledger.listeners, 0);
  });

  it('goes on when what it was reading has been set aside', async () => {
    const ledger = new Blocks();
    ledger.append(a, 1);
    const stop = new AbortController();
    let broken = true;
    const batches = ledger.batches.bind(ledger);
    ledger.batches = async function* (logId, from, to) {
      if (broken) {
        broken = false;
        queueMicrotask(() => ledger.append(a, 2));
        throw new HeadwaterError(fault('index-over-head', 'the log has 0 entries'));
      }
      yield* batches(logId, from, to);
    };
    const names: string[] = [];
    const partitions = [{ logId: a, next: 0 }];
    const reading = { partitions, live: true, signal: stop.signal, position };
    for await (const batch of readStream(ledger, reading)) {
      names.push(...batch.map(name));
      if (names.length === 2) stop.abort();
    }
    assert.deepEqual(names, ['a0@1', 'a2@2']);
  });

  it('crosses to the successor of a closed log, as soon as it is closed', async () => {
    const ledger = new Blocks();
    for (const time of [1, 2]) ledger.append(a, time);
    const stop = new AbortController();
    const partitions = [{ logId: a, next: 0 }];
    const reading = { partitions, live: true, signal: stop.signal, position };
    const names: string[] = [];
    for await (const batch of readStream(ledger, reading)) {
      names.push(...batch.map(name));
      if (names.length === 2) {
        // A time before the last one: the clock was wrong.
        ledger.append(b, 0);
        queueMicrotask(() => ledger.close(a, b));
      }
      if (names.length === 3) stop.abort();
    }
    assert.deepEqual(names, ['a0@1', 'a2@2', 'b0@0']);
  });

  it('ends at the given index of each partition', async () => {
    const ledger = new Blocks();
    for (const time of [1, 2, 3]) ledger.append(a, time);
    const { signal } = new AbortController();
    const partitions = [{ logId: a, next: 2, end: 4 }];
    const items = await all(readStream(ledger, { partitions, live: true, signal, position }));
    assert.deepEqual(items.map(name), ['a2@2']);
  });
});
