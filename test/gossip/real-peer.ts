/** A node of real parts without a home: libp2p on loopback, a ledger over memory, the gossip node. */
import assert from 'node:assert/strict';
import { mintPeerDelegation } from '../../src/access/peer-delegation.ts';
import { checkWriteProof } from '../../src/access/write-proof.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { judgeEvent } from '../../src/event/judge.ts';
import { GossipNode } from '../../src/gossip/gossip-node.ts';
import type { Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import { KnownNetwork, type NetworkDocument } from '../../src/gossip/network-document.ts';
import { peerKey } from '../../src/gossip/peer-id.ts';
import { allTopics } from '../../src/gossip/topics.ts';
import { didFromKey } from '../../src/ids.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import type { NewLog } from '../../src/ledger/ledger-types.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { LedgerOptions } from '../../src/ledger/ledger-types.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { Store } from '../../src/ledger/store.ts';
import { limits, protocol } from '../../src/limits.ts';
import type { LogId } from '../../src/types.ts';
import { newLog } from '../support/ledger-home.ts';
import { makeTransport, realHost } from './libp2p-support.ts';
import { value } from './support.ts';

export interface RealPeer extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly transport: Libp2pTransport;
  readonly node: GossipNode;
}

export const owner: Signer = signerFromSeed(new Uint8Array(32).fill(31));
/** A log of the owner, for a ledger of this test. */
export const orders: NewLog = { ...newLog, owner: didFromKey(owner.publicKey) };

export async function realPeer(
  document: NetworkDocument,
  follows: readonly LogId[] = [],
  organisation: Signer = owner,
  more: Pick<LedgerOptions, 'sealing'> & { readonly store?: Store } = {},
): Promise<RealPeer> {
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
      ...more,
    }),
  );
  for (const logId of follows) value(await ledger.follow(logId));
  const transport = await makeTransport({ topics: allTopics(known.text) });
  const key = peerKey(transport.self);
  assert.ok(key !== undefined);
  const token = mintPeerDelegation(organisation, realHost.random, { peerKey: key });
  const node = await GossipNode.start({
    transport,
    ledger,
    host: realHost,
    crypto: nodeCrypto,
    network: known,
    self: {
      organisation: didFromKey(organisation.publicKey),
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
