import assert from 'node:assert/strict';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openHome } from '../../src/node/home.ts';
import { openHomeLedger } from '../../src/node/open-ledger.ts';
import { asLogIndex } from '../../src/types.ts';
import { must } from '../support/result.ts';
import { faultOf, hw, json, real, tempFolder } from './cli/harness.ts';
import { dig } from './http/client.ts';
import { createStream, heldNode } from './running.ts';

const path = '/streams/acme/orders';

function event(id: string): object {
  return { specversion: '1.0', id, source: '/shop', type: 'order.placed', data: { id } };
}

async function publish(folder: string, ids: readonly string[]): Promise<void> {
  await using node = await heldNode(folder);
  const answer = await node.client.batch(`${path}/events`, ids.map(event));
  assert.equal(answer.status, 202, answer.text);
}

async function withLedger<T>(folder: string, run: (ledger: Ledger) => Promise<T>): Promise<T> {
  await using ledger = must(await openHomeLedger(must(await openHome(folder)), real, {}));
  return await run(ledger);
}

function orders(ledger: Ledger): string {
  const log = ledger.logs().find(({ genesis }) => genesis?.name === 'orders');
  return log?.logId ?? assert.fail('no log');
}

/** A home whose own stream was continued by a copy of the home too; it has met one block of that. */
async function forked(folder: string, other: string): Promise<string> {
  {
    await using node = await heldNode(folder);
    await createStream(node.client, 'orders');
  }
  await publish(folder, ['one']);
  cpSync(folder, other, { recursive: true });
  rmSync(join(other, 'run'), { recursive: true, force: true });
  await publish(folder, ['two', 'three']);
  await publish(other, ['thief']);
  const wires = await withLedger(other, async (ledger) => {
    const found: Uint8Array[] = [];
    for (const log of ledger.logs().filter(({ logId }) => logId === orders(ledger))) {
      for await (const { wire } of ledger.blocks(log.logId, asLogIndex(0)))
        found.push(wire.slice());
    }
    return found;
  });
  return withLedger(folder, async (ledger) => {
    const last = wires.at(-1);
    assert.ok(last !== undefined);
    const { verdict } = await ledger.apply(last, 'sync');
    assert.equal(verdict.kind === 'ignore' ? verdict.reason.code : '', 'fork');
    return orders(ledger);
  });
}

describe('a node with a forked stream', function () {
  this.timeout(40_000);

  it('says so wherever one looks, refuses to write, and goes on reading', async () => {
    using folder = tempFolder();
    using other = tempFolder();
    const log = await forked(folder.path, other.path);
    const home = ['--home', folder.path];
    await using node = await heldNode(folder.path);
    const refused = await node.client.batch(`${path}/events`, [event('four')]);
    assert.equal(refused.status, 409);
    assert.equal(dig(JSON.parse(refused.text), 'code'), 'log-frozen');
    assert.match(refused.text, /hw stream recover/);
    const shown = await hw(['stream', 'show', 'orders', ...home]);
    assert.match(shown.stdout, /state {7}frozen/);
    assert.match(shown.stdout, /history A [\s\S]*history B /);
    const status = await hw(['status', ...home]);
    assert.match(status.stdout, /error {3}stream orders: frozen: .*two histories/);
    assert.match(status.stdout, /hw stream recover/);
    const metrics = await node.client.get('/metrics', 'text/plain');
    assert.match(metrics.text, /headwater_forked_logs 1/);
    assert.match(metrics.text, /headwater_log_frozen\{stream="orders",partition="0"\} 1/);

    const file = join(folder.path, 'orders.fork');
    const fork = await hw(['stream', 'fork', 'orders', '--out', file, ...home]);
    assert.equal(fork.code, 0, fork.stderr);
    assert.match(fork.stdout, /its writer signed two histories[\s\S]*kept here as the log/);
    assert.match(fork.stdout, /1 block\(s\) of another history/);
    const checked = await hw(['verify', file, '--home', '/nonexistent/home']);
    assert.equal(checked.code, 3);
    assert.match(checked.stdout, /a sound fork proof: the writer of orders/);
    const asJson = await hw(['verify', file, '--json', '--home', '/nonexistent/home']);
    assert.equal(json(asJson)['code'], 'fork');
    assert.equal(json(asJson)['log'], log);
    writeFileSync(file, Buffer.concat([Buffer.of(0x88, 1), Buffer.alloc(100)]));
    const broken = await hw(['verify', file, '--json', '--home', '/nonexistent/home']);
    assert.notEqual(broken.code, 0);
    assert.match(String(faultOf(broken)['code']), /^fork-/);

    const verified = await hw(['verify', 'orders', ...home]);
    assert.equal(verified.code, 0, 'the verdict is of what is kept here');
    assert.match(verified.stdout, /FORKED: the writer of /);
    const replayed = await hw(['replay', 'orders', ...home]);
    assert.equal(replayed.stdout.trim().split('\n').length, 3, 'nothing was dropped');
    const tailed = await hw(['tail', 'orders', '--from', 'start', '--limit', '3', ...home]);
    assert.equal(tailed.stdout.trim().split('\n').length, 3);
    assert.match(tailed.stderr, /^notice: the writer of .* \[log-frozen\]/);
    const none = await hw(['stream', 'fork', '_journal', '--json', ...home]);
    assert.equal(faultOf(none)['code'], 'fork-unknown');
  });
});
