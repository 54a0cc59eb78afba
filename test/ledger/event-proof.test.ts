import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  EvidenceLog,
  evidenceEnv as env,
  showAll,
  showNothing,
} from '../../scripts/vectors/evidence-log.ts';
import { labelled, labelledSigner } from '../../scripts/vectors/format.ts';
import { fromUtf8, toHex, utf8 } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey } from '../../src/ids.ts';
import type { Draft } from '../../src/ledger/build-block.ts';
import { attributesCommitment, dataCommitment } from '../../src/ledger/commitment.ts';
import { selfNamedCosigner } from '../../src/ledger/cosignature.ts';
import {
  makeEventProof,
  verifyEventProof,
  type EventProofInput,
} from '../../src/ledger/event-proof.ts';
import { encodeParents } from '../../src/ledger/leaf.ts';
import { cosignNote, formatVkey, noteKey, parseNoteText } from '../../src/ledger/note.ts';
import { parsePolicyFile } from '../../src/ledger/policy-file.ts';
import {
  noPolicy,
  statedPolicy,
  witnessesMap,
  type TrustPolicy,
} from '../../src/ledger/trust-policy.ts';
import { asLogIndex, asTimeMs, type ParsedEvent } from '../../src/types.ts';
import { offlineEnv } from '../../src/verify.ts';
import {
  broken,
  changed,
  cosigned,
  dids,
  extraOf,
  intact,
  make,
  next,
  policyOf,
  provedLog,
  untrusted,
  witnesses,
  writer,
} from '../support/proofs.ts';
import { must, refused } from '../support/result.ts';

/** Where the rotations stand that a proof carries. */
function keys(text: string): readonly number[] {
  return extraOf(text).keyChain.rotations.map(({ index }) => index);
}

describe('a proof of an event', () => {
  it('is verified for every entry of a log at every checkpoint after it', async () => {
    const log = provedLog();
    for (let block = 0; block < log.blocks.length; block++) {
      const until = log.until(block);
      for (let index = 0; index < until.state.size; index++) {
        const proven = intact(await make(until, index));
        assert.equal(proven.index, index);
        assert.equal(proven.logId, log.state.logId);
        assert.equal(proven.size, until.state.size);
        assert.equal(toHex(proven.root), toHex(until.state.root));
        // The block of the rotation (size 8) is still signed by the old key.
        const signer = until.state.size > 8 ? next : writer;
        assert.equal(toHex(proven.signer), toHex(signer.publicKey), `${until.state.size}`);
      }
    }
  });

  it('shows who, what and when', async () => {
    const log = provedLog();
    const proven = intact(await make(log, 3));
    assert.equal(proven.genesis.owner, didFromKey(writer.publicKey));
    assert.equal(proven.genesis.name, 'orders');
    assert.ok(proven.entry.kind === 0);
    assert.equal(proven.entry.time, asTimeMs(1_763_683_201_000));
    assert.deepEqual(proven.context, {
      id: '1-1',
      source: '/vectors',
      specversion: '1.0',
      type: 'org.example.t',
    });
    assert.equal(must(fromUtf8(proven.disclosed.data?.bytes ?? new Uint8Array(0))), '{"n": 2}');
    assert.equal(proven.disclosed.data?.kind, 1);
    assert.deepEqual(
      [proven.cosignatures, proven.stated, proven.attestedBy],
      [[], false, undefined],
    );
  });

  it('is the same with the crypto of a browser', async () => {
    const log = provedLog(witnessesMap(dids, 2));
    const text = await make(log, 7, showAll, cosigned(log, witnesses));
    const [node, browser] = [h, nobleCrypto].map((crypto) =>
      verifyEventProof(offlineEnv(crypto), utf8(text)),
    );
    assert.equal(node?.verdict, 'intact');
    assert.deepEqual(browser, node);
  });

  it('discloses attributes, data, both or nothing', async () => {
    const log = provedLog();
    const none = intact(await make(log, 2, showNothing));
    assert.deepEqual([none.disclosed, none.context], [{}, undefined]);
    const attributes = await make(log, 2, { attributes: true, data: false });
    assert.equal(intact(attributes).context?.['id'], '1-0');
    assert.ok(!attributes.includes(Buffer.from('{"n":1}').toString('base64').slice(0, 8)));
    const data = intact(await make(log, 2, { attributes: false, data: true }));
    assert.equal(data.context, undefined);
    assert.equal(toHex(data.disclosed.data?.bytes ?? new Uint8Array(0)), toHex(utf8('{"n":1}')));
    const text = await make(log, 2);
    const { disclosed } = extraOf(text);
    assert.deepEqual(Object.keys(disclosed), ['attributes', 'data']);
  });

  it('carries just the keys in force', async () => {
    const log = provedLog();
    assert.deepEqual(keys(await make(log.until(1), 2)), []);
    assert.deepEqual(keys(await make(log.until(2), 2)), []);
    assert.deepEqual(keys(await make(log, 2)), [6]);
  });

  it('is of a sealed event too, by whoever can open it', async () => {
    const [salt, other] = [labelled('salt/a'), labelled('salt/d')];
    const attributes = utf8('{"id":"1","source":"/s","specversion":"1.0","type":"t"}');
    const data = utf8('{"n":1}');
    const sealedBody = (length: number): Draft => ({
      kind: 'sealed',
      attributesCommitment: attributesCommitment(h, salt, attributes),
      dataCommitment: dataCommitment(h, other, 1, data),
      epoch: 0,
      body: new Uint8Array(length),
    });
    const opening: Draft = {
      kind: 'control',
      map: { type: 'epoch', epoch: 0, generation: 0, check: labelled('check') },
    };
    // dag-cbor [salt, salt, kind, attributes, data] and a tag of 16 bytes.
    const length = 1 + 34 + 34 + 1 + (2 + attributes.length) + (1 + data.length) + 16;
    const disclosed = {
      attributes: { bytes: attributes, salt },
      data: { kind: 1 as const, bytes: data, salt: other },
    };
    const log = EvidenceLog.open('sealed', { visibility: 'sealed' });
    const good = log.with([opening, sealedBody(length)]);
    const text = await make(good, 3, showAll, '', { disclosed });
    assert.equal(intact(text).context?.['id'], '1');
    const bad = log.with([opening, sealedBody(length + 1)]);
    const input = await bad.proofInput(3, showAll);
    refused(makeEventProof(env, { ...input, disclosed }), 'body-length');
  });

  it('is not made from what would not verify', async () => {
    const log = provedLog();
    const input = await log.proofInput(3, showAll);
    const bad = (more: Partial<EventProofInput>, code: string): void =>
      refused(makeEventProof(env, { ...input, ...more }), code, code);
    bad({ index: asLogIndex(2) }, 'root-mismatch');
    bad({ index: asLogIndex(log.state.size) }, 'range-invalid');
    bad({ path: input.path.slice(1) }, 'proof-length');
    bad({ checkpoint: log.until(1).checkpoint }, 'proof-length');
    bad({ checkpoint: 'x' }, 'note-malformed');
    bad({ controls: [] }, 'block-log');
    bad({ controls: input.controls.slice(1) }, 'block-log');
    bad({ controls: input.controls.slice(0, 1) }, 'checkpoint-key-id');
    bad({ leaf: input.leaf.with(3, 1) }, 'time-back');
    bad({ leaf: input.leaf.with(20, 1) }, 'attributes-commitment');
    const { attributes } = (await log.proofInput(2, showAll)).disclosed ?? {};
    assert.ok(attributes);
    bad({ disclosed: { attributes } }, 'attributes-commitment');
  });

  it('is not of a log that its owner never allowed', async () => {
    const owner = didFromKey(labelledSigner('owner').publicKey);
    const text = await make(provedLog(), 3);
    const strict = {
      ...env,
      judges: {
        ...env.judges,
        writeProof: (input: Parameters<typeof env.judges.writeProof>[0]) =>
          env.judges.writeProof({ ...input, owner }),
      },
    };
    const verdict = verifyEventProof(strict, utf8(text));
    assert.ok(verdict.verdict === 'broken');
    assert.equal(verdict.reason.code, 'genesis-proof');
  });

  it('is not of an event that no replica would take', async () => {
    const log = EvidenceLog.open('proved');
    const attributes = utf8('{"id":"1"}');
    const event: ParsedEvent = { attributes, kind: 1, data: utf8('1'), context: {} };
    const input = await log.with([{ kind: 'event', event }]).proofInput(2, showAll);
    refused(makeEventProof(env, input), 'event-invalid');
    const { attributes: first } = input.disclosed ?? {};
    assert.ok(first);
    refused(makeEventProof(env, { ...input, disclosed: { attributes: first } }), 'event-invalid');
    must(makeEventProof(env, { ...input, disclosed: {} }));
  });

  it('is not of an entry that cites what comes after it', async () => {
    const log = EvidenceLog.open('proved');
    const to = asLogIndex(2);
    const parent = { log: log.state.log, from: asLogIndex(0), to, rangeRoot: labelled('r') };
    const parents = encodeParents([parent]);
    const event = (id: string): Draft => {
      const context = { id, source: '/s', specversion: '1.0', type: 't' };
      const attributes = utf8(JSON.stringify(context));
      return { kind: 'event', event: { attributes, kind: 1, data: utf8('1'), context }, parents };
    };
    const text = await make(log.with([event('1')]), 2);
    intact(text);
    const { leaf } = extraOf(text);
    // The parent's upper bound, its last byte.
    broken(changed(text, {}, { leaf: leaf.with(75 + 2 + 47, 3) }), 'parent-range');
  });
});

describe('a proof with witnesses', () => {
  it('is intact where the stream states a policy and it is met', async () => {
    const log = provedLog(witnessesMap(dids, 2));
    const lines = cosigned(log, witnesses.slice(0, 2), 1_800_000_000);
    const text = await make(log, 3, showAll, lines);
    const proven = intact(text);
    assert.deepEqual(
      proven.cosignatures.map(({ name, timestamp, listed }) => [name, timestamp, listed]),
      [
        [dids[0], 1_800_000_000n, true],
        [dids[1], 1_800_000_001n, true],
      ],
    );
    // Two were needed: only the later one makes it sure.
    assert.equal(proven.attestedBy, 1_800_000_001n);
    untrusted(await make(log, 3), noPolicy, 'quorum-missing');
    const one = cosigned(log, witnesses.slice(0, 1));
    untrusted(await make(log, 3, showAll, one), noPolicy, 'quorum-missing');
    broken(await make(log, 3, showAll, one + one), 'checkpoint-signatures');
  });

  it('is untrusted where the policy that the verifier states is not met', async () => {
    const log = provedLog();
    const text = await make(log, 3, showAll, cosigned(log, witnesses.slice(0, 2)));
    assert.deepEqual(
      intact(text).cosignatures.map(({ listed }) => listed),
      [false, false],
    );
    const proven = intact(text, policyOf(2));
    assert.deepEqual([proven.stated, proven.attestedBy], [true, 1_763_700_001n]);
    untrusted(text, policyOf(3), 'quorum-missing');
    assert.equal(intact(text, policyOf(1)).attestedBy, 1_763_700_000n);
    const owner = didFromKey(writer.publicKey);
    intact(text, must(statedPolicy(h, { owners: [owner] })));
    intact(text, must(statedPolicy(h, { owners: [didFromKey(next.publicKey)] })));
    const stranger = must(statedPolicy(h, { owners: dids }));
    untrusted(text, stranger, 'owner-untrusted');
    untrusted(
      text,
      { ...policyOf(3), owners: stranger.owners },
      'quorum-missing',
      'owner-untrusted',
    );
  });

  it('is held against a policy file', async () => {
    const log = provedLog();
    const text = await make(log, 3, showAll, cosigned(log, witnesses.slice(0, 2)));
    const origin = `headwater/${log.state.logId}`;
    const vkeys = witnesses.map(({ publicKey }) => formatVkey(selfNamedCosigner(h, publicKey)));
    const file = (key: Signer, group: string): TrustPolicy => {
      const log = `log ${formatVkey(noteKey(h, origin, 1, key.publicKey))}\n`;
      const named = vkeys.map((vkey, i) => `witness w${i} ${vkey}\n`).join('');
      return must(parsePolicyFile(h, utf8(`${log}${named}group g ${group}\nquorum g\n`)));
    };
    intact(text, file(next, '2 w0 w1 w2'));
    untrusted(text, file(writer, '2 w0 w1 w2'), 'log-untrusted');
    untrusted(text, file(next, 'all w1 w2'), 'quorum-missing');
  });

  it('counts a key once, under whatever names', async () => {
    const log = provedLog();
    const { text: signed } = must(parseNoteText(log.checkpoint));
    const [signer] = witnesses;
    assert.ok(signer);
    const named = noteKey(h, 'w.example', 4, signer.publicKey);
    const again = cosignNote(h, signer, named.name, signed, 1n);
    const lines = cosigned(log, [signer]) + again;
    const text = await make(log, 3, showAll, lines, { cosigners: [named] });
    const both = policyOf(2, [formatVkey(named), dids[1] ?? '']);
    untrusted(text, both, 'quorum-missing');
    assert.equal(intact(text, { ...both, quorum: policyOf(1).quorum }).cosignatures.length, 2);
  });

  it('leaves out lines that only some could verify, unless told to keep them', async () => {
    const log = provedLog();
    const { text: signed } = must(parseNoteText(log.checkpoint));
    const foreign = labelledSigner('witness/foreign');
    const key = noteKey(h, 'foreign.example', 4, foreign.publicKey);
    const line = cosignNote(h, foreign, key.name, signed, 5n);
    const without = await make(log, 3, showAll, line);
    assert.ok(!without.includes('foreign.example'));
    intact(without);
    const text = await make(log, 3, showAll, line, { cosigners: [key] });
    untrusted(text, noPolicy, 'cosigner-unknown');
    const policy = must(statedPolicy(h, { witnesses: [formatVkey(key)] }));
    assert.equal(intact(text, policy).attestedBy, 5n);
  });

  it('is broken where a line by a known key fails, or stands twice', async () => {
    const log = provedLog();
    const lines = cosigned(log, witnesses);
    const text = await make(log, 3, showAll, lines);
    broken(text + cosigned(log, witnesses.slice(0, 1)), 'checkpoint-signatures');
    const own = log.checkpoint.slice(log.checkpoint.indexOf('\u2014'));
    broken(text + own, 'checkpoint-signatures');
    const other = cosigned(provedLog().until(1), witnesses.slice(0, 1));
    const [first = ''] = cosigned(log, witnesses.slice(0, 1)).split('\n');
    broken(text.replace(`${first}\n`, other), 'bad-signature');
  });

  it('is untrusted where the stream states nonsense as its policy', async () => {
    const text = await make(provedLog({ keys: ['x'], quorum: 1 }), 3);
    untrusted(text, noPolicy, 'witness-policy');
  });
});
