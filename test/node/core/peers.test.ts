import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { fault } from '../../../src/errors.ts';
import type { GossipReport, PeerReport } from '../../../src/gossip/gossip-report.ts';
import { PeerControl } from '../../../src/gossip/peer-control.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { didFromKey } from '../../../src/ids.ts';
import { ControlState } from '../../../src/node/core/control-state.ts';
import { Peers } from '../../../src/node/core/peers.ts';
import { Registries } from '../../../src/node/core/registries.ts';
import { asTimeMs } from '../../../src/types.ts';
import { testSigner } from '../../support/blocks.ts';
import { must, refused } from '../../support/result.ts';
import { tempFolder } from '../cli/harness.ts';

const acme = didFromKey(testSigner(1).publicKey);
const beta = didFromKey(testSigner(2).publicKey);
const [one, two] = [peerIdFromKey(testSigner(3).publicKey), peerIdFromKey(testSigner(4).publicKey)];

function report(peers: readonly Partial<PeerReport>[]): GossipReport {
  const none = new Map();
  return {
    peers: peers.map((peer) => ({
      peer: one,
      address: '/ip4/127.0.0.1/tcp/1',
      direction: 'inbound',
      connectedSeconds: 1,
      state: 'ready',
      roles: [],
      score: 0,
      rejects: none,
      ...peer,
    })),
    lags: [],
    topics: 0,
    syncing: 0,
    livePulls: 0,
    orphanBytes: 0,
    orphansDropped: 0,
    counts: none,
    traffic: none,
    rejectsByReason: none,
    rejectsByPeer: none,
  };
}

interface Desk extends Disposable {
  readonly peers: Peers;
  readonly control: PeerControl;
  readonly enforced: () => number;
  connected: readonly Partial<PeerReport>[];
  /** As after a restart: what was decided is read from the home again. */
  again(): Promise<Desk>;
}

async function desk(folder: Disposable & { readonly path: string } = tempFolder()): Promise<Desk> {
  const control = new PeerControl();
  let enforced = 0;
  const state = must(await ControlState.load(join(folder.path, 'control.json')));
  const port = {
    control,
    enforce: () => void (enforced += 1),
    report: () => report(made.connected),
  };
  const peers = new Peers(port, state, new Registries(acme, new Map([['partner', beta]])), 1);
  const made: Desk = {
    peers,
    control,
    enforced: () => enforced,
    connected: [],
    again: () => desk(folder),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
  return made;
}

describe('the operator and the peers', () => {
  it('bans, pauses and lets go, at once and across a restart', async () => {
    using at = await desk();
    at.connected = [{ peer: one, organisation: beta, state: 'banned' }];
    const banned = must(await at.peers.set(one, 'banned'));
    assert.equal(banned.state, 'banned');
    assert.equal(banned.name, 'partner');
    assert.deepEqual(at.control.rules().banned, [one]);
    assert.equal(at.enforced(), 1);
    must(await at.peers.set(two, 'paused'));
    const later = await at.again();
    later.peers.restore();
    assert.deepEqual(later.control.rules(), { banned: [one], paused: [two], throttled: [] });
    assert.deepEqual(
      later.peers.list().map(({ peer, connected, state }) => [peer, connected, state]),
      [
        [one, false, 'banned'],
        [two, false, 'paused'],
      ],
    );
    must(await later.peers.set(one, 'ok'));
    must(await later.peers.set(two, 'ok'));
    assert.deepEqual(later.control.rules(), { banned: [], paused: [], throttled: [] });
    assert.deepEqual(later.peers.list(), []);
  });

  it('bans a whole organisation and shows it as such', async () => {
    using at = await desk();
    const view = must(await at.peers.set(beta, 'banned'));
    assert.deepEqual(view, {
      peer: beta.replace('did:key:', ''),
      organisation: beta,
      name: 'partner',
      connected: false,
      state: 'banned',
      roles: [],
    });
    assert.deepEqual(at.peers.list(), [view]);
    assert.equal(at.control.banned(one, beta)?.code, 'peer-barred');
    must(await at.peers.set(beta, 'ok'));
    assert.deepEqual(at.peers.list(), []);
  });

  it('refuses what is no peer, and to pause an organisation', async () => {
    using at = await desk();
    refused(await at.peers.set('nobody', 'banned'), 'peer-unknown');
    refused(await at.peers.set(beta, 'paused'), 'peer-unknown');
    refused(await at.peers.set('did:web:example.org', 'banned'), 'bad-did');
    assert.equal(at.enforced(), 0);
  });

  it('shows the peers that were refused, with the reason, and forgets the oldest', async () => {
    using at = await desk();
    const reason = fault('wrong-network', 'it belongs to another network');
    at.peers.refused(one, beta, reason, asTimeMs(1));
    at.peers.refused(two, undefined, reason, asTimeMs(2));
    assert.deepEqual(at.peers.list(), [
      {
        peer: two,
        connected: false,
        state: 'refused',
        roles: [],
        reason: 'it belongs to another network',
        since: 2,
      },
    ]);
    at.peers.ready(two);
    assert.deepEqual(at.peers.list(), []);
  });

  it('says of a connected peer who it is and why nothing moves', async () => {
    using at = await desk();
    at.connected = [
      { peer: one, organisation: beta, roles: ['relay'], software: 'headwater/1.0.0' },
      { peer: two, state: 'greeting' },
      { peer: two, state: 'barred' },
    ];
    const [first, second, third] = at.peers.list();
    assert.deepEqual(first, {
      peer: one,
      organisation: beta,
      name: 'partner',
      address: '/ip4/127.0.0.1/tcp/1',
      connected: true,
      state: 'ok',
      roles: ['relay'],
      version: 'headwater/1.0.0',
    });
    assert.deepEqual([second?.state, second?.reason], ['ok', 'its hello has not come']);
    assert.deepEqual([third?.state, third?.reason], ['refused', 'it broke the rules']);
  });
});
