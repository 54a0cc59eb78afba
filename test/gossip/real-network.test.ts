/** Real ledgers and real libp2p on loopback, without a node around them. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mintPeerDelegation } from '../../src/access/peer-delegation.ts';
import { checkWriteProof } from '../../src/access/write-proof.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { judgeEvent } from '../../src/event/judge.ts';
import { makeEvent } from '../../src/event/make.ts';
import { GossipNode } from '../../src/gossip/gossip-node.ts';
import { KnownNetwork, type NetworkDocument } from '../../src/gossip/network-document.ts';
import { peerKey } from '../../src/gossip/peer-id.ts';
import { allTopics } from '../../src/gossip/topics.ts';
import type { Transport } from '../../src/gossip/transport.ts';
import { didFromKey } from '../../src/ids.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { limits, protocol } from '../../src/limits.ts';
import { asStreamName, type LogId, type ParsedEvent } from '../../src/types.ts';
import { makeTransport, realHost, until } from './libp2p-support.ts';
import { value, World } from './support.ts';

interface Peer extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly transport: Transport;
  readonly node: GossipNode;
}

const owner = signerFromSeed(new Uint8Array(32).fill(31));

async function peer(document: NetworkDocument, follows: readonly LogId[] = []): Promise<Peer> {
  const known = new KnownNetwork(nodeCrypto, document.id);
  value(known.offer(document.wire));
  const ledger = value(
    await Ledger.open({
      store: new MemoryStore(),
      guard: new MemoryGuard(),
      host: realHost,
      crypto: nodeCrypto,
      judges: { event: judgeEvent, writeProof: (claim) => checkWriteProof(nodeCrypto, claim) },
      limits: { ...protocol, ...limits },
      nodeSecret: new Uint8Array(32),
    }),
  );
  for (const logId of follows) value(await ledger.follow(logId));
  const transport = await makeTransport({ topics: allTopics(known.text) });
  const key = peerKey(transport.self);
  assert.ok(key !== undefined);
  const token = mintPeerDelegation(owner, realHost.random, { peerKey: key });
  const node = await GossipNode.start({
    transport,
    ledger,
    host: realHost,
    crypto: nodeCrypto,
    network: known,
    self: {
      organisation: didFromKey(owner.publicKey),
      delegations: () => [token],
      roles: [],
      software: 'test/1',
    },
    judgeEvent,
    bootstrap: [],
  });
  return {
    ledger,
    transport,
    node,
    [Symbol.asyncDispose]: async () => {
      await node[Symbol.asyncDispose]();
      await transport[Symbol.asyncDispose]();
      await ledger.close();
    },
  };
}

function events(from: number, count: number): ParsedEvent[] {
  return Array.from({ length: count }, (_, i) =>
    value(
      makeEvent(
        { specversion: '1.0', id: `e${from + i}`, source: '/test', type: 'test' },
        3,
        new Uint8Array(300).fill(i),
      ),
    ),
  );
}

function gossiped(at: Peer): number {
  return at.node.report().counts.get('gossipAccepted') ?? 0;
}

describe('gossip node over libp2p and real ledgers', function () {
  this.timeout(20_000);

  it('brings history by sync and news by gossip, to a late joiner too', async () => {
    const { document } = new World();
    await using writer = await peer(document);
    const logId = value(
      await writer.ledger.create(
        {
          owner: didFromKey(owner.publicKey),
          name: asStreamName('orders'),
          partition: 0,
          partitions: 1,
          recoveryHash: nodeCrypto.sha256(new Uint8Array(32)),
          visibility: 'public',
          retention: { keep: 'all' },
          proof: [],
        },
        owner,
      ),
    );
    value(await writer.ledger.publish(logId, events(0, 2000)));
    const servers = [{ peer: writer.transport.self, addresses: writer.transport.addresses() }];
    const size = (at: Peer): number => at.ledger.log(logId)?.size ?? 0;
    const same = (at: Peer): boolean => size(at) === size(writer);

    await using follower = await peer(document, [logId]);
    follower.node.follow(logId, servers);
    await until(() => same(follower), 'the history', 8000);
    // Subscriptions take a heartbeat or two to meet.
    for (let i = 0; i < 100 && gossiped(follower) < 3; i++) {
      value(await writer.ledger.publish(logId, events(10_000 + 10 * i, 10)));
      await until(() => same(follower), 'the news', 8000);
    }
    assert.ok(gossiped(follower) >= 3, 'some of it by gossip');

    await using late = await peer(document, [logId]);
    late.node.follow(logId, [
      { peer: follower.transport.self, addresses: follower.transport.addresses() },
    ]);
    await until(() => same(late), 'the late one', 8000);
    const roots = [writer, follower, late].map((at) => at.ledger.log(logId)?.checkpoint);
    assert.equal(new Set(roots).size, 1);
    assert.deepEqual([...late.node.report().rejectsByReason], []);
  });
});
