/** A member of the network that does nothing but send alerts: a transport and a hello, no node. */
import { nodeCrypto } from '../../src/crypto-node.ts';
import { judgeEvent } from '../../src/event/judge.ts';
import { ConnectionGate } from '../../src/gossip/connection-gate.ts';
import { GossipNode } from '../../src/gossip/gossip-node.ts';
import { createTransport, type Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import { KnownNetwork, parseNetworkId } from '../../src/gossip/network-document.ts';
import { alertsTopic, allTopics } from '../../src/gossip/topics.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { limits, protocol } from '../../src/limits.ts';
import { openHome } from '../../src/node/home.ts';
import { nodeEnv } from '../../src/node/judges.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import type { Result } from '../../src/result.ts';
import { Peer } from './peer.ts';
import { until } from './until.ts';
import type { Workspace } from './workspace.ts';

/** Sends each alert so often, a little changed, to a peer; how many went out before it was barred. */
export async function flood(
  work: Workspace,
  invite: string,
  target: Peer,
  alerts: readonly Uint8Array[],
  times: number,
): Promise<number> {
  const mallory = await new Peer(work, 'mallory').join(invite);
  const runtime = processRuntime();
  const home = must(await openHome(mallory.home));
  const known = new KnownNetwork(nodeCrypto, must(parseNetworkId(must(present(home.network)).id)));
  if (home.network?.document !== undefined) must(known.offer(home.network.document));
  await using ledger = must(
    await Ledger.open({
      store: new MemoryStore(),
      guard: new MemoryGuard(),
      host: runtime,
      crypto: nodeCrypto,
      judges: nodeEnv.judges,
      limits: { ...protocol, ...limits },
      nodeSecret: new Uint8Array(32),
    }),
  );
  await using transport = must(
    await createTransport({
      seed: home.keys.peerSeed,
      listen: [],
      topics: allTopics(known.text),
      roles: [],
      host: runtime,
      hasher: nodeCrypto,
      gate: new ConnectionGate(runtime.clock, limits),
      limits,
      version: 'mallory',
    }),
  );
  const id = (await target.api.get('/status')).text('peer') ?? '';
  await using node = await GossipNode.start({
    transport,
    ledger,
    host: runtime,
    crypto: nodeCrypto,
    network: known,
    self: {
      organisation: home.identity.organisation,
      delegations: () => home.peerDelegation,
      roles: [],
      software: 'mallory',
    },
    judgeEvent,
    bootstrap: [`${target.listens[0] ?? ''}/p2p/${id}`],
  });
  await until('mallory to be let in', () =>
    node.report().peers.some(({ state }) => state === 'ready') ? true : undefined,
  );
  return await shout(transport, alertsTopic(known.text), target, alerts, times);
}

async function shout(
  transport: Libp2pTransport,
  topic: string,
  target: Peer,
  alerts: readonly Uint8Array[],
  times: number,
): Promise<number> {
  const meshed = (): boolean => (transport.gossipStats().mesh.get(topic) ?? 0) > 0;
  await until('the mesh of the topic', meshed);
  let sent = 0;
  for (let i = 0; i < times; i++) {
    for (const alert of alerts) {
      const at = alert.length - 1 - (i % 30);
      const bytes = alert.with(at, (alert[at] ?? 0) ^ (1 + i));
      if ((await transport.publish(topic, bytes)).ok) sent += 1;
    }
  }
  const score = async (): Promise<true | undefined> => {
    const metrics = await target.api.text('GET', '/metrics', { accept: 'text/plain' });
    return /headwater_rejects_total\{[^}]*\} [1-9]/.test(metrics) ? true : undefined;
  };
  await until('the flood to cost its sender', score);
  return sent;
}

function present<T>(value: T | undefined): Result<T> {
  if (value === undefined) throw new Error('the home has no network');
  return { ok: true, value };
}

function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.code}: ${result.error.message}`);
}
