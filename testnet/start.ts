/** `npm start`: the network on real data, its checks (a) to (e), and the summary. */
import { checkAnswers } from './checks/answers.ts';
import { complete, differences, heads, type Head } from './checks/replicas.ts';
import { tamperWith } from './checks/tamper.ts';
import { seismicEvents } from './earthquakes.ts';
import { inParallel, until } from './lib/until.ts';
import type { Peer } from './lib/peer.ts';
import type { Workspace } from './lib/workspace.ts';
import { Network } from './network.ts';
import { planOrganisations, type StreamPlan } from './plan.ts';
import { publishAll } from './publishing.ts';
import {
  allWell,
  countVerdicts,
  perSecond,
  type Check,
  type StreamRow,
  type Summary,
  type Tamper,
} from './summary.ts';

export interface Outcome {
  readonly summary: Summary;
  readonly rows: readonly StreamRow[];
  readonly checks: readonly Check[];
  readonly network: Network;
}

/** A replica is complete within this time of the last event, also on a busy machine. */
const patienceMs = 60_000;

/** Runs the whole of it. With `keep` the nodes still run when it returns. */
export async function start(work: Workspace, keep: boolean): Promise<Outcome> {
  const network = new Network(work, planOrganisations(seismicEvents()));
  const checks: Check[] = [];
  await network.start();
  work.note(`${network.early.length} peers run, ${network.streams.length} streams are created`);
  await network.follow();
  work.note('everyone follows what it wants');
  const published = await publishWithKill(work, network);
  const wanted = await producerHeads(network);
  await complete(network.relay, wanted, network.streams, patienceMs);
  checks.push(await killedCheck(network, wanted));
  work.note('the killed peer is complete');
  await network.joinLate();
  await complete(network.late, wanted, network.streams, patienceMs);
  checks.push(await lateCheck(network, wanted));
  work.note('the late joiner is complete');
  checks.unshift(await sameRoots('(a) same root as the producer', network.peers, network, wanted));
  const verified = await verifyAll(network);
  work.note(`${verified.length} copies are verified`);
  checks.push(await auditorCheck(network));
  const tampered = await tamperedReplica(work, network, keep);
  checks.push(...tampered.checks);
  work.note('tampering was tried');
  if (!keep) {
    await Promise.all(network.early.map((peer) => peer.down()));
    work.note('all peers have ended in good order');
  }
  const { summary, rows } = summarise(network, {
    published,
    verified,
    checks,
    wanted,
    work,
    tamper: tampered.tamper,
  });
  const sorted = checks.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { summary, rows, checks: sorted, network };
}

interface Published {
  readonly events: number;
  readonly publishSeconds: number;
  readonly replicateSeconds: number;
}

/** Publishes all; the relay is killed while it receives, and started again. */
async function publishWithKill(work: Workspace, network: Network): Promise<Published> {
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const publishers = network.streams.map((stream) => ({
    peer: network.publisher(stream.organisation),
    stream,
  }));
  const killed = killWhileReceiving(work, network.relay, network.streams);
  const [events] = await Promise.all([publishAll(publishers, killed), killed]);
  const publishSeconds = seconds();
  work.note(`${events} events are published`);
  const wanted = await producerHeads(network);
  const live = network.early.filter((peer) => peer !== network.relay);
  const restarted = network.relay.up();
  await Promise.all(live.map((peer) => complete(peer, wanted, network.copies(peer), patienceMs)));
  const replicateSeconds = seconds();
  work.note('every live follower is complete');
  await restarted;
  return { events, publishSeconds, replicateSeconds };
}

/** SIGKILL as soon as the peer has got some of the events and can still get more. */
async function killWhileReceiving(
  work: Workspace,
  peer: Peer,
  streams: readonly StreamPlan[],
): Promise<void> {
  const total = streams.reduce((sum, { events }) => sum + events.length, 0);
  const entries = await until(
    `${peer.name} to receive events`,
    async () => {
      const found = [...(await heads(peer, streams)).values()];
      const size = found.reduce((sum, head) => sum + head.size, 0);
      return size > total / 20 ? size : undefined;
    },
    { everyMs: 10, signal: work.signal },
  );
  await peer.kill();
  work.note(`${peer.name} was killed when it had ${entries} entries`);
}

async function producerHeads(network: Network): Promise<ReadonlyMap<string, Head>> {
  const parts = await Promise.all(
    network.organisations.map(({ name, streams }) => heads(network.publisher(name), streams)),
  );
  return new Map(parts.flatMap((part) => [...part]));
}

async function sameRoots(
  name: string,
  peers: readonly Peer[],
  network: Network,
  wanted: ReadonlyMap<string, Head>,
): Promise<Check> {
  const parts = await Promise.all(
    peers.map((peer) => differences(peer, wanted, network.copies(peer))),
  );
  const found = parts.flat();
  const copies = peers.reduce((sum, peer) => sum + network.copies(peer).length, 0);
  const detail = found.length === 0 ? `${copies} replicas` : found.slice(0, 3).join('; ');
  return { name, ok: found.length === 0, detail };
}

async function killedCheck(network: Network, wanted: ReadonlyMap<string, Head>): Promise<Check> {
  return sameRoots('(c) killed while receiving', [network.relay], network, wanted);
}

/** Everything had been published before it started, so nothing reached it but by asking for it. */
async function lateCheck(network: Network, wanted: ReadonlyMap<string, Head>): Promise<Check> {
  const { late } = network;
  const check = await sameRoots('(b) late joiner, by sync alone', [late], network, wanted);
  const metrics = await late.api.text('GET', '/metrics');
  const count = (name: string): number =>
    Number(
      new RegExp(`^headwater_network_total\\{name="${name}"\\} (\\d+)`, 'm').exec(metrics)?.[1],
    );
  const [synced, gossiped] = [count('syncBlocks'), count('gossipAccepted')];
  const detail = `${check.detail}, ${synced} blocks fetched, ${gossiped} gossiped`;
  return { ...check, ok: check.ok && synced > 0 && gossiped === 0, detail };
}

interface Verified {
  readonly peer: Peer;
  readonly stream: StreamPlan;
  readonly own: boolean;
  readonly verdict: string;
  readonly events: number;
}

/** Each peer checks every hash and signature of what it keeps. */
async function verifyAll(network: Network): Promise<readonly Verified[]> {
  const copies = network.peers.flatMap((peer) => [
    ...network.copies(peer).map((stream) => ({ peer, stream, own: false })),
    ...network.streams
      .filter(({ organisation }) => organisation === peer.name)
      .map((stream) => ({ peer, stream, own: true })),
  ]);
  return inParallel(copies, 8, async ({ peer, stream, own }) => {
    const report = await peer.api.verify(stream.title);
    const verdict = report.text('verdict') ?? 'none';
    return { peer, stream, own, verdict, events: report.number('checkedEvents') ?? 0 };
  });
}

async function auditorCheck({ auditor, streams }: Network): Promise<Check> {
  const replayed = await Promise.all(streams.map(({ title }) => auditor.api.replay(title)));
  const { ok, detail } = checkAnswers(replayed.flat());
  return { name: "(e) the auditor's answers", ok, detail };
}

/** Stops the late joiner and changes copies of its home. */
async function tamperedReplica(
  work: Workspace,
  network: Network,
  keep: boolean,
): Promise<{ readonly tamper: Tamper; readonly checks: readonly Check[] }> {
  const [largest] = network.streams;
  if (largest === undefined) throw new Error('no streams');
  await network.late.down();
  const source = `"source":"/seismic/${largest.organisation}"`;
  const titles = network.streams.map(({ title }) => title);
  const result = await tamperWith(work, network.late, titles, source);
  if (keep) await network.late.up();
  return result;
}

function eventsIn(copies: readonly Verified[]): number {
  return copies.reduce((sum, { events }) => sum + events, 0);
}

interface Facts {
  readonly published: Published;
  readonly verified: readonly Verified[];
  readonly checks: readonly Check[];
  readonly wanted: ReadonlyMap<string, Head>;
  readonly work: Workspace;
  readonly tamper: Tamper;
}

function summarise(
  network: Network,
  { published, verified, checks, wanted, work, tamper }: Facts,
): Pick<Outcome, 'summary' | 'rows'> {
  const verdicts = countVerdicts(verified.map(({ verdict }) => verdict));
  const replicas = verified.filter(({ own }) => !own);
  const live = replicas.filter(({ peer }) => peer !== network.late && peer !== network.relay);
  const rows = network.streams.map((stream) => {
    const copies = verified.filter((copy) => copy.stream === stream);
    const head = wanted.get(stream.title);
    return {
      stream: stream.title,
      events: stream.events.length,
      entries: head?.size ?? 0,
      root: head?.root ?? '',
      copies: copies.length,
      verdict: [...new Set(copies.map(({ verdict }) => verdict))].join(', '),
    };
  });
  const summary = {
    ok: allWell(checks, verdicts, tamper),
    organisations: network.organisations.length,
    peers: network.peers.length,
    streams: network.streams.length,
    eventsPublished: published.events,
    eventsReplicated: eventsIn(replicas),
    verdicts,
    tamper,
    publishPerSecond: perSecond(published.events, published.publishSeconds),
    replicatePerSecond: perSecond(eventsIn(live), published.replicateSeconds),
    seconds: Math.round(work.seconds * 10) / 10,
  };
  return { summary, rows };
}
