/** A peer that keeps to the protocol and sends blocks with one fault each, over real libp2p. */
import assert from 'node:assert/strict';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { after, before, describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import { makeEvent } from '../../src/event/make.ts';
import { frameHeader } from '../../src/gossip/frames.ts';
import { networkIdText } from '../../src/gossip/network-document.ts';
import { protocols } from '../../src/gossip/serve.ts';
import { topicOf } from '../../src/gossip/topics.ts';
import { logIdHash } from '../../src/ids.ts';
import { buildBlock, type Draft } from '../../src/ledger/build-block.ts';
import { parseCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import type { LogState, UnknownLog } from '../../src/ledger/log-state.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import {
  asHash,
  asLogIndex,
  asPeerId,
  asTimeMs,
  type LogId,
  type ParsedEvent,
  type PeerId,
} from '../../src/types.ts';
import { env } from '../support/judges.ts';
import { until } from '../support/until.ts';
import { orders, owner, realPeer, type RealPeer } from './real-peer.ts';
import { value, World } from './support.ts';

const stranger = signerFromSeed(new Uint8Array(32).fill(77));
const zeros = asHash(new Uint8Array(32));

function event(id: string): ParsedEvent {
  return value(makeEvent({ specversion: '1.0', id, source: '/test', type: 'test' }, 0));
}

/** The log after all that this peer has. */
async function stateOf(at: RealPeer, logId: LogId): Promise<LogState> {
  let state: LogState | UnknownLog = { logId };
  for await (const block of at.ledger.blocks(logId, asLogIndex(0))) {
    state = value(verifyBlock(env, state, block.wire.slice(), { form: 'any' })).state;
  }
  assert.ok('size' in state);
  return state;
}

function built(state: LogState, id: string, time = Date.now(), signer: Signer = owner): Uint8Array {
  const drafts: Draft[] = [{ kind: 'event', event: event(id) }];
  const options = { time: asTimeMs(time), seed: new Uint8Array(32).fill(5) };
  return value(buildBlock(env, state, signer, drafts, options)).wire;
}

/** The same block with other bytes of the same length in one place. */
function replaced(wire: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  assert.equal(from.length, to.length);
  const at = Buffer.from(wire).indexOf(from);
  assert.ok(at >= 0, 'it is there');
  const copy = wire.slice();
  copy.set(to, at);
  return copy;
}

function checkpointOf(wire: Uint8Array, logId: LogId): string {
  const text = Buffer.from(wire).toString('latin1');
  const from = text.indexOf(`headwater/${logId}`);
  return Buffer.from(wire.subarray(from)).toString('utf8');
}

/** The block under a checkpoint that says something else. */
function resigned(wire: Uint8Array, logId: LogId, root: Uint8Array, signer: Signer): Uint8Array {
  const old = checkpointOf(wire, logId);
  const { size } = value(parseCheckpoint(old));
  const now = signCheckpoint(nodeCrypto, signer, logId, size, asHash(root.slice()));
  return replaced(wire, utf8(old), utf8(now));
}

interface Case {
  readonly what: string;
  readonly make: (state: LogState) => Uint8Array;
  /** What its sender is charged with; nothing where it may be right. */
  readonly code: Code | undefined;
}

const cases: readonly Case[] = [
  {
    what: 'a root that its leaves do not give',
    make: (state) => resigned(built(state, 'x'), state.logId, zeros, owner),
    code: 'root-mismatch',
  },
  {
    what: 'a signature that fails',
    make: (state) => {
      const wire = built(state, 'x');
      const line = checkpointOf(wire, state.logId).trimEnd();
      const changed = line.slice(0, -12) + (line.at(-12) === 'A' ? 'B' : 'A') + line.slice(-11);
      return replaced(wire, utf8(line), utf8(changed));
    },
    code: 'bad-signature',
  },
  {
    what: 'a seal that follows on another block',
    make: (state) => built({ ...state, sealHash: zeros }, 'x'),
    code: 'seal-previous',
  },
  {
    what: 'a time before the last one',
    make: (state) => built({ ...state, time: asTimeMs(state.time - 5000) }, 'x', state.time - 4000),
    code: 'time-back',
  },
  {
    what: 'a time that lies ahead',
    make: (state) => built(state, 'x', Date.now() + 3_600_000),
    code: undefined,
  },
  {
    what: 'a key that is not the writer’s',
    make: (state) => {
      const { root } = value(parseCheckpoint(checkpointOf(built(state, 'x'), state.logId)));
      return resigned(built(state, 'x'), state.logId, root, stranger);
    },
    code: 'checkpoint-key-id',
  },
  {
    what: 'a frontier that is not the log’s',
    make: (state) => {
      const hash = state.frontier[0] ?? zeros;
      return replaced(built(state, 'x'), hash, zeros);
    },
    code: 'root-mismatch',
  },
];

/** What a peer holds against another one. */
function charged(at: RealPeer, by: RealPeer): Record<string, number> {
  return Object.fromEntries(at.node.report().rejectsByPeer.get(by.transport.self) ?? []);
}

function ready(at: RealPeer, other: RealPeer): boolean {
  const { peers } = at.node.report();
  return peers.some(({ peer, state }) => peer === other.transport.self && state === 'ready');
}

function counted(at: RealPeer, name: 'gossipRejected' | 'gossipIgnored'): number {
  return at.node.report().counts.get(name) ?? 0;
}

function server(at: RealPeer): { peer: PeerId; addresses: readonly string[] } {
  return { peer: at.transport.self, addresses: at.transport.addresses() };
}

describe('an honest peer with a hostile one, over libp2p', function () {
  this.timeout(30_000);
  const world = new World();
  const { document } = world;
  let writer: RealPeer;
  let near: RealPeer;
  let far: RealPeer;
  let logId: LogId;
  let published = 0;
  const hostile: RealPeer[] = [];

  const size = (at: RealPeer): number => at.ledger.log(logId)?.size ?? 0;

  before(async () => {
    writer = await realPeer(document);
    const created = await writer.ledger.create(orders, owner);
    logId = value(created);
    near = await realPeer(document, [logId], signerFromSeed(new Uint8Array(32).fill(41)));
    far = await realPeer(document, [logId], signerFromSeed(new Uint8Array(32).fill(42)));
    near.node.follow(logId, [server(writer)]);
    await until(() => size(near) === size(writer), 'the history', 8000);
    far.node.follow(logId, [server(near)]);
    await until(() => size(far) === size(writer), 'the history', 8000);
    const all = (): boolean =>
      [writer, near, far].every((at) => meshed(at) >= (at === near ? 2 : 1));
    await until(all, 'the mesh has formed', 8000);
    await goesOn();
  });

  after(async () => {
    for (const one of [...hostile, far, near, writer]) await one[Symbol.asyncDispose]();
  });

  /** The honest ones publish, replicate and hold nothing against each other. */
  async function goesOn(): Promise<void> {
    const results = value(await writer.ledger.publish(logId, [event(`e${published++}`)]));
    for (const result of results) value(result);
    await until(() => size(near) === size(writer) && size(far) === size(writer), 'the news', 8000);
    for (const at of [near, far]) {
      const log = at.ledger.log(logId);
      assert.deepEqual(
        [log?.state, log?.checkpoint],
        ['open', writer.ledger.log(logId)?.checkpoint],
      );
    }
    const honest = new Set([writer, near, far].map(({ transport }) => transport.self));
    for (const at of [writer, near, far]) {
      for (const peer of at.node.report().rejectsByPeer.keys()) {
        assert.ok(!honest.has(peer), 'an honest one was charged');
      }
    }
  }

  /** Greeted by `near` alone, in the mesh of the log's topic with it. */
  async function attacker(): Promise<RealPeer> {
    const made = await realPeer(document, [], stranger);
    hostile.push(made);
    made.transport.subscribe(topic());
    value(await made.transport.dial(near.transport.addresses()[0] ?? ''));
    const there = (): boolean => ready(near, made) && ready(made, near) && meshed(made) > 0;
    await until(there, 'it is greeted');
    return made;
  }

  /** Neighbours for the log's blocks. */
  function meshed(at: RealPeer): number {
    return at.transport.gossipStats().mesh.get(topic()) ?? 0;
  }

  function topic(): string {
    return topicOf(networkIdText(document.id), logId);
  }

  function judged(): number {
    return counted(near, 'gossipRejected') + counted(near, 'gossipIgnored');
  }

  /** Resolves when the other side has judged it. */
  async function gossip(from: RealPeer, wire: Uint8Array): Promise<void> {
    const earlier = judged();
    value(await from.transport.publish(topic(), wire));
    await until(() => judged() > earlier, 'it is judged');
  }

  for (const { what, make, code } of cases) {
    it(`judges ${what} and goes on`, async () => {
      const from = await attacker();
      const wire = make(await stateOf(near, logId));
      await gossip(from, wire);
      assert.deepEqual(charged(near, from), code === undefined ? {} : { [code]: 1 });
      assert.equal(far.node.report().rejectsByReason.size, 0, 'it was not passed on');
      await goesOn();
    });
  }

  it('bars who sends a second one, and hangs up', async () => {
    const from = await attacker();
    const state = await stateOf(near, logId);
    for (const id of ['x', 'y']) {
      await gossip(from, built({ ...state, sealHash: zeros }, id));
    }
    assert.deepEqual(charged(near, from), { 'seal-previous': 2 });
    await until(() => !ready(near, from), 'it is hung up on');
    await goesOn();
  });

  it('charges nobody for a block of a log that is not followed', async () => {
    const from = await attacker();
    const wire = built(await stateOf(near, logId), 'x');
    // The first 12 bits name the topic: another log of the same bucket.
    const log = logIdHash(logId);
    const other = log.map((byte, i) => (i < 2 ? byte : byte ^ 0xff));
    await gossip(from, replaced(wire, log, other));
    assert.deepEqual(charged(near, from), {});
    // And one of another bucket is no message of this topic.
    const rejected = counted(near, 'gossipRejected');
    await gossip(
      from,
      replaced(
        wire,
        log,
        log.map((byte) => byte ^ 0xff),
      ),
    );
    assert.equal(counted(near, 'gossipRejected'), rejected + 1);
    await goesOn();
  });

  it('refuses a hello of another network, and serves it nothing', async () => {
    const { document: another } = new World({ name: 'another' });
    const from = await realPeer(another, [logId], stranger);
    hostile.push(from);
    value(await from.transport.dial(near.transport.addresses()[0] ?? ''));
    from.node.follow(logId, [{ peer: near.transport.self, addresses: near.transport.addresses() }]);
    await goesOn();
    await until(
      () => !near.transport.peers().some(({ peer }) => peer === from.transport.self),
      'x',
    );
    assert.equal(ready(near, from), false);
    assert.equal(from.ledger.log(logId)?.size, 0);
    await goesOn();
  });

  it('charges who announces a frame of 10 MiB, before the bytes come', async () => {
    const attacker = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    });
    try {
      // It never answers, or we would hang up on it.
      await attacker.handle(protocols.hello, () => undefined);
      const self = asPeerId(attacker.peerId.toString());
      const to = multiaddr(near.transport.addresses()[0]);
      const stream = await attacker.dialProtocol(to, protocols.hello);
      stream.send(frameHeader(10 * 1024 * 1024));
      const charges = (): unknown => near.node.report().rejectsByPeer.get(self);
      await until(() => charges() !== undefined, 'it is charged');
      assert.deepEqual(charges(), new Map([['frame-too-large', 1]]));
      await goesOn();
    } finally {
      for (const connection of attacker.getConnections()) connection.abort(new Error('done'));
      await attacker.stop();
    }
  });
});
