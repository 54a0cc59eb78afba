import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex, utf8 } from '../src/bytes.ts';
import type { Crypto } from '../src/crypto.ts';
import { nobleCrypto } from '../src/crypto-noble.ts';
import { nodeCrypto, signerFromSeed } from '../src/crypto-node.ts';
import { asPublicKey, asSignature, type PublicKey, type Signature } from '../src/types.ts';
import { hex, ran, suite } from './support/vectors.ts';

const implementations: readonly (readonly [string, Crypto])[] = [
  ['node', nodeCrypto],
  ['noble', nobleCrypto],
];

/** As a caller without our types could hand them in: of any length. */
function verifyAny(c: Crypto, key: string, message: Uint8Array, signature: string): boolean {
  return c.verify(hex(key) as PublicKey, message, hex(signature) as Signature);
}

for (const [name, crypto] of implementations) {
  describe(`crypto of ${name}`, () => {
    it('verifies the signatures of RFC 8032', function () {
      const path = 'ed25519/rfc8032.json';
      const rows = suite<Rfc8032[]>(this, path);
      for (const row of rows) {
        const message = hex(row.msg_hex);
        assert.ok(verifyAny(crypto, row.public_hex, message, row.sig_hex), row.name);
        const other = Uint8Array.of(...message, 0);
        assert.ok(!verifyAny(crypto, row.public_hex, other, row.sig_hex), row.name);
      }
      if (crypto === nodeCrypto) ran(path, rows.length);
    });

    it('judges the edge cases of Wycheproof', function () {
      const path = 'ed25519/wycheproof.json';
      const rows = suite<Wycheproof[]>(this, path);
      for (const row of rows) {
        const accepted = verifyAny(crypto, row.pk, hex(row.msg), row.sig);
        assert.equal(accepted ? 'valid' : 'invalid', row.result, `${row.tcId} ${row.comment}`);
      }
      if (crypto === nodeCrypto) ran(path, rows.length);
    });

    it('judges all 914 point encodings by the strict rule of the network', function () {
      this.timeout(20_000);
      const path = 'ed25519/cctv.json';
      const rows = suite<Cctv[]>(this, path);
      const { strict } = suite<{ strict: string }>(this, 'ed25519/cctv-expected.json');
      const judged = Array.from({ length: rows.length }, () => '?');
      for (const row of rows) {
        judged[row.number] = verifyAny(crypto, row.key, utf8(row.msg), row.sig) ? '1' : '0';
      }
      assert.equal(judged.join(''), strict);
      if (crypto === nodeCrypto) ran(path, rows.length);
    });

    it('refuses keys and signatures of any other length without throwing', () => {
      const signer = signerFromSeed(new Uint8Array(32).fill(1));
      const [key, signature] = [toHex(signer.publicKey), toHex(signer.sign(utf8('m')))];
      assert.ok(verifyAny(crypto, key, utf8('m'), signature));
      for (const cut of [0, 2, 62]) {
        assert.ok(!verifyAny(crypto, key.slice(cut + 2), utf8('m'), signature));
        assert.ok(!verifyAny(crypto, key, utf8('m'), signature.slice(cut + 2)));
      }
      assert.ok(!verifyAny(crypto, `${key}00`, utf8('m'), signature));
      assert.ok(!verifyAny(crypto, key, utf8('m'), `${signature}00`));
    });

    it('hashes as FIPS 180-4 says', () => {
      assert.equal(
        toHex(crypto.sha256(utf8('abc'))),
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      );
      assert.equal(
        toHex(crypto.sha512(utf8('abc'))),
        'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
          '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
      );
    });

    it('writes a hash where it is told and nowhere else', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 40 }), (data, at) => {
          const out = new Uint8Array(at + 40).fill(0xaa);
          crypto.sha256Into(data, out, at);
          const digest = new Uint8Array(createHash('sha256').update(data).digest());
          assert.deepEqual(out.subarray(at, at + 32), digest);
          assert.deepEqual(out.subarray(0, at), new Uint8Array(at).fill(0xaa));
          assert.deepEqual(out.subarray(at + 32), new Uint8Array(8).fill(0xaa));
          assert.deepEqual(new Uint8Array(crypto.sha256(data)), digest);
          const long = new Uint8Array(createHash('sha512').update(data).digest());
          assert.deepEqual(new Uint8Array(crypto.sha512(data)), long);
        }),
        { numRuns: 50 },
      );
    });

    it('hashes a view and not the buffer behind it', () => {
      const buffer = utf8('xxabcxx');
      assert.equal(toHex(crypto.sha256(buffer.subarray(2, 5))), toHex(crypto.sha256(utf8('abc'))));
    });
  });
}

describe('signers', () => {
  it('sign as RFC 8032 says, from the seed', function () {
    const path = 'ed25519/rfc8032.json';
    const rows = suite<Rfc8032[]>(this, path);
    for (const row of rows) {
      const signer = signerFromSeed(hex(row.seed_hex));
      assert.equal(toHex(signer.publicKey), row.public_hex);
      assert.equal(toHex(signer.sign(hex(row.msg_hex))), row.sig_hex);
    }
  });

  it('do not show their private key', () => {
    const seed = new Uint8Array(32).fill(0x5a);
    const signer = signerFromSeed(seed);
    const shown = JSON.stringify(signer) + Object.values(signer).map(String).join();
    assert.deepEqual(Object.keys(signer).sort(), ['publicKey', 'sign']);
    assert.ok(!shown.includes('5a5a') && !shown.includes('90,90'));
  });

  it('make signatures on which both implementations agree, also when a bit is flipped', () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const message = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(seed, message, fc.nat({ max: 96 * 8 - 1 }), (bytes, text, bit) => {
        const signer = signerFromSeed(bytes);
        const signature = signer.sign(text);
        const both = Uint8Array.of(...signer.publicKey, ...signature);
        const at = Math.floor(bit / 8);
        const flipped = both.with(at, (both[at] ?? 0) ^ (1 << (bit % 8)));
        for (const [, crypto] of implementations) {
          assert.ok(crypto.verify(signer.publicKey, text, signature));
          const key = asPublicKey(flipped.slice(0, 32));
          assert.ok(!crypto.verify(key, text, asSignature(flipped.slice(32))));
        }
      }),
      { numRuns: 20 },
    );
  });
});

interface Rfc8032 {
  name: string;
  seed_hex: string;
  public_hex: string;
  msg_hex: string;
  sig_hex: string;
}
interface Wycheproof {
  tcId: number;
  pk: string;
  msg: string;
  sig: string;
  result: string;
  comment: string;
}
interface Cctv {
  number: number;
  key: string;
  sig: string;
  msg: string;
}
