import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { base58btc } from 'multiformats/bases/base58';
import { concat } from '../src/bytes.ts';
import { keyOfDid } from '../src/did-key.ts';
import { didFromKey, parseDid } from '../src/ids.ts';
import { asPublicKey } from '../src/types.ts';

const pattern = /^did:key:(z[1-9A-HJ-NP-Za-km-z]+)$/;

/** The second opinion: base58 of any length, by the library. */
function libraryReads(text: string): Uint8Array | undefined {
  const body = pattern.exec(text)?.[1];
  if (body === undefined || text.endsWith('\n')) return undefined;
  const bytes = base58btc.decode(body);
  return bytes.length === 34 && bytes[0] === 0xed && bytes[1] === 1 ? bytes.slice(2) : undefined;
}

function agree(text: string): boolean {
  const read = keyOfDid(text);
  assert.deepEqual(read, libraryReads(text), text);
  assert.equal(parseDid(text).ok, read !== undefined, text);
  return read !== undefined;
}

function didOf(bytes: Uint8Array): string {
  return `did:key:${base58btc.encode(bytes)}`;
}

const keys = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
  fc
    .tuple(fc.nat({ max: 32 }), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat({ max: 255 }))
    .map(([at, fill, last]) => new Uint8Array(32).fill(fill).fill(last, at)),
);

describe('the key in a did:key', () => {
  it('is the one that was written, and that the library reads', () => {
    fc.assert(
      fc.property(keys, (key) => {
        const did = didFromKey(asPublicKey(key));
        assert.ok(agree(did));
        assert.deepEqual(keyOfDid(did), key);
      }),
      { numRuns: 1000 },
    );
  });

  it('agrees with the library on edited texts', () => {
    const put = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2 }),
      fc.constantFrom('1', 'z', ' '),
    );
    let read = 0;
    fc.assert(
      fc.property(keys, fc.nat(), fc.nat({ max: 2 }), put, (key, at, drop, more) => {
        const did = didFromKey(asPublicKey(key));
        const place = at % (did.length + 1);
        if (agree(did.slice(0, place) + more + did.slice(place + drop))) read += 1;
      }),
      { numRuns: 3000 },
    );
    assert.ok(read > 50, `${read}`);
  });

  it('agrees with the library on each character at each place', () => {
    const did = didFromKey(asPublicKey(new Uint8Array(32).fill(0xa5)));
    for (let at = 0; at < did.length; at++) {
      for (let code = 0; code < 0x180; code++) {
        agree(did.slice(0, at) + String.fromCharCode(code) + did.slice(at + 1));
      }
    }
  });

  it('is behind ed 01 and 32 bytes long, at both ends of what 47 digits can say', () => {
    const [none, all] = [new Uint8Array(32), new Uint8Array(32).fill(0xff)];
    for (const key of [none, all]) {
      assert.ok(agree(didOf(concat(Uint8Array.of(0xed, 1), key))));
      for (const prefix of [[0xed, 0], [0xed, 2], [0xec, 1], [0xee, 1], [0xed], [0xed, 1, 0], []]) {
        assert.ok(!agree(didOf(concat(Uint8Array.from(prefix), key))), String(prefix));
      }
      assert.ok(!agree(didOf(concat(Uint8Array.of(0, 0xed, 1), key))));
      assert.ok(!agree(didOf(concat(Uint8Array.of(1, 0xed, 1), key))));
    }
    for (const digit of ['1', '2', 'y', 'z']) assert.ok(!agree(`did:key:z${digit.repeat(47)}`));
    for (const other of ['', 'did:key:z', 'did:web:z', `${didOf(none)}#key`, `${didOf(none)}\n`]) {
      assert.ok(!agree(other), other);
    }
  });

  it('is a new array each time', () => {
    const did = didFromKey(asPublicKey(new Uint8Array(32).fill(7)));
    keyOfDid(did)?.fill(0);
    assert.deepEqual(keyOfDid(did), new Uint8Array(32).fill(7));
  });
});
