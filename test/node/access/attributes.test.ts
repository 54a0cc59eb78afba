/** Grants of attributes alone, between peers: pages of proofs, and no block. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import type { GrantTerms } from '../../../src/access/grant.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import type { AttributesPort } from '../../../src/gossip/attribute-proofs.ts';
import {
  decodeProof,
  encodeProof,
  maxAttributeProofs,
  type AttributesAnswer,
} from '../../../src/gossip/proof-codec.ts';
import { concat, toHex } from '../../../src/bytes.ts';
import { ok, type Result } from '../../../src/result.ts';
import { asLogIndex, asTreeSize } from '../../../src/types.ts';
import { value, World, type TestNode } from '../../gossip/support.ts';
import { acme, beta, carl, grantTo, log, producer, reader, type Kit } from './world.ts';

/** An event at each odd index, recorded at 100 times it. */
function port(sizeOf: (index: number) => number = () => 3): AttributesPort & { made: number[] } {
  const made: number[] = [];
  return {
    made,
    indexAt: (_log, time) => Promise.resolve(ok(asLogIndex(Math.ceil(time / 100)))),
    prove: (_log, index) => {
      made.push(index);
      const proof = `p${index}`.padEnd(sizeOf(index), '.');
      return Promise.resolve(ok(index % 2 === 0 ? undefined : proof));
    },
  };
}

interface Setting {
  readonly reader: TestNode;
  readonly kit: Kit;
  readonly writing: Kit;
  readonly cids: readonly string[];
}

async function setting(
  world: World,
  attributes: AttributesPort,
  terms: Partial<GrantTerms> = { fields: 'attributes' },
): Promise<Setting> {
  const [writer, writing] = await producer(world, attributes);
  const [node, kit] = await reader(world, beta);
  const cids = await grantTo(kit, terms);
  await world.greet(node, writer);
  return { reader: node, kit, writing, cids };
}

function page(
  world: World,
  { reader: { node } }: Pick<Setting, 'reader'>,
  from: number,
  count = 10,
): Promise<Result<AttributesAnswer>> {
  const signal = new AbortController().signal;
  const asked = { from: asLogIndex(from), count };
  return world.run(
    node.evidence.lookups.attributes(log, asked, (answer) => Promise.resolve(ok(answer)), signal),
  );
}

describe('a grant of attributes alone', () => {
  it('gives proofs of events, page by page, and no block', async () => {
    await using world = new World();
    const set = await setting(world, port());
    const first = value(await page(world, set, 0, 2));
    assert.deepEqual(
      first.proofs,
      ['p1.', 'p3.'].map((text) => text.slice(0, 3)),
    );
    assert.deepEqual([first.next, first.size], [4, 7]);
    const second = value(await page(world, set, first.next));
    assert.deepEqual([second.proofs, second.next], [['p5.'], 7]);
    await world.until(() => set.kit.answers.length > 0, 'the answer to a read of blocks');
    assert.equal(set.kit.answers[0]?.code, 'fields-unsupported');
    await world.time.pass(60_000);
    assert.equal(set.reader.ledger.size(log), 0);
    assert.ok(set.writing.denied.every(({ code }) => code === 'fields-unsupported'));
  });

  it('gives what was recorded in its range and nothing else', async () => {
    await using world = new World();
    const made = port();
    const terms = { fields: 'attributes' as const, from: 200, to: 500 };
    const set = await setting(world, made, terms);
    const all = value(await page(world, set, 0));
    assert.deepEqual([all.proofs, all.next], [['p3.'], 7]);
    assert.deepEqual(made.made, [2, 3, 4]);
  });

  it('gives pages that fit a frame', async () => {
    await using world = new World();
    const set = await setting(
      world,
      port((index) => (index === 5 ? 150_000 : 60_000)),
    );
    const first = value(await page(world, set, 0));
    assert.deepEqual([first.proofs.length, first.next], [2, 5]);
    const last = value(await page(world, set, first.next));
    assert.deepEqual([last.proofs.length, last.next], [1, 7]);
    await using other = new World();
    const large = await setting(
      other,
      port(() => 200_001),
    );
    const refused = await page(other, large, 0);
    assert.ok(!refused.ok && refused.error.code === 'proof-too-large');
  });

  it('ends when it is revoked, and opens nothing for who has none', async () => {
    await using world = new World();
    const set = await setting(world, port());
    const [stranger] = await reader(world, carl);
    await world.greet(stranger, world.nodes[0] ?? stranger);
    const none = await page(world, { reader: stranger }, 0);
    assert.ok(!none.ok && none.error.code === 'grant-none', none.ok ? 'given' : none.error.code);
    const told = { id: set.cids[1] ?? '', path: set.cids, now: set.kit.host.clock.now() };
    const token = mintRevocation(acme.peer, set.kit.host.random, told);
    value(await world.run(set.writing.gate.takeRevocation(token)));
    const after = await page(world, set, 0);
    assert.ok(!after.ok && after.error.code === 'ucan-revoked', after.ok ? '' : after.error.code);
  });

  it('of data gives attributes too', async () => {
    await using world = new World();
    const set = await setting(world, port(), {});
    assert.equal(value(await page(world, set, 0)).proofs.length, 3);
    await world.until(() => set.reader.ledger.size(log) === 7, 'and the blocks');
  });
});

describe('messages about attributes', () => {
  const answer = fc.record({
    kind: fc.constant('attributes' as const),
    next: fc.nat().map(asLogIndex),
    size: fc.nat().map(asTreeSize),
    proofs: fc.array(
      fc.string({ maxLength: 60 }).map((text) => text.toWellFormed()),
      {
        maxLength: 4,
      },
    ),
  });

  it('decode to what was encoded, and are refused cut or with more behind them', () => {
    fc.assert(
      fc.property(answer, fc.nat(), (message, at) => {
        const frame = encodeProof(message);
        assert.deepEqual(value(decodeProof(frame)), { ...message });
        assert.ok(!decodeProof(frame.subarray(0, at % frame.length)).ok);
        assert.ok(!decodeProof(concat(frame, Uint8Array.of(0))).ok);
      }),
    );
  });

  it('have these bytes, and bounds', () => {
    const ask = { kind: 'askAttributes' as const, logId: log, from: asLogIndex(3), count: 9 };
    const frame = encodeProof(ask);
    assert.match(toHex(frame), /^840c5820[0-9a-f]{64}0309$/);
    assert.deepEqual(value(decodeProof(frame)), ask);
    const most = { ...ask, count: maxAttributeProofs };
    assert.ok(decodeProof(encodeProof(most)).ok);
    assert.ok(!decodeProof(encodeProof({ ...most, count: maxAttributeProofs + 1 })).ok);
  });
});
