import assert from 'node:assert/strict';
import { encode } from '@ipld/dag-cbor';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { compare, concat, toBase64, toBase64url, utf8 } from '../../src/bytes.ts';
import { protocol } from '../../src/limits.ts';
import {
  decodeContainer,
  formatContainer,
  parseContainer,
} from '../../src/access/ucan-container.ts';
import { decodeDelegation } from '../../src/access/ucan-delegation.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { ran, suite } from '../support/vectors.ts';
import { chainOf, nodeCrypto, refused, value } from './tokens.ts';

function wrap(content: unknown): string {
  return `C${toBase64url(encode(content))}`;
}

describe('token containers', () => {
  it('of the published forms are read; compressed ones are refused', function () {
    const file = suite<{
      vectors: {
        header_hex: string;
        container_base64: string;
        token_count: number;
        token_cids: string[];
      }[];
    }>(this, 'ucan/containers.json');
    for (const vector of file.vectors) {
      const bytes = new Uint8Array(Buffer.from(vector.container_base64, 'base64'));
      const decoded = decodeContainer(bytes);
      if (['4d', '4f', '50'].includes(vector.header_hex)) {
        refused(decoded, 'ucan-container');
        continue;
      }
      const tokens = value(decoded);
      assert.equal(tokens.length, vector.token_count);
      const cids = tokens.map((token) => tokenCid(nodeCrypto, token));
      assert.deepEqual(cids.toSorted(), vector.token_cids.toSorted());
      // They are signed under an old varsig header, so none of them is a token for us.
      for (const token of tokens) refused(decodeDelegation(token), 'ucan-header');
    }
    ran('ucan/containers.json', file.vectors.length);
  });

  it('are written as base64url, sorted, each token once', () => {
    const tokens = chainOf();
    const text = formatContainer([...tokens.toReversed(), ...tokens]);
    assert.equal(text, wrap({ 'ctn-v1': tokens.toSorted(compare) }));
    assert.match(text, /^Co[A-Za-z0-9_-]+$/);
    assert.deepEqual(value(parseContainer(text)), tokens.toSorted(compare));
  });

  it('read back what was written, and never throw on other text', () => {
    const list = fc.uniqueArray(fc.uint8Array({ maxLength: 30 }), {
      minLength: 1,
      maxLength: protocol.maxContainerTokens,
      selector: (bytes) => bytes.join(),
    });
    fc.assert(
      fc.property(list, fc.nat(), (tokens, cut) => {
        const text = formatContainer(tokens);
        assert.deepEqual(value(parseContainer(text)), tokens.toSorted(compare));
        refused(parseContainer(text.slice(0, cut % text.length)), 'ucan-container');
      }),
    );
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), (text, bytes) => {
        refused(parseContainer(`C${text}`), 'ucan-container');
        refused(decodeContainer(bytes), 'ucan-container');
      }),
    );
  });

  it('of another shape are refused', () => {
    const token = utf8('token');
    for (const content of [
      {},
      [],
      { 'ctn-v1': [] },
      { 'ctn-v1': [token, token] },
      { 'ctn-v1': ['text'] },
      { 'ctn-v1': token },
      { 'ctn-v2': [token] },
      { 'ctn-v1': [token], more: 1 },
      { 'ctn-v1': Array.from({ length: 17 }, (_, i) => Uint8Array.of(i)) },
    ]) {
      refused(parseContainer(wrap(content)), 'ucan-container');
    }
    const good = encode({ 'ctn-v1': [token] });
    assert.ok(parseContainer(`B${toBase64(good)}`).ok);
    for (const text of ['', 'C', `C${toBase64(good)}=`, `A${toBase64url(good)}`, ` ${wrap({})}`]) {
      refused(parseContainer(text), 'ucan-container');
    }
    const doubled = concat(good, Uint8Array.of(0));
    refused(parseContainer(`C${toBase64url(doubled)}`), 'ucan-container');
    refused(parseContainer('C'.repeat(1_000_000)), 'ucan-container');
    const large = encode({ 'ctn-v1': [new Uint8Array(200_000)] });
    refused(decodeContainer(concat(utf8('@'), large)), 'ucan-container');
    assert.throws(() => formatContainer([]), RangeError);
  });
});
