/** Mutation tests: nothing of a proof can be changed without notice. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { EvidenceLog, evidenceEnv as env, showAll } from '../../scripts/vectors/evidence-log.ts';
import { labelled, labelledSigner } from '../../scripts/vectors/format.ts';
import { utf8 } from '../../src/bytes.ts';
import { encodeCbor, type CborMap } from '../../src/cbor.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import { verifyEventProof } from '../../src/ledger/event-proof.ts';
import { parseNoteText, signNote } from '../../src/ledger/note.ts';
import type { ProofExtra, ProofKeyChain, ProofRotation } from '../../src/ledger/proof-extra.ts';
import { formatTlogProof, parseTlogProof, type TlogProof } from '../../src/ledger/tlog-proof.ts';
import { noPolicy, statedPolicy, witnessesMap } from '../../src/ledger/trust-policy.ts';
import { asLogIndex } from '../../src/types.ts';
import {
  broken,
  changed,
  cosigned,
  dids,
  extraOf,
  make,
  provedLog,
  untrusted,
  verify,
  witnesses,
  writer,
} from '../support/proofs.ts';
import { must } from '../support/result.ts';

const thief = labelledSigner('thief');

async function golden(): Promise<string> {
  const log = provedLog(witnessesMap(dids, 3));
  return make(log, 3, showAll, cosigned(log, witnesses));
}

interface GoldenFile {
  valid: {
    how: string;
    proof: string;
    verdict: string;
    policy: { owners: string[]; witnesses: string[]; quorum: number };
  }[];
}

type Change = readonly [
  what: string,
  part: Partial<TlogProof>,
  extra: Partial<ProofExtra>,
  code: string,
];

describe('a proof of an event that was changed', () => {
  it('never verifies with a field of the entry or its path replaced', async () => {
    const text = await golden();
    const log = provedLog(witnessesMap(dids, 3));
    const { hashes } = must(parseTlogProof(utf8(text)));
    const { leaf } = extraOf(text);
    const hash = labelled('other');
    const leafAt = (position: number): Uint8Array =>
      log.blocks[1]?.leaves.leaf(position).slice() ?? hash;
    const changes: readonly Change[] = [
      ['index', { index: asLogIndex(4) }, {}, 'root-mismatch'],
      ['index above the size', { index: asLogIndex(99) }, {}, 'range-invalid'],
      ['index of the genesis', { index: asLogIndex(0) }, {}, 'proof-place'],
      ['index of the rotation', { index: asLogIndex(6) }, {}, 'proof-place'],
      ['one hash less', { hashes: hashes.slice(1) }, {}, 'proof-length'],
      ['one hash more', { hashes: [...hashes, hash] }, {}, 'proof-length'],
      ['hashes in another order', { hashes: hashes.toReversed() }, {}, 'root-mismatch'],
      ['an empty extra', { extra: new Uint8Array(0) }, {}, 'proof-extra'],
      ['number of parents', {}, { leaf: leaf.with(76, 1) }, 'truncated'],
      ['kind of leaf', {}, { leaf: leaf.with(0, 9) }, 'leaf-kind'],
      ['recorded time', {}, { leaf: leaf.with(2, 0) }, 'time-back'],
      ['later recorded time', {}, { leaf: leaf.with(6, 255) }, 'root-mismatch'],
      ['body length', {}, { leaf: leaf.with(74, 1) }, 'body-length'],
      ['leaf of another event', {}, { leaf: leafAt(0) }, 'attributes-commitment'],
      ['leaf of a seal', {}, { leaf: leafAt(3) }, 'proof-extra'],
      ['leaf of the genesis', {}, { leaf: log.state.genesisLeaf, disclosed: {} }, 'genesis-place'],
      ['leaf of a seal, nothing shown', {}, { leaf: leafAt(3), disclosed: {} }, 'root-mismatch'],
      [
        'leaf of another event, nothing shown',
        {},
        { leaf: leafAt(0), disclosed: {} },
        'root-mismatch',
      ],
    ];
    for (const [what, part, extra, code] of changes) broken(changed(text, part, extra), code, what);
    hashes.forEach((_, i) => {
      broken(changed(text, { hashes: hashes.with(i, hash) }), 'root-mismatch', `hash ${i}`);
    });
    const { extra: _, ...bare } = must(parseTlogProof(utf8(text)));
    broken(formatTlogProof(bare), 'proof-extra', 'no extra');
  });

  it('never verifies with a field of its key chain replaced', async () => {
    const text = await golden();
    const { leaf, keyChain } = extraOf(text);
    const { genesisLeaf, rotations } = keyChain;
    const [rotation] = rotations;
    assert.ok(rotation && rotations.length === 1);
    const last = genesisLeaf.length - 1;
    const keys = (more: Partial<ProofKeyChain>): Partial<ProofExtra> => ({
      keyChain: { genesisLeaf, rotations, ...more },
    });
    const rotated = (more: Partial<ProofRotation>): Partial<ProofExtra> =>
      keys({ rotations: [{ ...rotation, ...more }] });
    const changes: readonly (readonly [string, Partial<ProofExtra>, string])[] = [
      ['genesis', keys({ genesisLeaf: genesisLeaf.with(last, 0) }), 'block-log'],
      ['genesis of another kind', keys({ genesisLeaf: leaf }), 'block-log'],
      ['no rotation', keys({ rotations: [] }), 'checkpoint-key-id'],
      ['rotation twice', keys({ rotations: [rotation, rotation] }), 'proof-keys'],
      ['index of the rotation', rotated({ index: asLogIndex(5) }), 'rotation-old-signature'],
      ['rotation beyond the size', rotated({ index: asLogIndex(9) }), 'proof-keys'],
      ['rotation at 0', rotated({ index: asLogIndex(0) }), 'proof-keys'],
      ['key in force', rotated({ newWriterKey: writer.publicKey }), 'rotation-same-key'],
      ['another key', rotated({ newWriterKey: thief.publicKey }), 'rotation-old-signature'],
      ['old signature', rotated({ sigOld: rotation.sigNew }), 'rotation-old-signature'],
      ['new signature', rotated({ sigNew: rotation.sigOld }), 'rotation-new-signature'],
    ];
    for (const [what, extra, code] of changes) broken(changed(text, {}, extra), code, what);
  });

  it('never verifies with a field of what it discloses replaced', async () => {
    const text = await golden();
    const { attributes, data } = extraOf(text).disclosed;
    assert.ok(attributes && data);
    const salt = labelled('other');
    const changes: readonly (readonly [string, ProofExtra['disclosed'], string])[] = [
      [
        'attributes',
        { attributes: { ...attributes, bytes: utf8('{}') }, data },
        'attributes-commitment',
      ],
      ['their salt', { attributes: { ...attributes, salt }, data }, 'attributes-commitment'],
      [
        'salts swapped',
        { attributes: { ...attributes, salt: data.salt }, data },
        'attributes-commitment',
      ],
      ['data', { attributes, data: { ...data, bytes: utf8('{"n": 3}') } }, 'data-commitment'],
      ['its salt', { attributes, data: { ...data, salt } }, 'data-commitment'],
      ['its kind', { attributes, data: { ...data, kind: 2 } }, 'data-commitment'],
      ['its kind, none', { attributes, data: { ...data, kind: 0 } }, 'data-commitment'],
      ['data alone, changed', { data: { ...data, bytes: utf8('') } }, 'data-commitment'],
    ];
    for (const [what, disclosed, code] of changes) {
      broken(changed(text, {}, { disclosed }), code, what);
    }
  });

  it('never verifies with a field of its checkpoint replaced', async () => {
    const text = await golden();
    const log = provedLog(witnessesMap(dids, 3));
    const { checkpoint } = must(parseTlogProof(utf8(text)));
    const note = must(parseNoteText(checkpoint));
    const [origin = '', size = '', root = ''] = note.text.split('\n');
    const withText = (...lines: readonly string[]): string =>
      changed(text, { checkpoint: checkpoint.replace(note.text, `${lines.join('\n')}\n`) });
    const other = EvidenceLog.open('other');
    broken(withText(`headwater/${other.state.logId}`, size, root), 'block-log');
    broken(withText(`headwater/${origin}`, size, root), 'checkpoint-origin');
    // The path to entry 3 is the same in trees of 10 and 11.
    broken(withText(origin, '10', root), 'bad-signature');
    broken(withText(origin, '17', root), 'proof-length');
    broken(withText(origin, '0', root), 'proof-keys');
    broken(withText(origin, `0${size}`, root), 'checkpoint-size');
    broken(
      withText(origin, size, Buffer.from(other.state.root).toString('base64')),
      'root-mismatch',
    );
    broken(withText(origin, size, root, 'more'), 'checkpoint-lines');
    broken(changed(text, { checkpoint: log.until(2).checkpoint }), 'proof-keys');
    broken(changed(text, { checkpoint: other.checkpoint }), 'block-log');
    // Signed again, by a key that is not in force: by nobody known, and by the key before.
    for (const signer of [thief, writer]) {
      const again = signNote(h, signer, origin, note.text);
      broken(changed(text, { checkpoint: again }), 'checkpoint-key-id');
      const lines = cosigned(log, witnesses);
      broken(changed(text, { checkpoint: again + lines }), 'checkpoint-key-id');
    }
  });

  it('never verifies with a line of its checkpoint replaced', async () => {
    const text = await golden();
    const { checkpoint } = must(parseTlogProof(utf8(text)));
    const { text: signed } = must(parseNoteText(checkpoint));
    const [own = '', first = '', ...rest] = checkpoint.slice(signed.length + 1).split(/(?<=\n)/);
    assert.equal(rest.length, 2);
    const withLines = (...lines: readonly string[]): string =>
      changed(text, { checkpoint: `${signed}\n${lines.join('')}` });
    assert.equal(verify(withLines(own, first, ...rest)).verdict, 'intact');
    broken(withLines(first, ...rest), 'checkpoint-key-id');
    untrusted(withLines(own, ...rest), noPolicy, 'quorum-missing');
    const renamed = first.replace('z6Mk', 'z6Mm');
    untrusted(withLines(own, renamed, ...rest), noPolicy, 'cosigner-unknown', 'quorum-missing');
    const [, name = '', blob = ''] = first.trimEnd().split(' ');
    const bytes = new Uint8Array(Buffer.from(blob, 'base64'));
    const line = (changed: Uint8Array): string =>
      `\u2014 ${name} ${Buffer.from(changed).toString('base64')}\n`;
    for (let at = 0; at < bytes.length; at++) {
      const flipped = withLines(own, line(bytes.with(at, (bytes[at] ?? 0) ^ 1)), ...rest);
      // A key id that is not this name's is that of a cosigner whom nobody knows.
      if (at < 4) untrusted(flipped, noPolicy, 'cosigner-unknown', 'quorum-missing');
      else broken(flipped, 'bad-signature', `byte ${at}`);
    }
    broken(withLines(own, line(bytes.slice(0, -1)), ...rest), 'bad-signature');
    const early = cosigned(provedLog(), witnesses.slice(0, 1));
    broken(withLines(own, early, ...rest), 'bad-signature');
  });

  it('never verifies with any of its bytes changed', async function () {
    this.timeout(60_000);
    const bytes = utf8(await golden());
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1, 2 << (at % 6)]) {
        const verdict = verifyEventProof(env, bytes.with(at, (bytes[at] ?? 0) ^ flip));
        if (verdict.verdict === 'intact') assert.fail(`byte ${at} flipped by ${flip}`);
      }
    }
  });

  it('never verifies with a byte changed, of all golden files that are intact', function () {
    this.timeout(60_000);
    const golden = new URL('../vectors/event-proof.json', import.meta.url);
    const { valid } = JSON.parse(readFileSync(golden, 'utf8')) as GoldenFile;
    const sound = valid.filter(({ verdict }) => verdict === 'intact');
    assert.ok(sound.length > 15);
    for (const [i, { how, proof, policy }] of sound.entries()) {
      const stated = must(statedPolicy(h, policy));
      const bytes = utf8(proof);
      assert.equal(verifyEventProof(env, bytes, stated).verdict, 'intact', how);
      for (let at = i % 11; at < bytes.length; at += 11) {
        const changed = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 7)));
        assert.notEqual(verifyEventProof(env, changed, stated).verdict, 'intact', `${how}, ${at}`);
      }
    }
  });

  it('never verifies when cut, or with anything after it', async function () {
    this.timeout(60_000);
    const text = await golden();
    const bytes = utf8(text);
    for (let length = 0; length < bytes.length; length++) {
      const { verdict } = verifyEventProof(env, bytes.subarray(0, length));
      assert.notEqual(verdict, 'intact', `cut at ${length}`);
    }
    for (const more of ['\n', 'x', '\u0000', text, '\n\n']) {
      assert.notEqual(verify(text + more).verdict, 'intact', JSON.stringify(more));
    }
  });

  it('never makes the verifier throw, whatever is in it', async () => {
    const { checkpoint } = must(parseTlogProof(utf8(await golden())));
    const extra = (map: CborMap): string =>
      formatTlogProof({ extra: encodeCbor(map), index: asLogIndex(3), hashes: [], checkpoint });
    const value = fc.oneof(
      fc.integer(),
      fc.uint8Array({ maxLength: 40 }),
      fc.string(),
      fc.array(fc.oneof(fc.nat(), fc.uint8Array({ maxLength: 8 }))),
    );
    const names = ['leaf', 'keyChain', 'attributes', 'attributesSalt', 'data', 'kind', 'dataSalt'];
    const map = fc.dictionary(fc.constantFrom(...names, 'other'), value, { noNullPrototype: true });
    fc.assert(
      fc.property(map, fc.uint8Array(), (fields, bytes) => {
        assert.equal(verify(extra(fields)).verdict, 'broken');
        assert.equal(verifyEventProof(env, bytes).verdict, 'broken');
      }),
      { numRuns: 200 },
    );
    const empty = new Uint8Array(0);
    const [key, signature] = [new Uint8Array(32), new Uint8Array(64)];
    const one = { leaf: empty, keyChain: [empty] };
    const wrong: readonly CborMap[] = [
      {},
      { leaf: empty },
      { ...one, kind: 1 },
      { ...one, dataSalt: key },
      { ...one, attributes: utf8('{}') },
      { ...one, attributesSalt: key },
      { ...one, data: empty, kind: 4, dataSalt: key },
      { ...one, data: empty, kind: -1, dataSalt: key },
      { ...one, keyChain: [] },
      { ...one, keyChain: {} },
      { ...one, keyChain: [empty, empty] },
      { ...one, keyChain: [empty, [1, key, signature]] },
      { ...one, keyChain: [empty, [1, key, signature, signature, 0]] },
      { ...one, keyChain: [empty, [1, key, signature, key]] },
      { ...one, keyChain: [empty, [1, signature, signature, signature]] },
      { ...one, keyChain: [empty, [-1, key, signature, signature]] },
      { ...one, keyChain: [empty, [null, key, signature, signature]] },
      { ...one, more: 1 },
    ];
    for (const map of wrong) broken(extra(map), 'proof-extra', Object.keys(map).join());
  });
});
