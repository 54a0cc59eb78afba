import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Pacer, type Neighbour } from '../../src/gossip/pacing.ts';
import type { Timers } from '../../src/host.ts';
import { asPeerId, type PeerId } from '../../src/types.ts';
import { must } from '../support/result.ts';

/** Timers that run when told to. */
class ManualTimers implements Timers {
  readonly waiting = new Set<() => void>();
  after(_ms: number, run: () => void): Disposable {
    this.waiting.add(run);
    return { [Symbol.dispose]: () => void this.waiting.delete(run) };
  }
  every(): Disposable {
    throw new Error('not used');
  }
  sleep(): Promise<void> {
    throw new Error('not used');
  }
  fire(): void {
    for (const run of this.waiting) run();
  }
}

class Fake implements Neighbour {
  readonly peer: PeerId;
  readonly #runs = new Set<() => void>();
  bytes = 0;
  constructor(peer: string) {
    this.peer = asPeerId(peer);
  }
  get watched(): number {
    return this.#runs.size;
  }
  backlog(): number {
    return this.bytes;
  }
  changed(run: () => void): Disposable {
    this.#runs.add(run);
    return { [Symbol.dispose]: () => void this.#runs.delete(run) };
  }
  drainTo(bytes: number): void {
    this.bytes = bytes;
    for (const run of this.#runs) run();
  }
}

const limits = { paceBytes: 100, maxWaitMs: 1000, maxQueueBytes: 50 };
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function scene(): {
  timers: ManualTimers;
  pacer: Pacer;
  neighbour: Fake;
  sent: string[];
  publish: (name: string, bytes?: number) => ReturnType<Pacer['run']>;
} {
  const timers = new ManualTimers();
  const pacer = new Pacer(timers, limits);
  const neighbour = new Fake('A');
  const sent: string[] = [];
  const publish = (name: string, bytes = 10): ReturnType<Pacer['run']> =>
    pacer.run(
      bytes,
      () => [neighbour],
      async () => sent.push(name),
    );
  return { timers, pacer, neighbour, sent, publish };
}

describe('pacing of own gossip', () => {
  it('sends at once while neighbours have room', async () => {
    const { neighbour, sent, timers, publish } = scene();
    neighbour.bytes = 100;
    must(await publish('a'));
    assert.deepEqual([sent, timers.waiting.size, neighbour.watched], [['a'], 0, 0]);
  });

  it('waits for a neighbour until half of its backlog has gone, and keeps the order', async () => {
    const { neighbour, sent, timers, publish } = scene();
    neighbour.bytes = 101;
    const all = [publish('a'), publish('b'), publish('c')];
    await turn();
    neighbour.drainTo(51);
    await turn();
    assert.deepEqual(sent, []);
    neighbour.drainTo(50);
    for (const result of await Promise.all(all)) must(result);
    assert.deepEqual([sent, timers.waiting.size, neighbour.watched], [['a', 'b', 'c'], 0, 0]);
  });

  it('waits for a neighbour that does not drain once, and again after it has drained', async () => {
    const { neighbour, pacer, sent, timers, publish } = scene();
    neighbour.bytes = 1000;
    const first = publish('a');
    await turn();
    assert.equal(timers.waiting.size, 1);
    timers.fire();
    must(await first);
    assert.deepEqual([...pacer.slow], ['A']);
    must(await publish('b'));
    neighbour.drainTo(0);
    must(await publish('c'));
    assert.deepEqual([sent, [...pacer.slow]], [['a', 'b', 'c'], []]);
    neighbour.bytes = 1000;
    const last = publish('d');
    await turn();
    assert.deepEqual([sent.length, timers.waiting.size], [3, 1]);
    neighbour.drainTo(0);
    must(await last);
  });

  it('refuses what is above the queue, and one alone always has its turn', async () => {
    const { neighbour, pacer, publish } = scene();
    must(await publish('large', 1_000_000));
    neighbour.bytes = 1000;
    const waiting = [publish('a', 25), publish('b', 25)];
    const refused = await publish('c', 1);
    assert.equal(!refused.ok && refused.error.code, 'gossip-busy');
    assert.equal(pacer.queuedBytes, 50);
    neighbour.drainTo(0);
    for (const result of await Promise.all(waiting)) must(result);
    assert.equal(pacer.queuedBytes, 0);
  });

  it('goes on after a send that failed', async () => {
    const { neighbour, pacer, publish } = scene();
    const failed = pacer.run(
      10,
      () => [neighbour],
      () => Promise.reject(new Error('as planned')),
    );
    await assert.rejects(failed, /as planned/);
    must(await publish('a'));
    assert.equal(pacer.queuedBytes, 0);
  });
});
