/**
 * What the recovery key is for. First a writer's copied home signs a second history to half of the network;
 * the owner goes on after the branch that he chooses, and those on the other one come over. Then a thief
 * with the writer key rotates it to one of his own and publishes; that does not help him. Readers, live and
 * with cursors, cross both boundaries.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonView } from '../../src/node/json-view.ts';
import { mainPath } from '../lib/hw.ts';
import { Peer } from '../lib/peer.ts';
import { inParallel, until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must, numbered } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';
import { latecomer, onPaper } from './recovered.ts';
import { banAll, idOf, tuned, twinOf } from './forks.ts';

const stream = 'shop/orders';
const wait = { timeoutMs: 90_000, everyMs: 50 };

export const recovery: NetworkChecks = async (work, { short, holds }) => {
  const say = (what: string): void => holds(`${what} (${work.seconds.toFixed(1)} s)`);
  const events = short ? 20 : 2000;
  const net = await network(work, short ? 1 : 3);
  const { shop, a, b } = net;
  const others = [...a, ...b];
  await publish(shop, 0, 10);
  await inParallel(others, 4, (peer) => same(peer, shop));
  const [near, far] = [a[0] ?? never(), b[0] ?? never()];
  const tails = [tail(work, near), tail(work, far)];
  say(`${others.length} peers follow ${stream}; two readers are live`);

  await fork(work, net, events);
  say('two halves hold two histories, then meet: the stream is frozen everywhere');
  const forked = (await shop.hw(['stream', 'recover', 'orders', '--reason', 'fork'])).expect(0);
  must(forked.json.list('logs').length === 2, forked.said());
  await publish(shop, 5000, 10);
  await inParallel(others, 4, (peer) => same(peer, shop));
  await Promise.all(others.map((peer) => sound(peer, 2)));
  say(
    'the owner recovers it: everyone has closed the chosen history whole and follows the successor',
  );

  const late = await latecomer(work, net.hub, stream);
  await same(late, shop);
  await sound(late, 2);
  await onPaper(work, late, stream, 2);
  await late.down();
  say(
    'who begins to follow only now has all of it; its bundle verifies, its static tree has both logs',
  );

  const stolen = await theft(work, net);
  await inParallel(others, 4, (peer) =>
    until(
      `${peer.name} to hold what the thief signed`,
      async () => ((await has(peer, 'e9000')) ? true : undefined),
      wait,
    ),
  );
  say('a thief with the writer key has rotated it, and everyone holds what he published');
  await recoverFromThief(net, stolen);
  await publish(shop, 6000, 10);
  await inParallel(others, 4, (peer) => same(peer, shop));
  await Promise.all(others.map((peer) => sound(peer, 3)));
  for (const peer of others) must(!(await has(peer, 'e9000')), `${peer.name} shows the thief's`);
  say('his rotation does not help him: the stream goes on from before it');

  await tails[0]?.saw(await idsOf(shop), 'near');
  const newest = (await idsOf(shop)).filter((id) => /^e[56]\d{3}$/.test(id));
  await tails[1]?.saw(newest, 'far');
  await cursor(far, await idsOf(shop));
  say('live readers and a cursor crossed both boundaries without gap or duplicate');
  await Promise.all([shop, net.hub, ...others].map((peer) => peer.down()));
};

interface Net {
  readonly hub: Peer;
  readonly shop: Peer;
  readonly a: readonly Peer[];
  readonly b: readonly Peer[];
}

async function network(work: Workspace, half: number): Promise<Net> {
  const hub = await tuned(await new Peer(work, 'hub').init()).up();
  const invite = (await hub.hw(['invite'])).expect(0).json.text('invite') ?? '';
  const names = Array.from({ length: half }, (_, i) => [`a${i + 1}`, `b${i + 1}`]).flat();
  const [shop, ...others] = await inParallel(['shop', ...names], 3, async (name) =>
    tuned(await new Peer(work, name).join(invite)).up(),
  );
  must(shop !== undefined, 'there is a shop');
  await shop.api.post('/streams', { name: 'orders' });
  await inParallel(others, 4, (peer) =>
    until(
      `${peer.name} to follow ${stream}`,
      async () => ((await peer.hw(['follow', stream])).code === 0 ? true : undefined),
      wait,
    ),
  );
  const of = (side: string): Peer[] => others.filter(({ name }) => name.startsWith(side));
  return { hub, shop, a: of('a'), b: of('b') };
}

function publish(peer: Peer, from: number, count: number): Promise<boolean> {
  const lots: string[][] = [];
  for (let n = 0; n < count; n += 100) {
    const length = Math.min(100, count - n);
    lots.push(Array.from({ length }, (_, i) => numbered(from + n + i)));
  }
  return until(
    `${peer.name} to publish`,
    async () => {
      // The same ids give the first receipts again.
      for (const lot of lots) await peer.api.publish(stream, lot);
      return true;
    },
    wait,
  );
}

async function idsOf(peer: Peer): Promise<readonly string[]> {
  return (await peer.api.replay(stream)).map(idOfLine);
}

function idOfLine(line: string): string {
  const { id }: { id: string } = JSON.parse(line);
  return id;
}

async function has(peer: Peer, id: string): Promise<boolean> {
  return (await idsOf(peer)).includes(id);
}

async function logsOf(peer: Peer): Promise<readonly JsonView[]> {
  return (await peer.api.stream(stream)).list('logs');
}

/** Until the peer gives the stream as the owner does, all its logs whole. */
async function same(peer: Peer, owner: Peer): Promise<void> {
  await until(
    `${peer.name} to hold ${stream} as ${owner.name} does`,
    async () => {
      return (await heads(peer)) === (await heads(owner)) ? true : undefined;
    },
    wait,
  );
}

/** Logs and roots of the stream as a peer has it. */
async function heads(peer: Peer): Promise<string> {
  const logs = await logsOf(peer);
  return logs.map((log) => `${log.text('log')} ${log.text('root')}`).join('\n');
}

async function sound(peer: Peer, logs: number): Promise<void> {
  const view = await peer.api.verify(stream);
  must(view.text('verdict') === 'intact', `${peer.name}: ${JSON.stringify(view.value)}`);
  must(view.list('logs').length === logs, `${peer.name}: ${view.list('logs').length} logs`);
  const last = (await logsOf(peer)).at(-1);
  must(last?.text('state') === 'open', `${peer.name}: ${last?.text('state')}`);
}

function idsOfPeers(peers: readonly Peer[]): Promise<readonly string[]> {
  return Promise.all(peers.map(idOf));
}

/** The home and its copy sign to one half each; then the copy ends and the halves meet. */
async function fork(work: Workspace, { shop, hub, a, b }: Net, events: number): Promise<void> {
  const shopId = await idOf(shop);
  const [near, far] = [await idsOfPeers([hub, ...a]), await idsOfPeers(b)];
  await shop.down();
  const twin = await twinOf(work, shop, { peers: b, ids: far });
  await Promise.all([
    ...[hub, ...a].map((peer) => banAll(peer, [...far, twin.id], 'banned')),
    ...b.map((peer) => banAll(peer, [...near, shopId], 'banned')),
  ]);
  await Promise.all([shop.up(), tuned(twin.peer).up()]);
  await Promise.all([
    banAll(shop, [...far, twin.id], 'banned'),
    banAll(twin.peer, [...near, shopId], 'banned'),
  ]);
  await Promise.all([publish(shop, 1000, events), publish(twin.peer, 20_000, events + 7)]);
  await inParallel(a, 4, (peer) => same(peer, shop));
  await inParallel(b, 4, (peer) => same(peer, twin.peer));
  await twin.peer.down();
  rmSync(twin.peer.home, { recursive: true, force: true });
  await Promise.all([
    banAll(shop, far, 'ok'),
    ...[hub, ...a].map((peer) => banAll(peer, far, 'ok')),
    ...b.map((peer) => banAll(peer, [...near, shopId], 'ok')),
  ]);
  await inParallel([shop, ...a, ...b], 4, (peer) =>
    until(
      `${peer.name} to know of the fork`,
      async () => ((await logsOf(peer)).at(-1)?.text('state') === 'frozen' ? true : undefined),
      wait,
    ),
  );
}

interface Stolen {
  /** Sizes at the theft: what comes behind them is not the owner's. */
  readonly orders: number;
  readonly registry: number;
}

/** While the shop is closed a copy of its home rotates the key and publishes. */
async function theft(work: Workspace, { shop, hub, a, b }: Net): Promise<Stolen> {
  const orders = (await logsOf(shop)).at(-1)?.number('size') ?? 0;
  const registry = (await shop.hw(['stream', 'show', '_registry'])).expect(0).json;
  const size = registry.list('logs').at(-1)?.number('size') ?? 0;
  await shop.down();
  const peers = [hub, ...a, ...b];
  const ids = await idsOfPeers(peers);
  const { peer: thief } = await twinOf(work, shop, { peers, ids });
  (await thief.hw(['key', 'rotate'])).expect(0);
  await tuned(thief).up();
  await publish(thief, 9000, 5);
  await inParallel([...a, ...b], 4, (peer) => same(peer, thief));
  await thief.down();
  return { orders, registry: size };
}

async function recoverFromThief({ shop }: Net, stolen: Stolen): Promise<void> {
  const rotated = (await shop.hw(['key', 'rotate', '--lost'])).expect(0);
  must(rotated.json.list('left').length === 2, rotated.said());
  await shop.up();
  const recover = (name: string, at: number): Promise<unknown> =>
    shop
      .hw(['stream', 'recover', name, '--reason', 'key', '--at', String(at)])
      .then((ran) => ran.expect(0));
  await recover('_registry', stolen.registry);
  await recover('orders', stolen.orders);
}

interface Tail {
  /** Until these ids were printed, in this order; nothing twice. */
  saw(wanted: readonly string[], what: string): Promise<void>;
}

/** `hw tail` as a process of its own. */
function tail(work: Workspace, peer: Peer): Tail {
  const log = join(work.directory('logs'), `${peer.name}-tail.log`);
  const child = work.children.start(
    [mainPath, 'tail', stream, '--from', 'start', '--home', peer.home],
    { log, environment: work.environment() },
  );
  const printed = (): readonly string[] => child.stdout.split('\n').slice(0, -1).map(idOfLine);
  return {
    saw: async (wanted, what) => {
      await until(
        `the ${what} reader to see ${wanted.length} events`,
        () => {
          if (child.exit !== undefined) throw new Error(`it ended: ${readFileSync(log, 'utf8')}`);
          return printed().includes(wanted.at(-1) ?? '') ? true : undefined;
        },
        wait,
      );
      const seen = printed();
      const twice = seen.filter((id, i) => seen.indexOf(id) !== i);
      const some = twice.slice(0, 9).join(' ');
      must(twice.length === 0, `the ${what} reader saw ${twice.length} twice: ${some}`);
      const set = new Set(wanted);
      const kept = seen.filter((id) => set.has(id));
      must(
        kept.join(' ') === wanted.join(' '),
        `the ${what} reader: ${kept.length} of ${wanted.length}`,
      );
      child.kill('SIGINT');
      await child.exited;
    },
  };
}

/** A cursor in many small steps. */
async function cursor(peer: Peer, wanted: readonly string[]): Promise<void> {
  const seen: string[] = [];
  const limit = Math.ceil(wanted.length / 7);
  for (let i = 0; i < 9; i++) {
    const lines = await peer.api.replay(stream, { cursor: 'reader', limit });
    seen.push(...lines.map(idOfLine));
  }
  must(seen.join(' ') === wanted.join(' '), `the cursor saw ${seen.length} of ${wanted.length}`);
}

function never(): never {
  throw new Error('there are peers');
}
