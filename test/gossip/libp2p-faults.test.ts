/** A peer that does not keep to the protocol, over real libp2p. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import type { Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { afterEach, describe, it } from 'mocha';
import { frameHeader } from '../../src/gossip/frames.ts';
import type { Libp2pOptions } from '../../src/gossip/libp2p-options.ts';
import type { Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import { asPeerId } from '../../src/types.ts';
import { must } from '../support/result.ts';
import { until } from '../support/until.ts';
import { makeTransport, realHost, testGate } from './libp2p-support.ts';

const reset = (stream: Stream): boolean => stream.status === 'reset';
const protocolName = '/headwater/test/sink';

describe('a transport over libp2p with a peer that breaks the rules', function () {
  this.timeout(10_000);
  const closing: (() => PromiseLike<void>)[] = [];
  /** What each stream ended with: `end` or a code. */
  let ends: string[] = [];
  let frames: number[] = [];

  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
    ends = [];
    frames = [];
  });

  async function node(overrides: Partial<Libp2pOptions> = {}): Promise<Libp2pTransport> {
    const made = await makeTransport(overrides);
    closing.push(() => made[Symbol.asyncDispose]());
    return made;
  }

  /** A node that reads all it is sent, `pauseMs` after each frame. */
  async function sink(limits: Libp2pOptions['limits'] = {}, pauseMs = 0): Promise<Libp2pTransport> {
    const made = await node({ limits });
    await made.handle(protocolName, async (stream) => {
      for (;;) {
        const frame = await stream.receive();
        if (!frame.ok || frame.value === undefined) {
          ends.push(frame.ok ? 'end' : frame.error.code);
          return;
        }
        frames.push(frame.value.length);
        if (pauseMs > 0) await realHost.timers.sleep(pauseMs);
      }
    });
    return made;
  }

  async function attacker(): Promise<Libp2p> {
    const made = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    });
    closing.push(async () => {
      for (const connection of made.getConnections()) connection.abort(new Error('done'));
      await made.stop();
    });
    return made;
  }

  async function raw(target: Libp2pTransport): Promise<Stream> {
    const from = await attacker();
    return from.dialProtocol(multiaddr(target.addresses()[0]), protocolName);
  }

  it('resets a stream that announces 10 MiB, before the bytes come', async () => {
    const target = await sink();
    const stream = await raw(target);
    stream.send(frameHeader(10 * 1024 * 1024));
    await until(() => ends.length === 1, 'the stream has ended');
    assert.deepEqual([ends, frames], [['frame-too-large'], []]);
    await until(() => stream.status === 'reset', 'the sender knows');
    await until(() => target.openStreams === 0, 'nothing is left of it');
  });

  it('takes garbage for what it is, and goes on with the next stream', async () => {
    const target = await sink();
    const from = await attacker();
    const to = multiaddr(target.addresses()[0]);
    for (const garbage of [
      'GET / HTTP/1.1\r\n\r\n',
      '\0\0',
      '\0\0\0\u0005abc',
      '\0\0\0\u0001x\0',
    ]) {
      const stream = await from.dialProtocol(to, protocolName);
      stream.send(new TextEncoder().encode(garbage));
      await stream.close();
    }
    await until(() => ends.length === 4, 'all have ended');
    assert.deepEqual(ends.toSorted(), ['frame-too-large', 'truncated', 'truncated', 'truncated']);
    const good = await from.dialProtocol(to, protocolName);
    good.send(Uint8Array.of(0, 0, 0, 1, 7));
    await good.close();
    await until(() => ends.length === 5, 'the good one has ended');
    assert.deepEqual([ends[4], frames], ['end', [1, 1]]);
  });

  it('tells a reset within a frame from an end', async () => {
    const target = await sink();
    const stream = await raw(target);
    stream.send(Uint8Array.of(0, 0, 0, 1, 7, 0, 0, 0, 9, 1));
    await until(() => frames.length === 1, 'the frame before it is read');
    stream.abort(new Error('as planned'));
    await until(() => ends.length === 1, 'the stream has ended');
    assert.deepEqual(ends, ['stream-reset']);
  });

  it('loses nothing to a reader that takes a little at a time', async () => {
    const target = await sink({}, 4);
    const from = await node();
    must(await from.dial(target.addresses()[0] ?? ''));
    const stream = must(await from.open(target.self, protocolName, new AbortController().signal));
    for (let i = 0; i < 60; i++) must(await stream.send(new Uint8Array(200_000)));
    await stream.close();
    await until(() => ends.length === 1, 'all was read');
    assert.deepEqual([ends, frames.length], [['end'], 60]);
  });

  it('resets a stream on which nothing moves, and one whose end is not answered', async () => {
    const target = await node({ limits: { streamStallMs: 300, streamLingerMs: 100 } });
    await target.handle(protocolName, async (stream) => {
      const frame = await stream.receive();
      ends.push(frame.ok ? 'answered' : frame.error.code);
    });
    const stalled = await raw(target);
    const unanswered = await raw(target);
    unanswered.send(Uint8Array.of(0, 0, 0, 0));
    await until(() => ends.length === 2 && target.openStreams === 0, 'both are gone');
    assert.deepEqual(ends.toSorted(), ['answered', 'stream-reset']);
    await until(() => reset(stalled) && reset(unanswered), 'the other side knows');
  });

  it('lets a writer wait for a reader that never reads, and resets it in time', async () => {
    const target = await node({ limits: { streamStallMs: 500 } });
    await target.handle(protocolName, (_stream, _from, signal) => {
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve());
      });
    });
    const from = await node({ limits: { streamStallMs: 500 } });
    must(await from.dial(target.addresses()[0] ?? ''));
    const stream = must(await from.open(target.self, protocolName, new AbortController().signal));
    let sent = 0;
    let last = 'ok';
    while (last === 'ok' && sent < 100) {
      const result = await stream.send(new Uint8Array(262_144));
      last = result.ok ? 'ok' : result.error.code;
      if (result.ok) sent++;
    }
    assert.equal(last, 'stream-reset');
    assert.ok(sent < 16, `${sent} frames were taken`);
  });

  it('resets streams of one protocol above the limit', async () => {
    const target = await sink({ maxStreamsPerProtocol: 3 });
    const from = await attacker();
    const streams: Stream[] = [];
    for (let i = 0; i < 4; i++) {
      streams.push(await from.dialProtocol(multiaddr(target.addresses()[0]), protocolName));
    }
    await until(() => streams.some(({ status }) => status === 'reset'), 'one is reset');
    assert.equal(streams.filter(({ status }) => status === 'open').length, 3);
  });

  it('stays reachable while connections that say nothing come in', async () => {
    const gate = testGate();
    const target = await node({ gate, limits: { maxPendingInbound: 16 } });
    const port = Number(/tcp\/(\d+)/.exec(target.addresses()[0] ?? '')?.[1]);
    const sockets: Socket[] = [];
    let refused = 0;
    for (let i = 0; i < 200; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => refused++);
      sockets.push(socket);
    }
    await until(() => refused >= 184, 'those above the limit are refused');
    for (const socket of sockets) socket.destroy();
    await until(() => refused === 200 && gate.connections === 0, 'all are gone');
    const from = await node();
    assert.equal(must(await from.dial(target.addresses()[0] ?? '')), target.self);
  });

  it('refuses an address above its limit and keeps the others', async () => {
    const gate = testGate({ maxConnectionsPerAddress: 1 });
    const target = await node({ gate });
    const [first, second] = [await node(), await node()];
    must(await first.dial(target.addresses()[0] ?? ''));
    const refused = await second.dial(target.addresses()[0] ?? '');
    assert.equal(refused.ok, false);
    assert.equal(gate.refusals().get('address-full'), 1);
    assert.deepEqual(
      target.peers().map(({ peer }) => peer),
      [first.self],
    );
  });

  it('hangs up on a peer that is banned and does not let it in again', async () => {
    const gate = testGate();
    const target = await node({ gate });
    const from = await node();
    must(await from.dial(target.addresses()[0] ?? ''));
    await until(() => target.peers().length === 1, 'it is connected');
    gate.shut(from.self, { kind: 'ban', reason: 'as planned' });
    await until(() => target.peers().length + from.peers().length === 0, 'it is hung up on');
    const again = await from.dial(target.addresses()[0] ?? '');
    await until(() => from.peers().length === 0, 'it stays out');
    assert.ok(!again.ok || target.peers().length === 0);
    const dialled = await target.dial(from.addresses()[0] ?? '');
    assert.equal(!dialled.ok && dialled.error.code, 'peer-barred');
    assert.equal(gate.connections, 0);
    assert.equal(gate.barrier(asPeerId(from.self))?.reason, 'as planned');
  });
});
