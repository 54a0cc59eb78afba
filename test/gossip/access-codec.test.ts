import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, toHex } from '../../src/bytes.ts';
import {
  decodeAccess,
  encodeAccess,
  requestStates,
  type AccessMessage,
} from '../../src/gossip/access-codec.ts';

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
const text = (max: number): fc.Arbitrary<string> =>
  fc.string({ maxLength: max, unit: 'grapheme' }).map((s) => s.slice(0, max).toWellFormed());
const requestId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => toHex(b));
const access: fc.Arbitrary<AccessMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('request' as const),
    id: requestId,
    stream: text(64),
    purpose: text(200),
    seconds: fc.nat(),
    audience: text(100),
  }),
  fc.record({ kind: fc.constantFrom('state' as const, 'withdraw' as const), id: requestId }),
  fc.record({
    kind: fc.constant('answer' as const),
    id: requestId,
    state: fc.constantFrom(...requestStates),
    reason: text(100),
    grant: text(300),
  }),
  fc.record({ kind: fc.constant('askCard' as const), grant: bytes(200) }),
  fc.record({ kind: fc.constant('card' as const), text: text(300) }),
);

describe('messages about grants', () => {
  it('decode to what was encoded, to the same bytes again', () => {
    fc.assert(
      fc.property(access, (message) => {
        const frame = encodeAccess(message);
        const decoded = decodeAccess(frame);
        assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
        assert.deepEqual(decoded.value, { ...message });
        assert.deepEqual(encodeAccess(decoded.value), frame);
      }),
    );
  });

  it('are refused when they are cut or have more behind them', () => {
    fc.assert(
      fc.property(access, fc.nat(), (message, at) => {
        const frame = encodeAccess(message);
        assert.ok(!decodeAccess(frame.subarray(0, at % frame.length)).ok);
        assert.ok(!decodeAccess(concat(frame, Uint8Array.of(0))).ok);
      }),
    );
  });

  it('have these bytes', () => {
    const id = '000102030405060708090a0b0c0d0e0f';
    assert.equal(toHex(encodeAccess({ kind: 'state', id })), `820250${id}`);
    assert.equal(toHex(encodeAccess({ kind: 'withdraw', id })), `820350${id}`);
    const request = { id, stream: 'orders', purpose: 'p', seconds: 60, audience: 'd' };
    const wanted = `860150${id}666f72646572736170183c6164`;
    assert.equal(toHex(encodeAccess({ kind: 'request', ...request })), wanted);
  });
});
