import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import type { Crypto } from '../../src/crypto.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { asSignature } from '../../src/types.ts';
import { rememberingCrypto } from '../../src/access/verified-signatures.ts';
import { owner, thief } from './tokens.ts';

/** Counts what is really verified. */
function counted(max: number): { readonly crypto: Crypto; readonly count: () => number } {
  let verified = 0;
  const counting: Crypto = {
    ...nodeCrypto,
    verify: (key, message, signature) => {
      verified += 1;
      return nodeCrypto.verify(key, message, signature);
    },
  };
  return { crypto: rememberingCrypto(counting, max), count: () => verified };
}

const { publicKey } = owner.signer;
const message = utf8('message');
const signature = owner.signer.sign(message);

describe('signatures that are remembered', () => {
  it('are verified once', () => {
    const { crypto, count } = counted(2);
    for (let n = 0; n < 3; n++) assert.ok(crypto.verify(publicKey, message, signature));
    assert.equal(count(), 1);
  });

  it('vouch for no other key, message or signature', () => {
    const { crypto } = counted(2);
    assert.ok(crypto.verify(publicKey, message, signature));
    const other = asSignature(signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte)));
    for (let n = 0; n < 2; n++) {
      assert.equal(crypto.verify(thief.signer.publicKey, message, signature), false);
      assert.equal(crypto.verify(publicKey, utf8('massage'), signature), false);
      assert.equal(crypto.verify(publicKey, message, other), false);
    }
  });

  it('are as many as said: the oldest is verified again', () => {
    const { crypto, count } = counted(2);
    const signed = ['a', 'b', 'c'].map(
      (text) => [utf8(text), owner.signer.sign(utf8(text))] as const,
    );
    for (const [text, by] of signed) assert.ok(crypto.verify(publicKey, text, by));
    assert.equal(count(), 3);
    const [first, , last] = signed;
    assert.ok(first !== undefined && last !== undefined);
    assert.ok(crypto.verify(publicKey, ...last));
    assert.equal(count(), 3);
    assert.ok(crypto.verify(publicKey, ...first));
    assert.equal(count(), 4);
  });
});
