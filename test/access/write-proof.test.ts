import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { readUint48 } from '../../src/bytes.ts';
import { decodeCbor, decodeCborMap, isCborMap, type CborValue } from '../../src/cbor.ts';
import { parseDid } from '../../src/ids.ts';
import { asPublicKey, asStreamName, asTimeMs } from '../../src/types.ts';
import { is, type Statement } from '../../src/access/ucan-policy.ts';
import { checkWriteProof, type WriteClaim } from '../../src/access/write-proof.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { chainOf, nodeCrypto, now, owner, refused, token, value, writer } from './tokens.ts';

/** What a genesis leaf claims: 03 ‖ uint48 time ‖ dag-cbor map. */
function claimOf(leaf: Uint8Array): WriteClaim {
  const map = value(decodeCborMap(leaf.subarray(7)));
  const { owner: did, name, partition, writerKey, proof } = map;
  assert.ok(Array.isArray(proof) && writerKey instanceof Uint8Array);
  assert.ok(typeof did === 'string' && typeof name === 'string');
  return {
    owner: value(parseDid(did)),
    name: asStreamName(name),
    partition: Number(partition),
    writerKey: asPublicKey(writerKey),
    timeMs: asTimeMs(readUint48(leaf, 1)),
    proof: proof.filter((item) => item instanceof Uint8Array),
  };
}

/** The genesis leaf of a log's first wire block. */
function genesisOf(wire: string): Uint8Array {
  const block = value(decodeCbor(hex(wire)));
  assert.ok(Array.isArray(block));
  const entries: CborValue = block[5];
  assert.ok(Array.isArray(entries) && Array.isArray(entries[0]));
  const leaf: CborValue = entries[0][0];
  assert.ok(leaf instanceof Uint8Array && isCborMap(value(decodeCbor(leaf.subarray(7)))));
  return leaf;
}

interface Blocks {
  readonly logs: readonly { id: string; blocks: readonly { wire_hex: string }[] }[];
  readonly invalid: readonly { id: string; wire_hex: string; code: string }[];
}
interface Rotation {
  readonly successors: readonly { id: string; leaf_hex: string }[];
  readonly invalidSuccessors: readonly { id: string; leaf_hex: string; code: string }[];
}

/** What the refused geneses of the suite are refused for, by a piece of their name. */
const reasons: readonly (readonly [string, RegExp])[] = [
  ["empty proof, writer key not the owner's", /^no proof/],
  ['signed by the thief', /\(ucan-alignment\)$/],
  ['for another audience', /\(ucan-audience\)$/],
  ['for another stream', /\(ucan-policy\)$/],
  ['for another partition', /\(ucan-policy\)$/],
  ['fixes nothing', /^no delegation fixes both/],
  ['unknown operator', /\(ucan-policy\)$/],
  ['/flow/read', /\(ucan-command\)$/],
  ['longer command with the same beginning', /\(ucan-command\)$/],
  ['expired 61 s before', /\(ucan-expired\)$/],
  ['valid from 61 s after', /\(ucan-not-yet-valid\)$/],
  ['null subject', /\(ucan-subject\)$/],
  ['another subject', /\(ucan-subject\)$/],
  ['signature is broken', /\(ucan-signature\)$/],
  ["although the writer key is the owner's", /^the proof must be empty/],
];

const fixed: readonly Statement[] = [is('name', 'orders'), is('partition', 0)];
const base: WriteClaim = {
  owner: owner.did,
  name: asStreamName('orders'),
  partition: 0,
  writerKey: writer.signer.publicKey,
  timeMs: now,
  proof: chainOf({}, { policy: fixed }),
};

function check(changes: Partial<WriteClaim>): ReturnType<typeof checkWriteProof> {
  return checkWriteProof(nodeCrypto, { ...base, ...changes });
}

describe('the proof of a genesis', () => {
  it('of the golden logs is accepted, and each refused one has its reason', function () {
    const file = suite<Blocks>(this, 'headwater/blocks.json');
    for (const log of file.logs) {
      const claim = claimOf(genesisOf(log.blocks[0]?.wire_hex ?? ''));
      assert.equal(claim.proof.length, log.id === 'delegated' ? 1 : 0);
      assert.ok(checkWriteProof(nodeCrypto, claim).ok, log.id);
    }
    const cases = file.invalid.filter((c) => c.code === 'genesis-proof');
    assert.equal(cases.length, reasons.length);
    for (const c of cases) {
      const result = checkWriteProof(nodeCrypto, claimOf(genesisOf(c.wire_hex)));
      refused(result, 'genesis-proof');
      const reason = reasons.find(([piece]) => c.id.includes(piece))?.[1];
      assert.ok(reason, c.id);
      assert.match(result.ok ? '' : result.error.message, reason, c.id);
    }
    ran('headwater/blocks.json (genesis proofs)', file.logs.length + cases.length);
  });

  it('of successors is judged under their own owner', function () {
    const file = suite<Rotation>(this, 'headwater/rotation.json');
    for (const c of file.successors) {
      assert.ok(checkWriteProof(nodeCrypto, claimOf(hex(c.leaf_hex))).ok, c.id);
    }
    const cases = file.invalidSuccessors.filter((c) => c.code === 'genesis-proof');
    assert.equal(cases.length, 1);
    for (const c of cases) refused(checkWriteProof(nodeCrypto, claimOf(hex(c.leaf_hex))), c.code);
    ran('headwater/rotation.json (genesis proofs)', file.successors.length + cases.length);
  });

  it('may pass through a peer, with name and partition fixed by one link', () => {
    assert.ok(check({}).ok);
    assert.ok(check({ proof: chainOf({ policy: fixed }) }).ok);
    const nested: Statement = { operator: 'and', statements: fixed };
    assert.ok(check({ proof: chainOf({}, { policy: [nested] }) }).ok);
    const split = chainOf({ policy: [is('name', 'orders')] }, { policy: [is('partition', 0)] });
    refused(check({ proof: split }), 'genesis-proof');
    refused(check({ proof: chainOf() }), 'genesis-proof');
  });

  it('names the link that failed', () => {
    const result = check({ proof: chainOf({ expires: 0 }, { policy: fixed }) });
    refused(result, 'genesis-proof');
    assert.deepEqual(!result.ok && result.error.place, { pointer: '/proof/0' });
    const bad = check({ proof: [...chainOf(), new Uint8Array(3)] });
    assert.deepEqual(!bad.ok && bad.error.place, { pointer: '/proof/2' });
  });

  it('genesis in another name: no proof, or a proof for something else', () => {
    refused(check({ proof: [] }), 'genesis-proof');
    refused(check({ name: asStreamName('prices') }), 'genesis-proof');
    refused(check({ partition: 1 }), 'genesis-proof');
    refused(check({ writerKey: asPublicKey(new Uint8Array(32).fill(9)) }), 'genesis-proof');
    refused(check({ proof: [token(owner, { policy: fixed })] }), 'genesis-proof');
  });

  it("must be empty where the writer key is the owner's", () => {
    const own = { writerKey: owner.signer.publicKey };
    assert.ok(check({ ...own, proof: [] }).ok);
    const self = token(owner, { audience: owner.did, policy: fixed });
    refused(check({ ...own, proof: [self] }), 'genesis-proof');
  });

  it('is judged at the recorded time: later expiry changes nothing', () => {
    const proof = chainOf({}, { policy: fixed, expires: now / 1000 + 1 });
    assert.ok(check({ proof }).ok);
    refused(check({ proof, timeMs: asTimeMs(now + 62_000) }), 'genesis-proof');
  });
});
