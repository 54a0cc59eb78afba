/** Each bound of gossip and sync at its limit and past it, and what a hostile peer can cause. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CborWriter } from '../../src/cbor.ts';
import { encodeAnnouncement } from '../../src/gossip/announcement-codec.ts';
import { decodeBlocks, encodeBlocks } from '../../src/gossip/blocks-codec.ts';
import { encodeHeads } from '../../src/gossip/heads-codec.ts';
import { encodeKeys } from '../../src/gossip/keys-codec.ts';
import { decodeMessage } from '../../src/gossip/message.ts';
import { protocols } from '../../src/gossip/serve.ts';
import { registryTopic, topicOf } from '../../src/gossip/topics.ts';
import type { FrameStream } from '../../src/gossip/transport.ts';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { limits, protocol } from '../../src/limits.ts';
import { asHash, asLogIndex, asTimeMs, asTreeSize } from '../../src/types.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fakeBlock, fakeLogId, fakeWriter } from './fake-ledger.ts';
import { count, ready, value, World, type TestNode } from './support.ts';

const log = fakeLogId(1);
const never = new AbortController().signal;

async function open(
  world: World,
  from: TestNode,
  to: TestNode,
  name: string,
): Promise<FrameStream> {
  return value(await world.run(from.transport.open(to.transport.self, name, never)));
}

/** The code that a refusal names. */
function refusal(frame: Uint8Array | undefined): string {
  const decoded = decodeMessage(frame ?? new Uint8Array(0));
  return decoded.ok ? 'no refusal' : decoded.error.code;
}

async function pair(): Promise<readonly [World, TestNode, TestNode]> {
  const world = new World();
  const node = await world.add({ setUp: (l) => l.create(log) });
  const hostile = await world.add();
  await world.greet(hostile, node);
  await world.time.pass(1000);
  return [world, node, hostile];
}

describe('bounds of gossip and sync', () => {
  it('answers garbage on every protocol with a code, and bars who sends it', async () => {
    for (const name of Object.values(protocols)) {
      const [world, node, hostile] = await pair();
      await using _ = world;
      const seen: string[] = [];
      for (const frame of [Uint8Array.of(0xff, 1, 2), new CborWriter().list(1).uint(99).finish()]) {
        const stream = await open(world, hostile, node, name);
        await stream.send(frame);
        const answer = await world.run(stream.receive());
        if (answer.ok) seen.push(refusal(answer.value));
      }
      assert.ok(seen.length > 0 || name === protocols.publish, name);
      for (const code of seen) assert.match(code, /cbor|message-shape|truncated|not-writer/, name);
      if (name === protocols.publish) continue;
      await world.until(() => !ready(node, hostile), `${name}: it is hung up`);
    }
  });

  it('refuses a request for a log it does not have without telling why', async () => {
    const [world, node, hostile] = await pair();
    await using _ = world;
    node.ledger.create(fakeLogId(7), { visibility: 'direct' });
    node.ledger.append(fakeLogId(7), 1);
    for (const logId of [fakeLogId(6), fakeLogId(7)]) {
      const stream = await open(world, hostile, node, protocols.blocks);
      const from = asLogIndex(0);
      await stream.send(encodeBlocks({ kind: 'read', logId, from, live: false, maxBytes: 1 }));
      assert.equal(refusal(value(await world.run(stream.receive()))), 'log-unknown');
      const keys = await open(world, hostile, node, protocols.keys);
      await keys.send(encodeKeys({ kind: 'ask', logId, from }));
      assert.equal(refusal(value(await world.run(keys.receive()))), 'log-unknown');
    }
    assert.ok(ready(node, hostile));
  });

  it('limits requests a second and streams at once', async () => {
    const [world, node, hostile] = await pair();
    await using _ = world;
    const held: FrameStream[] = [];
    const answers: string[] = [];
    for (let i = 0; i <= limits.maxStreamsPerPeer; i++) {
      held.push(await open(world, hostile, node, protocols.blocks));
    }
    const last = held.at(-1);
    assert.ok(last !== undefined);
    answers.push(refusal(value(await world.run(last.receive()))));
    assert.deepEqual(answers, ['rate-limited']);
    for (const stream of held) stream.abort();
    const asks: Promise<FrameStream>[] = [];
    for (let i = 0; i < limits.requestBurst + 10; i++) {
      const opened = hostile.transport.open(node.transport.self, protocols.keys, never);
      asks.push(opened.then(value));
    }
    const streams = await world.run(Promise.all(asks));
    const codes = await world.run(
      Promise.all(
        streams.map(async (stream) => {
          await stream.send(encodeKeys({ kind: 'ask', logId: fakeLogId(6), from: asLogIndex(0) }));
          return refusal(value(await stream.receive()));
        }),
      ),
    );
    assert.ok(codes.includes('rate-limited'));
    await world.time.pass(10_000);
    const again = await open(world, hostile, node, protocols.keys);
    await again.send(encodeKeys({ kind: 'ask', logId: fakeLogId(6), from: asLogIndex(0) }));
    assert.equal(refusal(value(await world.run(again.receive()))), 'log-unknown');
  });

  it('sends no more than 1 MiB ahead of the acknowledgements', async () => {
    const [world, node, reader] = await pair();
    await using _ = world;
    const payload = new Uint8Array(200_000);
    for (let i = 0; i < 20; i++) node.ledger.append(log, 1, payload);
    const stream = await open(world, reader, node, protocols.blocks);
    const from = asLogIndex(0);
    await stream.send(encodeBlocks({ kind: 'read', logId: log, from, live: false, maxBytes: 8e6 }));
    let got = 0;
    let next = 0;
    const take = async (): Promise<void> => {
      const message = value(decodeBlocks(value(await stream.receive()) ?? new Uint8Array(0)));
      assert.ok(message.kind === 'blocks', message.kind);
      got += message.wires.length;
      next = message.next;
    };
    for (let i = 0; i < 5; i++) await world.run(take());
    let more = false;
    const sixth = take().then(() => {
      more = true;
      return undefined;
    });
    await world.time.pass(5000);
    assert.deepEqual([got, more], [5, false]);
    await stream.send(encodeBlocks({ kind: 'ack', next: asLogIndex(next) }));
    await world.run(sixth);
    assert.equal(got, 6);
    await world.time.pass(limits.streamIdleMs * 2);
    await world.run(stream.receive());
  });

  it('ends a read whose reader acknowledges what it never got', async () => {
    const [world, node, reader] = await pair();
    await using _ = world;
    node.ledger.append(log, 1);
    const stream = await open(world, reader, node, protocols.blocks);
    await stream.send(
      encodeBlocks({ kind: 'read', logId: log, from: asLogIndex(0), live: true, maxBytes: 1 }),
    );
    value(await world.run(stream.receive()));
    await stream.send(encodeBlocks({ kind: 'ack', next: asLogIndex(99) }));
    await world.until(() => node.node.report().rejectsByReason.has('message-shape'), 'it costs');
  });

  it('ends a live read when the peer is banned', async () => {
    const [world, node, reader] = await pair();
    await using _ = world;
    node.ledger.append(log, 1);
    const stream = await open(world, reader, node, protocols.blocks);
    await stream.send(
      encodeBlocks({ kind: 'read', logId: log, from: asLogIndex(0), live: true, maxBytes: 1 }),
    );
    value(await world.run(stream.receive()));
    node.node.control.ban(reader.transport.self);
    node.ledger.append(log, 1);
    const after: string[] = [];
    const rest = (async (): Promise<void> => {
      for (;;) {
        const frame = await stream.receive();
        if (!frame.ok || frame.value === undefined) return;
        const message = decodeBlocks(frame.value);
        after.push(message.ok ? message.value.kind : message.error.code);
      }
    })();
    await world.time.pass(protocol.livePulseMs * 2);
    await stream.close();
    await world.run(rest);
    assert.equal(after.at(-1), 'end');
    assert.ok(after.filter((kind) => kind === 'blocks').length <= 1, 'at most what was under way');
  });

  it('serves a throttled peer at its rate', async () => {
    const [world, node, reader] = await pair();
    await using _ = world;
    for (let i = 0; i < 10; i++) node.ledger.append(log, 1, new Uint8Array(100_000));
    node.node.control.throttle(reader.transport.self, 20_000);
    reader.ledger.follow(log);
    reader.node.follow(log);
    await world.time.pass(10_000);
    assert.ok(reader.ledger.size(log) < 10);
    await world.until(() => reader.ledger.size(log) === 10, 'slowly');
    assert.ok(world.time.nowMs > 30_000, `only ${world.time.nowMs} ms`);
  });

  it('rejects gossip that is no block of its topic, and ignores logs it does not follow', async () => {
    const [world, node, hostile] = await pair();
    await using _ = world;
    const topic = topicOf(node.known.text, log);
    await hostile.transport.publish(topic, Uint8Array.of(1, 2, 3));
    await world.until(() => count(node, 'gossipRejected') === 1, 'garbage');
    await hostile.transport.publish(topic, fakeBlock(fakeLogId(9), 0, 1, Uint8Array.of(1)));
    await world.until(() => count(node, 'gossipRejected') === 2, 'another topic');
    node.ledger.unfollow(log);
    await hostile.transport.publish(topic, fakeBlock(log, 0, 1, Uint8Array.of(1)));
    await world.until(() => count(node, 'gossipIgnored') === 1, 'not followed');
  });

  it('limits announcements of one neighbour, and believes no forged ones', async () => {
    const [world, node, hostile] = await pair();
    await using _ = world;
    node.ledger.follow(fakeLogId(60), { name: '_registry' });
    node.ledger.append(fakeLogId(60), 1);
    const forged = signCheckpoint(
      nodeCrypto,
      { ...fakeWriter, sign: (message) => fakeWriter.sign(Uint8Array.of(...message, 0)) },
      fakeLogId(60),
      asTreeSize(1_000_000),
      asHash(new Uint8Array(32)),
    );
    const server = { peer: hostile.transport.self, addresses: hostile.transport.addresses() };
    const topic = registryTopic(node.known.text);
    await hostile.transport.publish(topic, encodeAnnouncement({ checkpoint: forged, server }));
    await world.until(() => count(node, 'announcements') === 1, 'it came');
    assert.equal(node.node.report().syncing, 0);
    assert.equal(node.node.lag(fakeLogId(60)).entries, 0);
    for (let i = 0; i < limits.announcementsPerMinute + 50; i++) {
      const logId = fakeLogId(61);
      const root = asHash(new Uint8Array(32));
      const checkpoint = signCheckpoint(nodeCrypto, fakeWriter, logId, asTreeSize(i + 1), root);
      await hostile.transport.publish(topic, encodeAnnouncement({ checkpoint, server }));
    }
    await world.until(() => count(node, 'announcementsLimited') >= 50, 'limited');
    const found = node.events.filter((event) => event.kind === 'registryFound').length;
    assert.ok(found <= limits.announcementsPerMinute + 5, String(found));
  });

  it('refuses heads that were not asked for or that their checkpoint does not say', async () => {
    for (const lie of ['unasked', 'size'] as const) {
      const [world, node, hostile] = await pair();
      await using _ = world;
      await hostile.transport.handle(protocols.heads, async (stream) => {
        await stream.receive();
        await stream.send(encodeHeads({ kind: 'differs', now: asTimeMs(1) }));
        await stream.receive();
        const logId = lie === 'unasked' ? fakeLogId(77) : log;
        const root = asHash(new Uint8Array(32));
        const checkpoint = signCheckpoint(nodeCrypto, fakeWriter, logId, asTreeSize(5), root);
        const size = asTreeSize(lie === 'size' ? 6 : 5);
        const rows = [{ logId, size, root, checkpoint, cosignatures: [] }];
        await stream.send(encodeHeads({ kind: 'rows', more: false, rows }));
        await stream.receive();
      });
      await world.run(node.node.compareHeads());
      assert.equal(node.node.report().rejectsByReason.get('message-shape'), 1, lie);
    }
  });

  it('gives up on a peer that answers nothing, and asks it again later', async () => {
    const [world, node, silent] = await pair();
    await using _ = world;
    let asked = 0;
    await silent.transport.handle(protocols.heads, async (stream) => {
      asked += 1;
      await stream.receive();
      await stream.receive();
      await stream.receive();
    });
    const began = world.time.nowMs;
    await world.run(node.node.compareHeads());
    const tookMs = world.time.nowMs - began;
    assert.ok(tookMs >= limits.streamIdleMs && tookMs < limits.streamIdleMs * 2, String(tookMs));
    await world.time.pass(limits.antiEntropyMs * 3);
    assert.ok(asked >= 2);
  });
});
