/** Copies of a sealed stream at peers without keys: static trees, following from a URL, repair, retention. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, it } from 'mocha';
import { keyspace, numberKey } from '../../../src/keyspace.ts';
import { decodeBlock } from '../../../src/ledger/block-codec.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import type { RepairSource } from '../../../src/ledger/repair.ts';
import { ok } from '../../../src/result.ts';
import { asLogIndex } from '../../../src/types.ts';
import { hw, json, tempFolder } from '../cli/harness.ts';
import { dig, event, lines } from '../http/client.ts';
import { createStream, heldNode } from '../running.ts';
import { events, openLedger, publish, wires } from '../../support/ledger-home.ts';
import { must } from '../../support/result.ts';
import { missing, sync } from '../../support/retention.ts';
import { withSealed } from '../../support/sealing.ts';
import { until } from '../../support/until.ts';

const zero = asLogIndex(0);

function treeOf(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file.slice(folder.length), readFileSync(file).toString('hex')]),
  );
}

describe('copies of a sealed stream without keys', function () {
  this.timeout(30_000);

  it('are carried by a static tree: who follows it verifies all and reads nothing', async () => {
    using folder = tempFolder();
    const [home, tree, again] = ['home', 'tree', 'again'].map((name) => join(folder.path, name));
    assert.ok(home !== undefined && tree !== undefined && again !== undefined);
    let owner = '';
    {
      await using node = await heldNode(home);
      owner = node.organisation;
      await createStream(node.client, 'orders', { visibility: 'sealed' });
      const sent = await node.client.batch('/streams/acme/orders/events', [event(1), event(2)]);
      assert.equal(sent.status, 202, sent.text);
      const ran = await hw(['export', 'orders', '--static', tree, '--home', home]);
      assert.equal(ran.code, 0, ran.stderr);
    }
    using copy = tempFolder();
    await using node = await heldNode(copy.path);
    const url = pathToFileURL(tree).href;
    const followed = await node.client.json('POST', '/follows', { url });
    assert.equal(followed.status, 200, followed.text);
    const path = `/streams/${encodeURIComponent(owner)}/orders`;
    const size = async (): Promise<unknown> => (await node.client.get(path)).at('logs', 0, 'size');
    await until(async () => Number(await size()) > 4, 'the tree is read');
    const verified = await hw(['verify', `${owner}/orders`, '--json', '--home', copy.path]);
    assert.equal(verified.code, 0, verified.stdout);
    const counts = { events: 2, opened: 0, noKey: 2, shredded: 0 };
    assert.deepEqual(dig(json(verified), 'logs', 0, 'sealed'), counts);
    const read = lines((await node.client.get(`${path}/events?from=start`)).text);
    assert.deepEqual(
      read.map((one) => dig(one, 'sealed')),
      [0, 0].map((epoch) => ({ epoch, reason: 'no-key' })),
    );
    const ran = await hw(['export', `${owner}/orders`, '--static', again, '--home', copy.path]);
    assert.equal(ran.code, 0, ran.stderr);
    const [first, second] = [treeOf(tree), treeOf(again)];
    for (const [file, bytes] of first) {
      if (file.includes('/block/')) assert.equal(second.get(file), bytes, file);
    }
    assert.ok([...first.keys()].some((file) => file.includes('/block/')));
  });

  it('are mended from peers, whoever holds keys', async () => {
    const { ledger: owner, log } = await withSealed();
    await publish(owner, log, events(4));
    const store = new MemoryStore();
    const relay = await openLedger({ store });
    must(await relay.follow(log));
    await sync(owner, relay, log);
    const blocks = await wires(owner, log, zero);
    must(await store.batch([{ key: numberKey(keyspace.blocks, 1, 1) }], { sync: true }));
    const broken = must(await relay.verify(log));
    assert.equal(broken.verdict, 'incomplete', JSON.stringify(broken.firstProblem));
    const source: RepairSource = {
      fetch: async (_log, from, take) => {
        for (const wire of blocks) {
          const { firstIndex } = must(decodeBlock(wire, { reduced: true }));
          if (firstIndex >= from && (await take(wire, 'peer')) === 'done') break;
        }
        return ok(undefined);
      },
    };
    const { findings } = must(await relay.scrub.repair(log, { source }));
    assert.deepEqual(
      findings.map(({ kind, repairedFrom }) => [kind, repairedFrom]),
      [['block', 'peer']],
    );
    assert.equal(must(await relay.verify(log)).verdict, 'intact');
    assert.deepEqual(await wires(relay, log, zero), blocks);
    await relay.close();
    await owner.close();
  });

  it('drop and redact what the log says, without a key', async () => {
    const { ledger: owner, log } = await withSealed();
    const [first] = await publish(owner, log, events(4));
    assert.ok(first);
    const relay = await openLedger();
    must(await relay.follow(log));
    await sync(owner, relay, log);
    must(await owner.retention.redact(log, first.index, 'asked'));
    await sync(owner, relay, log);
    must(await relay.retention.run(log));
    assert.deepEqual(await missing(relay, log), { [first.index]: 'redacted' });
    const report = must(await relay.verify(log));
    assert.deepEqual([report.verdict, report.redacted, report.checkedEvents], ['incomplete', 1, 3]);
    must(await owner.retention.setPolicy(log, { below: first.index + 2 }));
    must(await owner.retention.run(log));
    await sync(owner, relay, log);
    must(await relay.retention.run(log));
    const gone = await missing(relay, log);
    assert.equal(gone[first.index + 1], 'retention');
    assert.notEqual(must(await relay.verify(log)).verdict, 'broken');
    await relay.close();
    await owner.close();
  });
});
