/** Producer, replica, subscriber: throughput, latency, and the way of a follower that starts empty. */
import { setTimeout as sleep } from 'node:timers/promises';
import { perSecond, type Bench, type BenchOptions } from './bench.ts';
import { Events } from './events.ts';
import type { FigureName, Measured } from './figures.ts';
import { HttpLoad } from './http-connection.ts';
import { measureHttp, measureLarge } from './ingest.ts';
import { BenchNetwork } from './network.ts';
import { percentile } from './statistics.ts';
import { Subscriber } from './subscriber.ts';

const batchEvents = 255;
const connections = 8;
/** Published, but not yet seen by the subscriber: the publisher waits above it. */
const maxAhead = 50_000;
const patienceMs = 60_000;

/** Time from the request to an empty follower until it has everything. */
async function rangeSync(network: BenchNetwork): Promise<number> {
  await network.startFollower();
  const begun = performance.now();
  await network.follow();
  const entries = await network.caughtUp(5 * patienceMs);
  return perSecond(entries, begun);
}

/** Events a second that reach the subscriber, from the first post to the last arrival; all must. */
async function sustained(
  network: BenchNetwork,
  subscriber: Subscriber,
  events: Events,
  seconds: number,
): Promise<number> {
  const before = subscriber.count;
  const first = events.next;
  using load = await HttpLoad.open(network.target.port, connections);
  const begun = performance.now();
  await load.run(async () => {
    if (performance.now() - begun > 1000 * seconds) return undefined;
    while (events.next - first - (subscriber.count - before) > maxAhead) await sleep(5);
    return network.batch(events, batchEvents);
  });
  const published = events.next - first;
  await subscriber.until(before + published, patienceMs);
  return perSecond(published, begun);
}

/** Milliseconds from the time to post to arrival, at a steady rate; the first second is left out. */
async function latencies(
  network: BenchNetwork,
  subscriber: Subscriber,
  events: Events,
  rate: number,
  seconds: number,
): Promise<readonly number[]> {
  const first = events.next;
  const before = subscriber.count;
  const total = rate * seconds;
  const sent = new Float64Array(total);
  const times: number[] = [];
  subscriber.onEvent = (number) => {
    const i = number - first;
    if (i >= rate && i < total) times.push(performance.now() - (sent[i] ?? 0));
  };
  using load = await HttpLoad.open(network.target.port, Math.min(32, rate));
  const begun = performance.now();
  await load.run(async () => {
    const i = events.next - first;
    if (i >= total) return undefined;
    const request = network.single(events);
    const due = begun + (1000 * i) / rate;
    while (performance.now() < due) await sleep(Math.max(0, due - performance.now() - 0.5));
    // From when it was due: a publisher that is held up must not make the figures better.
    sent[i] = due;
    return request;
  });
  await subscriber.until(before + total, patienceMs);
  subscriber.onEvent = undefined;
  return times;
}

async function measureLatency(
  network: BenchNetwork,
  subscriber: Subscriber,
  events: Events,
  { quick }: BenchOptions,
): Promise<readonly Measured[]> {
  const busy = await latencies(network, subscriber, events, 1000, quick ? 4 : 15);
  const calm = await latencies(network, subscriber, events, 20, quick ? 6 : 30);
  return [
    { name: 'latency1000P50', value: percentile(busy, 0.5) },
    { name: 'latency1000P99', value: percentile(busy, 0.99) },
    { name: 'latency20P50', value: percentile(calm, 0.5) },
    { name: 'latency20P99', value: percentile(calm, 0.99) },
  ];
}

const acrossNames: readonly FigureName[] = [
  'rangeSync',
  'threeProcesses',
  'latency1000P50',
  'latency1000P99',
  'latency20P50',
  'latency20P99',
];

export const across: Bench = {
  names: ['ingestBatch', 'ingestSingle', 'rawHttp', 'replayHttp', 'ingestLarge', ...acrossNames],
  async run(options: BenchOptions): Promise<readonly Measured[]> {
    await using network = await BenchNetwork.open();
    const events = new Events();
    const measured = [...(await measureHttp(network, events, options))];
    if (acrossNames.some((name) => options.wants(name))) {
      measured.push({ name: 'rangeSync', value: await rangeSync(network) });
      const { base, token } = network.follower.api;
      using subscriber = await Subscriber.open(base, network.path, token, events);
      measured.push(...(await measureLatency(network, subscriber, events, options)));
      const seconds = options.sustainedSeconds;
      const rate = await sustained(network, subscriber, events, seconds);
      measured.push({ name: 'threeProcesses', value: rate });
    }
    if (options.wants('ingestLarge')) measured.push(...(await measureLarge(network, options)));
    return measured;
  },
};
