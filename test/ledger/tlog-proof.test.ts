import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toBase64, toHex, utf8 } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { noteKey, parseVkey, signNote } from '../../src/ledger/note.ts';
import { parseCosigner } from '../../src/ledger/cosignature.ts';
import {
  formatTlogProof,
  parseTlogProof,
  verifyTlogProof,
  type TlogProof,
} from '../../src/ledger/tlog-proof.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { noPolicy, thresholdOf, type TrustPolicy } from '../../src/ledger/trust-policy.ts';
import { protocol } from '../../src/limits.ts';
import { asHash, asLogIndex } from '../../src/types.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

const path = 'note/tlog-proof.json';

interface Suite {
  log: { vkey: string };
  trusted_witnesses: string[];
  cases: {
    id: string;
    proof: string;
    leaf_data_hex: string;
    require_witnesses: number;
    valid: boolean;
    extra_hex?: string;
  }[];
  published_syntax: {
    marshal: {
      index: string;
      extra_base64?: string;
      hashes: string[];
      checkpoint: string;
      text: string;
    }[];
    errors: string[];
  };
}

const codes: Record<string, string> = {
  'wrong-leaf': 'root-mismatch',
  'wrong-index': 'root-mismatch',
  'index-at-size': 'range-invalid',
  'flipped-hash': 'root-mismatch',
  'short-proof': 'proof-length',
  'long-proof': 'proof-length',
  'no-log-signature': 'note-unverified',
  'one-witness': 'quorum-missing',
  'same-witness-twice': 'quorum-missing',
  'bad-cosignature': 'bad-signature',
  'leading-zero-index': 'proof-syntax',
  'negative-index': 'proof-syntax',
  'word-index': 'proof-syntax',
  'wrong-header': 'proof-header',
  'header-v2': 'proof-header',
  'bad-extra': 'bad-base64',
  'extra-after-index': 'bad-base64',
  'no-index': 'proof-syntax',
  'hash-not-base64': 'bad-base64',
  'hash-64-bytes': 'proof-hash',
  'no-blank-line': 'bad-base64',
  crlf: 'proof-header',
};

function policyOf(file: Suite, threshold: number): TrustPolicy {
  const logs = [must(parseVkey(nodeCrypto, file.log.vkey))];
  const witnesses = file.trusted_witnesses.map((vkey) => must(parseCosigner(nodeCrypto, vkey)));
  return { ...noPolicy, logs, witnesses, quorum: thresholdOf(witnesses, threshold) };
}

const someProof: fc.Arbitrary<TlogProof> = fc
  .record({
    extra: fc.option(fc.uint8Array({ maxLength: 80 }), { nil: undefined }),
    index: fc.maxSafeNat(),
    hashes: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 63 }),
    checkpoint: fc.string({ minLength: 1, unit: 'grapheme' }),
  })
  .map(({ extra, index, hashes, checkpoint }) => ({
    ...(extra === undefined ? {} : { extra }),
    index: asLogIndex(index),
    hashes: hashes.map(asHash),
    checkpoint,
  }));

/** A proof of this many bytes. */
function long(bytes: number): Uint8Array {
  const head = 'c2sp.org/tlog-proof@v1\nindex 0\n\n';
  return utf8(head + 'x'.repeat(bytes - head.length));
}
function index(number: string): Uint8Array {
  return utf8(`c2sp.org/tlog-proof@v1\nindex ${number}\n\nx`);
}

describe('tlog-proof', () => {
  it('verifies and refuses the proofs of the suite', function () {
    const file = suite<Suite>(this, path);
    for (const crypto of [nodeCrypto, nobleCrypto]) {
      for (const row of file.cases) {
        const parsed = parseTlogProof(utf8(row.proof));
        const leaf = leafHash(crypto, hex(row.leaf_data_hex));
        const policy = policyOf(file, row.require_witnesses);
        const result = parsed.ok ? verifyTlogProof(crypto, parsed.value, leaf, policy) : parsed;
        if (!row.valid) {
          refused(result, codes[row.id] ?? 'no code', row.id);
          continue;
        }
        assert.equal(must(result, row.id).cosignatures.length, 2, row.id);
        const proof = must(parsed);
        assert.equal(proof.extra && toHex(proof.extra), row.extra_hex, row.id);
        assert.equal(formatTlogProof(proof), row.proof, row.id);
      }
    }
    ran(path, file.cases.length);
  });

  it('writes and refuses the published texts', function () {
    const { marshal, errors } = suite<Suite>(this, path).published_syntax;
    for (const row of marshal) {
      const proof = must(parseTlogProof(utf8(row.text)));
      assert.equal(proof.index, Number(row.index));
      assert.equal(proof.extra && toBase64(proof.extra), row.extra_base64);
      assert.deepEqual(proof.hashes.map(toBase64), row.hashes);
      assert.equal(proof.checkpoint, row.checkpoint);
      assert.equal(formatTlogProof(proof), row.text);
    }
    const wrong = errors.map((text) => {
      const parsed = parseTlogProof(utf8(text));
      return parsed.ok ? 'accepted' : parsed.error.code;
    });
    assert.deepEqual(wrong, [
      'proof-header',
      'bad-base64',
      'proof-syntax',
      'proof-syntax',
      'proof-syntax',
      'bad-base64',
      'proof-hash',
    ]);
    ran(path, marshal.length + errors.length);
  });

  it('counts no witness whose plain signature, not cosignature, is there', function () {
    const file = suite<Suite>(this, path);
    const [row] = file.cases;
    assert.ok(row);
    const policy = policyOf(file, 1);
    // The log's own plain signature, listed as a witness: of type 0x01, it attests no time.
    const asWitness: TrustPolicy = {
      ...policy,
      witnesses: policy.logs,
      quorum: thresholdOf(policy.logs, 1),
    };
    const proof = must(parseTlogProof(utf8(row.proof)));
    const leaf = leafHash(nodeCrypto, hex(row.leaf_data_hex));
    refused(verifyTlogProof(nodeCrypto, proof, leaf, asWitness), 'quorum-missing');
    refused(verifyTlogProof(nodeCrypto, proof, leaf, noPolicy), 'note-unverified');
  });

  it('refuses the signature of a listed log under the origin of another', () => {
    const signer = signerFromSeed(new Uint8Array(32).fill(5));
    const log = noteKey(nodeCrypto, 'example.com/log', 1, signer.publicKey);
    const policy = { ...noPolicy, logs: [log] };
    const leaf = leafHash(nodeCrypto, utf8('x'));
    const proofOf = (origin: string): TlogProof => {
      const text = `${origin}\n1\n${toBase64(leaf)}\n`;
      const checkpoint = signNote(nodeCrypto, signer, log.name, text);
      return { index: asLogIndex(0), hashes: [], checkpoint };
    };
    const verify = (origin: string): ReturnType<typeof verifyTlogProof> =>
      verifyTlogProof(nodeCrypto, proofOf(origin), leaf, policy);
    must(verify('example.com/log'));
    refused(verify('example.com/other'), 'checkpoint-origin');
  });

  it('reads back what it writes, and refuses whatever is cut before the checkpoint', () => {
    fc.assert(
      fc.property(someProof, (proof) => {
        const text = formatTlogProof(proof);
        assert.deepEqual(must(parseTlogProof(utf8(text))), proof);
        const head = text.length - proof.checkpoint.length;
        for (let cut = 0; cut <= head; cut += 7) {
          assert.ok(!parseTlogProof(utf8(text.slice(0, cut))).ok, `cut at ${cut}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('never throws on bytes that are no proof', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, text) => {
        parseTlogProof(bytes);
        parseTlogProof(utf8(`c2sp.org/tlog-proof@v1\n${text}`));
        return true;
      }),
      { numRuns: 200 },
    );
  });

  it('holds its limits', () => {
    const line = `${toBase64(new Uint8Array(32))}\n`;
    const text = (hashes: number): Uint8Array =>
      utf8(`c2sp.org/tlog-proof@v1\nindex 0\n${line.repeat(hashes)}\nx`);
    assert.equal(must(parseTlogProof(text(63))).hashes.length, 63);
    refused(parseTlogProof(text(64)), 'proof-length');
    assert.ok(parseTlogProof(long(protocol.maxProofBytes)).ok);
    refused(parseTlogProof(long(protocol.maxProofBytes + 1)), 'proof-too-large');
    assert.equal(must(parseTlogProof(index('9007199254740991'))).index, Number.MAX_SAFE_INTEGER);
    refused(parseTlogProof(index('9007199254740992')), 'integer-too-large');
    refused(parseTlogProof(utf8('\ud800')), 'proof-header');
    refused(parseTlogProof(Uint8Array.of(0xff)), 'bad-utf8');
  });
});
