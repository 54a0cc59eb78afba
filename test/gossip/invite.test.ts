import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toBase64, toBase64url, utf8 } from '../../src/bytes.ts';
import { encodeCbor, type CborValue } from '../../src/cbor.ts';
import { signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import type { Result } from '../../src/result.ts';
import { asHash, asPeerId, asTimeMs } from '../../src/types.ts';
import { formatInvite, parseInvite, type Invite } from '../../src/gossip/invite.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';

const { publicKey } = signerFromSeed(new Uint8Array(32).fill(1));
const now = asTimeMs(1_763_683_200_000);
const invite: Invite = {
  network: asHash(new Uint8Array(32).fill(0xaa)),
  addresses: ['/ip4/192.0.2.1/tcp/4001', '/ip6/2001:db8::1/tcp/4001'],
  peers: [peerIdFromKey(publicKey)],
  inviter: didFromKey(publicKey),
  name: 'acme',
  expires: asTimeMs(now + 1000),
};

function refused(result: Result<unknown>, code = 'invite-invalid', text = ''): void {
  assert.equal(result.ok, false);
  assert.equal(result.error.code, code);
  assert.ok(result.error.message.includes(text), result.error.message);
}

function line(map: unknown): string {
  return `hwnet:${toBase64url(encodeCbor(map as CborValue))}`;
}

describe('an invite', () => {
  it('is one line of fixed bytes', () => {
    assert.equal(formatInvite(invite), line({ version: 1, ...invite }));
    assert.match(formatInvite(invite), /^hwnet:p2RuYW1lZGFjbWVlcGVlcnOB[A-Za-z0-9_-]+$/);
  });

  it('is read as it was made, also with blanks around it', () => {
    const text = formatInvite(invite);
    for (const pasted of [text, `${text}\n`, `  ${text} \r\n`]) {
      assert.deepEqual(parseInvite(pasted, now), { ok: true, value: invite });
    }
  });

  it('ends at its time', () => {
    const text = formatInvite(invite);
    assert.ok(parseInvite(text, invite.expires).ok);
    refused(parseInvite(text, asTimeMs(invite.expires + 1)), 'invite-expired');
  });

  it('with fields that are malformed is refused by name', () => {
    const wrong: readonly (readonly [string, CborValue])[] = [
      ['network', new Uint8Array(31)],
      ['network', 'aa'],
      ['addresses', ['example.com']],
      ['addresses', ['/ip4/192.0.2.1 --flag']],
      ['addresses', [`/${'a'.repeat(256)}`]],
      ['addresses', Array.from({ length: 17 }, () => '/a')],
      ['peers', ['12D3KooW']],
      ['peers', [`12D3Koo${'1'.repeat(45)}`]],
      ['peers', ['QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N']],
      ['peers', [1]],
      ['peers', {}],
      ['inviter', 'did:web:example.com'],
      ['inviter', null],
      ['name', '_journal'],
      ['name', '../../etc'],
      ['name', 'Acme'],
      ['name', ''],
      ['expires', -1],
      ['expires', 2 ** 48],
      ['expires', '0'],
    ];
    for (const [field, bad] of wrong) {
      refused(
        parseInvite(line({ version: 1, ...invite, [field]: bad }), now),
        'invite-invalid',
        field,
      );
    }
    refused(parseInvite(line({ ...invite, version: 2 }), now), 'invite-invalid', 'version');
    refused(parseInvite(line({ ...invite, version: 1, extra: 1 }), now));
    refused(parseInvite(line({ version: 1 }), now));
  });

  it('in another form is refused', () => {
    const good = formatInvite(invite);
    const bytes = encodeCbor({ version: 1, ...invite });
    const forms = [
      '',
      'hwnet:',
      good.slice(6),
      good.toUpperCase(),
      `hwnet:${toBase64(bytes)}=`,
      `${good}A`,
      good.replace('hwnet:', 'hwnet: '),
      good.replace('hwnet:', 'https:'),
      `hwnet:${toBase64url(utf8('text'))}`,
      `hwnet:${'A'.repeat(10_000_000)}`,
    ];
    for (const form of forms) refused(parseInvite(form, now));
    for (let n = 0; n < good.length; n++) refused(parseInvite(good.slice(0, n), now));
  });

  it('never throws when read, and any one is read back', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), (text, bytes) => {
        refused(parseInvite(`hwnet:${text}`, now));
        refused(parseInvite(`hwnet:${toBase64url(bytes)}`, now));
      }),
    );
    const any = fc.record({
      name: fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,30}$/),
      addresses: fc.array(fc.stringMatching(/^(?:\/[a-z0-9.:]{1,9}){1,5}$/), { maxLength: 4 }),
      network: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash),
      expires: fc.integer({ min: now, max: 2 ** 48 - 1 }).map(asTimeMs),
    });
    fc.assert(
      fc.property(any, (some) => {
        const all = { ...invite, ...some };
        assert.deepEqual(parseInvite(formatInvite(all), now), { ok: true, value: all });
      }),
      { numRuns: 50 },
    );
  });

  it('that could not be read again is not made', () => {
    assert.throws(() => formatInvite({ ...invite, name: 'Acme Inc.' }), RangeError);
    assert.throws(() => formatInvite({ ...invite, peers: [asPeerId('12D3KooW')] }), RangeError);
  });
});
