/** Gossip over real libp2p where it goes wrong. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import type { Libp2pOptions } from '../../src/gossip/libp2p-options.ts';
import { messageId } from '../../src/gossip/libp2p-gossipsub.ts';
import { createTransport, Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import type { MadeNode } from '../../src/gossip/libp2p-node.ts';
import { makeNode } from '../../src/gossip/libp2p-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { toHex } from '../../src/bytes.ts';
import type { Verdict } from '../../src/result.ts';
import { must } from '../support/result.ts';
import { until } from '../support/until.ts';
import { makeTransport, realHost, roundTrip, testGate, testTopics } from './libp2p-support.ts';

const [topic] = testTopics;
const accept: Verdict = { kind: 'accept' };

/** Subscribes both, connects them and waits until the second hears the first. */
async function mesh(a: Libp2pTransport, b: Libp2pTransport): Promise<void> {
  a.subscribe(topic);
  b.subscribe(topic);
  must(await a.dial(b.addresses()[0] ?? ''));
  const meshed = (t: Libp2pTransport): boolean => (t.gossipStats().mesh.get(topic) ?? 0) > 0;
  await until(() => meshed(a) && meshed(b), 'the mesh has formed');
}

describe('gossip over libp2p', function () {
  this.timeout(10_000);
  const closing: (() => PromiseLike<void>)[] = [];

  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });

  async function node(overrides: Partial<Libp2pOptions> = {}): Promise<Libp2pTransport> {
    const made = await makeTransport(overrides);
    closing.push(() => made[Symbol.asyncDispose]());
    return made;
  }

  /** A transport whose libp2p node the test can reach into. */
  async function openNode(limits: Libp2pOptions['limits'] = {}): Promise<{
    readonly transport: Libp2pTransport;
    readonly made: MadeNode;
  }> {
    const options: Libp2pOptions = {
      seed: crypto.getRandomValues(new Uint8Array(32)),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      topics: testTopics,
      host: realHost,
      hasher: nodeCrypto,
      gate: testGate(),
      limits: { hangUpMs: 200, ...limits },
    };
    const state = { closing: false };
    const made = must(await makeNode(options, () => state.closing));
    const transport = new Libp2pTransport(options, made, state);
    closing.push(() => transport[Symbol.asyncDispose]());
    return { transport, made };
  }

  it('names a message by the first 20 bytes of SHA-256 over topic and payload', () => {
    const id = messageId(nodeCrypto, 'ab', new TextEncoder().encode('c'));
    assert.equal(toHex(id), 'ba7816bf8f01cfea414140de5dae2223b00361a3');
  });

  it('makes a pair anew when its gossip stream has died, and messages flow again', async () => {
    const beats = { gossipHeartbeatMs: 100, watchdogHeartbeats: 3 };
    const { transport: a, made } = await openNode(beats);
    const b = await node({ limits: beats });
    const heard: number[] = [];
    b.onMessage(async (_topic, data) => {
      heard.push(data[0] ?? 0);
      return accept;
    });
    await mesh(a, b);
    must(await a.publish(topic, Uint8Array.of(1)));
    await until(() => heard.includes(1), 'the first is heard');
    const streams = made.node.getConnections().flatMap((connection) => connection.streams);
    const dead = streams.filter(
      ({ protocol, direction }) => protocol.startsWith('/meshsub/') && direction === 'outbound',
    );
    assert.equal(dead.length, 1);
    dead[0]?.abort(new Error('as if its buffer had overflowed'));
    must(await a.publish(topic, Uint8Array.of(2)));
    await until(() => a.gossipStats().resets + b.gossipStats().resets > 0, 'somebody noticed');
    let n = 3;
    const goesOn = async (): Promise<boolean> => {
      must(await a.publish(topic, Uint8Array.of(3, n >> 8, n++ & 0xff)));
      return heard.includes(3);
    };
    await until(goesOn, 'messages come again');
    assert.ok(a.gossipStats().resets + b.gossipStats().resets <= 2);
  });

  it('stops listening to a peer whose messages were rejected', async () => {
    const [a, b] = [await node(), await node()];
    let judged = 0;
    b.onMessage(async (_topic, data) => {
      judged++;
      if (data[0] === 1) return accept;
      return { kind: 'reject', reason: fault('internal', 'as planned') };
    });
    await mesh(a, b);
    must(await a.publish(topic, Uint8Array.of(1)));
    await until(() => judged === 1, 'the good one is judged');
    for (let n = 0; n < 6; n++) must(await a.publish(topic, Uint8Array.of(2, n)));
    await until(() => judged === 7, 'the bad ones are judged');
    // Scores are cached for a heartbeat, and a peer in good standing is trusted for a second.
    let n = 0;
    const deaf = async (): Promise<boolean> => {
      const before = judged;
      must(await a.publish(topic, Uint8Array.of(3, n >> 8, n++ & 0xff)));
      await roundTrip([a, b]);
      return judged === before;
    };
    await until(deaf, 'it listens no more');
    const before = judged;
    for (let i = 0; i < 20; i++) must(await a.publish(topic, Uint8Array.of(1, i)));
    await roundTrip([a, b]);
    assert.equal(judged, before);
    assert.equal(b.gossipStats().accepted, 1);
  });

  it('ignores what comes while too much is being judged, and judges again afterwards', async () => {
    const a = await node();
    const b = await node({ limits: { maxUnjudgedPerPeer: 4 } });
    const gate = Promise.withResolvers<void>();
    let judged = 0;
    b.onMessage(async () => {
      judged++;
      await gate.promise;
      return accept;
    });
    await mesh(a, b);
    for (let n = 0; n < 10; n++) must(await a.publish(topic, Uint8Array.of(n)));
    await until(() => b.gossipStats().received === 10, 'all have arrived');
    await until(() => b.gossipStats().ignored === 6, 'those above the limit are ignored');
    assert.deepEqual([judged, b.gossipStats().overflow], [4, 6]);
    gate.resolve();
    await until(() => b.gossipStats().accepted === 4, 'the others are accepted');
    must(await a.publish(topic, Uint8Array.of(99)));
    await until(() => b.gossipStats().accepted === 5, 'the next one is accepted');
  });

  it('takes a judge that throws for one that cannot judge now', async () => {
    const [a, b] = [await node(), await node()];
    b.onMessage(() => Promise.reject(new Error('as planned')));
    await mesh(a, b);
    must(await a.publish(topic, Uint8Array.of(1)));
    await until(() => b.gossipStats().ignored === 1, 'it is ignored');
    assert.equal(b.gossipStats().rejected, 0);
  });

  it('carries a burst of large messages without losing one', async () => {
    const [a, b] = [await node(), await node()];
    const heard = new Set<number>();
    b.onMessage(async (_topic, data) => {
      heard.add(((data[0] ?? 0) << 8) | (data[1] ?? 0));
      return accept;
    });
    await mesh(a, b);
    const data = new Uint8Array(200_000);
    for (let n = 0; n < 150; n++) {
      data[0] = n >>> 8;
      data[1] = n & 0xff;
      must(await a.publish(topic, data.slice()));
    }
    await until(() => heard.size === 150, 'all are heard');
    assert.deepEqual(a.gossipStats().slow, []);
  });

  it('says what is wrong with an address or a store, and leaves nothing open', async () => {
    const a = await node();
    const base = {
      seed: new Uint8Array(32),
      topics: testTopics,
      host: realHost,
      hasher: nodeCrypto,
      gate: testGate(),
    };
    const taken = (a.addresses()[0] ?? '').replace(/\/p2p\/.*/, '');
    const codes: string[] = [];
    const elsewhere = '/ip4/192.0.2.1/tcp/1';
    for (const listen of [taken, 'nonsense', '/ip4/127.0.0.1/udp/1', elsewhere]) {
      const made = await createTransport({ ...base, listen: [listen] });
      codes.push(made.ok ? 'ok' : made.error.code);
      // libp2p's own message has the stack of each failure in it.
      if (!made.ok) assert.doesNotMatch(made.error.message, /\n|node:net/);
      if (!made.ok && listen === taken) assert.equal(made.error.message, `${taken} is in use`);
    }
    const stored = await createTransport({ ...base, listen: [], datastorePath: '/dev/null/x' });
    codes.push(stored.ok ? 'ok' : stored.error.code);
    assert.deepEqual(codes, [
      'port-in-use',
      'bad-address',
      'listen-failed',
      'listen-failed',
      'peer-store-failed',
    ]);
  });
});
