/**
 * A writer who shows two histories to two halves of a network. Its home is copied and the copy given
 * a peer key of its own; the halves have banned each other, so each sees one of the two nodes. Then
 * the bans are lifted: within five seconds after the halves have met, every honest peer must hold a
 * valid fork proof, and nothing that was accepted may be gone.
 */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeAlert } from '../../src/gossip/announcement-codec.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';
import { decodeForkProof, verifyForkProof } from '../../src/ledger/fork-proof.ts';
import { createHome } from '../../src/node/home-create.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import { offlineEnv } from '../../src/verify.ts';
import { Peer } from '../lib/peer.ts';
import { inParallel, until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must, numbered } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';
import { ApiError } from '../lib/api.ts';

/** Both halves see as many events of the first, and different numbers of the second. */
const streams = ['cheat/even', 'cheat/odd'] as const;
const withinMs = 5000;

interface Half {
  readonly peers: readonly Peer[];
  readonly ids: readonly string[];
}

export const forks: NetworkChecks = async (work, { short, holds }) => {
  const say = (what: string): void => holds(`${what} (${work.seconds.toFixed(1)} s)`);
  const [perHalf, events] = short ? [1, 20] : [2, 400];
  const { hub, invite, cheat, honest, sides, make } = await common(work, perHalf);
  say(`${honest.length} honest peers hold the common part of ${streams.length} streams`);

  const cheatId = await idOf(cheat);
  await cheat.down();
  const twin = await twinOf(work, cheat, sides[1]);
  await part(sides, [cheatId, twin.id]);
  await Promise.all([tuned(cheat).up(), tuned(twin.peer).up()]);
  await banAll(cheat, [twin.id, ...sides[1].ids], 'banned');
  await banAll(twin.peer, [cheatId, ...sides[0].ids], 'banned');
  for (const [i, writer] of [cheat, twin.peer].entries()) {
    const first = 1000 * (i + 1);
    await until(`${writer.name} to sign`, () => publish(writer, streams[0], first, events), {
      timeoutMs: 60_000,
    });
    await publish(writer, streams[1], first, events + 7 * i);
  }
  await inParallel(sides[0].peers, 4, (peer) => complete(peer, cheat));
  await inParallel(sides[1].peers, 4, (peer) => complete(peer, twin.peer));
  const before = await snapshot(honest);
  for (const peer of honest) must((await forksOf(peer)) === 0, `${peer.name} knows of a fork`);
  say(`each half holds its own history, ${events} events of ${streams[0]} in both`);

  const tookMs = await meet(sides);
  must(tookMs.proof <= withinMs, `it took ${tookMs.proof} ms, not ${withinMs}`);
  say(
    `every honest peer holds a fork proof of both logs ${tookMs.proof} ms after the halves met` +
      ` (${tookMs.lifted} ms after the bans were lifted)`,
  );

  await checkProofs(honest);
  const after = await snapshot(honest);
  for (const [key, lines] of before) {
    must(after.get(key) === lines, `${key}: what was accepted has changed`);
  }
  say('each proof verifies offline; the logs are frozen; nothing accepted was dropped');

  await refusedAndTold(cheat, honest);
  say('the writer is refused with log-frozen; status, metrics and journal tell it');

  await keepsBoth(honest);
  say('every honest peer keeps blocks of the other history');

  await hostile(work, hub, invite, honest, before);
  say('invalid proofs, flooded by a member, change nothing');

  const late = await make('late');
  await follow(late);
  await until('the late joiner to learn it', async () =>
    (await forksOf(late)) === streams.length ? true : undefined,
  );
  say('who joins late learns it');
  await Promise.all([...honest, late, cheat, twin.peer].map((peer) => peer.down()));
};

interface Common {
  readonly hub: Peer;
  readonly invite: string;
  readonly cheat: Peer;
  readonly honest: readonly Peer[];
  readonly sides: readonly [Half, Half];
  readonly make: (name: string) => Promise<Peer>;
}

/** The network while the cheat still shows one history. */
async function common(work: Workspace, perHalf: number): Promise<Common> {
  const hub = await tuned(await new Peer(work, 'hub').init()).up();
  const invite = (await hub.hw(['invite'])).expect(0).json.text('invite') ?? '';
  const make = async (name: string): Promise<Peer> =>
    tuned(await new Peer(work, name).join(invite)).up();
  const names = Array.from({ length: perHalf }, (_, i) => [`a${i + 1}`, `b${i + 1}`]).flat();
  const [cheat, ...others] = await inParallel(['cheat', ...names, 'b0'], 3, make);
  must(cheat !== undefined, 'there is a cheat');
  for (const stream of streams) await cheat.api.post('/streams', { name: stream.split('/')[1] });
  const honest = [hub, ...others];
  await inParallel(honest, 4, follow);
  for (const stream of streams) await publish(cheat, stream, 0, 10);
  await inParallel(honest, 4, (peer) => complete(peer, cheat));
  const sides = await Promise.all([
    half(honest.filter(({ name }) => !name.startsWith('b'))),
    half(honest.filter(({ name }) => name.startsWith('b'))),
  ]);
  return { hub, invite, cheat, honest, sides, make };
}

/** Tests should not wait for politeness. */
export function tuned(peer: Peer): Peer {
  peer.configure('limits.dialIntervalMs', 300);
  peer.configure('limits.peerBackoffMs', 200);
  peer.configure('limits.maxPeerBackoffMs', 1000);
  return peer;
}

async function half(peers: readonly Peer[]): Promise<Half> {
  return { peers, ids: await Promise.all(peers.map(idOf)) };
}

export async function idOf(peer: Peer): Promise<string> {
  return (await peer.api.get('/status')).text('peer') ?? '';
}

async function follow(peer: Peer): Promise<void> {
  for (const target of streams) {
    await until(`${peer.name} to follow ${target}`, async () => {
      await peer.api.post('/follows', { target });
      return true;
    });
  }
}

async function publish(peer: Peer, stream: string, from: number, count: number): Promise<true> {
  for (let n = 0; n < count; n += 100) {
    const length = Math.min(100, count - n);
    const batch = Array.from({ length }, (_, i) => numbered(from + n + i));
    await peer.api.publish(stream, batch);
  }
  return true;
}

async function rootOf(peer: Peer, stream: string): Promise<string> {
  const [log] = (await peer.api.stream(stream)).list('logs');
  return log?.text('root') ?? '';
}

async function complete(peer: Peer, writer: Peer): Promise<void> {
  for (const stream of streams) {
    await until(`${peer.name} to hold ${stream}`, async () => {
      const wanted = await rootOf(writer, stream);
      return (await rootOf(peer, stream)) === wanted ? true : undefined;
    });
  }
}

/** The home again, with a peer key of its own: what a thief or a cheat would run. */
export async function twinOf(
  work: Workspace,
  cheat: Peer,
  { peers, ids }: Half,
): Promise<{ peer: Peer; id: string }> {
  const home = join(work.folder, 'twin');
  await cp(cheat.home, home, { recursive: true });
  const gone = ['run', 'peers', 'keys/peer.key', 'keys/identity.json'];
  for (const name of [...gone, 'keys/peer.ucan', 'keys/write.ucan']) {
    await rm(join(home, name), { recursive: true, force: true });
  }
  const random = processRuntime().random;
  const made = await createHome(home, { organisation: 'cheat', random, ask: noPassphrase });
  if (!made.ok) throw new Error(made.error.message);
  const peer = new Peer(work, 'twin', home);
  const [http = 0, tcp = 0] = await work.ports(2);
  peer.configure('http.listen', `127.0.0.1:${http}`);
  peer.configure('p2p.listen', [`/ip4/127.0.0.1/tcp/${tcp}`]);
  const friends = peers.map(({ listens }, i) => `${listens[0] ?? ''}/p2p/${ids[i] ?? ''}`);
  peer.configure('p2p.bootstrap', friends);
  return { peer, id: peerIdFromKey(made.value.identity.peerKey) };
}

function noPassphrase(): Promise<never> {
  return Promise.reject(new Error('no passphrase is needed'));
}

export async function banAll(
  peer: Peer,
  ids: readonly string[],
  state: 'ok' | 'banned',
): Promise<void> {
  for (const id of ids) await peer.api.call('PATCH', `/peers/${id}`, { body: { state } });
}

/** Half 0 sees the first of the two writers, half 1 the second. */
async function part(sides: readonly Half[], writers: readonly string[]): Promise<void> {
  for (const [i, { peers }] of sides.entries()) {
    const others = [...(sides[1 - i]?.ids ?? []), writers[1 - i] ?? ''];
    await Promise.all(peers.map((peer) => banAll(peer, others, 'banned')));
  }
}

/** Lifts the bans; how long it took until all had a proof of each log. */
async function meet(sides: readonly Half[]): Promise<{ proof: number; lifted: number }> {
  const honest = sides.flatMap(({ peers }) => peers);
  const lifted = performance.now();
  await Promise.all(
    sides.flatMap(({ peers }, i) =>
      peers.map((peer) => banAll(peer, sides[1 - i]?.ids ?? [], 'ok')),
    ),
  );
  const crossed = async (): Promise<boolean> => {
    for (const [i, { peers }] of sides.entries()) {
      const others = new Set(sides[1 - i]?.ids);
      for (const peer of peers) {
        const list = (await peer.api.get('/peers')).list('peers');
        const met = list.some(
          (one) =>
            others.has(one.text('peer') ?? '') &&
            one.flag('connected') &&
            one.text('organisation') !== undefined,
        );
        if (met) return true;
      }
    }
    return false;
  };
  const everyMs = 10;
  const met = await until(
    'the halves to meet',
    async () =>
      (await crossed()) || (await forksOf(honest[0] ?? never())) > 0
        ? performance.now()
        : undefined,
    { everyMs },
  );
  await inParallel(honest, honest.length, (peer) =>
    until(
      `${peer.name} to hold a proof`,
      async () => ((await forksOf(peer)) === streams.length ? true : undefined),
      { everyMs },
    ),
  );
  const now = performance.now();
  return { proof: Math.round(now - met), lifted: Math.round(now - lifted) };
}

function never(): never {
  throw new Error('there are peers');
}

/** Logs of the two streams for which it gives a proof. */
async function forksOf(peer: Peer): Promise<number> {
  let count = 0;
  for (const stream of streams) {
    const [log] = (await peer.api.stream(stream)).list('logs');
    if (log?.at('fork').value !== undefined) count += 1;
  }
  return count;
}

async function proofOf(peer: Peer, stream: string): Promise<Uint8Array> {
  const [log] = (await peer.api.stream(stream)).list('logs');
  const view = await peer.api.get(`/logs/${log?.text('log') ?? ''}/fork`);
  return Buffer.from(view.text('proof') ?? '', 'base64');
}

async function checkProofs(honest: readonly Peer[]): Promise<void> {
  const env = offlineEnv(nodeCrypto);
  for (const peer of honest) {
    for (const stream of streams) {
      const proven = verifyForkProof(env, await proofOf(peer, stream));
      must(proven.ok, `${peer.name}: the proof does not verify`);
      const [log] = (await peer.api.stream(stream)).list('logs');
      must(log?.text('log') === proven.value.logId, `${peer.name}: a proof of another log`);
      must(log.text('state') === 'frozen', `${peer.name}: ${stream} is ${log.text('state')}`);
    }
  }
  const [hub] = honest;
  must(hub !== undefined, 'there is a hub');
  const file = join(hub.home, 'proof.fork');
  await writeFile(file, await proofOf(hub, streams[0]));
  const verified = (await hub.hw(['verify', file])).expect(3);
  must(verified.json.text('code') === 'fork', verified.said());
}

/** Everything that each peer gives of each stream, by peer and stream. */
async function snapshot(honest: readonly Peer[]): Promise<ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  for (const peer of honest) {
    for (const stream of streams) {
      all.set(`${peer.name} ${stream}`, (await peer.api.replay(stream)).join('\n'));
    }
  }
  return all;
}

async function refusedAndTold(cheat: Peer, honest: readonly Peer[]): Promise<void> {
  // The cheat is still banned by one half only, so it learns of it from the other.
  await until('the writer to be refused', async () => {
    try {
      await cheat.api.publish(streams[0], [numbered(9000 + Math.floor(performance.now()))]);
      return undefined;
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      must(cause.code === 'log-frozen', `refused with ${cause.code}`);
      return true;
    }
  });
  for (const peer of honest) {
    const checks = (await peer.api.get('/checks')).list('checks');
    const found = checks.find((check) => check.text('reason')?.startsWith('frozen') === true);
    must(found?.text('hint')?.includes('hw stream recover') === true, `${peer.name}: doctor`);
    const metrics = await peer.api.text('GET', '/metrics', { accept: 'text/plain' });
    must(/headwater_forked_logs 2/.test(metrics), `${peer.name}: metrics`);
    const journal = await peer.hw(['replay', '_journal']);
    must(journal.stdout.includes('org.headwater.security.fork'), `${peer.name}: journal`);
  }
}

async function keepsBoth(honest: readonly Peer[]): Promise<void> {
  await inParallel(honest, 4, (peer) =>
    until(
      `${peer.name} to keep the other history`,
      async () => {
        for (const stream of streams) {
          const [log] = (await peer.api.stream(stream)).list('logs');
          const view = await peer.api.get(`/logs/${log?.text('log') ?? ''}/fork`);
          if ((view.number('kept') ?? 0) === 0) return undefined;
        }
        return true;
      },
      { timeoutMs: 90_000 },
    ),
  );
}

/** A member of the network that floods alerts which prove nothing. */
async function hostile(
  work: Workspace,
  hub: Peer,
  invite: string,
  honest: readonly Peer[],
  before: ReadonlyMap<string, string>,
): Promise<void> {
  const good = await proofOf(hub, streams[0]);
  const other = await proofOf(hub, streams[1]);
  const [a, b] = [decodeForkProof(good), decodeForkProof(other)];
  must(a.ok && b.ok, 'the proofs are read');
  const alerts = [
    encodeAlert({ kind: 'fork', proof: good.with(good.length - 2, (good.at(-2) ?? 0) ^ 1) }),
    encodeAlert({ kind: 'fork', proof: good.slice(0, 200) }),
    new Uint8Array(1000),
  ];
  const { flood } = await import('../lib/flood-alerts.ts');
  const sent = await flood(work, invite, hub, alerts, 50);
  must(sent > 0, 'nothing was sent');
  const after = await snapshot(honest);
  for (const [key, lines] of before) must(after.get(key) === lines, `${key} has changed`);
  for (const peer of honest) must((await forksOf(peer)) === streams.length, `${peer.name}: forks`);
}
