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
import { logIdFromHash } from '../../src/ids.ts';
import { asHash, asSignature } from '../../src/types.ts';

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
const text = (max: number): fc.Arbitrary<string> =>
  fc.string({ maxLength: max, unit: 'grapheme' }).map((s) => s.slice(0, max).toWellFormed());
const fixed = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const delivery = fc
  .record({
    generation: fc.nat(),
    from: fc.nat(1000),
    to: fc.integer({ min: 1001, max: 2 ** 32 }),
    enc: fixed(32),
    ciphertext: bytes(400),
    signature: fixed(64).map(asSignature),
  })
  .map((fields) => ({ ...fields }));
const requestId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => toHex(b));
const access: fc.Arbitrary<AccessMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('request' as const),
    id: requestId,
    stream: text(64),
    purpose: text(200),
    seconds: fc.nat(),
    audience: text(100),
    renews: text(60),
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
  fc.record({ kind: fc.constant('mine' as const) }),
  fc.record({
    kind: fc.constant('grants' as const),
    grants: fc.array(text(300), { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant('askKeys' as const),
    log: fixed(32).map((b) => logIdFromHash(asHash(b))),
    from: fc.nat(2 ** 31 - 1),
    grant: bytes(200),
  }),
  fc.record({
    kind: fc.constant('keys' as const),
    next: fc.option(fc.nat(), { nil: undefined }),
    deliveries: fc.array(delivery, { maxLength: 3 }),
  }),
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
    const asked = { id, stream: 'orders', purpose: 'p', seconds: 60, audience: 'd' };
    const request = { kind: 'request' as const, ...asked, renews: '' };
    const wanted = `860150${id}666f72646572736170183c6164`;
    assert.equal(toHex(encodeAccess(request)), wanted);
    const renewing = `870750${id}666f72646572736170183c61646162`;
    assert.equal(toHex(encodeAccess({ ...request, renews: 'b' })), renewing);
    assert.equal(toHex(encodeAccess({ kind: 'mine' })), '8108');
    assert.equal(toHex(encodeAccess({ kind: 'grants', grants: ['g'] })), '8209816167');
  });
});
