/** The book of deliveries: what reaches the journal and the table, and what a restart makes of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { UsageRoom } from '../../../src/node/usage/usage-room.ts';
import type { Consumer } from '../../../src/gossip/usage-port.ts';
import { keyOf, keyspace } from '../../../src/keyspace.ts';
import { utf8 } from '../../../src/bytes.ts';
import { asStreamName, type Did } from '../../../src/types.ts';
import { didFromKey } from '../../../src/ids.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';
import { epochMs } from '../../sim/virtual-time.ts';
import { testSigner } from '../../support/blocks.ts';
import { UsageHome } from '../../support/usage-home.ts';

const did = (n: number): Did => didFromKey(testSigner(n).publicKey);
const [acme, beta, carl] = [did(11), did(12), did(13)];
const orders = fakeLogId(7);
const nameOf = (one: Did): string | undefined => (one === beta ? 'beta' : undefined);

const reader: Consumer = {
  logId: orders,
  genesis: { owner: acme, name: asStreamName('orders'), visibility: 'direct' },
  organisation: beta,
  peer: '12D3KooWbeta',
  cids: ['root', 'given', 'handed-on'],
  way: 'blocks',
};
const usual = (): UsageHome => new UsageHome({ isGiven: (grant) => grant === 'given', nameOf });
const read = (from: number, to: number): Parameters<UsageRoom['delivered']>[1] => ({
  from,
  to,
  count: to - from,
  bytes: 100 * (to - from),
});

describe('deliveries', () => {
  it('of one consumer and log become one journal entry an interval', async () => {
    const home = usual();
    const room = await home.open();
    const meter = room.meter(reader);
    for (let i = 0; i < 1000; i += 10) meter?.delivered(read(i, i + 10));
    room.delivered({ ...reader, organisation: carl, peer: '12D3KooWcarl' }, read(5, 8));
    assert.deepEqual(home.journaled(), [], 'nothing is written while it is served');
    await home.time.pass(60_000);
    assert.deepEqual(home.journaled(), [
      [beta, 0, 1000, 1000, 100_000],
      [carl, 5, 8, 3, 300],
    ]);
    meter?.delivered(read(1000, 1001));
    await room[Symbol.asyncDispose]();
    assert.deepEqual(home.journaled().at(-1), [beta, 1000, 1001, 1, 100]);
    assert.equal(home.entries[0]?.context['subject'], `hw:${orders}`);
    assert.equal(home.entries[0]?.context['type'], 'org.headwater.access.delivered');
  });

  it('are shown under the grant that we gave, with peers and ranges', async () => {
    const home = usual();
    const room = await home.open();
    room.delivered(reader, read(0, 10));
    await home.time.pass(1000);
    room.delivered({ ...reader, peer: '12D3KooWother' }, read(5, 15));
    room.delivered({ ...reader, way: 'proof' }, { from: 3, to: 4, count: 1, bytes: 32 });
    const view = room.api.ofGrant('given');
    assert.deepEqual([view?.events, view?.bytes, view?.proofs, view?.epochs], [20, 2000, 1, 0]);
    assert.deepEqual(
      view?.peers.map(({ way, peer, count, organisationName }) => [
        way,
        peer,
        count,
        organisationName,
      ]),
      [
        ['blocks', '12D3KooWother', 10, 'beta'],
        ['proof', '12D3KooWbeta', 1, 'beta'],
        ['blocks', '12D3KooWbeta', 10, 'beta'],
      ],
    );
    assert.equal((view?.last ?? 0) - (view?.first ?? 0), 1000);
    assert.deepEqual(room.api.readers(), []);
    const had = (index: number): readonly unknown[] =>
      room.api.ofEntry(orders, index).map(({ peer }) => peer);
    assert.deepEqual(had(3), ['12D3KooWbeta']);
    assert.deepEqual(had(7), ['12D3KooWother', '12D3KooWbeta']);
    assert.deepEqual(had(15), []);
    await room[Symbol.asyncDispose]();
  });

  it('without a grant of ours are listed by reader', async () => {
    const home = usual();
    await using room = await home.open();
    const sealed = { owner: acme, name: asStreamName('orders'), visibility: 'sealed' } as const;
    room.delivered({ ...reader, genesis: sealed, cids: [] }, read(0, 4));
    room.delivered({ ...reader, cids: ['of another'] }, read(0, 2));
    assert.deepEqual(
      room.api
        .readers()
        .map(({ grant, organisationName, events }) => [grant, organisationName, events]),
      [
        [undefined, 'beta', 4],
        ['of another', 'beta', 2],
      ],
    );
  });

  it('of keys are epochs, and the same keys again are no more of them', async () => {
    const home = usual();
    await using room = await home.open();
    const keys: Consumer = { ...reader, way: 'keys' };
    room.delivered(keys, { from: 0, to: 24, count: 24, bytes: 500 });
    room.delivered(keys, { from: 20, to: 26, count: 6, bytes: 100 });
    const view = room.api.ofGrant('given');
    assert.deepEqual([view?.events, view?.bytes, view?.epochs], [0, 0, 26]);
    // Whoever has keys of a log may read any entry of it that they open.
    assert.deepEqual(
      room.api.ofEntry(orders, 999).map(({ way }) => way),
      ['keys'],
    );
  });

  it('of what a holder handed on are shown for both grants', async () => {
    const home = new UsageHome({
      isGiven: (grant) => grant === 'given',
      madeOf: (grant) => (grant === 'made' ? { given: 'given', holder: carl } : undefined),
    });
    await using room = await home.open();
    room.delivered(reader, read(0, 4));
    room.delivered({ ...reader, organisation: carl, cids: ['given', 'made'] }, read(0, 3));
    const events = ['given', 'made'].map((grant) => room.api.ofGrant(grant)?.events);
    assert.deepEqual(events, [7, 3]);
  });

  it('that one trace looks at are each by itself as far as the journal reaches', async () => {
    const home = usual();
    await using room = await home.open();
    room.delivered(reader, read(0, 10));
    await home.time.pass(60_000);
    room.delivered(reader, read(10, 20));
    await home.time.pass(60_000);
    room.delivered(reader, read(15, 16));
    const times = async (index: number): Promise<readonly unknown[]> =>
      (await room.api.deliveriesOf(orders, index)).map(({ first }) => first - epochMs);
    assert.deepEqual(await times(3), [0]);
    assert.deepEqual(await times(15), [120_000, 60_000]);
    assert.equal(room.api.ofEntry(orders, 15)[0]?.first, epochMs, 'merged');
    home.entries.splice(0);
    assert.deepEqual(await times(3), [0], 'from the table');
    assert.deepEqual(await times(99), []);
  });

  it('of public streams count where that is wanted, those of the journal never', async () => {
    const home = usual();
    const genesis = { owner: acme, name: asStreamName('news'), visibility: 'public' } as const;
    const consumer = { ...reader, genesis };
    await using room = await home.open();
    assert.equal(room.meter(consumer), undefined);
    const other = usual();
    await using all = await other.open({}, true);
    assert.ok(all.meter(consumer) !== undefined);
    const journal = { owner: acme, name: asStreamName('_journal'), visibility: 'direct' as const };
    assert.equal(all.meter({ ...reader, genesis: journal }), undefined);
  });

  it('give the same answer after a restart', async () => {
    const home = usual();
    const room = await home.open();
    room.delivered(reader, read(0, 10));
    await home.time.pass(60_000);
    room.delivered(reader, read(10, 12));
    room.delivered(reader, read(40, 42));
    const before = room.api.ofGrant('given');
    await room[Symbol.asyncDispose]();
    await using again = await home.open();
    assert.deepEqual(again.api.ofGrant('given'), before);
    // What the journal forgets is in the table.
    home.entries.splice(0);
    await using later = await home.open();
    assert.deepEqual(later.api.ofGrant('given'), before);
  });

  it('lose what came since the last entry in a crash, and nothing else', async () => {
    const home = usual();
    const room = await home.open();
    room.delivered(reader, read(0, 10));
    await home.time.pass(60_000);
    room.delivered(reader, read(10, 12));
    home.store = home.store.crash('nothing');
    await using again = await home.open();
    assert.equal(again.api.ofGrant('given')?.events, 10);
    assert.equal(home.entries.length, 1);
  });

  it('that are in the journal but not in the table are read from there once', async () => {
    const home = usual();
    const room = await home.open();
    room.delivered(reader, read(0, 10));
    await home.time.pass(60_000);
    home.store = home.store.crash('nothing');
    room.delivered(reader, read(10, 15));
    assert.ok(!(await room.flush()).ok, 'its store is gone');
    assert.equal(home.entries.length, 2);
    for (let i = 0; i < 2; i++) {
      const again = await home.open();
      assert.equal(again.api.ofGrant('given')?.events, 15);
      await again[Symbol.asyncDispose]();
    }
  });

  it('wait where the journal cannot be written, and count once', async () => {
    for (const broken of ['before', 'after'] as const) {
      const home = usual();
      const room = await home.open();
      home.broken = broken;
      room.delivered(reader, read(0, 10));
      await home.time.pass(60_000);
      room.delivered(reader, read(10, 20));
      room.delivered({ ...reader, organisation: carl }, read(0, 1));
      await home.time.pass(180_000);
      assert.equal(home.faults.length, 1, 'told once');
      assert.equal(room.problem?.code, 'store-failed');
      assert.match(room.findings()[0]?.reason ?? '', /cannot be written down/);
      assert.equal(room.api.ofGrant('given')?.events, 21);
      home.broken = 'no';
      await home.time.pass(60_000);
      assert.deepEqual([room.problem, room.findings()], [undefined, []]);
      assert.deepEqual(home.journaled(), [
        [beta, 0, 10, 10, 1000],
        [beta, 10, 20, 10, 1000],
        [carl, 0, 1, 1, 100],
      ]);
      assert.equal(room.api.ofGrant('given')?.events, 21);
      await room[Symbol.asyncDispose]();
      await using again = await home.open();
      assert.equal(again.api.ofGrant('given')?.events, 21);
    }
  });

  it('of consumers beyond the bound share an account, and no total is lost', async () => {
    const home = usual();
    const room = await home.open({ maxUsageRows: 2 });
    for (let n = 20; n < 30; n++) room.delivered({ ...reader, organisation: did(n) }, read(0, 3));
    assert.equal(room.book.size, 3);
    const total = (): number => {
      const others = room.api.readers().reduce((sum, { events }) => sum + events, 0);
      return others + (room.api.ofGrant('given')?.events ?? 0);
    };
    assert.equal(total(), 30);
    await room[Symbol.asyncDispose]();
    assert.equal(home.entries.length, 3);
    assert.deepEqual(home.journaled()[2], [undefined, 0, 3, 24, 2400]);
  });

  it('leave rows alone that cannot be read, and say so', async () => {
    const home = usual();
    const key = keyOf(keyspace.usage, new Uint8Array(32));
    await home.store.batch([{ key, value: utf8('nonsense') }], { sync: true });
    await using room = await home.open();
    assert.equal(home.faults[0]?.code, 'store-corrupt');
    assert.equal(room.book.size, 0);
  });
});
