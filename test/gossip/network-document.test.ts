import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, toHex, utf8 } from '../../src/bytes.ts';
import { decodeCbor, decodeCborMap, encodeCbor, type CborValue } from '../../src/cbor.ts';
import type { Signer } from '../../src/crypto.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { didFromKey } from '../../src/ids.ts';
import { formatVkey, noteKey } from '../../src/ledger/note.ts';
import { protocol } from '../../src/limits.ts';
import type { Result } from '../../src/result.ts';
import { asHash, asPublicKey, asTimeMs, type Did } from '../../src/types.ts';
import {
  KnownNetwork,
  foundNetwork,
  networkIdText,
  parseNetworkId,
  readNetworkDocument,
  reviseNetwork,
  type NetworkDocument,
  type NetworkTerms,
} from '../../src/gossip/network-document.ts';

const founder = signerFromSeed(new Uint8Array(32).fill(1));
const thief = signerFromSeed(new Uint8Array(32).fill(4));
const created = asTimeMs(1_763_683_200_000);
const vkey = formatVkey(noteKey(nodeCrypto, 'witness.example', 4, thief.publicKey));

function did(n: number): Did {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, n);
  return didFromKey(asPublicKey(key));
}

const terms: NetworkTerms = {
  name: 'acme-net',
  created,
  membership: 'open',
  members: [],
  bootstrap: ['/ip4/192.0.2.1/tcp/4001', '/dns4/example.com/tcp/443/wss'],
  witnesses: [vkey],
};

function value<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : `${result.error.code}: ${result.error.message}`);
  return result.value;
}

function refused(result: Result<unknown>, code = 'network-document', field?: string): void {
  assert.equal(result.ok, false);
  assert.equal(result.error.code, code, result.error.message);
  if (field !== undefined) assert.equal(result.error.place?.pointer, field);
}

function found(changes: Partial<NetworkTerms> = {}, by = founder): NetworkDocument {
  return value(foundNetwork(nodeCrypto, by, { ...terms, ...changes }));
}

function revise(from: NetworkDocument, changes: Partial<NetworkTerms> = {}): NetworkDocument {
  return value(reviseNetwork(nodeCrypto, founder, from, { created, ...changes }));
}

function known(...documents: readonly NetworkDocument[]): KnownNetwork {
  const network = new KnownNetwork(nodeCrypto, documents[0]?.id ?? asHash(new Uint8Array(32)));
  for (const document of documents)
    assert.deepEqual(network.offer(document.wire), { ok: true, value: true });
  return network;
}

function signed(map: Uint8Array, by: Signer): Uint8Array {
  return by.sign(concat(utf8('headwater/network/1'), map));
}

/** A well-signed document around any terms. */
function forge(fields: Record<string, CborValue>, by = founder, founding?: Uint8Array): Uint8Array {
  const map = encodeCbor(fields);
  const parts = [map, signed(map, by)];
  return encodeCbor(founding === undefined ? parts : [...parts, founding]);
}

/** The terms of a document as a map. */
function fieldsOf(document: NetworkDocument): Record<string, CborValue> {
  const list = value(decodeCbor(document.wire));
  assert.ok(Array.isArray(list) && list[0] instanceof Uint8Array);
  return { ...value(decodeCborMap(list[0])) };
}

const first = found();
const second = revise(first, { membership: 'listed', members: [did(2), did(1), did(2)] });

describe('the network document', () => {
  it('has a fixed encoding and an id: the hash of what its founder signed', () => {
    const map = encodeCbor({
      name: 'acme-net',
      version: 1,
      founder: didFromKey(founder.publicKey),
      created,
      membership: 'open',
      members: [],
      bootstrap: terms.bootstrap,
      witnesses: [vkey],
    });
    assert.deepEqual(first.wire, encodeCbor([map, signed(map, founder)]));
    assert.deepEqual(first.id, nodeCrypto.sha256(concat(utf8('headwater/network/1'), map)));
    // Frozen: another id would be another network for everybody in it.
    assert.equal(
      networkIdText(first.id),
      '6fb314ccd67ce2dce5c503fbfcc618dfddcd974d6110c84485b2571738ae1039',
    );
    assert.deepEqual(value(parseNetworkId(networkIdText(first.id))), first.id);
  });

  it('is read as it was made', () => {
    const {
      id,
      wire,
      version,
      founder: by,
      founding: _,
      ...rest
    } = value(readNetworkDocument(nobleCrypto, first.wire));
    assert.deepEqual(rest, terms);
    assert.deepEqual(
      [toHex(id), wire, version, by],
      [toHex(first.id), first.wire, 1, didFromKey(founder.publicKey)],
    );
  });

  it('keeps its id in later versions, which carry the first', () => {
    const third = revise(second, { name: 'renamed' });
    assert.deepEqual([second.version, third.version], [2, 3]);
    assert.deepEqual([second.id, third.id], [first.id, first.id]);
    assert.deepEqual(second.members, [did(1), did(2)].toSorted());
    assert.deepEqual(third.members, second.members);
    assert.equal(third.name, 'renamed');
    assert.deepEqual(value(readNetworkDocument(nodeCrypto, third.wire)), third);
    assert.deepEqual(revise(third, { membership: 'open' }).members, []);
  });

  it('is changed by its founder only', () => {
    const changes = { created, name: 'mine' };
    refused(reviseNetwork(nodeCrypto, thief, first, changes), 'network-document-signature');
  });

  const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/);
  const any = fc.record({
    name,
    created: fc.nat().map(asTimeMs),
    membership: fc.constant('listed' as const),
    members: fc.uniqueArray(fc.nat(50), { maxLength: 8 }).map((all) => all.map(did)),
    bootstrap: fc.array(fc.stringMatching(/^(?:\/[a-z0-9.]{1,5}){1,4}$/), { maxLength: 3 }),
    witnesses: fc.constantFrom([], [vkey]),
  });

  it('of any terms is read back, and no truncation of it is', () => {
    fc.assert(
      fc.property(any, fc.nat(), (some, cut) => {
        const made = found(some);
        const { id: _, wire, founding: __, version, founder: ___, ...rest } = made;
        assert.deepEqual(rest, { ...some, members: some.members.toSorted() });
        assert.equal(version, 1);
        assert.deepEqual(value(readNetworkDocument(nodeCrypto, wire)), made);
        refused(readNetworkDocument(nodeCrypto, wire.slice(0, cut % wire.length)));
      }),
      { numRuns: 40 },
    );
  });

  it('is refused with a code for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => refused(readNetworkDocument(nodeCrypto, bytes))),
    );
  });

  it('tampered bytes: no flipped bit is accepted as this network', () => {
    for (let bit = 0; bit < second.wire.length * 8; bit += 3) {
      const bad = second.wire.slice();
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const network = new KnownNetwork(nodeCrypto, first.id);
      assert.equal(network.offer(bad).ok, false, `bit ${bit}`);
      assert.equal(network.version(), 0);
    }
  });

  it('malformed fields are refused and named', () => {
    const wrong: readonly (readonly [string, CborValue])[] = [
      ['name', ''],
      ['name', 'Acme'],
      ['name', '../x'],
      ['name', 'a'.repeat(64)],
      ['version', 0],
      ['version', '1'],
      ['created', -1],
      ['created', 2 ** 48],
      ['membership', 'closed'],
      ['founder', 'did:web:example.com'],
      ['members', [did(1)]],
      ['members', {}],
      ['bootstrap', ['example.com']],
      ['bootstrap', ['/ip4/192.0.2.1\n']],
      ['bootstrap', [`/${'a'.repeat(256)}`]],
      ['bootstrap', Array.from({ length: 17 }, () => '/a')],
      ['witnesses', ['witness.example']],
      ['witnesses', [vkey.replace('witness', 'another')]],
      ['witnesses', [1]],
    ];
    for (const [field, bad] of wrong) {
      const wire = forge({ ...fieldsOf(first), [field]: bad });
      refused(readNetworkDocument(nodeCrypto, wire), 'network-document', field);
    }
    const listed = { ...fieldsOf(first), membership: 'listed' };
    const sorted = [did(1), did(2)].toSorted();
    assert.ok(readNetworkDocument(nodeCrypto, forge({ ...listed, members: sorted })).ok);
    for (const members of [sorted.toReversed(), [did(1), did(1)], ['x']]) {
      refused(
        readNetworkDocument(nodeCrypto, forge({ ...listed, members })),
        'network-document',
        'members',
      );
    }
  });

  it('unknown and missing fields, and other shapes, are refused', () => {
    refused(readNetworkDocument(nodeCrypto, forge({ ...fieldsOf(first), extra: 1 })));
    refused(readNetworkDocument(nodeCrypto, forge({ ...fieldsOf(first), network: first.id })));
    for (const field of Object.keys(fieldsOf(first))) {
      const { [field]: _, ...rest } = fieldsOf(first);
      refused(readNetworkDocument(nodeCrypto, forge(rest)));
    }
    const map = first.founding;
    const signature = signed(map, founder);
    const shapes: CborValue[] = [
      [map],
      [map, signature.subarray(1)],
      [map, signature, map],
      [map, signature, map, map],
      [fieldsOf(first), signature],
      { map, signature },
    ];
    for (const shape of shapes) refused(readNetworkDocument(nodeCrypto, encodeCbor(shape)));
  });

  it('fits a gossip message with as many members as the limit, and no more are read', () => {
    const full = Array.from({ length: protocol.maxNetworkMembers }, (_, n) => did(n));
    const large = revise(first, { membership: 'listed', members: full });
    assert.equal(large.members.length, protocol.maxNetworkMembers);
    assert.ok(large.wire.length < protocol.maxNetworkDocumentBytes);
    assert.ok(protocol.maxNetworkDocumentBytes < protocol.maxMessageBytes);
    const changes = { created, members: [...full, did(1_000_000)] };
    refused(reviseNetwork(nodeCrypto, founder, large, changes), 'network-document', 'members');
    const members = full.slice(0, 300);
    refused(foundNetwork(nodeCrypto, founder, { ...terms, membership: 'listed', members }));
    refused(readNetworkDocument(nodeCrypto, new Uint8Array(10_000_000)));
  });

  it('has ids of 64 lower-case hex digits in text', () => {
    for (const text of ['', 'ab', 'A'.repeat(64), 'a'.repeat(63), 'a'.repeat(66), 'g'.repeat(64)]) {
      refused(parseNetworkId(text));
    }
  });
});

describe('a known network', () => {
  it('begins with its id alone and takes the newest document that it is offered', () => {
    const network = new KnownNetwork(nodeCrypto, first.id);
    assert.deepEqual(
      [network.version(), network.document(), network.current],
      [0, undefined, undefined],
    );
    assert.equal(network.text, networkIdText(first.id));
    assert.deepEqual(network.offer(second.wire), { ok: true, value: true });
    assert.deepEqual(network.offer(second.wire), { ok: true, value: false });
    assert.deepEqual(network.document(), second.wire);
    assert.deepEqual(network.current, second);
  });

  it('refuses lower versions', () => {
    const network = known(first, second);
    refused(network.offer(first.wire), 'network-document-old');
    assert.equal(network.version(), 2);
  });

  it('keeps the first of two documents of one version', () => {
    const network = known(first, second);
    const other = revise(first, { name: 'another' });
    refused(network.offer(other.wire), 'network-document-conflict');
    assert.deepEqual(network.document(), second.wire);
  });

  it('refuses documents of another network, of the same founder too', () => {
    const other = found({ name: 'other' });
    const network = known(first);
    refused(network.offer(other.wire), 'network-mismatch');
    refused(network.offer(revise(other).wire), 'network-mismatch');
    const crossed = forge({ ...fieldsOf(second), network: other.id }, founder, first.founding);
    refused(network.offer(crossed));
    const moved = forge(fieldsOf(second), founder, other.founding);
    refused(network.offer(moved));
  });

  it('takes no later version of somebody who says to be the founder, even as a newcomer', () => {
    const network = new KnownNetwork(nodeCrypto, first.id);
    const his = { ...fieldsOf(second), version: 9, founder: didFromKey(thief.publicKey) };
    refused(network.offer(forge(his, thief, first.founding)));
    const own = found({}, thief);
    refused(network.offer(forge(his, thief, own.founding)));
    refused(
      network.offer(forge({ ...his, network: own.id }, thief, own.founding)),
      'network-mismatch',
    );
    const claimed = { ...fieldsOf(second), version: 9 };
    refused(network.offer(forge(claimed, thief, first.founding)), 'network-document-signature');
    refused(network.offer(forge(claimed, founder)));
    assert.equal(network.version(), 0);
    assert.deepEqual(network.offer(forge(claimed, founder, first.founding)), {
      ok: true,
      value: true,
    });
    assert.equal(network.version(), 9);
  });

  it('admits everybody where open, else its founder and its members', () => {
    const [open, listed] = [known(first), known(first, second)];
    const me = didFromKey(founder.publicKey);
    assert.deepEqual(
      [did(1), did(3), me].map((who) => open.admits(who)),
      [true, true, true],
    );
    assert.deepEqual(
      [did(1), did(3), me].map((who) => listed.admits(who)),
      [true, false, true],
    );
    assert.ok(new KnownNetwork(nodeCrypto, first.id).admits(did(3)));
  });
});
