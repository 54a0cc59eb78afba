import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { faultOf, hw, json, tempFolder } from './cli/harness.ts';
import { dig } from './http/client.ts';
import { createStream, testNode, type TestNode } from './running.ts';

const batch = 'application/cloudevents-batch+json';

async function put(
  { client, organisation }: TestNode,
  stream: string,
  id: string,
  more: Record<string, unknown> = {},
): Promise<string> {
  const event = { specversion: '1.0', id, source: '/s', type: 't', ...more };
  const path = `/streams/${encodeURIComponent(organisation)}/${stream}/events`;
  const type = { 'content-type': batch };
  const answer = await client.call('POST', path, type, JSON.stringify([event]));
  if (answer.status !== 202) return String(dig(answer.body, 'code'));
  return `hw:${String(dig(answer.body, 'receipts', 0, 'log'))}/${String(dig(answer.body, 'receipts', 0, 'index'))}`;
}

describe('lineage of a running node', () => {
  it('resolves parents at publish, traces both ways, and shows streams as Marquez does', async () => {
    await using node = await testNode();
    await createStream(node.client, 'raw');
    await createStream(node.client, 'daily');
    const [a, b] = [await put(node, 'raw', 'a'), await put(node, 'raw', 'b')];
    assert.equal(
      await put(node, 'daily', 'x', { hwparents: `${a.slice(0, -1)}99` }),
      'parent-unknown',
    );
    assert.equal(await put(node, 'daily', 'x', { hwparents: 'hw:x/1' }), 'bad-logid');
    const d = await put(node, 'daily', 'd', { hwparents: `${a} ${b}`, hwactivity: 'agency 1.0' });
    await put(node, 'daily', 'r', {
      hwparents: d,
      type: 'org.headwater.attestation',
      data: 'good',
    });
    const traced = await node.client.call('GET', `/lineage?event=${encodeURIComponent(d)}`);
    assert.equal(traced.status, 200, traced.text);
    assert.deepEqual([dig(traced.body, 'verdict'), dig(traced.body, 'steps')], ['intact', 3]);
    const tree: unknown = JSON.parse(String(dig(traced.body, 'text')));
    assert.deepEqual(
      [dig(tree, 'parents', 0, 'ref'), dig(tree, 'parents', 1, 'ref'), dig(tree, 'organisation')],
      [a, b, 'acme'],
    );
    assert.equal(dig(tree, 'attestations', 0, 'statement'), '"good"');
    const down = `/lineage?event=raw%23${a.split('/')[1]}&direction=down&format=tree`;
    const uses = await node.client.call('GET', down);
    assert.ok(String(dig(uses.body, 'text')).includes(d), uses.text);
    const marquez = await node.client.call('GET', '/api/v1/lineage?nodeId=dataset:acme:daily');
    const ids = [0, 1, 2].map((i) => dig(marquez.body, 'graph', i, 'id'));
    assert.deepEqual(ids, ['dataset:acme:daily', 'dataset:acme:raw', 'job:acme:agency 1.0']);
    const unknown = await node.client.call('GET', '/api/v1/lineage?nodeId=dataset:acme:none');
    assert.equal(unknown.status, 404);
    const bad = await node.client.call('GET', '/lineage?event=raw&format=json');
    assert.deepEqual([bad.status, dig(bad.body, 'code')], [400, 'bad-reference']);
  });
});

describe('hw trace', () => {
  it('reads the store of a stopped node too', async () => {
    using folder = tempFolder();
    let ref: string;
    {
      await using node = await testNode({ folder: folder.path });
      await createStream(node.client, 'raw');
      const a = await put(node, 'raw', 'a');
      ref = await put(node, 'raw', 'b', { hwparents: a });
      const lie = `${a.slice(0, -1)}90@${'11'.repeat(32)}`;
      assert.equal(await put(node, 'raw', 'c', { hwparents: lie }), 'parent-range');
      const away = `hw:bafkreiewosdncn5e4ftrbapyilnlkinsbdlaxvyupcn2eqlutrkqtphabu/1@${'11'.repeat(32)}`;
      await put(node, 'raw', 'd', { hwparents: `${ref} ${away}` });
    }
    const at = ['--home', folder.path];
    const index = Number(ref.split('/')[1]);
    const up = await hw(['trace', `raw#${index}`, '--json', ...at]);
    assert.equal(up.code, 0, up.stderr);
    assert.deepEqual(
      (json(up)['parents'] as { verdict: string }[]).map((p) => p.verdict),
      ['intact'],
    );
    const tree = await hw(['trace', `raw#${index + 2}`, ...at]);
    assert.deepEqual([tree.code, tree.stdout.includes('not kept here')], [4, true], tree.stderr);
    const near = await hw(['trace', `raw#${index + 2}`, '--depth', '0', ...at]);
    assert.deepEqual([near.code, near.stdout.includes('goes on (--depth)')], [0, true]);
    const out = join(folder.path, 'x.html');
    const html = await hw(['trace', ref, '--format', 'html', '--out', out, ...at]);
    assert.deepEqual([html.code, html.stdout], [0, '']);
    assert.ok(readFileSync(out, 'utf8').startsWith('<!doctype html>'));
    const uses = await hw(['trace', `raw#${index - 2}`, '--consumers', '--json', ...at]);
    const [consumer] = json(uses)['consumers'] as { organisation: string; events: unknown[] }[];
    assert.deepEqual([consumer?.organisation, consumer?.events.length], ['acme', 2], uses.stdout);
    const told = await hw(['trace', `raw#${index - 2}`, '--consumers', '--depth', '1', ...at]);
    assert.match(told.stdout, /cited by 1 event of 1 organisation\nacme {2}raw {2}1 event\n/);
    assert.match(told.stdout, /seen are streams that are kept in this home/);
    // A range can be traced: a trace that was cut goes on from one.
    const range = await hw(['trace', ref.replace(/\d+$/, `${index - 2}-${index + 1}`), ...at]);
    assert.match(range.stdout, /3 steps, 1 organisations: 3 intact/, range.stderr);
    const wrong = [
      [['trace', ref, '--up', '--down'], 'usage'],
      [['trace', ref, '--format', 'xml'], 'usage'],
      [['trace', ref, '--format', 'dot'], 'usage'],
      [['trace', 'raw#99'], 'index-over-head'],
      [['trace', 'raw'], 'bad-reference'],
      [['trace', ref, '--consumers', '--up'], 'usage'],
      [['trace', ref, '--consumers', '--format', 'dot', '--out', out], 'usage'],
    ] as const;
    for (const [args, code] of wrong) {
      const ran = await hw([...args, '--json', ...at]);
      assert.equal(faultOf(ran)['code'], code, args.join(' '));
    }
  });
});
