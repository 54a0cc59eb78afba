/** How peers find each other: remembered addresses, websockets, relays. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { needsOf } from '../../src/gossip/libp2p-late.ts';
import type { Libp2pOptions } from '../../src/gossip/libp2p-options.ts';
import type { Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';
import { must } from '../support/result.ts';
import { until } from '../support/until.ts';
import { makeTransport } from './libp2p-support.ts';

async function speaks(from: Libp2pTransport, to: Libp2pTransport): Promise<void> {
  const signal = new AbortController().signal;
  await to.handle('/headwater/test/once', async (stream) => {
    must(await stream.send(Uint8Array.of(42)));
  });
  const stream = must(await from.open(to.self, '/headwater/test/once', signal));
  assert.deepEqual(must(await stream.receive()), Uint8Array.of(42));
  await stream.close();
}

describe('reaching peers over libp2p', function () {
  this.timeout(10_000);
  const closing: (() => PromiseLike<void>)[] = [];

  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });

  async function node(overrides: Partial<Libp2pOptions> = {}): Promise<Libp2pTransport> {
    const made = await makeTransport(overrides);
    closing.push(() => made[Symbol.asyncDispose]());
    return made;
  }

  async function folder(): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'hw-peers-'));
    closing.push(() => rm(made, { recursive: true }));
    return made;
  }

  it('is the peer of its key', async () => {
    const seed = new Uint8Array(32).fill(9);
    const a = await node({ seed });
    assert.equal(a.self, peerIdFromKey(signerFromSeed(seed).publicKey));
    assert.ok(a.addresses()[0]?.endsWith(`/p2p/${a.self}`));
  });

  it('remembers peers over a restart and dials them', async () => {
    const datastorePath = join(await folder(), 'peers');
    const b = await node();
    const first = await makeTransport({ datastorePath });
    must(await first.dial(b.addresses()[0] ?? ''));
    await until(() => b.peers().length === 1, 'they are connected');
    // Identify tells the listening addresses a moment after the connection is made.
    for (let tries = 0; tries < 100 && (await first.known()).length === 0; tries++) {
      await first.learn(b.self, b.addresses());
    }
    await first[Symbol.asyncDispose]();
    const again = await node({ datastorePath });
    assert.deepEqual(await again.known(), [b.self]);
    must(await again.dialPeer(b.self));
    await speaks(again, b);
  });

  it('refuses a store that another node has open', async () => {
    const datastorePath = join(await folder(), 'peers');
    await node({ datastorePath });
    await assert.rejects(makeTransport({ datastorePath }), /peer-store-failed/);
  });

  it('loads what an address needs, and only then', async () => {
    assert.deepEqual(needsOf(['/ip4/127.0.0.1/tcp/1', '/dns4/wsx/tcp/1']), []);
    assert.deepEqual(needsOf(['/ip4/127.0.0.1/tcp/1/ws']), ['websockets']);
    assert.deepEqual(needsOf(['/dns4/a/tcp/1/wss/p2p/Q', '/p2p-circuit']), [
      'websockets',
      'relayed',
    ]);
    const b = await node({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] });
    const a = await node();
    const address = b.addresses()[0] ?? '';
    assert.match(address, /\/ws\/p2p\//);
    assert.equal(must(await a.dial(address)), b.self);
    await speaks(a, b);
  });

  it('reaches a peer through a relay', async () => {
    const relay = await node({ roles: ['relay'] });
    const via = `${relay.addresses()[0]}/p2p-circuit`;
    const hidden = await node({ listen: [via] });
    await until(() => hidden.addresses().some((text) => text.includes('p2p-circuit')), 'reserved');
    const address = hidden.addresses().find((text) => text.includes('p2p-circuit')) ?? '';
    const a = await node();
    assert.equal(must(await a.dial(address)), hidden.self);
    await speaks(a, hidden);
    assert.ok(a.peers().some(({ peer }) => peer === hidden.self));
  });
});
