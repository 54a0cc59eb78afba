/** How lines that state the freshness of registries travel with heads. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { fault } from '../../src/errors.ts';
import type { AccessPort } from '../../src/gossip/access-port.ts';
import type { FreshLine, FreshnessPort, FreshSeconds } from '../../src/gossip/freshness-port.ts';
import { decodeHeads, encodeHeads, type HeadsMessage } from '../../src/gossip/heads-codec.ts';
import { limits, protocol } from '../../src/limits.ts';
import { err, ok } from '../../src/result.ts';
import type { Did, LogId } from '../../src/types.ts';
import { fakeLogId } from './fake-ledger.ts';
import { count, value, World, type TestNode } from './support.ts';

const logId = fc.nat(50).map(fakeLogId);
const note = fc.string().map((text) => text.toWellFormed());
const message: fc.Arbitrary<HeadsMessage> = fc.oneof(
  fc
    .array(fc.record({ logId, seconds: fc.nat() }, { noNullPrototype: true }), { maxLength: 6 })
    .map((registries) => ({ kind: 'askFresh' as const, registries })),
  fc
    .array(fc.record({ logId, note }, { noNullPrototype: true }), { maxLength: 6 })
    .map((rows) => ({ kind: 'fresh' as const, rows })),
);

/** A node that wants, has and takes what a test says. */
class Port implements FreshnessPort {
  wants: readonly FreshSeconds[] = [];
  needs: Did | undefined;
  readonly has = new Map<LogId, FreshLine>();
  readonly taken: string[] = [];
  ahead = false;

  wanted(max: number): readonly FreshSeconds[] {
    return this.wants.slice(0, max);
  }
  urgent(): Did | undefined {
    return this.needs;
  }
  newest(asked: LogId): Promise<FreshLine | undefined> {
    return Promise.resolve(this.has.get(asked));
  }
  offer(of: LogId, text: string): ReturnType<FreshnessPort['offer']> {
    if (this.ahead) return Promise.resolve(err(fault('block-ahead', 'more than we have')));
    this.taken.push(`${of} ${text}`);
    return Promise.resolve(ok(undefined));
  }
}

const registry = fakeLogId(1);

async function node(world: World, port: Port, role: 'create' | 'follow'): Promise<TestNode> {
  const access: Partial<AccessPort> = {
    freshness: port,
    ownerOf: () => undefined,
    may: () => ({ kind: 'allow' }),
    answered: () => undefined,
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
  };
  const made = await world.add({
    access: access as AccessPort,
    setUp: (ledger) => ledger[role](registry, { name: '_registry' }),
  });
  if (role === 'create') made.ledger.append(registry, 3);
  return made;
}

function asking(length: number): HeadsMessage {
  const registries = Array.from({ length }, (_, n) => ({ logId: fakeLogId(n), seconds: n }));
  return { kind: 'askFresh', registries };
}

describe('freshness between peers', () => {
  it('has messages that come back as they were, and every cut of them is refused', () => {
    fc.assert(
      fc.property(message, (one) => {
        const frame = encodeHeads(one);
        assert.deepEqual(value(decodeHeads(frame)), one);
        for (let cut = 0; cut < frame.length; cut += 3) {
          assert.equal(decodeHeads(frame.subarray(0, cut)).ok, false);
        }
        assert.equal(decodeHeads(Uint8Array.of(...frame, 0)).ok, false);
      }),
      { numRuns: 60 },
    );
  });

  it('is asked of 64 registries at once, and of no more', () => {
    assert.ok(decodeHeads(encodeHeads(asking(protocol.maxFreshRows))).ok);
    assert.equal(decodeHeads(encodeHeads(asking(protocol.maxFreshRows + 1))).ok, false);
  });

  it('is learned where the other one knows it newer, on meeting', async () => {
    await using world = new World();
    const [knows, asks] = [new Port(), new Port()];
    knows.has.set(registry, { logId: registry, seconds: 100, note: 'the line' });
    asks.wants = [{ logId: registry, seconds: 99 }];
    const [a, b] = [await node(world, knows, 'create'), await node(world, asks, 'follow')];
    await world.greet(b, a);
    await world.until(() => asks.taken.length > 0, 'it is told');
    assert.deepEqual(new Set(asks.taken), new Set([`${registry} the line`]));
    assert.ok(count(b, 'freshnessKept') > 0);
    // What is known already is not told again.
    asks.wants = [{ logId: registry, seconds: 100 }];
    const before = asks.taken.length;
    await world.time.pass(300_000);
    assert.equal(asks.taken.length, before);
  });

  it('comes with the row of a registry that it is about, and with no other one', async () => {
    await using world = new World();
    const [knows, asks] = [new Port(), new Port()];
    const a = await node(world, knows, 'create');
    const checkpoint = a.ledger.log(registry)?.checkpoint ?? '';
    knows.has.set(registry, { logId: registry, seconds: 100, note: `${checkpoint}— x AAAAAAA=\n` });
    const b = await node(world, asks, 'follow');
    await world.greet(b, a);
    await world.until(() => asks.taken.length > 0, 'it is told');
    assert.deepEqual(asks.taken, [`${registry} ${checkpoint}— x AAAAAAA=\n`]);
  });

  it('is asked for every 15 s while it is needed, of a few peers', async () => {
    await using world = new World();
    const [knows, asks] = [new Port(), new Port()];
    knows.has.set(registry, { logId: registry, seconds: 100, note: 'the line' });
    const [a, b] = [await node(world, knows, 'create'), await node(world, asks, 'follow')];
    asks.wants = [{ logId: registry, seconds: 0 }];
    await world.greet(b, a);
    await world.time.pass(1000);
    const idle = asks.taken.length;
    asks.needs = a.organisation;
    await world.time.pass(10 * limits.freshnessPollMs);
    const asked = asks.taken.length - idle;
    assert.ok(asked >= 10 && asked <= 18, `${asked} times`);
  });

  it('of more than is here makes the registry be fetched', async () => {
    await using world = new World();
    const [knows, asks] = [new Port(), new Port()];
    knows.has.set(registry, { logId: registry, seconds: 100, note: 'the line' });
    const [a, b] = [await node(world, knows, 'create'), await node(world, asks, 'follow')];
    asks.ahead = true;
    asks.needs = a.organisation;
    asks.wants = [{ logId: registry, seconds: 0 }];
    await world.greet(b, a);
    await world.until(() => count(b, 'freshnessRefused') > 0, 'it is refused');
    await world.until(() => b.ledger.size(registry) === 3, 'it is fetched');
  });

  it('is told of registries alone', async () => {
    await using world = new World();
    const [knows, asks] = [new Port(), new Port()];
    const other = fakeLogId(2);
    for (const id of [registry, other]) {
      knows.has.set(id, { logId: id, seconds: 100, note: `line of ${id}` });
    }
    const a = await node(world, knows, 'create');
    a.ledger.create(other);
    a.ledger.append(other, 2);
    asks.wants = [other, registry].map((id) => ({ logId: id, seconds: 0 }));
    const b = await node(world, asks, 'follow');
    await world.greet(b, a);
    await world.until(() => asks.taken.length > 0, 'it is told');
    assert.deepEqual(new Set(asks.taken), new Set([`${registry} line of ${registry}`]));
  });
});
