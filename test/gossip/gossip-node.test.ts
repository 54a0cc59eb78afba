import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { limits } from '../../src/limits.ts';
import { fakeLogId } from './fake-ledger.ts';
import { count, ready, value, World, type TestNode } from './support.ts';

const log = fakeLogId(1);

describe('gossip node', () => {
  it('brings a follower with nothing the whole log, from genesis on', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    for (let i = 0; i < 30; i++) writer.ledger.append(log, 3);
    const follower = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 90, 'the follower is complete');
    assert.deepEqual(follower.ledger.root(log), writer.ledger.root(log));
    assert.equal(count(follower, 'syncBlocks'), 30);
    assert.equal(count(writer, 'blocksPublished'), 30);
  });

  it('asks the peer that is named for a log, however many others are connected', async () => {
    await using world = new World();
    const follower = await world.add();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    writer.ledger.append(log, 3);
    await world.greet(follower, writer);
    for (let i = 0; i < 20; i++) await world.greet(follower, await world.add());
    follower.ledger.follow(log);
    follower.node.follow(log, [{ peer: writer.transport.self, addresses: [] }]);
    await world.until(() => follower.ledger.size(log) === 3, 'it is asked at once', 1000);
  });

  it('gossips new blocks and needs no sync for them', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    const relay = await world.add({ setUp: (l) => l.follow(log) });
    const far = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(relay, writer);
    await world.greet(far, relay);
    for (let i = 0; i < 5; i++) {
      writer.ledger.append(log, 2);
      await world.time.pass(20);
    }
    await world.until(() => far.ledger.size(log) === 10, 'the far one heard all', 1000);
    assert.equal(count(far, 'syncBlocks'), 0);
    assert.equal(count(far, 'gossipAccepted'), 5);
  });

  it('keeps a block that came too early and fetches the gap before it', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    const follower = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(follower, writer);
    await world.time.pass(1000);
    world.network.faults = { ...world.network.faults, loss: 1 };
    for (let i = 0; i < 4; i++) writer.ledger.append(log, 1);
    await world.time.pass(100);
    assert.equal(follower.ledger.size(log), 0);
    world.network.faults = { ...world.network.faults, loss: 0 };
    writer.ledger.append(log, 1);
    await world.until(() => follower.ledger.size(log) === 5, 'the gap is closed', 1000);
    assert.equal(count(follower, 'orphansKept'), 1);
  });

  it('converges by sync alone where gossip is off', async () => {
    await using world = new World();
    const off = { gossip: false, livePulls: false };
    const writer = await world.add({ ...off, setUp: (l) => l.create(log) });
    const one = await world.add({ ...off, setUp: (l) => l.follow(log) });
    const two = await world.add({ ...off, setUp: (l) => l.follow(log) });
    await world.greet(one, writer);
    await world.greet(two, one);
    for (let i = 0; i < 10; i++) writer.ledger.append(log, 5);
    await world.until(() => two.ledger.size(log) === 50, 'it went through', 400_000);
    assert.equal(count(two, 'blocksGossiped'), 0);
    assert.equal(count(writer, 'blocksPublished'), 0);
  });

  it('reads live where it has no topic, within milliseconds', async () => {
    await using world = new World();
    const writer = await world.add({ gossip: false, setUp: (l) => l.create(log) });
    const follower = await world.add({ gossip: false, setUp: (l) => l.follow(log) });
    writer.ledger.append(log, 1);
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 1, 'the first block');
    await world.until(() => follower.node.report().livePulls === 1, 'a live read');
    await world.time.pass(60_000);
    for (let i = 0; i < 5; i++) {
      const before = follower.ledger.size(log);
      writer.ledger.append(log, 2);
      await world.until(() => follower.ledger.size(log) === before + 2, 'pushed', 50);
    }
  });

  it('reads live the logs above its number of topics', async () => {
    await using world = new World();
    const logs = [log, fakeLogId(2), fakeLogId(3)];
    const writer = await world.add({ setUp: (l) => logs.forEach((id) => l.create(id)) });
    const follower = await world.add({
      limits: { maxBlockTopics: 1, maxLivePulls: 1 },
      setUp: (l) => logs.forEach((id) => l.follow(id)),
    });
    await world.greet(follower, writer);
    for (const id of logs) writer.ledger.append(id, 1);
    const all = (size: number): boolean => logs.every((id) => follower.ledger.size(id) === size);
    await world.until(() => all(1), 'one by gossip, one live, one by heads');
    const report = follower.node.report();
    assert.deepEqual([report.topics, report.livePulls], [1, 1]);
    follower.node.unfollow(log);
    assert.equal(follower.node.report().topics, 0);
  });

  it('fetches from another peer when one serves bad blocks', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    for (let i = 0; i < 20; i++) writer.ledger.append(log, 1);
    const bad = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(bad, writer);
    await world.until(() => bad.ledger.size(log) === 20, 'the bad one has it all');
    bad.ledger.forge = (block) => {
      const wire = block.wire.slice();
      wire[wire.length - 1] = 0xff;
      return { ...block, wire };
    };
    const victim = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(victim, bad);
    const rejects = (): number =>
      victim.node.report().rejectsByPeer.get(bad.transport.self)?.get('bad-hex') ?? 0;
    await world.until(() => rejects() > 0, 'the bad one was asked first');
    // The bad one itself names the honest one in its hello.
    await world.until(() => victim.ledger.size(log) === 20, 'the honest one serves it');
    assert.deepEqual(victim.ledger.root(log), writer.ledger.root(log));
  });

  it('bars a peer that serves bad blocks again and again', async () => {
    await using world = new World();
    const bad = await world.add({ setUp: (l) => l.create(log) });
    bad.ledger.append(log, 1, Uint8Array.of(0xff));
    const victim = await world.add({ setUp: (l) => l.follow(log) });
    await world.connect(victim, bad);
    await world.until(
      () => (victim.node.report().rejectsByReason.get('bad-hex') ?? 0) >= 2,
      'it was tried twice',
    );
    await world.until(() => !ready(victim, bad), 'it is hung up');
    await world.time.pass(60_000);
    assert.ok(!ready(victim, bad));
    assert.equal(victim.node.report().rejectsByReason.get('bad-hex'), 2);
  });

  it('does not punish a peer for what our own ledger cannot take', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    writer.ledger.append(log, 1, Uint8Array.of(0xfe));
    const follower = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(follower, writer);
    await world.time.pass(300_000);
    assert.ok(ready(follower, writer));
    assert.equal(follower.node.report().rejectsByReason.size, 0);
    assert.ok(count(follower, 'applyFailures') > 0);
    assert.ok(count(follower, 'applyFailures') < 40, 'it does not spin');
  });

  it('takes the claim from a peer that boasts', async () => {
    await using world = new World();
    const boaster = await world.add({ setUp: (l) => l.create(log) });
    boaster.ledger.append(log, 4);
    boaster.ledger.boast = 1000;
    const follower = await world.add({ setUp: (l) => l.follow(log) });
    await world.greet(follower, boaster);
    await world.until(() => follower.ledger.size(log) === 4, 'what there is');
    await world.time.pass(5000);
    assert.ok((follower.node.report().rejectsByReason.get('not-ahead') ?? 0) >= 1);
    assert.equal(follower.node.report().syncing, 0);
  });

  it('never gossips, lists or serves a direct log', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log, { visibility: 'direct' }) });
    const other = await world.add({ setUp: (l) => l.follow(log) });
    writer.ledger.append(log, 3);
    await world.greet(other, writer);
    writer.ledger.append(log, 3);
    other.node.follow(log, [
      { peer: writer.transport.self, addresses: writer.transport.addresses() },
    ]);
    await world.time.pass(120_000);
    assert.equal(other.ledger.size(log), 0);
    assert.equal(count(writer, 'blocksPublished'), 0);
    const keys = await world.run(other.node.keys(log));
    assert.ok(!keys.ok);
    assert.equal(keys.error.code, 'log-unknown');
  });

  it('dials the peers that a card names, and comes back to them', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    writer.ledger.append(log, 7);
    const follower = await world.add({ setUp: (l) => l.follow(log) });
    const hint = { peer: writer.transport.self, addresses: writer.transport.addresses() };
    follower.node.follow(log, [hint]);
    await world.until(() => follower.ledger.size(log) === 7, 'it dialled and synced');
    await world.run(writer.transport.hangUp(follower.transport.self));
    writer.ledger.append(log, 1);
    await world.until(() => follower.ledger.size(log) === 8, 'it dialled again');
  });

  it('dials peers that it is told of, where it knows nobody', async () => {
    await using world = new World();
    const [alone, other] = [await world.add(), await world.add()];
    assert.equal(alone.node.report().peers.length, 0);
    const { self } = other.transport;
    alone.node.meet([{ peer: self, addresses: other.transport.addresses() }]);
    await world.until(() => alone.node.report().peers.length === 1, 'it dialled');
  });

  it('finds more peers than its bootstrap through them', async () => {
    await using world = new World();
    const hub = await world.add();
    const address = hub.transport.addresses()[0] ?? '';
    const others: TestNode[] = [];
    for (let i = 0; i < 4; i++) others.push(await world.add({ bootstrap: [address] }));
    await world.until(
      () => others.every((one) => one.node.report().peers.length >= 4),
      'everyone knows everyone',
    );
  });

  it('tells the median clock of the organisations that it follows', async () => {
    await using world = new World();
    const keys = [2, 3, 4].map((n) => signerFromSeed(new Uint8Array(32).fill(n)));
    const logs = keys.map((_, i) => fakeLogId(10 + i));
    const follower = await world.add();
    assert.equal(follower.node.clockOpinion(), undefined);
    for (const [i, owner] of keys.entries()) {
      const id = logs[i] ?? log;
      const writer = await world.add({
        owner,
        skewMs: [1000, 400_000, 420_000][i] ?? 0,
        setUp: (l) => l.create(id, { signer: owner }),
      });
      writer.ledger.append(id, 1);
      follower.ledger.follow(id, { signer: owner });
      follower.node.follow(id);
      await world.greet(follower, writer);
    }
    await world.until(() => logs.every((id) => follower.ledger.size(id) === 1), 'followed');
    await world.time.pass(limits.antiEntropyMs * 3);
    const opinion = follower.node.clockOpinion();
    assert.equal(opinion?.organisations, 3);
    assert.ok(Math.abs((opinion?.offsetMs ?? 0) - 400_000) < 100, String(opinion?.offsetMs));
  });

  it('passes events on to the peer of its organisation that writes the log', async () => {
    await using world = new World();
    const owner = signerFromSeed(new Uint8Array(32).fill(5));
    const reader = await world.add({ owner });
    const idle = await world.add({ owner });
    const writer = await world.add({ owner, setUp: (l) => l.create(log) });
    const stranger = await world.add();
    for (const other of [idle, writer, stranger]) await world.greet(reader, other);
    const event = {
      attributes: new Uint8Array(1000),
      kind: 3 as const,
      data: new Uint8Array(1000),
    };
    const bad = { ...event, data: Uint8Array.of(0xff) };
    const events = Array.from({ length: 500 }, (_, i) => (i === 1 ? bad : event));
    const receipts = value(await world.run(reader.node.passOn(log, events)));
    assert.equal(receipts.length, 500);
    assert.equal(writer.ledger.published.length, 500);
    assert.deepEqual(
      receipts.slice(0, 3).map((r) => (r.ok ? r.value.index : r.error.code)),
      [0, 'log-unknown', 2],
    );
    await world.greet(stranger, writer);
    const refused = await world.run(stranger.node.passOn(log, [event]));
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 'writer-unreachable');
    assert.equal(writer.ledger.published.length, 500);
  });

  it('fetches a key chain page by page', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    writer.ledger.append(log, 1);
    const other = await world.add();
    await world.greet(other, writer);
    const pages = value(await world.run(other.node.keys(log)));
    assert.deepEqual(
      pages.map((page) => page.entries.map((entry) => entry.index)),
      [[0], [1], [2]],
    );
  });

  it('finds registries by announcement and by heads', async () => {
    await using world = new World();
    const registry = fakeLogId(50);
    const owner = await world.add({ setUp: (l) => l.create(registry, { name: '_registry' }) });
    const middle = await world.add();
    await world.greet(middle, owner);
    owner.ledger.append(registry, 2);
    const found = (node: typeof middle): number[] =>
      node.events.flatMap((e) => (e.kind === 'registryFound' ? [e.found.size] : []));
    await world.until(() => found(middle).includes(2), 'announced');
    const late = await world.add();
    await world.greet(late, owner);
    await world.until(() => found(late).includes(2), 'listed');
    late.ledger.follow(registry, { name: '_registry' });
    late.node.follow(registry);
    await world.until(() => late.ledger.size(registry) === 2, 'followed');
  });

  it('says how far a log is behind, and since when', async () => {
    await using world = new World();
    const off = { gossip: false, livePulls: false };
    const writer = await world.add({ ...off, setUp: (l) => l.create(log) });
    const follower = await world.add({ ...off, setUp: (l) => l.follow(log) });
    writer.ledger.append(log, 1);
    await world.greet(follower, writer);
    await world.until(() => follower.ledger.size(log) === 1, 'the first block');
    follower.ledger.setState(log, 'frozen');
    writer.ledger.append(log, 9);
    await world.time.pass(100_000);
    const lag = follower.node.lag(log);
    assert.equal(lag.entries, 9);
    assert.ok(lag.seconds > 1 && lag.seconds <= 100, String(lag.seconds));
    assert.deepEqual(follower.node.report().lags, [{ logId: log, ...lag }]);
  });

  it('counts and tells a throw of its own, and goes on', async () => {
    await using world = new World();
    const writer = await world.add({ setUp: (l) => l.create(log) });
    writer.ledger.append(log, 3);
    const told: unknown[] = [];
    const follower = await world.add({
      setUp: (l) => l.follow(log),
      onDefect: (cause) => told.push(cause),
    });
    const apply = follower.ledger.apply.bind(follower.ledger);
    follower.ledger.apply = () => Promise.reject(new Error('as planned'));
    await world.greet(follower, writer);
    await world.until(() => told.length > 0, 'it is told');
    assert.equal(count(follower, 'defects'), told.length);
    follower.ledger.apply = apply;
    await world.until(() => follower.ledger.size(log) === 3, 'it goes on');
  });

  it('ends everything it began when it is disposed', async () => {
    const world = new World();
    const writer = await world.add({ gossip: false, setUp: (l) => l.create(log) });
    const follower = await world.add({ gossip: false, setUp: (l) => l.follow(log) });
    writer.ledger.append(log, 1);
    await world.greet(follower, writer);
    await world.time.pass(1000);
    await world[Symbol.asyncDispose]();
    writer.ledger.append(log, 1);
    const events = world.network.events;
    await world.time.pass(600_000);
    assert.equal(world.network.events, events, 'something still runs');
    assert.equal(follower.ledger.size(log), 1);
  });
});
