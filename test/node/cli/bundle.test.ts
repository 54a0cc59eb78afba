import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { fromBase64, fromHex } from '../../../src/bytes.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { verifyRangeMember } from '../../../src/ledger/range-member.ts';
import { verifyRange } from '../../../src/ledger/range.ts';
import { asHash } from '../../../src/types.ts';
import { must } from '../../support/result.ts';
import { createStream, heldNode, type TestNode } from '../running.ts';
import { faultOf, hw, json, tempFolder, type Ran } from './harness.ts';

async function publish(node: TestNode, stream: string, events: readonly object[]): Promise<string> {
  const whole = events.map((event, i) => {
    return { specversion: '1.0', id: `e${i}`, source: '/shop', type: 'order', ...event };
  });
  const answer = await node.client.batch(`/streams/acme/${stream}/events`, whole);
  assert.equal(answer.status, 202, answer.text);
  const { receipts }: { receipts: { log: string }[] } = JSON.parse(answer.text);
  return receipts[0]?.log ?? '';
}

/** In a place where there is no home. */
function verify(...args: readonly string[]): Promise<Ran> {
  return hw(['verify', ...args, '--home', '/nonexistent/home']);
}

/** Data that does not compress, so that a file has several chunks. */
function noise(bytes: number, seed: number): string {
  let text = '';
  for (let i = 0; text.length < bytes; i++) {
    text += Buffer.from(nodeCrypto.sha256(Buffer.from(`${seed}/${i}`))).toString('base64');
  }
  return text;
}

function bytes(list: readonly string[]): readonly Uint8Array[] {
  return list.map((text) => must(fromBase64(text)));
}

describe('hw export --bundle and hw verify out.hwb', function () {
  this.timeout(30_000);

  it('give the same bundle from a running node and the store of the stopped one', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    const node = await heldNode(folder.path);
    const file = join(folder.path, 'a.hwb');
    const page = join(folder.path, 'a.html');
    try {
      await createStream(node.client, 'orders');
      await createStream(node.client, 'sums');
      const many = Array.from({ length: 40 }, (_, i) => ({ data: noise(8000, i) }));
      const log = await publish(node, 'orders', many);
      const hwparents = `hw:${log}/2-5 hw:${log}/7`;
      await publish(node, 'sums', [{ hwparents, data: { '<b>': 1 } }]);
      const ran = await hw([
        'export',
        'sums#2',
        '--bundle',
        file,
        '--ancestors',
        '--json',
        ...home,
      ]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual([json(ran)['references'], json(ran)['missing']], [2, 0]);
      const orders = await hw(['export', 'orders', '--bundle', `${file}.all`, ...home]);
      assert.equal(orders.code, 0, orders.stderr);
    } finally {
      await node[Symbol.asyncDispose]();
    }
    const online = readFileSync(file);
    const again = await hw(['export', 'sums#2', '--bundle', file, '--ancestors', ...home]);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(readFileSync(file), online);
    // Nothing is left beside it.
    assert.ok(
      !readdirSync(folder.path).some((name) => name.startsWith('a.hwb.') && name !== 'a.hwb.all'),
    );
    const report = await verify(file, '--html', page);
    assert.equal(report.code, 0, report.stdout + report.stderr);
    for (const what of [
      'signed by did:key:',
      'claimed: recorded',
      'attested by nobody',
      'made from hw:',
      'not checked',
      'not recorded',
    ]) {
      assert.ok(report.stdout.includes(what), what);
    }
    const html = readFileSync(page, 'utf8');
    assert.ok(html.includes('<svg') && html.includes("default-src 'none'"));
    assert.ok(!/<script|https?:\/\//.test(html));
    const all = await verify(`${file}.all`, '--json');
    assert.equal(all.code, 0, all.stdout);
    assert.equal(json(all)['verdict'], 'intact');
    assert.ok(readFileSync(`${file}.all`).length > 200_000);
  });

  it('exit 3, 4 and 1: changed, not trusted, not there', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    const node = await heldNode(folder.path);
    const file = join(folder.path, 'a.hwb');
    try {
      await createStream(node.client, 'orders');
      await publish(node, 'orders', [{ data: 1 }, { data: 2 }]);
      assert.equal((await hw(['export', 'orders', '--bundle', file, ...home])).code, 0);
      const bounds = await hw([
        'export',
        'orders#2',
        '--bundle',
        file,
        '--from',
        '1',
        '--json',
        ...home,
      ]);
      assert.equal(faultOf(bounds)['code'], 'usage');
      const empty = await hw([
        'export',
        'orders',
        '--bundle',
        file,
        '--from',
        'now',
        '--json',
        ...home,
      ]);
      assert.equal(faultOf(empty)['code'], 'bundle-empty');
      const seal = await hw(['export', 'orders#1', '--bundle', file, '--json', ...home]);
      assert.equal(faultOf(seal)['code'], 'event-unknown');
    } finally {
      await node[Symbol.asyncDispose]();
    }
    const whole = readFileSync(file);
    writeFileSync(`${file}.hwb`, whole.subarray(0, whole.length >> 1));
    const cut = await verify(`${file}.hwb`, '--json');
    assert.deepEqual([cut.code, json(cut)['verdict']], [3, 'broken']);
    assert.equal(json(cut)['proven'], undefined);
    const stranger = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
    assert.equal((await verify(file, '--trust', stranger)).code, 4);
    assert.equal((await verify(file, '--witness', stranger)).code, 4);
    assert.equal(
      faultOf(await verify(join(folder.path, 'none.hwb'), '--json'))['code'],
      'file-unreadable',
    );
  });

  it('prove a range and one entry in it, over HTTP and as a file', async () => {
    using folder = tempFolder();
    const home = ['--home', folder.path];
    const node = await heldNode(folder.path);
    const file = join(folder.path, 'a.range-proof');
    try {
      await createStream(node.client, 'orders');
      const log = await publish(
        node,
        'orders',
        Array.from({ length: 20 }, (_, i) => ({ data: i })),
      );
      for (const at of ['/streams/acme/orders/range', `/logs/${log}/range`]) {
        const answer = await node.client.get(`${at}?from=3&to=11&index=5`);
        assert.equal(answer.status, 200, answer.text);
        const view: RangeAnswer = JSON.parse(answer.text);
        const root = must(fromBase64(view.checkpoint.split('\n')[2] ?? ''));
        const range = must(verifyRange(nodeCrypto, 3, 11, view.size, bytes(view.proof), root));
        assert.deepEqual(range, must(fromHex(view.rangeRoot)));
        const leaf = asHash(must(fromHex(view.member.leafHash)));
        const place = { index: 5, from: 3, to: 11 };
        must(verifyRangeMember(nodeCrypto, leaf, place, bytes(view.member.proof), range));
      }
      for (const [query, status] of [
        ['from=3&to=3', 404],
        ['from=3&to=99', 404],
        ['from=3&to=9&index=9', 404],
        ['from=3', 400],
      ] as const) {
        assert.equal((await node.client.get(`/logs/${log}/range?${query}`)).status, status, query);
      }
      const ran = await hw(['prove', `hw:${log}/3-11`, '--index', '5', '--out', file, ...home]);
      assert.equal(ran.code, 0, ran.stderr);
    } finally {
      await node[Symbol.asyncDispose]();
    }
    const found = await verify(file);
    assert.equal(found.code, 0, found.stdout);
    assert.ok(found.stdout.includes('entry 5 stands in it'));
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('range 3 11', 'range 3 12'));
    assert.equal((await verify(file)).code, 3);
  });
});

interface RangeAnswer {
  readonly size: number;
  readonly rangeRoot: string;
  readonly proof: readonly string[];
  readonly checkpoint: string;
  readonly member: { readonly leafHash: string; readonly proof: readonly string[] };
}
