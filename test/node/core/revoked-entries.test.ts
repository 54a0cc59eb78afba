/** What a registry says of freshness keys and of what was taken back. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { utf8 } from '../../../src/bytes.ts';
import { didFromKey } from '../../../src/ids.ts';
import { limits } from '../../../src/limits.ts';
import {
  profileData,
  readRegistryEntry,
  registryTypes,
  revokedData,
} from '../../../src/node/core/cards.ts';
import { Registries, type Revoked } from '../../../src/node/core/registries.ts';
import { asPublicKey, dataKind, type EventBytes } from '../../../src/types.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';
import { value } from '../../gossip/support.ts';

const did = (n: number): ReturnType<typeof didFromKey> =>
  didFromKey(asPublicKey(new Uint8Array(32).fill(n)));
const owner = did(1);
const registry = fakeLogId(1);
const token = Uint8Array.of(1, 2, 3);

function json(data: Uint8Array | string): EventBytes {
  const bytes = typeof data === 'string' ? utf8(data) : data;
  return { attributes: new Uint8Array(0), data: bytes, kind: dataKind.json };
}

function refusedBy(type: string, data: unknown): string {
  const entry = readRegistryEntry(owner, { type }, json(JSON.stringify(data)));
  return entry.ok ? entry.value.kind : entry.error.code;
}

describe('a registry', () => {
  it('names a freshness key, since the entry that named it first', () => {
    const registries = new Registries(did(9), new Map());
    assert.ok(registries.open(owner, registry));
    const take = (index: number, freshness?: ReturnType<typeof did>): void => {
      const profile = { owner, name: 'acme', peers: [], ...(freshness && { freshness }) };
      const at = { log: registry, index };
      const context = { type: registryTypes.profile };
      value(registries.take(owner, context, json(profileData(profile)), at));
    };
    take(2);
    assert.equal(registries.freshness(owner), undefined);
    take(4, did(5));
    take(6, did(5));
    assert.deepEqual(registries.freshness(owner), {
      key: did(5),
      since: { log: registry, index: 4 },
    });
    take(8, did(6));
    assert.equal(registries.freshness(owner)?.since.index, 8);
    take(10);
    assert.equal(registries.freshness(owner), undefined);
    assert.equal(registries.registryOf(owner), registry);
  });

  it('tells what was taken back, with its end and the last good entries', () => {
    const registries = new Registries(did(9), new Map());
    registries.open(owner, registry);
    const told: Revoked[] = [];
    registries.onRevoked((_owner, revoked) => told.push(revoked));
    const logs = [{ log: fakeLogId(7), last: 11 }];
    const take = (type: string, data: Uint8Array): void =>
      void value(registries.take(owner, { type }, json(data)));
    take(registryTypes.revoked, revokedData('bafy', token));
    take(registryTypes.revoked, revokedData('bafy', token, { expires: 77 }));
    take(registryTypes.writerRevoked, revokedData('bafy', token, { logs }));
    assert.deepEqual(told, [
      { kind: 'revoked', token },
      { kind: 'revoked', token, expires: 77 },
      { kind: 'writerRevoked', token, logs },
    ]);
  });

  it('is not believed where such an entry is malformed', () => {
    const { profile, revoked, writerRevoked } = registryTypes;
    const ucan = { ucan: 'bafy', token: 'AQID' };
    const peers: unknown[] = [];
    assert.equal(refusedBy(profile, { name: 'acme', peers, freshness: owner }), 'profile');
    for (const freshness of ['did:key:z6Mk', 'x', 7]) {
      assert.equal(refusedBy(profile, { name: 'acme', peers, freshness }), 'registry-entry');
    }
    assert.equal(refusedBy(revoked, { ...ucan, expires: -1 }), 'registry-entry');
    assert.equal(refusedBy(revoked, { ...ucan, expires: 1.5 }), 'registry-entry');
    assert.equal(refusedBy(revoked, { ...ucan, token: '*' }), 'registry-entry');
    assert.equal(refusedBy(writerRevoked, ucan), 'registry-entry');
    const log = fakeLogId(3);
    for (const logs of [[{ log: 'x', last: 1 }], [{ log, last: -1 }], [{ log }]]) {
      assert.equal(refusedBy(writerRevoked, { ...ucan, logs }), 'registry-entry');
    }
    const many = (length: number): unknown[] => Array.from({ length }, () => ({ log, last: 1 }));
    const { maxRevokedLogs } = limits;
    assert.equal(
      refusedBy(writerRevoked, { ...ucan, logs: many(maxRevokedLogs) }),
      'writerRevoked',
    );
    const over = { ...ucan, logs: many(maxRevokedLogs + 1) };
    assert.equal(refusedBy(writerRevoked, over), 'registry-entry');
  });
});
