/** Posting to a node and reading from it over HTTP; and a bare server for comparison. */
import { get } from 'node:http';
import { perSecond, rounds, type BenchOptions } from './bench.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { HttpLoad, post } from './http-connection.ts';
import { structured, type BenchNetwork } from './network.ts';
import { median } from './statistics.ts';
import { Child } from './temporary.ts';

const batchEvents = 100;
const batchConnections = 8;
const singleConnections = 256;
const newline = 10;
/** The stream holds the small events with the lower numbers, which have the same ids. */
const firstLarge = 1_000_000_000;

/** Events a second, durable, in batches of 100 over 8 connections. */
async function ingestBatches(
  network: BenchNetwork,
  events: Events,
  count: number,
): Promise<number> {
  const requests = Array.from({ length: count / batchEvents }, () =>
    network.batch(events, batchEvents),
  );
  using load = await HttpLoad.open(network.target.port, batchConnections);
  const begun = performance.now();
  await load.run(() => requests.pop());
  return perSecond(count, begun);
}

/** Requests a second, one event each, over 256 connections. */
async function ingestSingles(
  network: BenchNetwork,
  events: Events,
  count: number,
): Promise<number> {
  const requests = Array.from({ length: count }, () => network.single(events));
  using load = await HttpLoad.open(network.target.port, singleConnections);
  const begun = performance.now();
  await load.run(() => requests.pop());
  return perSecond(count, begun);
}

/** The same posts to a server that does nothing with them. */
async function bareRequests(events: Events, count: number): Promise<number> {
  await using server = new Child('bare-http-process.ts', []);
  const target = { port: Number(await server.line()), path: '/events', token: 'none' };
  const requests = Array.from({ length: count }, () =>
    post(target, structured, Buffer.from(events.text())),
  );
  using load = await HttpLoad.open(target.port, singleConnections);
  const begun = performance.now();
  await load.run(() => requests.pop());
  return perSecond(count, begun);
}

/** Events a second of the whole stream as NDJSON; throws unless there are `count`. */
async function replay(network: BenchNetwork, count: number): Promise<number> {
  const { base, token } = network.producer.api;
  const headers = { authorization: `Bearer ${token}`, accept: 'application/x-ndjson' };
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const begun = performance.now();
  get(`${base}${network.path}?from=start`, { headers }, (response) => {
    let lines = 0;
    response.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) lines++;
    });
    response.on('error', reject);
    response.on('end', () => resolve(lines));
  }).once('error', reject);
  const lines = await promise;
  if (lines !== count) throw new Error(`${lines} of ${count} events were replayed`);
  return perSecond(count, begun);
}

/** Leaves `count` events or more in the stream; the number is in `published`. */
export async function measureHttp(
  network: BenchNetwork,
  events: Events,
  { quick }: BenchOptions,
): Promise<readonly Measured[]> {
  const first = events.next;
  const count = quick ? 10_000 : 50_000;
  const batches = await rounds(quick ? 2 : 5, () => ingestBatches(network, events, count));
  const singles = await rounds(3, () => ingestSingles(network, events, quick ? 2000 : 10_000));
  const bare = await rounds(3, () => bareRequests(new Events(), quick ? 5000 : 20_000));
  const replayed = await rounds(3, () => replay(network, events.next - first));
  return [
    { name: 'ingestBatch', value: median(batches) },
    { name: 'ingestSingle', value: median(singles) },
    { name: 'rawHttp', value: median(bare) },
    { name: 'replayHttp', value: median(replayed) },
  ];
}

/** Batches of events of 1 KB. */
export async function measureLarge(
  network: BenchNetwork,
  { quick }: BenchOptions,
): Promise<readonly Measured[]> {
  const count = quick ? 5000 : 20_000;
  const events = new Events('large', firstLarge);
  const rates = await rounds(quick ? 2 : 5, () => ingestBatches(network, events, count));
  return [{ name: 'ingestLarge', value: median(rates) }];
}
