import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { utf8 } from '../../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import { didFromKey, logIdFromHash } from '../../../src/ids.ts';
import { profileData, registryTypes, streamData } from '../../../src/node/core/cards.ts';
import { Registries } from '../../../src/node/core/registries.ts';
import { asPeerId, asStreamName, dataKind, type Did, type EventBytes } from '../../../src/types.ts';

const did = (label: string): Did =>
  didFromKey(signerFromSeed(nodeCrypto.sha256(utf8(label))).publicKey);
const log = (label: string): ReturnType<typeof logIdFromHash> =>
  logIdFromHash(nodeCrypto.sha256(utf8(label)));
const json = (data: Uint8Array): EventBytes => ({
  attributes: new Uint8Array(0),
  kind: dataKind.json,
  data,
});
const [acme, beta, gamma] = [did('acme'), did('beta'), did('gamma')];
const peer = asPeerId('12D3KooWtest');

function known(aliases: ReadonlyMap<string, Did> = new Map()): Registries {
  const registries = new Registries(acme, aliases);
  for (const [owner, name] of [
    [acme, 'acme'],
    [beta, 'twin'],
    [gamma, 'twin'],
  ] as const) {
    assert.ok(registries.open(owner, log(`${owner} registry`)));
    const data = profileData({ owner, name, peers: [{ id: peer, addresses: [] }] });
    assert.ok(registries.take(owner, { type: registryTypes.profile }, json(data)).ok);
  }
  const card = {
    owner: beta,
    name: asStreamName('orders'),
    id: log('orders'),
    visibility: 'public' as const,
    partitions: [{ log: log('orders'), writer: peer }],
  };
  assert.ok(registries.take(beta, { type: registryTypes.created }, json(streamData(card))).ok);
  return registries;
}

describe('the view of the registries', () => {
  it('resolves a bare name to our own organisation', () => {
    const key = known().parse('orders');
    assert.deepEqual(key, { ok: true, value: { owner: acme, name: 'orders' } });
  });

  it('lets a local alias win over a name that a registry claims', () => {
    const key = known(new Map([['twin', acme]])).parse('twin/orders');
    assert.deepEqual(key, { ok: true, value: { owner: acme, name: 'orders' } });
  });

  it('refuses a name that two organisations claim, and lists both', () => {
    const key = known().parse('twin/orders');
    assert.ok(!key.ok);
    assert.equal(key.error.code, 'name-ambiguous');
    assert.ok(key.error.message.includes(beta) && key.error.message.includes(gamma));
  });

  it('finds a stream by its log and by DID', () => {
    const expected = { ok: true, value: { owner: beta, name: 'orders' } };
    assert.deepEqual(known().parse(`hw:${log('orders')}`), expected);
    assert.deepEqual(known().parse(`${beta}/orders`), expected);
  });

  it('takes no second registry for an owner', () => {
    assert.equal(known().open(beta, log('another registry')), false);
    assert.equal(known().open(beta, log(`${beta} registry`)), true);
  });

  it('forgets a closed stream', () => {
    const registries = known();
    registries.take(beta, { type: registryTypes.closed, subject: 'orders' }, json(utf8('{}')));
    assert.deepEqual([...registries.cards()], []);
  });

  for (const [what, text] of [
    ['text that is not JSON', '{'],
    ['a reserved name', '{"name":"_journal","visibility":"public","partitions":[]}'],
    ['no partitions', '{"name":"a","visibility":"public","partitions":[]}'],
    [
      'a direct stream',
      '{"name":"a","visibility":"direct","partitions":[{"log":"x","writer":"y"}]}',
    ],
    [
      'a log id that is none',
      '{"name":"a","visibility":"public","partitions":[{"log":"x","writer":"y"}]}',
    ],
  ] as const) {
    it(`refuses a card with ${what} and changes nothing`, () => {
      const registries = known();
      const before = [...registries.cards()];
      const taken = registries.take(beta, { type: registryTypes.created }, json(utf8(text)));
      assert.equal(taken.ok, false);
      assert.deepEqual([...registries.cards()], before);
    });
  }
});
