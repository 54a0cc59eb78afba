/** Gossip nodes over the simulator's network and fake ledgers, in virtual time. */
import assert from 'node:assert/strict';
import { mintPeerDelegation } from '../../src/access/peer-delegation.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { GossipNode } from '../../src/gossip/gossip-node.ts';
import type { GossipEvent, GossipOptions } from '../../src/gossip/gossip-options.ts';
import {
  foundNetwork,
  KnownNetwork,
  type NetworkDocument,
  type NetworkTerms,
} from '../../src/gossip/network-document.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';
import { didFromKey } from '../../src/ids.ts';
import { ok, type Result } from '../../src/result.ts';
import { asTimeMs, type Did } from '../../src/types.ts';
import { Dice } from '../sim/dice.ts';
import { SimNetwork } from '../sim/sim-network.ts';
import { SimTransport } from '../sim/sim-transport.ts';
import { VirtualHost, VirtualTime } from '../sim/virtual-time.ts';
import { FakeLedger } from './fake-ledger.ts';

export interface TestNode {
  readonly organisation: Did;
  readonly transport: SimTransport;
  readonly ledger: FakeLedger;
  readonly known: KnownNetwork;
  readonly node: GossipNode;
  readonly events: GossipEvent[];
}

export interface NodeSettings extends Partial<GossipOptions> {
  /** Organisation's key; by default each node has its own. */
  readonly owner?: Signer;
  readonly peerKey?: Signer;
  /** Starts with no document, knowing the id only. */
  readonly newcomer?: boolean;
  readonly skewMs?: number;
  /** As its hello says. */
  readonly roles?: readonly string[];
  readonly setUp?: (ledger: FakeLedger) => void;
}

export const founder: Signer = signerFromSeed(new Uint8Array(32).fill(1));

export class World implements AsyncDisposable {
  readonly time: VirtualTime = new VirtualTime();
  readonly dice: Dice = new Dice(7);
  readonly network: SimNetwork = new SimNetwork(this.time, this.dice);
  readonly nodes: TestNode[] = [];
  readonly document: NetworkDocument;

  constructor(terms: Partial<NetworkTerms> = {}) {
    this.document = value(
      foundNetwork(nodeCrypto, founder, {
        name: 'testnet',
        created: asTimeMs(1),
        membership: 'open',
        members: [],
        bootstrap: [],
        witnesses: [],
        ...terms,
      }),
    );
  }

  async add(settings: NodeSettings = {}): Promise<TestNode> {
    const { owner, peerKey, newcomer, skewMs, roles = [], setUp, ...rest } = settings;
    const host = new VirtualHost(this.time, this.dice.fork(), skewMs);
    const key = peerKey ?? signerFromSeed(this.dice.bytes(32));
    const organisation = owner ?? signerFromSeed(this.dice.bytes(32));
    const token = mintPeerDelegation(organisation, host.random, { peerKey: key.publicKey });
    const transport = new SimTransport(this.network, peerIdFromKey(key.publicKey));
    const ledger = new FakeLedger();
    setUp?.(ledger);
    const known = new KnownNetwork(nodeCrypto, this.document.id);
    if (newcomer !== true) value(known.offer(this.document.wire));
    const did = didFromKey(organisation.publicKey);
    const node = await GossipNode.start({
      transport,
      ledger,
      host,
      crypto: nodeCrypto,
      network: known,
      self: { organisation: did, delegations: () => [token], roles, software: 'test/1' },
      judgeEvent: () => ok({}),
      bootstrap: [],
      ...rest,
    });
    const events: GossipEvent[] = [];
    node.listen((event) => events.push(event));
    const added: TestNode = { organisation: did, transport, ledger, known, node, events };
    this.nodes.push(added);
    return added;
  }

  async connect(a: TestNode, b: TestNode): Promise<void> {
    const [address] = b.transport.addresses();
    assert.ok(address !== undefined);
    value(await this.run(a.transport.dial(address)));
  }

  /** Connects and waits until both have accepted the other's hello. */
  async greet(a: TestNode, b: TestNode): Promise<void> {
    await this.connect(a, b);
    await this.until(() => ready(a, b) && ready(b, a), 'both are greeted');
  }

  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => undefined);
    assert.ok(await this.time.until(() => settled, 600_000), 'it never ends');
    return watched;
  }

  async until(condition: () => boolean, what: string, limitMs = 120_000): Promise<void> {
    assert.ok(await this.time.until(condition, limitMs), what);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(Promise.all(this.nodes.map(({ node }) => node[Symbol.asyncDispose]())));
    for (const { transport } of this.nodes) await transport[Symbol.asyncDispose]();
  }
}

export function ready(at: TestNode, other: TestNode): boolean {
  const peers = at.node.report().peers;
  return peers.some((peer) => peer.peer === other.transport.self && peer.state === 'ready');
}

export function count(node: TestNode, name: string): number {
  for (const [key, value] of node.node.report().counts) if (key === name) return value;
  throw new Error(`no counter ${name}`);
}

export function value<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : `${result.error.code}: ${result.error.message}`);
  return result.value;
}
