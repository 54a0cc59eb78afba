import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex, utf8 } from '../../src/bytes.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { deriveKeyPair, hpkeOpen, hpkeSeal } from '../../src/access/hpke.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { refused, value } from './tokens.ts';

interface HpkeVector {
  readonly mode: number;
  readonly aead_id: number;
  readonly info: string;
  readonly ikmE: string;
  readonly ikmR: string;
  readonly skRm: string;
  readonly pkRm: string;
  readonly enc: string;
  readonly encryptions: readonly { seq: number; aad: string; pt: string; ct: string }[];
}

interface AeadCase {
  readonly keySize: number;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
  readonly result: string;
}

function flip(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
}

describe('HPKE', () => {
  it('seals and opens the first message of the vectors of RFC 9180 in our suite', function () {
    const path = 'hpke/rfc9180-x25519-hkdfsha256.json';
    const vectors = suite<HpkeVector[]>(this, path);
    for (const v of vectors) {
      const own = deriveKeyPair(nodeCipher, hex(v.ikmR));
      assert.deepEqual([toHex(own.secret), toHex(own.publicKey)], [v.skRm, v.pkRm]);
    }
    const ours = vectors.filter(({ mode, aead_id }) => mode === 0 && aead_id === 2);
    assert.equal(ours.length, 1);
    for (const v of ours) {
      const own = deriveKeyPair(nodeCipher, hex(v.ikmR));
      const first = v.encryptions.find(({ seq }) => seq === 0);
      assert.ok(first);
      const context = { info: hex(v.info), aad: hex(first.aad) };
      const made = value(hpkeSeal(nodeCipher, hex(v.ikmE), own.publicKey, context, hex(first.pt)));
      assert.deepEqual([toHex(made.enc), toHex(made.ciphertext)], [v.enc, first.ct]);
      assert.equal(toHex(value(hpkeOpen(nodeCipher, own, context, made))), first.pt);
    }
    ran(path, vectors.length);
  });

  it('key delivery to another key, and any other bit: nothing opens', () => {
    const own = deriveKeyPair(nodeCipher, new Uint8Array(32).fill(1));
    const other = deriveKeyPair(nodeCipher, new Uint8Array(32).fill(2));
    const context = { info: utf8('headwater/keys/1'), aad: utf8('grant') };
    const ikm = new Uint8Array(32).fill(3);
    const { enc, ciphertext } = value(
      hpkeSeal(nodeCipher, ikm, own.publicKey, context, utf8('keys')),
    );
    assert.equal(
      toHex(value(hpkeOpen(nodeCipher, own, context, { enc, ciphertext }))),
      toHex(utf8('keys')),
    );
    refused(hpkeOpen(nodeCipher, other, context, { enc, ciphertext }), 'hpke-open');
    for (let at = 0; at < ciphertext.length; at++) {
      const changed = { enc, ciphertext: flip(ciphertext, at) };
      refused(hpkeOpen(nodeCipher, own, context, changed), 'hpke-open');
    }
    for (let at = 0; at < 32; at++) {
      const changed = { enc: flip(enc, at), ciphertext };
      assert.equal(hpkeOpen(nodeCipher, own, context, changed).ok, false);
    }
    for (const wrong of [
      { ...context, aad: utf8('gront') },
      { ...context, info: utf8('headwater/keys/2') },
    ]) {
      refused(hpkeOpen(nodeCipher, own, wrong, { enc, ciphertext }), 'hpke-open');
    }
    const zero = new Uint8Array(32);
    refused(hpkeSeal(nodeCipher, ikm, zero, context, zero), 'hpke-key');
    refused(hpkeOpen(nodeCipher, own, context, { enc: zero, ciphertext }), 'hpke-key');
    refused(hpkeOpen(nodeCipher, own, context, { enc: enc.subarray(1), ciphertext }), 'hpke-key');
    refused(hpkeOpen(nodeCipher, own, context, { enc, ciphertext: utf8('short') }), 'hpke-open');
  });

  it('gives back any message', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    const secret = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(secret, secret, bytes, bytes, bytes, (a, b, info, aad, message) => {
        const own = deriveKeyPair(nodeCipher, a);
        const sealed = value(hpkeSeal(nodeCipher, b, own.publicKey, { info, aad }, message));
        assert.deepEqual(value(hpkeOpen(nodeCipher, own, { info, aad }, sealed)), message);
      }),
      { numRuns: 30 },
    );
  });
});

describe('the ciphers beneath', () => {
  it('X25519: the edge cases of Wycheproof, and no all-zero secret', function () {
    const path = 'hpke/wycheproof-x25519.json';
    const cases = suite<{ pk: string; sk: string; shared: string }[]>(this, path);
    assert.equal(cases.length, 518);
    for (const c of cases) {
      const shared = nodeCipher.x25519(hex(c.sk), hex(c.pk));
      if (/^0+$/.test(c.shared)) assert.equal(shared, undefined);
      else assert.equal(shared === undefined ? '' : toHex(shared), c.shared);
    }
    ran(path, cases.length);
  });

  it('AES-256-GCM: the cases of Wycheproof', function () {
    const path = 'crypto/wycheproof-aes-gcm.json';
    const all = suite<AeadCase[]>(this, path);
    const cases = all.filter(({ keySize }) => keySize === 256);
    for (const c of cases) {
      const [key, iv, aad] = [hex(c.key), hex(c.iv), hex(c.aad)];
      const opened = nodeCipher.open(key, iv, aad, hex(c.ct + c.tag));
      if (c.result !== 'valid') assert.equal(opened, undefined);
      else {
        assert.equal(toHex(opened ?? utf8('none')), c.msg);
        assert.equal(toHex(nodeCipher.seal(key, iv, aad, hex(c.msg))), c.ct + c.tag);
      }
    }
    ran(path, cases.length);
  });
});
