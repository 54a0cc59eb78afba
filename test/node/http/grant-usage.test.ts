/** `GET /grants?usage=true` and what `hw grant list --usage` makes of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { readCommand } from '../../../src/access/grant.ts';
import { usageLines } from '../../../src/node/cli/grant-usage.ts';
import type { GrantView } from '../../../src/node/grants-api.ts';
import { JsonView } from '../../../src/node/json-view.ts';
import type { ReaderView, UsageView } from '../../../src/node/usage-api.ts';
import { ok } from '../../../src/result.ts';
import { asTimeMs } from '../../../src/types.ts';
import { log, serveDouble, stream, type Served } from './double.ts';
import { admin, peer } from './guarded.ts';

const now = 1_800_000_000_000;
const at = (secondsAgo: number): ReturnType<typeof asTimeMs> => asTimeMs(now - 1000 * secondsAgo);
const { owner } = stream;

const read: UsageView = {
  events: 12_345,
  bytes: 2_500_000,
  proofs: 3,
  epochs: 24,
  first: at(900),
  last: at(20),
  peers: [
    {
      way: 'blocks',
      organisation: admin.did,
      peer: '12D3KooWfirstpeer',
      count: 12_000,
      bytes: 2_400_000,
      first: at(900),
      last: at(20),
    },
    {
      way: 'http',
      organisation: peer.did,
      organisationName: 'carl',
      count: 345,
      bytes: 100_000,
      first: at(800),
      last: at(700),
    },
  ],
  ranges: [{ log, way: 'blocks', from: 0, to: 12_400 }],
};
const grant = (id: string, more: Partial<GrantView> = {}): GrantView => ({
  id,
  side: 'given',
  command: readCommand,
  stream: 'orders',
  owner,
  holder: admin.did,
  holderName: 'beta',
  state: 'active',
  since: at(1000),
  ...more,
});
const reader: ReaderView = {
  ...read,
  stream: 'weather',
  owner,
  organisation: peer.did,
  organisationName: 'carl',
};

async function served(): Promise<Served> {
  const node = await serveDouble();
  const grants = [grant('bafyfirstgrant1'), grant('bafysecondgran2', { from: at(60) })];
  const got = grant('bafyofothersgr3', { side: 'got' });
  node.api.grants = {
    ...node.api.grants,
    list: () => ok({ grants: [...grants, got], requests: [] }),
  };
  const known = new Map([['bafyfirstgrant1', read]]);
  node.api.usage = {
    ...node.api.usage,
    ofGrant: (id) => known.get(id),
    readers: () => [
      { ...reader, sealed: true },
      { ...reader, stream: 'acme/orders' },
    ],
  };
  return node;
}

describe('what was read by grants', () => {
  it('stands beside each of them, and who reads without one behind them', async () => {
    await using node = await served();
    const plain = await node.client.call('GET', '/grants');
    assert.equal(plain.at('grants', 0, 'usage'), undefined);
    assert.equal(plain.at('readers'), undefined);
    const answer = await node.client.call('GET', '/grants?usage=true');
    assert.deepEqual(answer.at('grants', 0, 'usage'), read);
    assert.equal(answer.at('grants', 1, 'usage'), undefined);
    assert.deepEqual(answer.at('readers', 0), { ...reader, sealed: true });
    const some = await node.client.call('GET', '/grants?usage=true&stream=orders');
    assert.deepEqual(
      [some.at('readers', 0, 'stream'), some.at('readers', 1)],
      ['acme/orders', undefined],
    );
    const given = await node.client.call('GET', '/grants?usage=true&side=given');
    assert.equal(given.at('readers'), undefined);
  });

  it('is told to people in tables', async () => {
    await using node = await served();
    const answer = await node.client.call('GET', '/grants?usage=true&stream=weather');
    const lines = usageLines(JsonView.parse(answer.text), now).map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines.slice(0, 3), [
      [
        'GRANT',
        'STREAM',
        'HOLDER',
        'RECORDED',
        'STATE',
        'SINCE',
        'EVENTS',
        'BYTES',
        'LAST READ',
        'BY PEER',
        'ALSO',
      ],
      [
        'stgrant1',
        'orders',
        'beta',
        'all',
        'active',
        '17 min ago',
        '12,345',
        '2.5 MB',
        '20 s ago',
        '…irstpeer HTTP (carl)',
        '24 epoch keys, 3 proofs',
      ],
      [
        'ondgran2',
        'orders',
        'beta',
        '2027-01-15T07:59:00.000Z…',
        'active',
        '17 min ago',
        '0',
        '0 B',
        'never',
      ],
    ]);
    assert.deepEqual(
      lines.slice(4).map(([name, who, count]) => [name, who, count]),
      [
        ['STREAM', 'READ WITHOUT A GRANT OF OURS BY', 'EVENTS'],
        ['weather', 'carl (ciphertext)', '12,345'],
      ],
    );
    assert.deepEqual(usageLines(JsonView.parse('{}'), now), ['no grants given']);
  });
});
