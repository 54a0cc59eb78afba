/** A relay of a sealed stream: it stores, proves and serves what it cannot read. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { makeEvent } from '../../src/event/make.ts';
import { didFromKey } from '../../src/ids.ts';
import { LevelStore } from '../../src/ledger/store.ts';
import { utf8 } from '../../src/bytes.ts';
import { asLogIndex, asStreamName, type LogId, type ParsedEvent } from '../../src/types.ts';
import { filesWith, randomText } from '../support/files-with.ts';
import { must } from '../support/result.ts';
import { openOf, TestKeys } from '../support/sealing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { owner, realPeer, type RealPeer } from './real-peer.ts';
import { value, World } from './support.ts';

function eventOf(id: string, text: string): ParsedEvent {
  const base = { specversion: '1.0', id, source: '/test', type: 'test' };
  const attributes = { ...base, subject: text, datacontenttype: 'text/plain' };
  return value(makeEvent(attributes, 2, utf8(text)));
}

function create(at: RealPeer, name: string, visibility: 'public' | 'sealed'): Promise<LogId> {
  const log = {
    owner: didFromKey(owner.publicKey),
    name: asStreamName(name),
    partition: 0,
    partitions: 1,
    recoveryHash: nodeCrypto.sha256(new Uint8Array(32)),
    visibility,
    retention: { keep: 'all' },
    proof: [],
  } as const;
  return at.ledger.create(log, owner).then(value);
}

async function textsOf(at: RealPeer, keys: TestKeys, log: LogId): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const entry of at.ledger.entries(log, asLogIndex(0))) {
    if (entry.kind !== 'sealed') continue;
    texts.push(new TextDecoder().decode((await openOf(at.ledger, keys, entry)).data));
  }
  return texts;
}

async function diskStore(folder: string): Promise<LevelStore> {
  await mkdir(folder, { recursive: true });
  return must(await LevelStore.open(folder));
}

describe('a relay of a sealed stream', function () {
  this.timeout(20_000);

  it('stores, gossips and serves it, its disk has no plaintext, and a reader with keys reads it', async () => {
    await using folder = await tempDir();
    const { document } = new World();
    const keys = new TestKeys();
    const [secret, open] = [randomText(), randomText()];
    const relayFolder = join(folder.path, 'relay');
    const writerFolder = join(folder.path, 'writer');
    let sealed: LogId;
    let shown: LogId;
    {
      const store = await diskStore(writerFolder);
      await using writer = await realPeer(document, [], owner, { sealing: keys, store });
      sealed = await create(writer, 'sealed', 'sealed');
      shown = await create(writer, 'shown', 'public');
      value(await writer.ledger.publish(sealed, [eventOf('s0', secret)]));
      value(await writer.ledger.publish(shown, [eventOf('p0', open)]));
      const relayStore = await diskStore(relayFolder);
      await using relay = await realPeer(document, [sealed, shown], owner, { store: relayStore });
      const from = [{ peer: writer.transport.self, addresses: writer.transport.addresses() }];
      relay.node.follow(sealed, from);
      relay.node.follow(shown, from);
      const same = (log: LogId): boolean =>
        relay.ledger.log(log)?.size === writer.ledger.log(log)?.size;
      await until(() => same(sealed) && same(shown), 'history by sync', 8000);
      const gossiped = (): number => relay.node.report().counts.get('gossipAccepted') ?? 0;
      for (let i = 1; i < 100 && gossiped() < 3; i++) {
        value(await writer.ledger.publish(sealed, [eventOf(`s${i}`, secret)]));
        await until(() => same(sealed), 'news', 8000);
      }
      assert.ok(gossiped() >= 3, 'some of it by gossip');
      assert.deepEqual([...relay.node.report().rejectsByReason], []);
      assert.equal(must(await relay.ledger.verify(sealed)).verdict, 'intact');
    }
    // Both have closed their stores: what they wrote is on the disk.
    assert.deepEqual(await filesWith(relayFolder, secret), []);
    assert.deepEqual(await filesWith(writerFolder, secret), [], "nor the owner's store");
    assert.notDeepEqual(
      await filesWith(relayFolder, open),
      [],
      'the same search finds what is open',
    );
    assert.notDeepEqual(await filesWith(writerFolder, open), []);

    // The owner is gone: the relay alone serves it, from its disk.
    const again = { store: await diskStore(relayFolder) };
    await using relay = await realPeer(document, [], owner, again);
    await using reader = await realPeer(document, [sealed]);
    relay.node.follow(sealed);
    reader.node.follow(sealed, [
      { peer: relay.transport.self, addresses: relay.transport.addresses() },
    ]);
    const size = relay.ledger.log(sealed)?.size ?? 0;
    assert.ok(size > 5);
    await until(() => reader.ledger.log(sealed)?.size === size, 'all of it from the relay', 8000);
    const texts = await textsOf(reader, keys, sealed);
    assert.ok(texts.length >= 4);
    assert.deepEqual([...new Set(texts)], [secret]);
  });
});
