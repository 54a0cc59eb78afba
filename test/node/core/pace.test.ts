import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { utf8 } from '../../../src/bytes.ts';
import type { Timers } from '../../../src/host.ts';
import { limits } from '../../../src/limits.ts';
import { kept, limited, paced, wanted } from '../../../src/node/core/pace.ts';
import type { Delivery } from '../../../src/node/node-api.ts';
import { asLogIndex, asTimeMs } from '../../../src/types.ts';
import { log } from '../http/double.ts';
import { must, refused } from '../../support/result.ts';

function item(index: number, attributes: Record<string, string> = {}): Delivery {
  return {
    log,
    index: asLogIndex(index),
    recordedTime: asTimeMs(index),
    event: { attributes: utf8(JSON.stringify(attributes)), kind: 0, data: new Uint8Array(0) },
    position: () => '',
  };
}

const second = (s: number): Record<string, string> => ({
  time: new Date(Date.UTC(2026, 0, 1) + s * 1000).toISOString(),
});

async function* source(
  batches: readonly (readonly Delivery[])[],
): AsyncGenerator<readonly Delivery[]> {
  yield* batches;
}

async function all(batches: AsyncIterable<readonly Delivery[]>): Promise<number[][]> {
  const found: number[][] = [];
  for await (const batch of batches) found.push(batch.map(({ index }) => index));
  return found;
}

const never = (): never => {
  throw new Error('not used');
};

/** Timers that sleep for no time and say for how long they were asked to. */
function sleeper(onSleep: (ms: number) => void = () => undefined): Timers & { slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    after: never,
    every: never,
    sleep: (ms) => {
      slept.push(ms);
      onSleep(ms);
      return Promise.resolve();
    },
  };
}

describe('the pace of a replay', () => {
  it('follows the time of the events, N times as fast, with long pauses cut short', async () => {
    const batches = [
      [item(0, second(0)), item(1, second(2))],
      [item(2), item(3, second(2)), item(4, second(1)), item(5, second(1 + 1e6))],
    ];
    const timers = sleeper();
    const { signal } = new AbortController();
    assert.deepEqual(await all(paced(source(batches), 4, timers, signal)), [
      [0],
      [1],
      [2],
      [3],
      [4],
      [5],
    ]);
    assert.deepEqual(timers.slept, [500, limits.maxReplayGapMs / 4]);
  });

  it('ends when its reader leaves in the middle of a pause', async () => {
    const gone = new AbortController();
    const timers = sleeper(() => gone.abort());
    const batches = [[item(0, second(0)), item(1, second(9)), item(2, second(9))]];
    assert.deepEqual(await all(paced(source(batches), 1, timers, gone.signal)), [[0]]);
  });

  it('delivers no more than was asked for', async () => {
    const batches = [
      [item(0), item(1)],
      [item(2), item(3)],
    ];
    for (const [limit, found] of [
      [0, []],
      [1, [[0]]],
      [2, [[0, 1]]],
      [3, [[0, 1], [2]]],
      [
        9,
        [
          [0, 1],
          [2, 3],
        ],
      ],
    ] as const) {
      assert.deepEqual(await all(limited(source(batches), limit)), found, `${limit}`);
    }
  });

  it('keeps what fits subject and event time, and needs no look at the rest', async () => {
    assert.equal(must(wanted({})), undefined);
    refused(wanted({ eventFrom: 'noon' }), 'bad-time');
    refused(wanted({ eventTo: '2026-13-01T00:00:00Z' }), 'bad-time');
    const batches = [
      [item(0, { subject: 'a', ...second(1) }), item(1, { subject: 'b', ...second(2) })],
      [item(2, { subject: 'b' }), item(3, { subject: 'b', ...second(3) })],
    ];
    const find = (request: Parameters<typeof wanted>[0]): Promise<number[][]> =>
      all(kept(source(batches), must(wanted(request)) ?? assert.fail()));
    assert.deepEqual(await find({ subject: 'b' }), [[1], [2, 3]]);
    assert.deepEqual(await find({ eventFrom: second(2)['time'] ?? '' }), [[1], [3]]);
    assert.deepEqual(await find({ subject: 'b', eventTo: second(3)['time'] ?? '' }), [[1]]);
  });
});
