import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { encodeCbor, type CborValue } from '../../src/cbor.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { grantEpochs, epochRoot, type EpochNode } from '../../src/access/epoch-keys.ts';
import { deriveKeyPair, hpkeSeal } from '../../src/access/hpke.ts';
import {
  openDelivery,
  sealDelivery,
  type DeliveryPlace,
  type KeyDelivery,
} from '../../src/access/key-delivery.ts';
import { concat, utf8 } from '../../src/bytes.ts';
import { protocol } from '../../src/limits.ts';
import { asHash, asSignature } from '../../src/types.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { owner, peer, refused, thief, token, value } from './tokens.ts';

const pair = deriveKeyPair(nodeCipher, new Uint8Array(32).fill(9));
const other = deriveKeyPair(nodeCipher, new Uint8Array(32).fill(10));
const place: DeliveryPlace = {
  log: asHash(new Uint8Array(32).fill(5)),
  grant: tokenCid(nodeCrypto, token(owner)),
};
const ports = { cipher: nodeCipher, crypto: nodeCrypto };
const root = epochRoot(new Uint8Array(32).fill(3));
const range = { generation: 2, from: 5, to: 29 };

function nodes(from = range.from, to = range.to): readonly EpochNode[] {
  return value(grantEpochs(nodeCipher, root, from, to));
}

function seal(changes: Partial<typeof range> = {}, held = nodes(), at = place): KeyDelivery {
  const sealing = { cipher: nodeCipher, signer: peer.signer, ikm: new Uint8Array(32).fill(1) };
  return value(sealDelivery(sealing, pair.publicKey, at, { ...range, ...changes }, held));
}

/** As the producer would sign a payload of its own making. */
function forged(payload: CborValue, about = range, tail = 0): KeyDelivery {
  const bytes = CID_BYTES;
  const context = { info: utf8('headwater/keys/1'), aad: concat(place.log, bytes) };
  const sealed = value(
    hpkeSeal(
      nodeCipher,
      new Uint8Array(32).fill(2),
      pair.publicKey,
      context,
      concat(encodeCbor(payload), new Uint8Array(tail)),
    ),
  );
  const signed = encodeCbor([
    place.log,
    bytes,
    about.generation,
    about.from,
    about.to,
    sealed.enc,
    sealed.ciphertext,
  ]);
  const signature = peer.signer.sign(concat(utf8('headwater/key-delivery/1'), signed));
  return { ...about, ...sealed, signature };
}

const CID_BYTES = concat(Uint8Array.of(1, 0x71, 0x12, 0x20), nodeCrypto.sha256(token(owner)));

function open(
  delivery: KeyDelivery,
  at = place,
  keys = [pair],
  by = peer,
): ReturnType<typeof openDelivery> {
  return openDelivery(ports, keys, by.signer.publicKey, at, delivery);
}

describe('a delivery of epoch keys', () => {
  it('opens for the organisation it was sealed to, also with a key that it has replaced', () => {
    assert.deepEqual(value(open(seal())), nodes());
    assert.deepEqual(value(open(seal(), place, [other, pair])), nodes());
    refused(open(seal(), place, [other]), 'hpke-open');
    refused(open(seal(), place, []), 'hpke-open');
  });

  it('for one log and grant opens for no other', () => {
    const elsewhere = { ...place, log: asHash(new Uint8Array(32).fill(6)) };
    const another = { ...place, grant: tokenCid(nodeCrypto, token(thief)) };
    for (const at of [elsewhere, another]) refused(open(seal(), at), 'keys-signature');
    // Signed anew by its producer it still does not open: the place is in what was sealed.
    const moved = { ...seal(), signature: seal({}, nodes(), elsewhere).signature };
    refused(open(moved, elsewhere), 'keys-signature');
  });

  it('by another than the peer that sends it is refused before it is opened', () => {
    refused(open(seal(), place, [pair], thief), 'keys-signature');
  });

  it('that was changed in any field is refused', () => {
    const sealed = seal();
    for (const change of [{ generation: 3 }, { from: 4 }, { to: 30 }]) {
      refused(open({ ...sealed, ...change }), 'keys-signature');
    }
    for (const name of ['enc', 'ciphertext', 'signature'] as const) {
      const bytes = sealed[name].with(0, (sealed[name][0] ?? 0) ^ 1);
      refused(
        open({
          ...sealed,
          [name]: bytes,
          ...(name === 'signature' && { signature: asSignature(bytes) }),
        }),
        'keys-signature',
      );
    }
  });

  it('may have no key at all: everything of its epochs was shredded', () => {
    assert.deepEqual(value(open(seal({}, []))), []);
  });

  it('whose nodes leave its epochs, overlap or are no nodes is refused', () => {
    const key = new Uint8Array(32).fill(1);
    const wrong: readonly CborValue[] = [
      [[0, 4, key]],
      [[0, 29, key]],
      [[3, 0, key]],
      [[5, 0, key]],
      [[33, 0, key]],
      [
        [0, 6, key],
        [0, 5, key],
      ],
      [
        [1, 3, key],
        [0, 7, key],
      ],
      [[0, 5, key.subarray(1)]],
      [[0, 5]],
      [[0, 5, key, 1]],
      { 0: [0, 5, key] },
      'keys',
    ];
    for (const payload of wrong) refused(open(forged(payload)), 'keys-payload');
    assert.equal(value(open(forged([[0, 5, key]]))).length, 1);
    refused(open(forged([[0, 5, key]], range, 1)), 'keys-payload');
    const wide = { ...range, from: 0, to: 5000 };
    const many = Array.from({ length: protocol.maxKeyNodes + 1 }, (_, i) => [0, i, key]);
    refused(open(forged(many, wide)), 'keys-payload');
    assert.equal(value(open(forged(many.slice(1), wide))).length, protocol.maxKeyNodes);
  });

  it('is as it was: a property over ranges', () => {
    const epoch = fc.integer({ min: 0, max: 2 ** 32 - 2 });
    const property = fc.property(epoch, fc.integer({ min: 1, max: 5000 }), (from, length) => {
      const to = Math.min(2 ** 32, from + length);
      const held = nodes(from, to);
      assert.deepEqual(value(open(seal({ from, to }, held))), held);
    });
    fc.assert(property, { numRuns: 30 });
  });

  it('has a bounded number of nodes', () => {
    const many = Array.from({ length: protocol.maxKeyNodes + 1 }, (_, i) => ({
      level: 0,
      node: i,
      key: root.key,
    }));
    assert.throws(() => seal({ from: 0, to: 5000 }, many), RangeError);
    const most = many.slice(1);
    assert.equal(value(open(seal({ from: 0, to: 5000 }, most))).length, protocol.maxKeyNodes);
  });
});
