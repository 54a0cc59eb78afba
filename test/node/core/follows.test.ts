import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { Fault } from '../../../src/errors.ts';
import { utf8 } from '../../../src/bytes.ts';
import { didFromKey } from '../../../src/ids.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { profileData, registryTypes, streamData } from '../../../src/node/core/cards.ts';
import { ControlState } from '../../../src/node/core/control-state.ts';
import { Follows } from '../../../src/node/core/follows.ts';
import { Registries } from '../../../src/node/core/registries.ts';
import { Streams } from '../../../src/node/core/streams.ts';
import {
  asLogIndex,
  asPeerId,
  asStreamName,
  dataKind,
  type Did,
  type EventBytes,
  type LogId,
} from '../../../src/types.ts';
import { testSigner } from '../../support/blocks.ts';
import {
  events,
  newLog,
  openLedger,
  otherSigner,
  publish,
  signer,
  wires,
} from '../../support/ledger-home.ts';
import { must, refused } from '../../support/result.ts';
import { genesisOf, successorOf, written } from '../../support/succession.ts';
import { tempFolder } from '../cli/harness.ts';

const other = testSigner(41);
const [self, producer]: readonly [Did, Did] = [
  didFromKey(signer.publicKey),
  didFromKey(other.publicKey),
];
const peer = asPeerId('12D3KooWtest');
const json = (data: Uint8Array): EventBytes => ({
  attributes: utf8('{}'),
  kind: dataKind.json,
  data,
});

/** What the producer has: logs by label, all called `orders` unless said. */
async function producerWith(names: readonly string[]): Promise<{ ledger: Ledger; logs: LogId[] }> {
  const ledger = await openLedger();
  const logs: LogId[] = [];
  for (const name of names) {
    const log = { ...newLog, owner: producer, name: asStreamName(name) };
    const logId = must(await ledger.create(log, other));
    await publish(ledger, logId, events(3));
    logs.push(logId);
  }
  return { ledger, logs };
}

interface Home extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly registries: Registries;
  readonly follows: Follows;
  readonly streams: Streams;
  readonly said: (readonly [string, string])[];
  /** The producer's registry announces the stream with these logs. */
  announce(name: string, logs: readonly LogId[]): Promise<void>;
  /** The card lists later logs of the chain. */
  succeed(name: string, logId: LogId, successors: readonly LogId[]): Promise<void>;
  /** Takes all blocks of a log, as from a peer, and tells of the first. */
  receive(from: Ledger, logId: LogId): Promise<void>;
}

const lag = (): { entries: number } => ({ entries: 0 });

async function home(configured: readonly string[] = []): Promise<Home> {
  const folder = tempFolder();
  const ledger = await openLedger();
  const registries = new Registries(self, new Map([['friend', producer]]));
  const control = must(await ControlState.load(join(folder.path, 'control.json')));
  const streams = new Streams({ ledger, registries, control, self, peerOwner: self, lag });
  const said: (readonly [string, string])[] = [];
  const follows = new Follows(ledger, registries, streams, control, configured, {
    followed: (logId) => said.push(['followed', logId]),
    unfollowed: (logId) => said.push(['unfollowed', logId]),
    problem: (target: string, problem: Fault) => said.push([problem.code, target]),
  });
  const registry = (await producerWith(['registry'])).logs[0] ?? assert.fail();
  registries.open(producer, registry);
  const profile = profileData({ owner: producer, name: 'maker', peers: [] });
  must(registries.take(producer, { type: registryTypes.profile }, json(profile)));
  return {
    ledger,
    registries,
    follows,
    streams,
    said,
    async announce(name, logs) {
      const [id = assert.fail()] = logs;
      const card = {
        owner: producer,
        name: asStreamName(name),
        id,
        visibility: 'public' as const,
        partitions: logs.map((log) => ({ log, writer: peer })),
      };
      const taken = must(
        registries.take(producer, { type: registryTypes.created }, json(streamData(card))),
      );
      await follows.learned(taken ?? assert.fail());
    },
    async succeed(name, logId, successors) {
      const partitions = [{ log: logId, writer: peer, successors }];
      const visibility = 'public' as const;
      const card = { owner: producer, name: asStreamName(name), id: logId, visibility, partitions };
      const data = json(streamData(card));
      const taken = must(registries.take(producer, { type: registryTypes.updated }, data));
      assert.deepEqual(taken, card, 'a card says what it was given');
      await follows.learned(card);
    },
    async receive(from, logId) {
      for (const wire of await wires(from, logId, asLogIndex(0))) {
        assert.equal((await ledger.apply(wire, 'sync')).verdict.kind, 'accept');
      }
      await follows.begun(logId);
    },
    async [Symbol.asyncDispose]() {
      streams[Symbol.dispose]();
      await ledger.close();
      folder[Symbol.dispose]();
    },
  };
}

describe('following', () => {
  it('waits for the card of a stream that is not known yet', async () => {
    await using at = await home();
    const { logs } = await producerWith(['orders']);
    const [logId = assert.fail()] = logs;
    must(await at.follows.follow(must(at.follows.target('maker/orders'))));
    assert.deepEqual(at.follows.unresolved(), [`${producer}/orders`]);
    await at.announce('orders', logs);
    assert.deepEqual(at.said, [['followed', logId]]);
    assert.deepEqual(at.follows.unresolved(), []);
    assert.equal(at.ledger.log(logId)?.role, 'replica');
  });

  it('goes over to successors that the card lists, however the stream was followed', async () => {
    const { logs } = await producerWith(['orders', 'second', 'third']);
    const [first = assert.fail(), second = assert.fail(), third = assert.fail()] = logs;
    for (const target of [`${producer}/orders`, producer, `hw:${first}`]) {
      await using at = await home();
      must(await at.follows.follow(target));
      await at.announce('orders', [first]);
      await at.succeed('orders', first, [second, third]);
      const followed = at.said.filter(([what]) => what === 'followed').map(([, log]) => log);
      assert.deepEqual(new Set(followed), new Set(logs), target);
      assert.ok(at.registries.lists({ owner: producer, name: asStreamName('orders') }, third));
    }
  });

  it('takes an organisation for all its streams, the later ones too', async () => {
    await using at = await home();
    const { logs } = await producerWith(['orders', 'prices']);
    const [orders = assert.fail(), prices = assert.fail()] = logs;
    await at.announce('orders', [orders]);
    must(await at.follows.follow(must(at.follows.target(producer))));
    await at.announce('prices', [prices]);
    assert.deepEqual(at.said, [
      ['followed', orders],
      ['followed', prices],
    ]);
    must(await at.follows.unfollow(producer, false));
    assert.deepEqual(at.ledger.logs(), []);
  });

  it('follows what is configured, by whatever name, and leaves that to the configuration', async () => {
    await using at = await home(['friend/orders', 'stranger/x']);
    const { logs } = await producerWith(['orders']);
    await at.follows.start();
    await at.announce('orders', logs);
    assert.deepEqual(at.said, [['followed', logs[0]]]);
    assert.deepEqual(at.follows.unresolved(), ['stranger/x']);
    refused(await at.follows.unfollow(`${producer}/orders`, true), 'config-follow');
  });

  it('finds a followed stream that was followed again with what it held', async () => {
    await using at = await home();
    const { ledger, logs } = await producerWith(['orders']);
    const [logId = assert.fail()] = logs;
    must(await at.follows.follow(`hw:${logId}`));
    await at.receive(ledger, logId);
    const view = must(at.streams.view({ owner: producer, name: asStreamName('orders') }));
    assert.deepEqual(
      view.logs.map(({ log, size }) => [log, size]),
      [[logId, ledger.log(logId)?.size]],
    );
    assert.equal(view.display, 'friend/orders');
    must(await at.follows.unfollow(`hw:${logId}`, false));
    refused(at.streams.view({ owner: producer, name: asStreamName('orders') }), 'stream-unknown');
    must(await at.follows.follow(`hw:${logId}`));
    assert.equal(
      must(at.streams.view({ owner: producer, name: asStreamName('orders') })).logs.length,
      1,
    );
  });
});

describe('a log that the registry of its owner does not name', () => {
  it('is let go as soon as its genesis is known', async () => {
    await using at = await home();
    const { ledger, logs } = await producerWith(['orders', 'orders']);
    const [listed = assert.fail(), shadow = assert.fail()] = logs;
    await at.announce('orders', [listed]);
    must(await at.follows.follow(`hw:${shadow}`));
    await at.receive(ledger, shadow);
    assert.deepEqual(at.said, [
      ['followed', shadow],
      ['unfollowed', shadow],
      ['genesis-unlisted', `hw:${shadow}`],
    ]);
    assert.equal(at.ledger.log(shadow), undefined);
  });

  it('is let go when the card arrives after it, and is not followed again', async () => {
    await using at = await home();
    const { ledger, logs } = await producerWith(['orders', 'orders']);
    const [listed = assert.fail(), shadow = assert.fail()] = logs;
    for (const logId of logs) {
      must(await at.follows.follow(`hw:${logId}`));
      await at.receive(ledger, logId);
    }
    assert.equal(at.said.length, 2);
    await at.announce('orders', [listed]);
    assert.deepEqual(at.said.slice(2), [
      ['unfollowed', shadow],
      ['genesis-unlisted', `hw:${shadow}`],
    ]);
    const view = must(at.streams.view({ owner: producer, name: asStreamName('orders') }));
    assert.deepEqual(
      view.logs.map(({ log }) => log),
      [listed],
    );
    refused(await at.follows.follow(`hw:${shadow}`), 'genesis-unlisted');
    assert.equal(at.ledger.log(shadow), undefined);
    must(await at.follows.follow(`${producer}/orders`));
    assert.equal(at.ledger.log(shadow), undefined);
  });

  it('stays where an earlier card of the owner named it, whatever others claim', async () => {
    await using at = await home();
    const { ledger, logs } = await producerWith(['orders', 'orders']);
    const [before = assert.fail(), after = assert.fail()] = logs;
    await at.announce('orders', [before]);
    must(await at.follows.follow(`${producer}/orders`));
    await at.receive(ledger, before);
    await at.announce('orders', [after]);
    assert.equal(at.ledger.log(before)?.role, 'replica');
    // Another organisation lists the log as its own: that is no reason to let it go.
    const thief = didFromKey(testSigner(42).publicKey);
    at.registries.open(thief, (await producerWith(['x'])).logs[0] ?? assert.fail());
    const card = {
      owner: thief,
      name: asStreamName('loot'),
      id: before,
      visibility: 'public' as const,
      partitions: [{ log: before, writer: peer }],
    };
    const stolen = json(streamData(card));
    await at.follows.learned(
      must(at.registries.take(thief, { type: registryTypes.created }, stolen)) ?? assert.fail(),
    );
    await at.follows.begun(before);
    assert.equal(at.ledger.log(before)?.role, 'replica');
  });
});

describe('a successor that the registry lists', () => {
  it('is let go where it cannot show the recovery key, and not followed again', async () => {
    await using at = await home();
    const { ledger: maker, log } = await written(1);
    const { size, root } = maker.log(log) ?? assert.fail();
    const { logId, wire } = successorOf(genesisOf(maker, log), log, size, root, otherSigner);
    must(await at.ledger.follow(log));
    for (const block of await wires(maker, log, asLogIndex(0)))
      await at.ledger.apply(block, 'sync');
    must(await at.follows.follow(`hw:${logId}`));
    assert.equal((await at.ledger.apply(wire, 'sync')).verdict.kind, 'accept');
    await at.ledger.successors.settled();
    await at.follows.begun(logId);
    assert.equal(at.ledger.log(logId), undefined, 'no longer followed');
    assert.deepEqual(at.said.at(-1), ['recovery-key', `hw:${logId}`]);
    assert.equal(at.ledger.log(log)?.state, 'open');
    refused(await at.follows.follow(`hw:${logId}`), 'recovery-key');
    await maker.close();
  });
});
