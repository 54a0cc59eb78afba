/** One peer of the simulation: a real ledger over memory, the real gossip node, a network in memory. */
import { judgeEvent } from '../../src/event/judge.ts';
import { mintPeerDelegation, mintWriteDelegation } from '../../src/access/peer-delegation.ts';
import { checkWriteProof } from '../../src/access/write-proof.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { GossipNode } from '../../src/gossip/gossip-node.ts';
import {
  foundNetwork,
  KnownNetwork,
  type NetworkDocument,
} from '../../src/gossip/network-document.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';
import { didFromKey } from '../../src/ids.ts';
import { MemoryGuard, type GuardMark } from '../../src/ledger/guard.ts';
import type { LedgerOptions } from '../../src/ledger/ledger-types.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { limits, protocol } from '../../src/limits.ts';
import type { Result } from '../../src/result.ts';
import { asStreamName, asTimeMs, type LogId, type PeerId } from '../../src/types.ts';
import type { Dice } from './dice.ts';
import type { SimNetwork } from './sim-network.ts';
import { addressOf, SimTransport } from './sim-transport.ts';
import { epochMs, VirtualHost } from './virtual-time.ts';

/** A network of its own, open to all. */
export function simNetworkDocument(dice: Dice): NetworkDocument {
  return must(
    foundNetwork(nodeCrypto, signerFromSeed(dice.bytes(32)), {
      name: 'simulation',
      created: asTimeMs(epochMs),
      membership: 'open',
      members: [],
      bootstrap: [],
      witnesses: [],
    }),
  );
}

/** What is asked of a part that only a running node has. */
export function ofRunning<T>(work: Promise<T> | undefined): Promise<T> {
  if (work === undefined) throw new Error('the node is down');
  return work;
}

/** A throw as a problem of the run. */
export function problemOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

export interface NodeOptions {
  readonly gossip: boolean;
  readonly livePulls: boolean;
  /** Peers whose addresses it starts with. */
  readonly bootstrap: readonly PeerId[];
  /** Own logs that others have wait at the start for their word. */
  readonly restoreGuard?: NonNullable<LedgerOptions['restoreGuard']>;
}

/** What runs between a start and a crash. */
interface Running {
  readonly host: VirtualHost;
  readonly ledger: Ledger;
  readonly transport: SimTransport;
  readonly gossip: GossipNode;
}

export class SimNode {
  readonly name: string;
  peer: PeerId;
  owner: Signer;
  /** Counts the starts: what an earlier life still does is nobody's word. */
  life = 0;
  options: NodeOptions = { gossip: true, livePulls: false, bootstrap: [] };
  readonly #network: SimNetwork;
  readonly #dice: Dice;
  readonly #document: NetworkDocument;
  #key: Signer;
  writer: Signer;
  #recovery: Signer | undefined;
  #secret: Uint8Array;
  #delegation: Uint8Array;
  #store = new MemoryStore();
  #guard = new MemoryGuard();
  #running: Running | undefined;

  constructor(network: SimNetwork, dice: Dice, document: NetworkDocument, name: string) {
    this.#network = network;
    this.#dice = dice;
    this.#document = document;
    this.name = name;
    this.#key = signerFromSeed(dice.bytes(32));
    this.owner = signerFromSeed(dice.bytes(32));
    this.writer = signerFromSeed(dice.bytes(32));
    this.#secret = dice.bytes(32);
    this.peer = peerIdFromKey(this.#key.publicKey);
    this.#delegation = mintPeerDelegation(this.owner, dice, {
      peerKey: this.#key.publicKey,
      network: document.id,
    });
  }

  get up(): boolean {
    return this.#running !== undefined;
  }
  get ledger(): Ledger | undefined {
    return this.#running?.ledger;
  }
  /** Blocks that came by gossip and by sync since the last start. */
  get counted(): { readonly byGossip: number; readonly bySync: number } {
    const counts = this.#running?.gossip.report().counts;
    return {
      byGossip: counts?.get('gossipAccepted') ?? 0,
      bySync: counts?.get('syncBlocks') ?? 0,
    };
  }
  get gossip(): GossipNode | undefined {
    return this.#running?.gossip;
  }
  get host(): VirtualHost | undefined {
    return this.#running?.host;
  }

  async start(): Promise<void> {
    const host = new VirtualHost(this.#network.time, this.#dice);
    const ledger = must(
      await Ledger.open({
        store: this.#store,
        guard: this.#guard,
        host,
        crypto: nodeCrypto,
        judges: {
          event: judgeEvent,
          writeProof: (claim) => checkWriteProof(nodeCrypto, claim),
        },
        limits: { ...protocol, ...limits },
        nodeSecret: this.#secret,
        ...(this.options.restoreGuard && { restoreGuard: this.options.restoreGuard }),
      }),
    );
    for (const log of ledger.logs()) {
      if (log.role === 'writer') must(ledger.attachSigner(log.logId, this.writer));
      this.#network.trace(`open ${this.name} ${log.logId.slice(-6)} ${log.size} ${log.state}`);
    }
    ledger.onAppended((block) => {
      this.#network.trace(`append ${this.name} ${block.logId.slice(-6)} ${block.size}`);
    });
    const transport = new SimTransport(this.#network, this.peer);
    const known = new KnownNetwork(nodeCrypto, this.#document.id);
    must(known.offer(this.#document.wire));
    const { gossip: on, livePulls, bootstrap } = this.options;
    const gossip = await GossipNode.start({
      transport,
      ledger,
      host,
      crypto: nodeCrypto,
      network: known,
      self: {
        organisation: didFromKey(this.owner.publicKey),
        delegations: () => [this.#delegation],
        roles: [],
        software: 'sim/1',
      },
      judgeEvent,
      bootstrap: bootstrap.map(addressOf),
      gossip: on,
      livePulls,
    });
    this.life += 1;
    this.#running = { host, ledger, transport, gossip };
  }

  /** A stream of its own, written by a key that the owner delegated. */
  async create(name: string): Promise<LogId> {
    const stream = asStreamName(name);
    const proof = mintWriteDelegation(this.owner, this.#dice, {
      audience: this.writer.publicKey,
      name: stream,
      partition: 0,
    });
    return must(
      await this.#alive().ledger.create(
        {
          owner: didFromKey(this.owner.publicKey),
          name: stream,
          partition: 0,
          partitions: 1,
          recoveryHash: nodeCrypto.sha256(this.#recoveryKey().publicKey),
          visibility: 'public',
          retention: { keep: 'all' },
          proof: [proof],
        },
        this.writer,
      ),
    );
  }

  /** Goes on from a stream of its own in a successor log. */
  async recover(logId: LogId): Promise<LogId> {
    const { ledger } = this.#alive();
    const name = ledger.log(logId)?.genesis?.name;
    if (name === undefined || this.#recovery === undefined) throw new Error('not a stream of ours');
    const proof = mintWriteDelegation(this.owner, this.#dice, {
      audience: this.writer.publicKey,
      name,
      partition: 0,
    });
    const recoveryHash = nodeCrypto.sha256(this.#recovery.publicKey);
    const plan = { recoveryHash, proof: [proof] };
    return must(await ledger.successors.succeed(logId, plan, this.#recovery, this.writer));
  }

  #recoveryKey(): Signer {
    this.#recovery ??= signerFromSeed(this.#dice.bytes(32));
    return this.#recovery;
  }

  async follow(logId: LogId): Promise<void> {
    const { ledger, gossip } = this.#alive();
    must(await ledger.follow(logId));
    gossip.follow(logId);
  }

  /** Dies at once: `kill -9` (nothing of the store is lost) or a power cut (what was not synced is). */
  crash(lost: 'nothing' | 'unsynced'): void {
    const { host, transport } = this.#alive();
    this.#network.trace(`crash ${this.name} ${lost}`);
    this.#running = undefined;
    host.stop();
    transport.crash();
    this.#store = this.#store.crash(lost);
    this.#guard = new MemoryGuard(this.#guard.marks());
  }

  /** Dies and comes back with an older copy of its store, beside the newest guard. */
  async restore(copy: MemoryStore): Promise<void> {
    this.crash('nothing');
    this.#store = copy;
    await this.start();
  }

  /** Dies and comes back with an older copy of all of its home, guard included. */
  async restoreHome(copy: MemoryStore, marks: readonly GuardMark[]): Promise<void> {
    this.crash('nothing');
    this.#store = copy;
    this.#guard = new MemoryGuard(marks);
    await this.start();
  }

  /** What the guard holds now. */
  marks(): readonly GuardMark[] {
    return this.#guard.marks();
  }

  /** The store as it is now; the node is restarted for it. */
  async copy(): Promise<MemoryStore> {
    this.crash('nothing');
    const kept = this.#store;
    this.#store = kept.crash('nothing');
    await this.start();
    return kept.crash('nothing');
  }

  /** A second peer of the same organisation, with the same writer key and a copy of the store: a cheat. */
  async twin(name: string): Promise<SimNode> {
    const other = new SimNode(this.#network, this.#dice.fork(), this.#document, name);
    other.owner = this.owner;
    other.writer = this.writer;
    other.#secret = this.#secret;
    other.#delegation = mintPeerDelegation(this.owner, this.#dice, {
      peerKey: other.#key.publicKey,
      network: this.#document.id,
    });
    other.#store = await this.copy();
    other.#guard = new MemoryGuard(this.#guard.marks());
    return other;
  }

  /** Ends as an operator would end it. */
  async stop(): Promise<void> {
    const { gossip, transport, ledger } = this.#alive();
    await gossip[Symbol.asyncDispose]();
    await transport[Symbol.asyncDispose]();
    await ledger.close();
    this.#running = undefined;
  }

  #alive(): Running {
    if (this.#running === undefined) throw new Error(`${this.name} is down`);
    return this.#running;
  }
}

export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.code}: ${result.error.message}`);
}
