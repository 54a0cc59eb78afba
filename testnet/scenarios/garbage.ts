/** Noise on every port, frames that are none, and a peer of another network. */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:net';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { ConnectionGate } from '../../src/gossip/connection-gate.ts';
import { createTransport, type Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import { protocols } from '../../src/gossip/serve.ts';
import { limits } from '../../src/limits.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import type { PeerId } from '../../src/types.ts';
import { headOf } from '../checks/replicas.ts';
import { Peer } from '../lib/peer.ts';
import { inParallel, until } from '../lib/until.ts';
import { joined, loneNode, must, noStack, numbered, type Scenario } from '../scenario.ts';

const stream = 'writer/events';
const moreBytes = 128 * 1024 * 1024;

export const garbage: Scenario = {
  name: 'garbage',
  promise: 'noise, false frames and peers of other networks are refused, and cost others nothing',
  async run({ work }) {
    const writer = await loneNode(work, 'writer', 'events');
    const follower = await joined(work, 'follower', writer);
    await until('the follower to hear of the stream', async () => {
      await follower.api.post('/follows', { target: stream });
      return true;
    });
    for (let n = 0; n < 20; n++) await writer.api.publish(stream, [numbered(n)]);
    const before = writer.process.residentBytes();
    const ports = [...writer.listens.map(portOf), Number(new URL(writer.api.base).port)];
    const blobs = noise();
    await inParallel(
      ports.flatMap((port) => blobs.map((blob) => ({ port, blob }))),
      16,
      ({ port, blob }) => shout(port, blob),
    );
    await falseFrames(writer);
    await otherNetwork(work.signal, new Peer(work, 'stranger'), writer);
    const grown = writer.process.peakBytes() - before;
    must(grown < moreBytes, `it took ${Math.round(grown / 2 ** 20)} MiB`);
    for (let n = 20; n < 40; n++) await writer.api.publish(stream, [numbered(n)]);
    const wanted = headOf(await writer.api.stream(stream));
    await until('the follower to be complete', async () => {
      const { root } = headOf(await follower.api.stream(stream));
      return root === wanted.root ? true : undefined;
    });
    await Promise.all([writer.down(), follower.down()]);
    noStack(readFileSync(writer.log, 'utf8'));
    return `${ports.length} ports, ${blobs.length} kinds of noise, ${Object.keys(protocols).length} protocols, a stranger`;
  },
};

function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)/.exec(address)?.[1]);
}

function random(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length));
}

function text(line: string): Uint8Array {
  return Buffer.from(line);
}

function noise(): readonly Uint8Array[] {
  return [
    random(1),
    random(1000),
    random(100_000),
    new Uint8Array(10 * 1024 * 1024),
    text('\x13/multistream/1.0.0\n'),
    Buffer.concat([text('\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n'), random(5000)]),
    Buffer.concat([text('\x13/multistream/1.0.0\n\x07/noise\n'), random(5000)]),
    Buffer.concat([text('\x16\x03\x01\x02\x00'), random(600)]),
    text('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    text(`GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`),
    text('POST /streams HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n'),
    text(`GET /status HTTP/1.1\r\n${'x: y\r\n'.repeat(10_000)}\r\n`),
  ];
}

/** Sends it and goes; whether the other side takes it is its own business. */
async function shout(port: number, blob: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.setTimeout(1000, () => socket.destroy());
  socket.once('connect', () => socket.end(blob));
  socket.once('error', () => socket.destroy());
  socket.resume();
  socket.once('close', () => resolve());
  await promise;
}

/** A libp2p peer that speaks no protocol rightly: without a hello, and with frames of noise. */
async function falseFrames(writer: Peer): Promise<void> {
  const hostile = await hostilePeer();
  await using _ = hostile;
  for (const protocol of Object.values(protocols)) {
    for (const length of [0, 1, 100, 300_000]) {
      const target = await dial(hostile, writer);
      // Cut off for good is as well as refused.
      if (target === undefined) return;
      const opened = await hostile.open(target, protocol, AbortSignal.timeout(5000));
      if (!opened.ok) continue;
      await opened.value.send(random(length));
      const answer = await opened.value.receive();
      must(!answer.ok || answer.value === undefined || answer.value.length < 1000, 'an answer?');
      opened.value.abort();
    }
  }
}

async function dial(hostile: Libp2pTransport, writer: Peer): Promise<PeerId | undefined> {
  const status = await writer.api.get('/status');
  const address = `${writer.listens[0] ?? ''}/p2p/${status.text('peer') ?? ''}`;
  const dialled = await hostile.dial(address);
  return dialled.ok ? dialled.value : undefined;
}

async function hostilePeer(): Promise<Libp2pTransport> {
  const host = processRuntime();
  const made = await createTransport({
    seed: host.random.bytes(32),
    listen: [],
    topics: ['/headwater/1/none/registry'],
    host,
    hasher: nodeCrypto,
    gate: new ConnectionGate(host.clock, limits),
  });
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}

/** A sound peer that belongs elsewhere and is told to dial the writer. */
async function otherNetwork(signal: AbortSignal, stranger: Peer, writer: Peer): Promise<void> {
  await stranger.init();
  const status = await writer.api.get('/status');
  const address = `${writer.listens[0] ?? ''}/p2p/${status.text('peer') ?? ''}`;
  stranger.configure('p2p.bootstrap', [address]);
  await stranger.up();
  const peer = (await stranger.api.get('/status')).text('peer');
  await until(
    'the writer to have refused the stranger',
    async () => {
      const peers = (await writer.api.get('/peers')).list('peers');
      const seen = peers.find((one) => one.text('peer') === peer);
      return seen?.text('state') === 'refused' && !seen.flag('connected') ? true : undefined;
    },
    { signal },
  );
  const known = (await stranger.api.get('/streams', { all: true })).list('streams');
  must(known.length === 0, 'the stranger has learnt of streams');
  await stranger.down();
  noStack(readFileSync(join(stranger.log), 'utf8'));
}
