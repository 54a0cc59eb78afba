import assert from 'node:assert/strict';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { peerIdFromKey, peerKey } from '../../src/gossip/peer-id.ts';
import { asPeerId } from '../../src/types.ts';

describe('peer ids', () => {
  it('are those of libp2p for the same seed', async () => {
    const seed = new Uint8Array(32).fill(7);
    const theirs = peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString();
    const ours = peerIdFromKey(signerFromSeed(seed).publicKey);
    assert.equal(ours, theirs);
    assert.ok(ours.startsWith('12D3Koo'));
    assert.deepEqual(peerKey(ours), signerFromSeed(seed).publicKey);
  });

  it('have no key where they are of another type, short, or not base58', () => {
    // An RSA id of the libp2p specification.
    assert.equal(peerKey(asPeerId('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N')), undefined);
    const valid = peerIdFromKey(signerFromSeed(new Uint8Array(32)).publicKey);
    for (let length = 1; length < valid.length; length++) {
      assert.equal(peerKey(asPeerId(valid.slice(0, length))), undefined);
    }
  });

  it('come back from any key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const key = signerFromSeed(seed).publicKey;
        assert.deepEqual(peerKey(peerIdFromKey(key)), key);
      }),
      { numRuns: 50 },
    );
  });
});
