import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { logIdFromHash, logIdHash } from '../../src/ids.ts';
import { asHash, asStreamName, asTimeMs } from '../../src/types.ts';
import {
  mintPeerDelegation,
  mintWriteDelegation,
  verifyPeerDelegation,
  type PeerClaim,
  type PeerTerms,
} from '../../src/access/peer-delegation.ts';
import { decodeDelegation } from '../../src/access/ucan-delegation.ts';
import { is } from '../../src/access/ucan-policy.ts';
import { checkWriteProof } from '../../src/access/write-proof.ts';
import {
  nodeCrypto,
  now,
  owner,
  peer,
  random,
  refused,
  thief,
  token,
  value,
  writer,
} from './tokens.ts';

const network = asHash(new Uint8Array(32).fill(0xaa));
const registry = logIdFromHash(asHash(new Uint8Array(32).fill(0xbb)));
const otherRegistry = logIdFromHash(asHash(new Uint8Array(32).fill(0xcc)));

function give(changes: Partial<PeerTerms> = {}, from = owner): Uint8Array {
  return mintPeerDelegation(from.signer, random, { peerKey: peer.signer.publicKey, ...changes });
}

function judge(
  proof: readonly Uint8Array[],
  changes: Partial<PeerClaim> = {},
): ReturnType<typeof verifyPeerDelegation> {
  const claim = { proof, peerKey: peer.signer.publicKey, network, now };
  return verifyPeerDelegation(nodeCrypto, { ...claim, ...changes });
}

describe('the delegation of a peer', () => {
  it('says what was asked for, as bytes in its policy', () => {
    const expires = asTimeMs(now + 5_999);
    const bytes = give({ network, registry, notBefore: now, expires });
    const { signature: _, signed: __, ...rest } = value(decodeDelegation(bytes));
    assert.deepEqual(rest, {
      issuer: owner.did,
      audience: peer.did,
      subject: owner.did,
      command: '/flow/peer',
      policy: [is('network', network), is('registry', logIdHash(registry))],
      nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
      notBefore: now / 1000,
      expires: now / 1000 + 5,
      release: '1.0.0',
    });
  });

  it('names the organisation, its registry and when to judge again', () => {
    assert.deepEqual(value(judge([give()])), { organisation: owner.did });
    const expires = asTimeMs(now + 60_000);
    assert.deepEqual(value(judge([give({ network, registry, expires })])), {
      organisation: owner.did,
      registry,
      expires,
    });
  });

  it('may be handed on by another peer, within what that one has', () => {
    const first = give({ peerKey: writer.signer.publicKey, registry });
    const second = give({ subject: owner.did, expires: asTimeMs(now + 1000) }, writer);
    assert.deepEqual(value(judge([first, second])), {
      organisation: owner.did,
      registry,
      expires: now + 1000,
    });
  });

  it('token for another network: refused, also where we are in none', () => {
    const other = asHash(new Uint8Array(32).fill(0xab));
    refused(judge([give({ network: other })]), 'ucan-policy', 0);
    const { network: _, ...none } = {
      proof: [give({ network })],
      peerKey: peer.signer.publicKey,
      network,
      now,
    };
    refused(verifyPeerDelegation(nodeCrypto, none), 'ucan-policy', 0);
  });

  it('token of another peer: the key of the connection is its audience', () => {
    refused(judge([give()], { peerKey: thief.signer.publicKey }), 'ucan-audience', 0);
  });

  it('of another command, expired, or in the name of another organisation: refused', () => {
    refused(judge([token(owner, { command: '/flow/write' })]), 'ucan-command', 0);
    refused(judge([give({ expires: asTimeMs(now - 61_000) })]), 'ucan-expired', 0);
    refused(judge([give({ notBefore: asTimeMs(now + 61_000) })]), 'ucan-not-yet-valid', 0);
    refused(judge([give({ subject: owner.did }, thief)]), 'ucan-subject', 0);
    refused(judge([]), 'ucan-chain');
    refused(judge([Uint8Array.of(0x80)]), 'ucan-encoding', 0);
  });

  it('only the organisation names its registry: a later link cannot', () => {
    const first = { peerKey: writer.signer.publicKey };
    const named = give({ subject: owner.did, registry }, writer);
    refused(judge([give(first), named]), 'ucan-policy', 1);
    refused(judge([give({ ...first, registry: otherRegistry }), named]), 'ucan-policy', 1);
    assert.equal(value(judge([give({ ...first, registry }), named])).registry, registry);
  });

  it('whose registry is no log is refused', () => {
    const terms = { command: '/flow/peer', policy: [is('registry', registry)] };
    refused(judge([token(owner, terms)]), 'ucan-policy', 0);
  });

  it('an expiry beyond the calendar is no expiry', () => {
    const far = token(owner, { command: '/flow/peer', expires: Number.MAX_SAFE_INTEGER });
    assert.deepEqual(value(judge([far])), { organisation: owner.did });
  });
});

describe('the delegation of a writer', () => {
  it('made out by the organisation to a peer, and by the peer to a writer key, opens a log', () => {
    const open = mintWriteDelegation(owner.signer, random, { audience: peer.signer.publicKey });
    const name = asStreamName('orders');
    const fixed = mintWriteDelegation(peer.signer, random, {
      audience: writer.signer.publicKey,
      subject: owner.did,
      name,
      partition: 3,
    });
    const claim = {
      owner: owner.did,
      name,
      partition: 3,
      writerKey: writer.signer.publicKey,
      timeMs: now,
      proof: [open, fixed],
    };
    assert.ok(checkWriteProof(nodeCrypto, claim).ok);
    refused(checkWriteProof(nodeCrypto, { ...claim, partition: 2 }), 'genesis-proof');
    refused(checkWriteProof(nodeCrypto, { ...claim, proof: [open] }), 'genesis-proof');
  });
});
