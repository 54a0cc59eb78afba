import assert from 'node:assert/strict';
import type { UcanMap } from '../../src/access/ucan-cbor.ts';
import { describe, it } from 'mocha';
import { concat } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { didFromKey } from '../../src/ids.ts';
import { protocol } from '../../src/limits.ts';
import type { Result } from '../../src/result.ts';
import { asDid, asPublicKey, asSignature, asTimeMs } from '../../src/types.ts';
import { decodeChain, verifyChain, type Claim } from '../../src/access/ucan-chain.ts';
import { is } from '../../src/access/ucan-policy.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import {
  chainOf,
  claim,
  envelope,
  forge,
  nodeCrypto,
  owner,
  payload,
  peer,
  refused,
  seconds,
  thief,
  token,
  writer,
} from './tokens.ts';

/** Decodes and judges; both crypto implementations must agree. */
function judge(tokens: readonly Uint8Array[], changes: Partial<Claim> = {}): Result<void> {
  const chain = decodeChain(tokens);
  if (!chain.ok) return chain;
  const verdict = verifyChain(nodeCrypto, chain.value, { ...claim, ...changes });
  assert.deepEqual(verifyChain(nobleCrypto, chain.value, { ...claim, ...changes }), verdict);
  return verdict;
}

interface GoChains {
  readonly subject: string;
  readonly validate_at: number;
  readonly tokens: readonly { cid: string; base64: string; payload: { aud: string } }[];
  readonly chains: readonly { name: string; prf_root_to_leaf: string[]; valid: boolean }[];
  readonly policy_args_for_ValidExamplePolicy: { readonly ok: UcanMap; readonly bad: UcanMap };
}

/** What the delegations of a chain named so must be refused for; link 2 is the third, Carol's. */
const goCodes: readonly (readonly [string, string])[] = [
  ['InvalidExpandedCommand', 'ucan-command'],
  ['InvalidExpired', 'ucan-expired'],
  ['InvalidInactive', 'ucan-not-yet-valid'],
  ['InvalidSubject', 'ucan-subject'],
];

describe('chains of delegations', () => {
  it('of go-ucan are judged as there', function () {
    const file = suite<GoChains>(this, 'ucan/go-ucan-chains.json');
    const byCid = new Map(file.tokens.map((t) => [t.cid, t]));
    for (const chain of file.chains) {
      const links = chain.prf_root_to_leaf.map((cid) => byCid.get(cid));
      const tokens = links.map((t) => new Uint8Array(Buffer.from(t?.base64 ?? '', 'base64')));
      const { ok: fitting, bad } = file.policy_args_for_ValidExamplePolicy;
      const attenuated = chain.name.includes('Attenuated') ? '/attenuated' : '';
      const use = {
        subject: asDid(file.subject),
        holder: asDid(links.at(-1)?.payload.aud ?? ''),
        command: `/expanded/nominal${attenuated}`,
        args: fitting,
        time: asTimeMs(file.validate_at * 1000),
      };
      const verdict = judge(tokens, use);
      if (chain.name.includes('ExamplePolicy')) {
        refused(judge(tokens, { ...use, args: bad }), 'ucan-policy', 2);
      }
      const code = goCodes.find(([name]) => chain.name.includes(name))?.[1];
      if (code === undefined) {
        assert.ok(chain.valid);
        assert.deepEqual(verdict, { ok: true, value: undefined }, chain.name);
      } else {
        assert.ok(!chain.valid, chain.name);
        refused(verdict, code, 2);
      }
    }
    ran('ucan/go-ucan-chains.json', file.chains.length);
  });

  it('let their last audience do what every link allows', () => {
    const fixed = [is('name', 'orders'), is('partition', 0)];
    for (const tokens of [
      chainOf(),
      chainOf({ policy: fixed }, { policy: [] }),
      chainOf({}, { policy: fixed }),
    ]) {
      assert.ok(judge(tokens).ok);
    }
    assert.ok(judge(chainOf({ command: '/' }, { command: '/flow' })).ok);
    assert.ok(judge([token(owner)], { holder: peer.did }).ok);
    assert.ok(judge(chainOf({ expires: null }, { expires: null })).ok);
  });

  it('are at least one link and at most as many as the limit', () => {
    refused(decodeChain([]), 'ucan-chain');
    refused(verifyChain(nodeCrypto, [], claim), 'ucan-chain');
    const own = token(owner, { audience: owner.did });
    const links = (n: number): Uint8Array[] => [
      ...Array.from({ length: n - 1 }, () => own),
      token(owner, { audience: writer.did }),
    ];
    assert.ok(judge(links(protocol.maxProofLinks)).ok);
    refused(judge(links(protocol.maxProofLinks + 1)), 'ucan-over-limit');
  });

  it('hold within their time bounds and 60 seconds on both sides', () => {
    const bounds = { notBefore: seconds, expires: seconds + 100 };
    const at = (offset: number): Result<void> =>
      judge(chainOf({}, bounds), { time: asTimeMs((seconds + offset) * 1000 + 999) });
    refused(at(-61), 'ucan-not-yet-valid', 1);
    assert.ok(at(-60).ok);
    assert.ok(at(160).ok);
    refused(at(161), 'ucan-expired', 1);
  });
});

/** The second link with changed fields, well signed. */
function bad(fields: Record<string, unknown>): Uint8Array {
  return forge({ ...payload(), iss: peer.did, aud: writer.did, ...fields }, { by: peer });
}

describe('attacks on a chain of tokens', () => {
  it('tampered bytes: one signature exchanged, payload kept', () => {
    const [first, second] = chainOf();
    assert.ok(first && second);
    const swapped = concat(first.subarray(0, 3), second.subarray(3, 67), first.subarray(67));
    refused(judge([swapped, second]), 'ucan-signature', 0);
  });

  it('other signer: the thief signs in the name of the owner, or of the peer', () => {
    const [first, second] = chainOf();
    assert.ok(first && second);
    refused(judge([forge(payload(), { by: thief }), second]), 'ucan-signature', 0);
    const byThief = forge({ ...payload(), iss: peer.did, aud: writer.did }, { by: thief });
    refused(judge([first, byThief]), 'ucan-signature', 1);
  });

  it('other signer: the thief issues in his own name', () => {
    refused(judge([token(thief, { audience: writer.did })]), 'ucan-alignment', 0);
    const mine = token(thief, { subject: thief.did, audience: writer.did });
    refused(judge([mine]), 'ucan-alignment', 0);
  });

  it('wrong audience: a token made out to another', () => {
    refused(judge([token(owner)], { holder: thief.did }), 'ucan-audience', 0);
    refused(judge(chainOf(), { holder: thief.did }), 'ucan-audience', 1);
    refused(judge(chainOf({}, { audience: thief.did })), 'ucan-audience', 1);
  });

  it('wrong subject: powers of another organisation', () => {
    refused(judge(chainOf({ subject: thief.did })), 'ucan-subject', 0);
    refused(judge(chainOf({}, { subject: peer.did })), 'ucan-subject', 1);
    refused(judge(chainOf(), { subject: thief.did }), 'ucan-alignment', 0);
  });

  it('null subject: refused at the root and behind it', () => {
    refused(judge(chainOf({ subject: null })), 'ucan-subject', 0);
    refused(judge(chainOf({}, { subject: null })), 'ucan-subject', 1);
  });

  it('chain order reversed', () => {
    refused(judge(chainOf().toReversed()), 'ucan-alignment', 0);
  });

  it('missing link: first, middle and last', () => {
    const [first, second] = chainOf();
    assert.ok(first && second);
    const third = token(writer, { audience: thief.did });
    const asThief = { holder: thief.did };
    assert.ok(judge([first, second, third], asThief).ok);
    refused(judge([second, third], asThief), 'ucan-alignment', 0);
    refused(judge([first, third], asThief), 'ucan-alignment', 1);
    refused(judge([first, second], asThief), 'ucan-audience', 1);
  });

  it('extra link: appended, put in, repeated', () => {
    const [first, second] = chainOf();
    assert.ok(first && second);
    const extra = token(thief, { audience: thief.did });
    refused(judge([first, second, extra]), 'ucan-alignment', 2);
    refused(judge([first, extra, second]), 'ucan-alignment', 1);
    refused(judge([extra, first, second]), 'ucan-alignment', 0);
    refused(judge([first, first, second]), 'ucan-alignment', 1);
  });

  it('command widened: by a link, by the claim, by a longer name', () => {
    refused(judge(chainOf({}, { command: '/flow' })), 'ucan-command', 1);
    refused(judge(chainOf({}, { command: '/' })), 'ucan-command', 1);
    refused(judge(chainOf(), { command: '/flow' }), 'ucan-command', 1);
    refused(judge(chainOf(), { command: '/flow/read' }), 'ucan-command', 1);
    refused(judge(chainOf({}, { command: '/flow/writer' })), 'ucan-command', 1);
    refused(judge(chainOf({ command: '/flow/wri' }, {})), 'ucan-command', 1);
  });

  it('policy widened: what the root fixes stays fixed', () => {
    const root = { policy: [is('name', 'orders')] };
    const other = { args: { name: 'prices', partition: 0 } };
    refused(judge(chainOf(root, { policy: [] }), other), 'ucan-policy', 0);
    refused(judge(chainOf(root, { policy: [is('name', 'prices')] }), other), 'ucan-policy', 0);
    refused(judge(chainOf(root, { policy: [is('name', 'prices')] })), 'ucan-policy', 1);
    refused(judge(chainOf(root), { args: {} }), 'ucan-policy', 0);
    refused(judge(chainOf(root), { args: { name: ['orders'] } }), 'ucan-policy', 0);
  });

  it('time widened: a later expiry below does not outlive the link above', () => {
    const tokens = chainOf({ expires: seconds + 10 }, { expires: seconds + 1000 });
    refused(judge(tokens, { time: asTimeMs((seconds + 500) * 1000) }), 'ucan-expired', 0);
    const never = chainOf({ expires: seconds + 10 }, { expires: null });
    refused(judge(never, { time: asTimeMs((seconds + 500) * 1000) }), 'ucan-expired', 0);
  });

  it('expired, not yet valid, far future', () => {
    refused(judge(chainOf({ expires: seconds - 61 })), 'ucan-expired', 0);
    refused(judge(chainOf({}, { notBefore: seconds + 61 })), 'ucan-not-yet-valid', 1);
    refused(judge(chainOf({ notBefore: Number.MAX_SAFE_INTEGER })), 'ucan-not-yet-valid', 0);
    refused(judge(chainOf({ expires: -Number.MAX_SAFE_INTEGER })), 'ucan-expired', 0);
  });

  it('malleable signature: S + L signs the same bytes and is refused', () => {
    const order = (1n << 252n) + 27742317777372353535851937790883648493n;
    const first = token(owner);
    let s = BigInt(`0x${Buffer.from(first.slice(35, 67).toReversed()).toString('hex')}`) + order;
    const other = first.slice();
    for (let i = 35; i < 67; i++, s >>= 8n) other[i] = Number(s & 255n);
    refused(judge([other, token(peer, { audience: writer.did })]), 'ucan-signature', 0);
  });

  it('small-order key: a did:key of the neutral point that any signature would fit', () => {
    const point = concat(Uint8Array.of(1), new Uint8Array(31));
    const neutral = { signer: owner.signer, did: didFromKey(asPublicKey(point)) };
    const forged = envelope(
      forge({ ...payload(), iss: neutral.did, sub: neutral.did, aud: writer.did }).subarray(67),
      {
        ...neutral,
        signer: { ...owner.signer, sign: () => asSignature(concat(point, new Uint8Array(32))) },
      },
    );
    refused(judge([forged], { subject: neutral.did }), 'ucan-signature', 0);
  });

  it('each fault of a token names its link', () => {
    const [first] = chainOf();
    assert.ok(first);
    refused(judge([first, bad({ extra: 1 })]), 'ucan-field', 1);
    refused(judge([first, bad({ pol: [['=~', '.a', 1]] })]), 'ucan-operator', 1);
    refused(judge([first, bad({ exp: 1.5 })]), 'ucan-encoding', 1);
    refused(judge([hex('80'), first]), 'ucan-encoding', 0);
    refused(judge([first, new Uint8Array(protocol.maxTokenBytes + 1)]), 'ucan-over-limit', 1);
  });
});
