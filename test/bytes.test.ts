import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { base32 } from 'multiformats/bases/base32';
import * as bytes from '../src/bytes.ts';
import { ok, type Result } from '../src/result.ts';

function codeOf(result: Result<unknown>): string | undefined {
  return result.ok ? undefined : result.error.code;
}

const urlToStandard: Readonly<Record<string, string>> = { '-': '+', _: '/' };

/** What btoa wrote as this text, as the platform reads it. */
function binaryOf(text: string): Result<Uint8Array> | undefined {
  try {
    const binary = atob(text);
    if (btoa(binary) !== text) return undefined;
    return ok(Uint8Array.from(binary, (unit) => unit.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

const anyBytes = fc.uint8Array({ maxLength: 200 });

describe('byte strings', () => {
  it('come back from every text encoding', () => {
    fc.assert(
      fc.property(anyBytes, (value) => {
        assert.deepEqual(bytes.fromHex(bytes.toHex(value)), ok(value));
        assert.deepEqual(bytes.fromBase64(bytes.toBase64(value)), ok(value));
        assert.deepEqual(bytes.fromBase64url(bytes.toBase64url(value)), ok(value));
        assert.equal(bytes.toHex(value), Buffer.from(value).toString('hex'));
        assert.equal(bytes.toBase64(value), Buffer.from(value).toString('base64'));
        assert.equal(bytes.toBase64url(value), Buffer.from(value).toString('base64url'));
      }),
    );
  });

  it('encode base64 of more bytes than one call can take as arguments', () => {
    const large = new Uint8Array(200_000).fill(0xfb);
    assert.deepEqual(bytes.fromBase64(bytes.toBase64(large)), ok(large));
  });

  it('have one base64 and one hex form each', () => {
    for (const text of ['AA', 'AA=', 'AB==', 'AAB=', '__8=', 'AA==\n', ' AA==', 'A===', '=', '*'])
      assert.equal(codeOf(bytes.fromBase64(text)), 'bad-base64', text);
    for (const text of ['AA==', 'AB', 'AAB', 'A', '+A', 'A A'])
      assert.equal(codeOf(bytes.fromBase64url(text)), 'bad-base64', text);
    for (const text of ['0', 'AA', '0g', '0x', ' 00'])
      assert.equal(codeOf(bytes.fromHex(text)), 'bad-hex', text);
  });

  it('agree with atob on edited base64, which is refused where it is not what btoa writes', () => {
    const put = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2 }),
      fc.constantFrom('=', '-', '/'),
    );
    let [padded, url] = [0, 0];
    fc.assert(
      fc.property(anyBytes, fc.nat(), fc.nat({ max: 2 }), put, (value, at, drop, more) => {
        const text = bytes.toBase64(value);
        const place = at % (text.length + 1);
        const edited = text.slice(0, place) + more + text.slice(place + drop);
        const expected = binaryOf(edited);
        const whole = bytes.fromBase64(edited);
        assert.deepEqual(whole.ok ? whole : undefined, expected, edited);
        if (expected !== undefined) padded += 1;
        const short = edited.replaceAll('=', '');
        const again = binaryOf(
          short.replaceAll(/[-+_/]/g, (digit) => urlToStandard[digit] ?? '*') +
            '='.repeat((4 - (short.length % 4)) % 4),
        );
        const read = bytes.fromBase64url(short);
        assert.deepEqual(read.ok ? read : undefined, again, short);
        assert.deepEqual(bytes.fromBase64url(bytes.utf8(short)), read);
        if (again !== undefined) url += 1;
      }),
      { numRuns: 3000 },
    );
    assert.ok(padded > 50 && url > 50, `${padded} ${url}`);
  });

  it('are base32 as the library writes it', () => {
    fc.assert(
      fc.property(anyBytes, (value) => {
        assert.equal(bytes.toMultibase32(value), base32.encode(value));
      }),
    );
    assert.equal(bytes.toMultibase32(new Uint8Array(0)), 'b');
  });

  it('are UTF-8 only where they are well-formed, and keep a byte order mark', () => {
    assert.deepEqual(
      bytes.fromUtf8(bytes.utf8('\ufeffZ\u00fcrich 😀')),
      ok('\ufeffZ\u00fcrich 😀'),
    );
    for (const wrong of [
      [0xff],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xe2, 0x82],
      [0xf4, 0x90, 0x80, 0x80],
    ])
      assert.equal(codeOf(bytes.fromUtf8(Uint8Array.from(wrong))), 'bad-utf8', String(wrong));
  });

  it('are ordered as unsigned bytes, a prefix first', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        assert.equal(Math.sign(bytes.compare(a, b)), Buffer.compare(a, b));
        assert.equal(bytes.equal(a, b), Buffer.compare(a, b) === 0);
        assert.deepEqual(bytes.concat(a, b), Uint8Array.from([...a, ...b]));
      }),
    );
    assert.ok(bytes.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  });

  it('hold big-endian integers of 16, 32, 48 and 64 bits', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const at = 3;
        const out = new Uint8Array(16);
        const view = new DataView(out.buffer);
        bytes.writeUint64(out, at, value);
        assert.equal(view.getBigUint64(at), BigInt(value));
        assert.equal(bytes.readUint64(out, at), value);
        bytes.writeUint48(out, at, value % 2 ** 48);
        assert.equal(bytes.readUint48(out, at), value % 2 ** 48);
        assert.equal((view.getBigUint64(at) >> 16n).toString(), String(value % 2 ** 48));
        bytes.writeUint32(out, at, value % 2 ** 32);
        assert.equal(view.getUint32(at), value % 2 ** 32);
        assert.equal(bytes.readUint32(out, at), value % 2 ** 32);
        bytes.writeUint16(out, at, value % 2 ** 16);
        assert.equal(view.getUint16(at), value % 2 ** 16);
        assert.equal(bytes.readUint16(out, at), value % 2 ** 16);
      }),
    );
  });
});
