import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault } from '../../../src/errors.ts';
import { LineQueue, type Line } from '../../../src/node/http/line-queue.ts';
import { testEvent } from '../../support/blocks.ts';

const good = (line: number, data = '1'): Line => ({ line, event: testEvent(line, data) });
const bad = (line: number): Line => ({ line, problem: fault('json-syntax', 'x') });
const numbers = (lines: readonly Line[]): number[] => lines.map(({ line }) => line);

/** Whether a promise has resolved by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const late = Symbol('late');
  await new Promise((resolve) => setImmediate(resolve));
  return (await Promise.race([promise, Promise.resolve(late)])) !== late;
}

describe('lines between reading and publishing', () => {
  it('come out in order, good and bad ones apart, at most so many', async () => {
    const queue = new LineQueue({ maxPublishEvents: 3, maxPublishBytes: 1e6 });
    queue.push([good(1), good(2), bad(3), bad(4), good(5), good(6), good(7), good(8)]);
    queue.end();
    const found: number[][] = [];
    for (let next = await queue.next(); next.length > 0; next = await queue.next()) {
      found.push(numbers(next));
    }
    assert.deepEqual(found, [[1, 2], [3, 4], [5, 6, 7], [8]]);
  });

  it('hold the reader back at the bound of lines and one of bytes', async () => {
    for (const bounds of [
      { maxPublishEvents: 2, maxPublishBytes: 1e6 },
      { maxPublishEvents: 100, maxPublishBytes: 1000 },
    ]) {
      const queue = new LineQueue(bounds);
      queue.push([good(1, 'x'.repeat(600))]);
      assert.equal(await queue.room(), true);
      queue.push([good(2, 'x'.repeat(600))]);
      const room = queue.room();
      assert.equal(await settled(room), false);
      assert.deepEqual(numbers(await queue.next()), [1, 2]);
      assert.equal(await room, true);
    }
  });

  it('are waited for, until no more come', async () => {
    const queue = new LineQueue({ maxPublishEvents: 2, maxPublishBytes: 1e6 });
    const first = queue.next();
    assert.equal(await settled(first), false);
    queue.push([good(1)]);
    assert.deepEqual(numbers(await first), [1]);
    const second = queue.next();
    queue.push([good(2), good(3)]);
    assert.deepEqual(numbers(await second), [2, 3]);
    const third = queue.next();
    queue.end();
    assert.deepEqual(await third, []);
    assert.equal(await queue.room(), false);
  });
});
