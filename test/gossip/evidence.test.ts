import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { ackMessage, decodeAck, encodeAck, type AckMessage } from '../../src/gossip/ack-codec.ts';
import { decodeBlocks, encodeBlocks } from '../../src/gossip/blocks-codec.ts';
import type { CosignedNote, EvidencePort } from '../../src/gossip/evidence-port.ts';
import { decodeHeads, encodeHeads, type HeadsMessage } from '../../src/gossip/heads-codec.ts';
import {
  decodeWitness,
  encodeWitness,
  type WitnessMessage,
} from '../../src/gossip/witness-codec.ts';
import { ok } from '../../src/result.ts';
import {
  asHash,
  asPublicKey,
  asSignature,
  asTreeSize,
  type LogId,
  type TreeSize,
} from '../../src/types.ts';
import { must, refused } from '../support/result.ts';
import { fakeLogId, type FakeLedger } from './fake-ledger.ts';
import { World, type NodeSettings, type TestNode } from './support.ts';

const log = fakeLogId(1);
const key = (n: number): Signer => signerFromSeed(new Uint8Array(32).fill(n));

/** What a peer says and keeps of the log; `ledger` is known once the peer is set up. */
class Port implements EvidencePort {
  ledger: FakeLedger | undefined;
  signer: Signer;
  kept: CosignedNote | undefined;
  wants = true;
  added: string[] = [];
  witness: EvidencePort['witness'];

  constructor(signer: Signer) {
    this.signer = signer;
  }
  sign: EvidencePort['sign'] = (message) => this.signer.sign(message);
  durableRoot: EvidencePort['durableRoot'] = (logId: LogId, size: TreeSize) => {
    const known = this.ledger?.log(logId);
    return Promise.resolve(ok(known !== undefined && known.size >= size ? known.root : undefined));
  };
  cosigned: EvidencePort['cosigned'] = {
    wants: () => this.wants,
    newest: () => Promise.resolve(ok(this.kept)),
    add: (_logId, note) => {
      this.added.push(note);
      return Promise.resolve(ok(undefined));
    },
  };
}

async function add(
  world: World,
  n: number,
  settings: NodeSettings = {},
): Promise<{ readonly node: TestNode; readonly port: Port }> {
  const port = new Port(key(100 + n));
  const node = await world.add({
    peerKey: key(100 + n),
    evidence: port,
    ...settings,
    setUp: (ledger) => {
      port.ledger = ledger;
      settings.setUp?.(ledger);
    },
  });
  return { node, port };
}

const patience = (world: World, ms: number): AbortSignal => {
  const controller = new AbortController();
  world.time.after(ms, () => controller.abort());
  return controller.signal;
};

async function collect(world: World, writer: TestNode, want: number, ms = 5000): Promise<number> {
  const { size, root } = writer.ledger.log(log) ?? assert.fail('no log');
  const subject = { logId: log, size, root };
  const { acks } = writer.node.evidence;
  return must(await world.run(acks.collect(subject, want, patience(world, ms))));
}

describe('acknowledgements of replicas', () => {
  it('counts organisations, not peers', async () => {
    await using world = new World();
    const writer = await add(world, 1, { setUp: (l) => l.create(log) });
    writer.node.ledger.append(log, 3);
    for (const [n, owner] of [5, 6, 6, 7].entries()) {
      const one = await add(world, 10 + n, { owner: key(owner), setUp: (l) => l.follow(log) });
      await world.greet(one.node, writer.node);
    }
    assert.equal(await collect(world, writer.node, 3), 3);
    assert.equal(await collect(world, writer.node, 4), 3);
  });

  it('does not count a peer of our own organisation', async () => {
    await using world = new World();
    const writer = await add(world, 1, { owner: key(5), setUp: (l) => l.create(log) });
    writer.node.ledger.append(log, 3);
    const kin = await add(world, 2, { owner: key(5), setUp: (l) => l.follow(log) });
    await world.greet(kin.node, writer.node);
    assert.equal(await collect(world, writer.node, 1), 0);
  });

  it('waits for a peer that is behind, and for one that is connected later', async () => {
    await using world = new World();
    const writer = await add(world, 1, { setUp: (l) => l.create(log) });
    writer.node.ledger.append(log, 3);
    const waiting = collect(world, writer.node, 1, 60_000);
    await world.time.pass(1000);
    const late = await add(world, 2, { setUp: (l) => l.follow(log) });
    await world.greet(late.node, writer.node);
    assert.equal(await waiting, 1);
  });

  const liars: readonly (readonly [string, (port: Port) => void])[] = [
    ['is signed by another key', (port) => (port.signer = key(77))],
    [
      'names another root',
      (port) => (port.durableRoot = () => Promise.resolve(ok(asHash(new Uint8Array(32).fill(1))))),
    ],
    [
      'never comes: the peer is behind for ever',
      (port) => (port.durableRoot = async () => ok(undefined)),
    ],
  ];
  for (const [what, lie] of liars) {
    it(`does not count an acknowledgement that ${what}`, async () => {
      await using world = new World();
      const writer = await add(world, 1, { setUp: (l) => l.create(log) });
      writer.node.ledger.append(log, 3);
      const liar = await add(world, 2, { setUp: (l) => l.follow(log) });
      lie(liar.port);
      await world.greet(liar.node, writer.node);
      assert.equal(await collect(world, writer.node, 1), 0);
    });
  }

  it('asks a peer once for many who wait, and refuses more than it may hold', async () => {
    await using world = new World();
    const writer = await add(world, 1, {
      setUp: (l) => l.create(log),
      limits: { maxAckWaiters: 50 },
    });
    const replica = await add(world, 2, { setUp: (l) => l.follow(log) });
    await world.greet(replica.node, writer.node);
    writer.node.ledger.append(log, 3);
    const { size, root } = writer.node.ledger.log(log) ?? assert.fail('no log');
    const subject = { logId: log, size, root };
    const { acks } = writer.node.node.evidence;
    const all = Array.from({ length: 50 }, () => acks.collect(subject, 1, patience(world, 5000)));
    refused(await acks.collect(subject, 1, patience(world, 5000)), 'queue-full');
    assert.deepEqual(
      new Set((await world.run(Promise.all(all))).map((one) => must(one))),
      new Set([1]),
    );
    const asked = writer.node.node.report().traffic.get('/headwater/1/ack')?.requests ?? 0;
    assert.ok(asked <= 3, `${asked} requests`);
  });
});

describe('witnesses of the network', () => {
  it('are found by their key and given the bytes as they are', async () => {
    await using world = new World();
    const writer = await add(world, 1);
    const witness = await addWitness(world, 2, 50);
    await world.greet(writer.node, witness.node);
    const { witnessing } = writer.node.node.evidence;
    const body = utf8('old 0\n\nanything');
    const answer = must(await world.run(witnessing.ask(key(50).publicKey, body)));
    assert.deepEqual([answer.status, answer.body], [409, utf8('7\n')]);
    assert.deepEqual(witness.seen, [body]);
    const origin = nodeCrypto.sha256(body);
    const last = must(await world.run(witnessing.last(key(50).publicKey, origin)));
    assert.deepEqual([last.status, last.body], [200, origin]);
    refused(await world.run(witnessing.ask(key(51).publicKey, body)), 'witness-unreachable');
  });

  it('do not answer where they have no such role', async () => {
    await using world = new World();
    const writer = await add(world, 1);
    const plain = await add(world, 2);
    await world.greet(writer.node, plain.node);
    const asking = writer.node.node.evidence.witnessing.ask(key(50).publicKey, utf8('x'));
    refused(await world.run(asking), 'witness-unreachable');
  });
});

async function addWitness(
  world: World,
  n: number,
  witnessKey: number,
): Promise<{ readonly node: TestNode; readonly seen: Uint8Array[] }> {
  const seen: Uint8Array[] = [];
  const port = new Port(key(100 + n));
  port.witness = {
    key: key(witnessKey).publicKey,
    addCheckpoint: (body) => {
      seen.push(body);
      return Promise.resolve({ status: 409, body: utf8('7\n') });
    },
    last: (origin) => Promise.resolve({ status: 200, body: origin }),
  };
  const node = await world.add({ peerKey: key(100 + n), evidence: port, roles: ['witness'] });
  return { node, seen };
}

const note = (size: number, lines: number): CosignedNote => ({
  size: asTreeSize(size),
  lines,
  note: `headwater/${log}\n${size}\nroot\n\n— a AAAAAA==\n${'— w AAAAAA==\n'.repeat(lines)}`,
});

describe('cosignatures between peers', () => {
  it('come with a meeting where the other side has newer ones, or more on one size', async () => {
    for (const [mine, theirs, learns] of [
      [undefined, note(3, 1), true],
      [note(3, 1), note(3, 2), true],
      [note(3, 2), note(3, 2), false],
      [note(3, 1), note(2, 3), false],
    ] as const) {
      await using world = new World();
      const writer = await add(world, 1, { setUp: (l) => l.create(log) });
      writer.node.ledger.append(log, 3);
      writer.port.kept = theirs;
      const follower = await add(world, 2, { setUp: (l) => l.follow(log) });
      follower.port.kept = mine;
      writer.port.wants = false;
      await world.greet(follower.node, writer.node);
      await world.until(() => follower.node.ledger.size(log) === 3, 'it has the log');
      await world.time.pass(60_000);
      const told = follower.port.added.filter((text) => text === theirs.note).length > 0;
      // Blocks bring the newest along in any case; the meeting only what is newer.
      assert.equal(told || !learns, true);
      if (learns) assert.ok(told);
      assert.deepEqual(writer.port.added, []);
    }
  });

  it('are asked for by nobody where no witness counts', async () => {
    await using world = new World();
    const writer = await add(world, 1, { setUp: (l) => l.create(log) });
    const follower = await add(world, 2, { setUp: (l) => l.follow(log) });
    writer.port.wants = false;
    follower.port.wants = false;
    writer.node.ledger.append(log, 3);
    await world.greet(follower.node, writer.node);
    await world.time.pass(60_000);
    assert.deepEqual(follower.port.added, []);
  });
});

/** As decoders make them. */
const plainObjects = { noNullPrototype: true };
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash);
const logId = hash.map(() => log);
const size = fc.maxSafeNat().map(asTreeSize);
const signature = fc.uint8Array({ minLength: 64, maxLength: 64 }).map(asSignature);
const subject = fc.record({ logId, size, root: hash }, plainObjects);
const plain = fc.string().map((text) => text.toWellFormed());

const acks: fc.Arbitrary<AckMessage> = fc.oneof(
  subject.map((one) => ({ kind: 'ask' as const, ...one })),
  fc
    .tuple(subject, signature)
    .map(([one, sig]) => ({ kind: 'ack' as const, ...one, signature: sig })),
  size.map((one) => ({ kind: 'behind' as const, size: one })),
);
const witnesses: fc.Arbitrary<WitnessMessage> = fc.oneof(
  fc.uint8Array().map((body) => ({ kind: 'add' as const, body })),
  fc
    .tuple(fc.nat(599), fc.uint8Array())
    .map(([status, body]) => ({ kind: 'answer' as const, status, body })),
  fc.constant({ kind: 'who' as const }),
  hash.map((bytes) => ({ kind: 'key' as const, key: asPublicKey(bytes) })),
  hash.map((origin) => ({ kind: 'last' as const, origin })),
);
const cosigned: fc.Arbitrary<HeadsMessage> = fc.oneof(
  fc
    .array(fc.record({ logId, size, lines: fc.nat(16) }, plainObjects), { maxLength: 5 })
    .map((sizes) => ({ kind: 'askCosigned' as const, sizes })),
  fc
    .tuple(
      fc.boolean(),
      fc.array(fc.record({ logId, note: plain }, plainObjects), { maxLength: 5 }),
    )
    .map(([more, rows]) => ({ kind: 'cosigned' as const, more, rows })),
);

const check = <T>(
  messages: fc.Arbitrary<T>,
  encode: (message: T) => Uint8Array,
  decode: (frame: Uint8Array) => Parameters<typeof must>[0],
): void => {
  fc.assert(
    fc.property(messages, (message) => {
      const frame = encode(message);
      assert.deepEqual(must(decode(frame)), message);
      for (let cut = 0; cut < frame.length; cut += 5) {
        assert.equal(decode(frame.subarray(0, cut)).ok, false);
      }
      assert.equal(decode(Uint8Array.of(...frame, 0)).ok, false);
    }),
    { numRuns: 60 },
  );
};

describe('messages of acknowledgements, witnesses and cosignatures', () => {
  it('come back as they were, and every cut of them is refused', () => {
    check(acks, encodeAck, decodeAck);
    check(witnesses, encodeWitness, decodeWitness);
    check(cosigned, encodeHeads, decodeHeads);
    check(
      plain.map((text) => ({ kind: 'cosigned' as const, note: text })),
      encodeBlocks,
      decodeBlocks,
    );
  });

  it('sign prefix, log, size and root', () => {
    const root = asHash(new Uint8Array(32).fill(9));
    const bytes = ackMessage({ logId: log, size: asTreeSize(258), root });
    assert.equal(bytes.length, 15 + 32 + 8 + 32);
    assert.equal(Buffer.from(bytes.subarray(0, 15)).toString(), 'headwater/ack/1');
    assert.deepEqual([...bytes.subarray(47, 55)], [0, 0, 0, 0, 0, 0, 1, 2]);
    assert.ok(nodeCrypto.verify(key(1).publicKey, bytes, key(1).sign(bytes)));
  });
});
