import assert from 'node:assert/strict';
import { encode } from '@ipld/dag-cbor';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { CID } from 'multiformats/cid';
import { concat, toHex, utf8 } from '../../src/bytes.ts';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey, didKey } from '../../src/ids.ts';
import { protocol } from '../../src/limits.ts';
import { asDid } from '../../src/types.ts';
import {
  decodeDelegation,
  mintDelegation,
  type Delegation,
} from '../../src/access/ucan-delegation.ts';
import { tokenCid, type UcanRelease } from '../../src/access/ucan-envelope.ts';
import { is } from '../../src/access/ucan-policy.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import {
  envelope,
  forge,
  nodeCrypto,
  owner,
  payload,
  peer,
  refused,
  seconds,
  terms,
  token,
  value,
  varsig,
} from './tokens.ts';

interface Vector {
  readonly version: UcanRelease;
  readonly principals: Record<string, { seed_hex: string; did: string }>;
  readonly valid: readonly {
    name: string;
    token: string;
    cid: string;
    signing_input_hex: string;
    envelope: { signature: string; payload: Record<string, unknown> };
  }[];
}

const signedBy = (d: Delegation): boolean =>
  nodeCrypto.verify(didKey(d.issuer), d.signed, d.signature);

/** The token again from what was decoded: its one encoding. */
function again(d: Delegation, seed: Uint8Array): Uint8Array {
  return mintDelegation(signerFromSeed(seed), d, d.release);
}

describe('delegations', () => {
  it('are rebuilt byte for byte from seeds and fields in both releases', function () {
    const files = suite<Vector[]>(this, 'ucan/delegations.json');
    for (const file of files) {
      for (const vector of file.valid) {
        const bytes = new Uint8Array(Buffer.from(vector.token, 'base64'));
        const decoded = value(decodeDelegation(bytes));
        const fields = vector.envelope.payload;
        const issuer = Object.values(file.principals).find((p) => p.did === fields['iss']);
        assert.ok(issuer);
        const signer = signerFromSeed(hex(issuer.seed_hex));
        assert.equal(didFromKey(signer.publicKey), issuer.did);
        assert.equal(decoded.release, file.version);
        assert.equal(toHex(decoded.signed), vector.signing_input_hex);
        assert.deepEqual(
          Buffer.from(decoded.signature).toString('base64'),
          vector.envelope.signature,
        );
        assert.ok(signedBy(decoded));
        assert.equal(tokenCid(nodeCrypto, bytes), vector.cid);
        const minted = mintDelegation(
          signer,
          {
            audience: asDid(String(fields['aud'])),
            subject: asDid(String(fields['sub'])),
            command: String(fields['cmd']),
            policy: [],
            nonce: new Uint8Array(Buffer.from(String(fields['nonce']), 'base64')),
            expires: Number(fields['exp']),
          },
          file.version,
        );
        assert.equal(toHex(minted), toHex(bytes), vector.name);
        assert.equal(toHex(again(decoded, hex(issuer.seed_hex))), toHex(bytes));
      }
    }
    ran('ucan/delegations.json', files.flatMap((file) => file.valid).length);
  });

  it('come in published containers with another header, and are refused for it', () => {
    const old = Uint8Array.of(0x34, 0xed, 0x01, 0x71);
    refused(decodeDelegation(forge(payload(), { header: old })), 'ucan-header');
  });

  it('are minted with the plain tag only', () => {
    const bytes = token(owner);
    assert.ok(Buffer.from(bytes).includes('nucan/dlg@1.0.0\xa7', 0, 'latin1'));
    assert.equal(value(decodeDelegation(bytes)).release, '1.0.0');
  });

  it('may hold links and any other data in their policy and meta', () => {
    const link = CID.parse('bafkreiaqk4czmyeamwjgzjmozpkeqbs2dsfzziaygop3d6kzqc26exv6x4');
    const bytes = token(owner, {
      policy: [is('stream', link)],
      meta: { note: 'für Ö', list: [link, null, -1, true], empty: {} },
    });
    const decoded = value(decodeDelegation(bytes));
    assert.equal(toHex(again(decoded, new Uint8Array(32).fill(1))), toHex(bytes));
    const [statement] = decoded.policy;
    assert.ok(statement?.operator === '==' && CID.asCID(statement.value)?.equals(link));
  });

  it('that nobody should make are not minted', () => {
    assert.throws(() => token(owner, { command: 'flow' }), RangeError);
    assert.throws(() => token(owner, { expires: 2 ** 53 }), RangeError);
    assert.throws(() => token(owner, { expires: 0.5 }), RangeError);
    assert.throws(
      () => token(owner, { nonce: new Uint8Array(protocol.maxTokenBytes) }),
      RangeError,
    );
  });

  const text = fc.stringMatching(/^[a-z]{1,6}$/);
  const drawn = fc.record({
    command: fc.array(text, { maxLength: 3 }).map((parts) => `/${parts.join('/')}`),
    nonce: fc.uint8Array({ maxLength: 32 }),
    expires: fc.option(fc.maxSafeInteger()),
    subject: fc.constantFrom(owner.did, peer.did, null),
    policy: fc.array(
      fc.tuple(text, fc.maxSafeInteger()).map(([name, n]) => is(name, n)),
      {
        maxLength: 3,
      },
    ),
  });

  it('decode to what was minted and have one encoding', () => {
    fc.assert(
      fc.property(drawn, fc.option(fc.maxSafeInteger(), { nil: undefined }), (some, notBefore) => {
        const all = notBefore === undefined ? some : { ...some, notBefore };
        const bytes = token(owner, all);
        const decoded = value(decodeDelegation(bytes));
        const { release, signature, signed, issuer, ...rest } = decoded;
        assert.deepEqual(rest, { audience: peer.did, ...all });
        assert.deepEqual([release, issuer], ['1.0.0', owner.did]);
        assert.deepEqual(concat(bytes.subarray(0, 3), signature, signed), bytes);
        assert.deepEqual(again(decoded, new Uint8Array(32).fill(1)), bytes);
      }),
      { numRuns: 60 },
    );
  });

  it('are refused with a code for any bytes, and are their own re-encoding when read', () => {
    const bytes = token(owner);
    const changed = fc
      .tuple(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }))
      .map(([at, patch]) =>
        concat(bytes.subarray(0, at), patch, bytes.subarray(at + patch.length)),
      );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), (any) => {
        const decoded = decodeDelegation(any);
        if (decoded.ok) assert.deepEqual(decoded.value.signed, any.subarray(67));
        else assert.match(decoded.error.code, /^ucan-/);
      }),
    );
  });
});

describe('attacks on a single token', () => {
  it('cut at any length: refused', () => {
    const bytes = token(owner);
    for (let n = 0; n < bytes.length; n++) {
      assert.equal(decodeDelegation(bytes.slice(0, n)).ok, false, `${n} bytes`);
    }
    refused(decodeDelegation(concat(bytes, Uint8Array.of(0))), 'ucan-encoding');
  });

  it('tampered bytes: no flipped bit decodes and verifies', () => {
    const bytes = token(owner);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const bad = bytes.slice();
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const decoded = decodeDelegation(bad);
      assert.ok(!decoded.ok || !signedBy(decoded.value), `bit ${bit}`);
    }
  });

  it('non-canonical dag-cbor: keys out of order, long heads, indefinite lengths', () => {
    const signed = encode({ h: varsig, 'ucan/dlg@1.0.0': payload() });
    const good = Buffer.from(signed).toString('hex');
    const forms = {
      'keys out of order': good.replace(/^a2(6168[0-9a-f]{18})(.*)$/, 'a2$2$1'),
      'a long head for exp': good.replace('6365787 01a'.replace(' ', ''), '636578701b00000000'),
      'an indefinite list': good.replace('63706f6c80', '63706f6c9fff'),
      'an indefinite map': `bf${good.slice(2)}ff`,
      'indefinite text': good.replace('6b2f666c6f772f7772697465', '7f6b2f666c6f772f7772697465ff'),
      'a byte after the item': `${good}00`,
    };
    for (const [name, form] of Object.entries(forms)) {
      assert.notEqual(form, good, name);
      refused(decodeDelegation(envelope(hex(form))), 'ucan-encoding');
    }
    refused(
      decodeDelegation(concat(Uint8Array.of(0x98, 2), envelope(signed).subarray(1))),
      'ucan-encoding',
    );
    assert.ok(decodeDelegation(envelope(hex(good))).ok);
  });

  it('duplicate map keys: the payload, the envelope and meta', () => {
    const good = Buffer.from(encode({ h: varsig, 'ucan/dlg@1.0.0': payload() })).toString('hex');
    const command = '63636d646b2f666c6f772f7772697465';
    const doubled = good.replace('a7', 'a8').replace(command, command + command);
    assert.notEqual(doubled, good);
    refused(decodeDelegation(envelope(hex(doubled))), 'ucan-encoding');
    const headers = good.replace(/^a2(6168[0-9a-f]{18})/, 'a3$1$1');
    refused(decodeDelegation(envelope(hex(headers))), 'ucan-encoding');
  });

  it('huge integers: beyond 2^53-1 in times and values', () => {
    for (const exp of [2n ** 53n, -(2n ** 53n), 2n ** 63n, 2n ** 64n - 1n]) {
      refused(decodeDelegation(forge({ ...payload(), exp })), 'ucan-encoding');
      refused(decodeDelegation(forge({ ...payload(), meta: { exp } })), 'ucan-encoding');
    }
    for (const exp of [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]) {
      assert.equal(value(decodeDelegation(forge({ ...payload(), exp }))).expires, exp);
    }
  });

  it('floats: whole ones too, not-a-number, infinity and short forms', () => {
    refused(decodeDelegation(forge({ ...payload(), exp: 1.5 })), 'ucan-encoding');
    refused(decodeDelegation(forge({ ...payload(), meta: { a: 0.1 } })), 'ucan-encoding');
    const good = Buffer.from(encode({ h: varsig, 'ucan/dlg@1.0.0': payload() })).toString('hex');
    const whole = good.replace(/(63657870)1a[0-9a-f]{8}/, '$1fb41da47ae00000000');
    assert.notEqual(whole, good);
    refused(decodeDelegation(envelope(hex(whole))), 'ucan-encoding');
  });

  it('deep nesting: a policy of 35 levels', () => {
    let policy: unknown = ['and', []];
    for (let i = 0; i < 16; i++) policy = ['and', [policy]];
    refused(decodeDelegation(forge({ ...payload(), pol: [policy] })), 'ucan-encoding');
  });

  it('wrong varsig header: another curve, another encoding, longer, not bytes', () => {
    for (const header of ['3401ec01802412 71', '3401ed01ed0113a902', '3401ed01ed01137100', '']) {
      const bytes = hex(header.replace(' ', ''));
      refused(decodeDelegation(forge(payload(), { header: bytes })), 'ucan-header');
    }
    const text = encode({ h: 'NAHtAe0BE3E', 'ucan/dlg@1.0.0': payload() });
    refused(decodeDelegation(envelope(text)), 'ucan-header');
  });

  it('unknown version: other tags, an invocation, two payloads, none', () => {
    for (const tag of [
      'ucan/dlg@1.0.1',
      'ucan/dlg@1.0.0-rc.2',
      'ucan/dlg@2.0.0',
      'ucan/inv@1.0.0',
      'ucan/dlg@1.0.0 ',
      'ucan/d/1.0.0-rc.1',
    ]) {
      refused(decodeDelegation(forge(payload(), { tag })), 'ucan-version');
    }
    const two = { h: varsig, 'ucan/dlg@1.0.0': payload(), 'ucan/dlg@1.0.0-rc.1': payload() };
    refused(decodeDelegation(envelope(encode(two))), 'ucan-version');
    refused(decodeDelegation(envelope(encode({ h: varsig }))), 'ucan-version');
    refused(decodeDelegation(envelope(encode({ 'ucan/dlg@1.0.0': payload() }))), 'ucan-version');
  });

  it('unknown, missing and malformed fields, each named', () => {
    for (const name of Object.keys(payload())) {
      const { [name]: _, ...rest } = payload();
      const result = decodeDelegation(forge(rest));
      refused(result, 'ucan-field');
      assert.equal(!result.ok && result.error.place?.pointer, name);
    }
    const wrong: readonly (readonly [string, unknown])[] = [
      ['args', {}],
      ['prf', []],
      ['iat', seconds],
      ['iss', owner.did.slice(0, -1)],
      ['iss', `${owner.did}#key`],
      ['aud', 'did:web:example.com'],
      ['aud', null],
      ['sub', 'alice'],
      ['sub', new Uint8Array(34)],
      ['cmd', 1],
      ['nonce', 'text'],
      ['nbf', null],
      ['nbf', '0'],
      ['exp', '0'],
      ['exp', true],
      ['meta', []],
      ['meta', null],
    ];
    for (const [name, bad] of wrong) {
      const result = decodeDelegation(forge({ ...payload(), [name]: bad }));
      refused(result, 'ucan-field');
      assert.equal(!result.ok && result.error.place?.pointer, name);
    }
    refused(decodeDelegation(forge({ ...payload(), pol: {} })), 'ucan-field');
    refused(decodeDelegation(forge({ ...payload(), cmd: '/Flow' })), 'ucan-command');
    for (const other of [[], null, 1, 'text']) {
      const signed = encode({ h: varsig, 'ucan/dlg@1.0.0': other });
      refused(decodeDelegation(envelope(signed)), 'ucan-field');
    }
  });

  it('unknown operator and selector injection: refused when read', () => {
    for (const operator of ['===', '=<', 'nor', 'matches', 'none', 'And', '=']) {
      refused(
        decodeDelegation(forge({ ...payload(), pol: [[operator, '.a', 1]] })),
        'ucan-operator',
      );
    }
    for (const selector of ['.a..b', '.[a]', '.[0', '$.a', '', '.a\u0000', '.a || true']) {
      refused(
        decodeDelegation(forge({ ...payload(), pol: [['==', selector, 1]] })),
        'ucan-selector',
      );
    }
  });

  it('oversized token: at the limit read, one byte past it refused unread', () => {
    const room = protocol.maxTokenBytes - token(owner, { nonce: new Uint8Array(300) }).length + 300;
    const full = token(owner, { nonce: new Uint8Array(room) });
    assert.equal(full.length, protocol.maxTokenBytes);
    assert.ok(decodeDelegation(full).ok);
    const over = forge({ ...payload(), nonce: new Uint8Array(room + 1) });
    refused(decodeDelegation(over), 'ucan-over-limit');
    refused(decodeDelegation(new Uint8Array(10_000_000)), 'ucan-over-limit');
  });

  it('a signature of another size, and an envelope of another shape', () => {
    for (const signed of [null, [], 1, 'text', new Uint8Array(9)]) {
      refused(decodeDelegation(envelope(encode(signed))), 'ucan-encoding');
    }
    for (const signature of ['x'.repeat(64), Array.from({ length: 64 }, () => 0), null]) {
      refused(decodeDelegation(encode([signature, { h: varsig }])), 'ucan-encoding');
    }
    const body = { h: varsig, 'ucan/dlg@1.0.0': payload() };
    for (const size of [0, 63, 65]) {
      refused(decodeDelegation(encode([new Uint8Array(size), body])), 'ucan-signature');
    }
    const signature = new Uint8Array(64);
    for (const shape of [
      [signature],
      [signature, body, 1],
      [body, signature],
      {},
      utf8('x'),
      null,
    ]) {
      refused(decodeDelegation(encode(shape)), 'ucan-encoding');
    }
    assert.equal(terms.audience, peer.did);
  });
});
