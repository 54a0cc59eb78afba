import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  addressKey,
  ConnectionGate,
  type Admission,
  type GateLimits,
} from '../../src/gossip/connection-gate.ts';
import { didFromKey } from '../../src/ids.ts';
import type { Result } from '../../src/result.ts';
import { asPeerId, asPublicKey, asTimeMs, type PeerId } from '../../src/types.ts';
import { must } from '../support/result.ts';

const limits: GateLimits = {
  maxConnections: 6,
  maxConnectionsPerAddress: 3,
  maxConnectionsPerOrganisation: 2,
  maxInboundPerSecond: 4,
  maxBarredPeers: 2,
};
const peer = (n: number): PeerId => asPeerId(`P${n + 1}`);
const acme = didFromKey(asPublicKey(new Uint8Array(32).fill(1)));

class Scene {
  ms = 1000;
  readonly gate = new ConnectionGate(
    { now: () => asTimeMs(this.ms), monotonic: () => this.ms },
    limits,
  );
  inbound(host: string): Result<Admission> {
    return this.gate.admit(`/ip4/${host}/tcp/4001`, 'inbound');
  }
  connect(n: number, host = `10.0.0.${n}`): Admission {
    const admission = must(this.inbound(host));
    admission.identified(peer(n));
    return admission;
  }
}

const code = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);

describe('the connection gate', () => {
  it('limits connections from one address and in all', () => {
    const s = new Scene();
    const mine = [1, 2, 3].map(() => must(s.inbound('10.0.0.1')));
    assert.equal(code(s.inbound('10.0.0.1')), 'address-full');
    for (const n of [2, 3, 4]) must(s.inbound(`10.0.0.${n}`));
    assert.equal(code(s.inbound('10.0.0.5')), 'connections-full');
    assert.equal(code(s.gate.admit('/ip4/10.0.0.5/tcp/1', 'outbound')), 'connections-full');
    mine[0]?.[Symbol.dispose]();
    mine[0]?.[Symbol.dispose]();
    assert.equal(s.gate.connections, 5);
    assert.equal(code(s.inbound('10.0.0.1')), 'ok');
    assert.deepEqual(
      [...s.gate.refusals()],
      [
        ['address-full', 1],
        ['connections-full', 2],
      ],
    );
  });

  it('limits new connections a second from one address', () => {
    const s = new Scene();
    for (let i = 0; i < 4; i++) must(s.inbound('10.0.0.1'))[Symbol.dispose]();
    assert.equal(code(s.inbound('10.0.0.1')), 'address-full');
    assert.equal(code(s.inbound('10.0.0.2')), 'ok');
    assert.equal(code(s.gate.admit('/ip4/10.0.0.1/tcp/1', 'outbound')), 'ok');
    s.ms += 250;
    assert.equal(code(s.inbound('10.0.0.1')), 'ok');
    assert.equal(code(s.inbound('10.0.0.1')), 'address-full');
  });

  it('limits the peers of one organisation', () => {
    const s = new Scene();
    const first = s.connect(1);
    s.connect(2);
    s.connect(3);
    assert.equal(code(s.gate.setOrganisation(peer(1), acme)), 'ok');
    assert.equal(code(s.gate.setOrganisation(peer(1), acme)), 'ok');
    assert.equal(code(s.gate.setOrganisation(peer(2), acme)), 'ok');
    assert.equal(code(s.gate.setOrganisation(peer(3), acme)), 'organisation-full');
    first[Symbol.dispose]();
    assert.equal(code(s.gate.setOrganisation(peer(3), acme)), 'ok');
  });

  it('counts a peer once however many connections it has', () => {
    const s = new Scene();
    const one = s.connect(1);
    const two = s.connect(1);
    must(s.gate.setOrganisation(peer(1), acme));
    s.connect(2);
    must(s.gate.setOrganisation(peer(2), acme));
    s.connect(3);
    one[Symbol.dispose]();
    assert.equal(code(s.gate.setOrganisation(peer(3), acme)), 'organisation-full');
    two[Symbol.dispose]();
    assert.equal(code(s.gate.setOrganisation(peer(3), acme)), 'ok');
  });

  it('shuts out a peer, has it hung up on, and lets it in again', () => {
    const s = new Scene();
    const shut: PeerId[] = [];
    using watch = s.gate.onShut((who) => shut.push(who));
    s.connect(1);
    s.gate.shut(peer(1), { kind: 'ban', reason: 'spam' });
    s.gate.shut(peer(2), { kind: 'ban', reason: 'spam' });
    assert.deepEqual(shut, [peer(1)]);
    assert.equal(code(s.gate.admitPeer(peer(1))), 'peer-barred');
    s.gate.shut(peer(1), { kind: 'bar', reason: 'score' });
    s.gate.lift(peer(1), 'bar');
    assert.equal(s.gate.barrier(peer(1))?.reason, 'spam');
    s.gate.lift(peer(1), 'ban');
    assert.equal(code(s.gate.admitPeer(peer(1))), 'ok');
    watch[Symbol.dispose]();
    s.gate.shut(peer(1), { kind: 'ban', reason: 'spam' });
    assert.equal(shut.length, 1);
  });

  it('shuts out an organisation with its peers', () => {
    const s = new Scene();
    const shut: PeerId[] = [];
    s.gate.onShut((who) => shut.push(who));
    s.connect(1);
    s.connect(2);
    must(s.gate.setOrganisation(peer(1), acme));
    s.gate.shut(acme, { kind: 'ban', reason: 'spam' });
    assert.deepEqual(shut, [peer(1)]);
    assert.equal(code(s.gate.admitPeer(peer(1))), 'peer-barred');
    assert.equal(code(s.gate.setOrganisation(peer(2), acme)), 'peer-barred');
  });

  it('forgets a bar at its end, and the oldest bars above the limit, but no ban', () => {
    const s = new Scene();
    s.gate.shut(peer(0), { kind: 'bar', reason: 'score', untilMs: 2000 });
    assert.equal(code(s.gate.admitPeer(peer(0))), 'peer-barred');
    s.ms = 2000;
    assert.equal(code(s.gate.admitPeer(peer(0))), 'ok');
    for (const n of [1, 2, 3]) s.gate.shut(peer(n), { kind: 'ban', reason: 'spam' });
    for (const n of [4, 5, 6]) s.gate.shut(peer(n), { kind: 'bar', reason: 'score' });
    assert.deepEqual([...s.gate.barriers().keys()], [1, 2, 3, 5, 6].map(peer));
  });

  it('takes an IPv6 /64, and a relay, for one address', () => {
    assert.equal(addressKey('/ip4/192.0.2.1/tcp/4001'), '192.0.2.1');
    assert.equal(addressKey('/ip6/2001:db8:1:2::5/tcp/1'), '2001:db8:1:2::/64');
    assert.equal(addressKey('/ip6/2001:db8:1:2:3:4:5:6/tcp/1'), '2001:db8:1:2::/64');
    assert.equal(addressKey('/ip6/::1/tcp/1'), '0:0:0:0::/64');
    assert.equal(addressKey('/ip6/2001:db8::/tcp/1'), '2001:db8:0:0::/64');
    assert.equal(
      addressKey('/ip4/192.0.2.1/tcp/4001/p2p/12D3K/p2p-circuit/p2p/12D3L'),
      'relayed by 192.0.2.1',
    );
    assert.equal(addressKey(''), '');
  });
});
