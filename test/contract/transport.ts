/**
 * What every `Transport` must do, run over libp2p (test/gossip/libp2p-transport.test.ts) and over the
 * simulator's memory. Every await that needs time to pass goes through the harness, because in the
 * simulator time stands still until somebody moves it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { protocol } from '../../src/limits.ts';
import type { FrameStream, Transport } from '../../src/gossip/transport.ts';
import { gossipContract } from './transport-gossip.ts';
import { bytes, code, Nodes, value, type TransportHarness } from './transport-support.ts';

const echo = '/headwater/test/echo';

async function readAll(stream: FrameStream): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for (;;) {
    const frame = value(await stream.receive());
    if (frame === undefined) return frames;
    frames.push(frame);
  }
}

async function echoHandler(stream: FrameStream): Promise<void> {
  for (;;) {
    const frame = await stream.receive();
    if (!frame.ok || frame.value === undefined) return;
    if (!(await stream.send(frame.value)).ok) return;
  }
}

/** Registers `transportContract` tests under the given name. */
export function transportContract(name: string, makeHarness: () => TransportHarness): void {
  describe(`transport contract: ${name}`, function () {
    this.timeout(10_000);
    const n = new Nodes(makeHarness);

    async function open(from: Transport, to: Transport, protocolName = echo): Promise<FrameStream> {
      return value(await n.h.run(from.open(to.self, protocolName, new AbortController().signal)));
    }

    it('tells both sides of a connection and of its end', async () => {
      const [a, b] = await n.create(2);
      assert.ok(a !== undefined && b !== undefined);
      const seen: string[] = [];
      using watchA = a.onPeer({
        connected: (info) => seen.push(`a+${info.direction}:${info.peer === b.self}`),
        disconnected: (peer) => seen.push(`a-${peer === b.self}`),
      });
      using watchB = b.onPeer({
        connected: (info) => seen.push(`b+${info.direction}:${info.peer === a.self}`),
        disconnected: (peer) => seen.push(`b-${peer === a.self}`),
      });
      await n.connect(a, b);
      assert.deepEqual(
        a.peers().map((info) => [info.peer, info.direction]),
        [[b.self, 'outbound']],
      );
      assert.ok((a.peers()[0]?.address ?? '').startsWith('/'));
      await n.h.run(b.hangUp(a.self));
      await n.h.until(() => a.peers().length + b.peers().length === 0, 'both see the end');
      watchA[Symbol.dispose]();
      watchB[Symbol.dispose]();
      assert.deepEqual(seen.toSorted(), ['a+outbound:true', 'a-true', 'b+inbound:true', 'b-true']);
    });

    it('answers peer-unreachable and bad-address where nobody is', async () => {
      const [a, b] = await n.create(2);
      assert.ok(a !== undefined && b !== undefined);
      assert.equal(code(await n.h.run(a.dial('not an address'))), 'bad-address');
      assert.equal(code(await n.h.run(a.dialPeer(b.self))), 'peer-unreachable');
      const stream = a.open(b.self, echo, new AbortController().signal);
      assert.equal(code(await n.h.run(stream)), 'peer-unreachable');
      const address = b.addresses()[0] ?? '';
      await n.h.run(b[Symbol.asyncDispose]());
      assert.equal(code(await n.h.run(a.dial(address))), 'peer-unreachable');
    });

    it('dials a peer by addresses that it has learnt, and opens streams to it', async () => {
      const [a, b] = await n.create(2);
      assert.ok(a !== undefined && b !== undefined);
      await n.h.run(b.handle(echo, echoHandler));
      await n.h.run(a.learn(b.self, b.addresses()));
      assert.deepEqual(await n.h.run(a.known()), [b.self]);
      value(await n.h.run(a.dialPeer(b.self)));
      value(await n.h.run(a.dialPeer(b.self)));
      assert.equal(a.peers().length, 1);
      await n.h.run(a.hangUp(b.self));
      await n.h.until(() => a.peers().length + b.peers().length === 0, 'they are apart');
      const stream = await open(a, b);
      stream.abort();
    });

    it('carries frames of every size in order, both ways', async () => {
      const [a, b] = await n.pair();
      await n.h.run(b.handle(echo, echoHandler));
      const stream = await open(a, b);
      const sizes = [0, 1, 127, 128, 65_535, 65_536, 262_144, protocol.maxFrameBytes, 3];
      for (const size of sizes) {
        value(await n.h.run(stream.send(bytes(size, size))));
        assert.deepEqual(value(await n.h.run(stream.receive())), bytes(size, size));
      }
      await n.h.run(stream.close());
      assert.equal(value(await n.h.run(stream.receive())), undefined);
    });

    it('refuses to send a frame above the limit and goes on', async () => {
      const [a, b] = await n.pair();
      await n.h.run(b.handle(echo, echoHandler));
      const stream = await open(a, b);
      const sent = await n.h.run(stream.send(bytes(protocol.maxFrameBytes + 1)));
      assert.equal(code(sent), 'frame-too-large');
      value(await n.h.run(stream.send(bytes(5))));
      assert.deepEqual(value(await n.h.run(stream.receive())), bytes(5));
      stream.abort();
    });

    it('goes on sending after the other side has ended', async () => {
      const [a, b] = await n.pair();
      let got: Uint8Array[] = [];
      await n.h.run(
        b.handle(echo, async (stream) => {
          got = await readAll(stream);
          value(await stream.send(bytes(3, got.length)));
        }),
      );
      const stream = await open(a, b);
      value(await n.h.run(stream.send(bytes(10))));
      value(await n.h.run(stream.send(bytes(20))));
      await n.h.run(stream.close());
      assert.equal(code(await n.h.run(stream.send(bytes(1)))), 'stream-closed');
      assert.deepEqual(await n.h.run(readAll(stream)), [bytes(3, 2)]);
      assert.deepEqual(got, [bytes(10), bytes(20)]);
    });

    it('answers protocol-unsupported for a protocol the other side does not speak', async () => {
      const [a, b] = await n.pair();
      const signal = new AbortController().signal;
      const opened = await n.h.run(a.open(b.self, '/headwater/test/none', signal));
      assert.equal(code(opened), 'protocol-unsupported');
    });

    it('resets the stream on abort, and both sides learn of it', async () => {
      const [a, b] = await n.pair();
      const ends: string[] = [];
      let frames = 0;
      await n.h.run(
        b.handle(echo, async (stream, from, signal) => {
          assert.equal(from, a.self);
          signal.addEventListener('abort', () => ends.push('signal'));
          for (;;) {
            const frame = await stream.receive();
            if (frame.ok && frame.value !== undefined) {
              frames += 1;
              continue;
            }
            ends.push(frame.ok ? 'end' : frame.error.code);
            return;
          }
        }),
      );
      const stream = await open(a, b);
      value(await n.h.run(stream.send(bytes(1))));
      await n.h.until(() => frames === 1, 'the frame has arrived');
      stream.abort();
      stream.abort();
      assert.equal(code(await n.h.run(stream.receive())), 'stream-reset');
      assert.equal(code(await n.h.run(stream.send(bytes(1)))), 'stream-reset');
      await n.h.until(() => ends.length === 2, 'the handler has ended');
      assert.deepEqual(ends.toSorted(), ['signal', 'stream-reset']);
    });

    it('resets the stream when the handler fails, and ends it when the handler returns', async () => {
      const [a, b] = await n.pair();
      await n.h.run(
        b.handle(echo, async (stream) => {
          const frame = value(await stream.receive());
          if (frame?.length === 1) throw new Error('as planned');
          value(await stream.send(bytes(2)));
        }),
      );
      const failing = await open(a, b);
      value(await n.h.run(failing.send(bytes(1))));
      assert.equal(code(await n.h.run(failing.receive())), 'stream-reset');
      const ending = await open(a, b);
      value(await n.h.run(ending.send(bytes(2))));
      assert.deepEqual(await n.h.run(readAll(ending)), [bytes(2)]);
      await n.h.run(ending.close());
    });

    it('resets the stream when the signal aborts', async () => {
      const [a, b] = await n.pair();
      await n.h.run(b.handle(echo, echoHandler));
      const controller = new AbortController();
      const stream = value(await n.h.run(a.open(b.self, echo, controller.signal)));
      const waiting = stream.receive();
      controller.abort();
      assert.equal(code(await n.h.run(waiting)), 'stream-reset');
    });

    it('lets the sender wait for a slow reader and loses nothing', async () => {
      const [a, b] = await n.pair();
      const count = 40;
      const frameBytes = 262_144;
      const gate = Promise.withResolvers<void>();
      const got: number[] = [];
      await n.h.run(
        b.handle(echo, async (stream) => {
          await gate.promise;
          for (const frame of await readAll(stream)) {
            assert.deepEqual(frame, bytes(frameBytes, got.length));
            got.push(frame.length);
          }
        }),
      );
      const stream = await open(a, b);
      let sent = 0;
      const sending = (async (): Promise<void> => {
        for (let i = 0; i < count; i++) {
          value(await stream.send(bytes(frameBytes, i)));
          sent++;
        }
        await stream.close();
      })();
      for (let before = -1; sent !== before;) {
        before = sent;
        await n.h.settle();
      }
      assert.ok(sent >= 1 && sent * frameBytes <= 4_194_304, `${sent} frames before any was read`);
      gate.resolve();
      await n.h.run(sending);
      assert.deepEqual(await n.h.run(readAll(stream)), []);
      assert.equal(got.length, count);
    });

    it('ends streams with their connection', async () => {
      const [a, b] = await n.pair();
      const ends: string[] = [];
      let begun = false;
      await n.h.run(
        b.handle(echo, async (stream) => {
          begun = true;
          const frame = await stream.receive();
          ends.push(frame.ok ? 'end' : frame.error.code);
        }),
      );
      const stream = await open(a, b);
      await n.h.until(() => begun, 'the handler has begun');
      await n.h.run(a.hangUp(b.self));
      assert.equal(code(await n.h.run(stream.receive())), 'stream-reset');
      await n.h.until(() => ends.length === 1, 'the handler has ended');
      assert.deepEqual(ends, ['stream-reset']);
    });

    it('refuses everything after disposal, and the others notice', async () => {
      const [a, b] = await n.pair();
      await n.h.run(a[Symbol.asyncDispose]());
      await n.h.run(a[Symbol.asyncDispose]());
      await n.h.until(() => b.peers().length === 0, 'the other side notices');
      const signal = new AbortController().signal;
      assert.equal(code(await n.h.run(a.open(b.self, echo, signal))), 'transport-closed');
      assert.equal(code(await n.h.run(a.dialPeer(b.self))), 'transport-closed');
      assert.equal(code(await n.h.run(a.publish(n.h.topics[0], bytes(1)))), 'transport-closed');
      assert.deepEqual(a.peers(), []);
    });
  });
  gossipContract(name, makeHarness);
}
