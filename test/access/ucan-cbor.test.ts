import assert from 'node:assert/strict';
import { encode } from '@ipld/dag-cbor';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { CID } from 'multiformats/cid';
import { concat } from '../../src/bytes.ts';
import { decodeUcan, encodeUcan, isUcanMap } from '../../src/access/ucan-cbor.ts';
import { hex } from '../support/vectors.ts';
import { refused, value } from './tokens.ts';

function nested(levels: number): Uint8Array {
  return concat(new Uint8Array(levels - 1).fill(0x81), Uint8Array.of(0x80));
}

function posing(meta: unknown): Uint8Array {
  // Built by hand: an encoder may take such a map for a link.
  const entries = Object.entries(meta as Record<string, unknown>);
  entries.sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
  const parts = entries.map(([key, item]) =>
    concat(encode(key), typeof item === 'object' && item !== null ? posing(item) : encode(item)),
  );
  return concat(Uint8Array.of(0xa0 + entries.length), ...parts);
}

describe('dag-cbor of tokens', () => {
  it('never throws, and what it reads is its own re-encoding', () => {
    const item = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.jsonValue({ maxDepth: 3 }).map((json) => encode(json)),
    );
    fc.assert(
      fc.property(item, (bytes) => {
        const decoded = decodeUcan(bytes);
        if (decoded.ok) assert.deepEqual(encodeUcan(decoded.value), bytes);
        else assert.equal(decoded.error.code, 'ucan-encoding');
      }),
      { numRuns: 400 },
    );
  });

  it('refuses floats, big numbers and undefined in every form', () => {
    const floats = ['f93c00', 'fa3f800000', 'fb3ff0000000000000', 'f97e00', 'f97c00', 'f98000'];
    const others = ['c24101', '1b0020000000000000', '3b001fffffffffffff', 'f7', 'f818', 'e0'];
    for (const form of [...floats, ...others]) refused(decodeUcan(hex(form)), 'ucan-encoding');
    assert.equal(value(decodeUcan(hex('3b001ffffffffffffe'))), -Number.MAX_SAFE_INTEGER);
  });

  it('refuses 33 levels, thousands of levels, and lengths that claim to be huge', () => {
    assert.ok(decodeUcan(nested(32)).ok);
    refused(decodeUcan(nested(33)), 'ucan-encoding');
    refused(decodeUcan(nested(8000)), 'ucan-encoding');
    for (const form of ['9b001fffffffffffff', '5b001fffffffffffff', 'bb000fffffffffffff']) {
      refused(decodeUcan(hex(form)), 'ucan-encoding');
    }
  });

  it('links: nested tags, other tags and a tag without bytes', () => {
    const link = encode(CID.parse('bafkreiaqk4czmyeamwjgzjmozpkeqbs2dsfzziaygop3d6kzqc26exv6x4'));
    assert.ok(decodeUcan(link).ok);
    refused(decodeUcan(concat(Uint8Array.of(0xd8, 0x2a), link)), 'ucan-encoding');
    refused(decodeUcan(concat(Uint8Array.of(0xd8, 0x2b), link.subarray(2))), 'ucan-encoding');
    for (const form of ['d82a', 'd82a00', 'd82a40', 'd82a420001', 'd82af6', 'd82a80']) {
      refused(decodeUcan(hex(form)), 'ucan-encoding');
    }
    for (let n = 0; n < link.length; n++) assert.equal(decodeUcan(link.slice(0, n)).ok, false);
  });

  it('a map that poses as a link or as a prototype', () => {
    for (const meta of [
      { '/': 'bafy', bytes: 'bafy' },
      { '/': 'x', bytes: 'x', version: 1, code: 85, multihash: { code: 18, digest: 'x' } },
    ]) {
      const decoded = decodeUcan(posing(meta));
      if (decoded.ok) assert.deepEqual(encodeUcan(decoded.value), posing(meta));
      else assert.equal(decoded.error.code, 'ucan-encoding');
    }
    const proto = hex('a1695f5f70726f746f5f5fa163636d64612f'); // {"__proto__": {"cmd": "/"}}
    const decoded = value(decodeUcan(proto));
    assert.ok(isUcanMap(decoded) && !('cmd' in decoded), 'a member like any other');
    assert.deepEqual(encodeUcan(decoded), proto);
  });
});
