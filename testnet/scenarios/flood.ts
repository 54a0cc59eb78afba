/** Ten thousand connections from somebody who does not speak the protocol. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JsonView } from '../../src/node/json-view.ts';
import { headOf } from '../checks/replicas.ts';
import type { Child } from '../lib/children.ts';
import type { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { joined, loneNode, must, numbered, type Scenario } from '../scenario.ts';

const stream = 'writer/events';
const connects = 10_000;
const atOnce = 500;
/** What a node may hold at most, and how much more a second flood may take than the first. */
const mostBytes = 512 * 1024 * 1024;
const moreBytes = 96 * 1024 * 1024;
const slowestMs = 2000;
const client = fileURLToPath(new URL('../lib/flood-client.ts', import.meta.url));

export const flood: Scenario = {
  name: 'flood',
  promise: `${connects} connects, ${atOnce} at once: the node answers, its memory is bounded, it recovers`,
  async run({ work }) {
    const writer = await loneNode(work, 'writer', 'events');
    const follower = await joined(work, 'follower', writer);
    await until('the follower to hear of the stream', async () => {
      await follower.api.post('/follows', { target: stream });
      return true;
    });
    const traffic = new Traffic(writer);
    for (let i = 0; i < 50; i++) await traffic.once();
    const before = { bytes: writer.process.residentBytes(), files: openFiles(writer.process) };
    const details: string[] = [];
    const peaks: number[] = [];
    for (const [name, port, total] of portsOf(writer)) {
      const { counts, slowest, published } = await floodPort(work, traffic, port, total);
      details.push(`${name} ${counts}, slowest publish ${slowest} ms of ${published}`);
      peaks.push(writer.process.peakBytes());
    }
    const [first = 0, peak = 0] = [peaks[0], peaks.at(-1)];
    const grown = `memory ${[before.bytes, ...peaks].map(mib).join(', ')} MiB`;
    must(peak < mostBytes && peak < first + moreBytes, grown);
    await until('the connections to be gone', () =>
      openFiles(writer.process) <= before.files + 20 ? true : undefined,
    );
    const late = await joined(work, 'late', writer);
    await until('a newcomer to hear of the stream', async () => {
      await late.api.post('/follows', { target: stream });
      return true;
    });
    for (const peer of [follower, late]) await sameRoot(writer, peer);
    await Promise.all([writer.down(), follower.down(), late.down()]);
    return `${details.join('; ')}; ${grown}`;
  },
};

/** Name, port and connects: the peer's port twice, then the API. */
function portsOf(peer: Peer): readonly (readonly [string, number, number])[] {
  const tcp = /\/tcp\/(\d+)$/m.exec(peer.listens[0] ?? '')?.[1];
  return [
    ['p2p', Number(tcp), connects],
    ['again', Number(tcp), connects],
    ['http', Number(new URL(peer.api.base).port), connects],
  ];
}

async function floodPort(
  work: Workspace,
  traffic: Traffic,
  port: number,
  total: number,
): Promise<{ readonly counts: string; readonly slowest: number; readonly published: number }> {
  const log = join(work.directory('logs'), `flood-${port}.log`);
  const environment = work.environment();
  const args = [client, String(port), String(total), String(atOnce)];
  const child = work.children.start(args, { log, environment });
  const ended = child.exited.then(({ code }) => must(code === 0, `the client ended with ${code}`));
  traffic.slowestMs = 0;
  let published = 0;
  while (child.exit === undefined) {
    await traffic.once();
    published += 1;
  }
  await ended;
  const counts = JsonView.parse(child.stdout);
  const [connected, dropped] = [counts.number('connected') ?? 0, counts.number('dropped') ?? 0];
  must(connected + dropped >= total, `the flood: ${child.stdout}`);
  const slowest = Math.round(traffic.slowestMs);
  must(slowest < slowestMs, `a publish took ${slowest} ms`);
  return { counts: `${dropped} of ${total} cut off at once`, slowest, published };
}

/** One who goes on publishing, and looks how long it takes. */
class Traffic {
  slowestMs = 0;
  readonly #writer: Peer;
  #next = 0;

  constructor(writer: Peer) {
    this.#writer = writer;
  }

  async once(): Promise<void> {
    const began = performance.now();
    await this.#writer.api.publish(stream, [numbered(this.#next++)]);
    await this.#writer.api.get('/status');
    this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
  }
}

async function sameRoot(writer: Peer, peer: Peer): Promise<void> {
  const wanted = headOf(await writer.api.stream(stream));
  await until(`${peer.name} to be complete`, async () => {
    const { size, root } = headOf(await peer.api.stream(stream));
    return size === wanted.size && root === wanted.root ? true : undefined;
  });
}

function openFiles({ pid }: Child): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
