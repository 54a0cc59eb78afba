import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Crypto } from '../../src/crypto.ts';
import { addLines, readCosignatures } from '../../src/ledger/cosignature.ts';
import {
  noteKey,
  openNote,
  parseNoteText,
  parseVkey,
  signNote,
  type NoteKey,
} from '../../src/ledger/note.ts';
import { consistencyProof } from '../../src/ledger/proof.ts';
import {
  decideCheckpoint,
  formatAddCheckpoint,
  parseAddCheckpoint,
  parseConflict,
  refuseMalformed,
  type Witness,
  type WitnessAnswer,
  type Witnessed,
} from '../../src/ledger/witness.ts';
import { protocol } from '../../src/limits.ts';
import { asTimeMs, asTreeSize, type Hash, type TimeMs } from '../../src/types.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { naiveReader, naiveRoot, namedLeaves } from './naive-tree.ts';

const path = 'note/witness-add-checkpoint.json';
const now = asTimeMs(1_700_000_000_999);

interface Suite {
  log: { vkey: string };
  witness: { name: string; seed_hex: string; vkey: string };
  body_parse_cases: { body: string; parses: boolean }[];
  spec_example_request: string;
  scenarios: {
    scenario: string;
    log_vkey?: string;
    witness_seed_hex?: string;
    witness_name?: string;
    steps: {
      name: string;
      body: string;
      expect: {
        status: number;
        also_allowed_status?: number[];
        content_type?: string;
        body?: string;
        body_contains?: string;
        body_at_time?: { timestamp: string; body: string };
      };
    }[];
  }[];
}

/** A witness with its state in memory: what wiring does with a store. */
class MemoryWitness {
  readonly states = new Map<string, Witnessed>();
  readonly #crypto: Crypto;
  readonly #witness: Witness;
  readonly #logs: readonly NoteKey[];

  constructor(crypto: Crypto, witness: Witness, logs: readonly NoteKey[]) {
    this.#crypto = crypto;
    this.#witness = witness;
    this.#logs = logs;
  }

  ask(body: Uint8Array, time: TimeMs = now): WitnessAnswer {
    const request = parseAddCheckpoint(body);
    if (!request.ok) return refuseMalformed(request.error);
    const { origin } = request.value;
    const keys = this.#logs.filter((key) => key.name === origin);
    const last = this.states.get(origin);
    const known = keys.length === 0 ? undefined : last === undefined ? { keys } : { keys, last };
    const answer = decideCheckpoint(this.#crypto, this.#witness, request.value, known, time);
    if (answer.status === 200) this.states.set(origin, answer.state);
    return answer;
  }
}

/** Codes of the refusals of the suite, where there is more than the status to see. */
const codes: Record<string, string> = {
  'no old line': 'witness-request',
  'old without a number': 'witness-request',
  'proof line not base64': 'bad-base64',
  'proof hash of 31 bytes': 'proof-hash',
  'checkpoint without signatures': 'note-malformed',
  'size is a word': 'checkpoint-size',
  '64 proof lines': 'proof-length',
  'old larger than the checkpoint': 'witness-old-size',
  'no proof': 'proof-length',
  'one bit flipped': 'consistency-fails',
  'forked root with an honest proof': 'consistency-fails',
  'same size, other root': 'consistency-fails',
  'same size, same root, proof not empty': 'proof-length',
  'proof present although old is 0': 'proof-length',
  'empty tree with another root': 'checkpoint-root',
  'unknown origin': 'witness-origin',
  'no signature by the trusted key': 'note-unverified',
  'right name, other key': 'note-unverified',
  'known key, corrupt signature': 'bad-signature',
  'known key corrupt, plus a good unknown one': 'bad-signature',
  'stale old size': 'witness-conflict',
};

describe('a witness', () => {
  it('answers the requests of the suite', function () {
    const file = suite<Suite>(this, path);
    for (const crypto of [nodeCrypto, nobleCrypto]) {
      for (const scenario of file.scenarios) {
        const witness = {
          name: scenario.witness_name ?? file.witness.name,
          signer: signerFromSeed(hex(scenario.witness_seed_hex ?? file.witness.seed_hex)),
        };
        const log = must(parseVkey(nodeCrypto, scenario.log_vkey ?? file.log.vkey));
        const peer = new MemoryWitness(crypto, witness, [log]);
        for (const { name, body, expect } of scenario.steps) {
          const what = `${scenario.scenario}: ${name}`;
          const before = new Map(peer.states);
          const answer = peer.ask(utf8(body));
          const allowed = [expect.status, ...(expect.also_allowed_status ?? [])];
          assert.ok(allowed.includes(answer.status), `${what}: ${answer.status}`);
          const exact = expect.body_at_time?.body ?? expect.body;
          if (exact !== undefined) assert.equal(answer.body, exact, what);
          if (expect.content_type !== undefined) {
            assert.equal(answer.contentType, expect.content_type, what);
          }
          assert.ok(answer.body.includes(expect.body_contains ?? ''), what);
          if (answer.status === 200) continue;
          assert.deepEqual(peer.states, before, `${what}: state unchanged`);
          const code = codes[name];
          if (code !== undefined) assert.equal(answer.reason.code, code, what);
        }
        ran(path, crypto === nodeCrypto ? scenario.steps.length : 0);
      }
    }
  });

  it('takes apart the bodies of the suite', function () {
    const file = suite<Suite>(this, path);
    const example = must(parseAddCheckpoint(utf8(file.spec_example_request)));
    assert.deepEqual([example.old, example.size, example.proof.length], [20852014, 20852163, 4]);
    const { old, proof, note } = example;
    assert.equal(formatAddCheckpoint(old, proof, note), file.spec_example_request);
    for (const { body, parses } of file.body_parse_cases) {
      const parsed = parseAddCheckpoint(utf8(body));
      // The reference does not look at the length of hashes.
      refused(parsed, parses ? 'proof-hash' : 'witness-request', body);
    }
    ran(path, file.body_parse_cases.length + 1);
  });

  const logSigner = signerFromSeed(new Uint8Array(32).fill(1));
  const origin = 'example.com/log';
  const log = noteKey(nodeCrypto, origin, 1, logSigner.publicKey);
  const witness = { name: 'w.example', signer: signerFromSeed(new Uint8Array(32).fill(2)) };
  const cosigner = noteKey(nodeCrypto, witness.name, 4, witness.signer.publicKey);
  const leaves = namedLeaves(70);

  function checkpoint(size: number, root?: Hash): string {
    const hash = root ?? naiveRoot(leaves.slice(0, size));
    const text = `${origin}\n${size}\n${Buffer.from(hash).toString('base64')}\n`;
    return signNote(nodeCrypto, logSigner, origin, text);
  }
  async function request(old: number, size: number): Promise<Uint8Array> {
    const reader = naiveReader(leaves);
    const sizes = [asTreeSize(old), asTreeSize(size)] as const;
    const proof = await consistencyProof(nodeCrypto, reader, ...sizes);
    return utf8(formatAddCheckpoint(sizes[0], proof, checkpoint(size)));
  }
  const fresh = (): MemoryWitness => new MemoryWitness(nodeCrypto, witness, [log]);

  it('keeps what monitors and fork proofs need', async () => {
    const peer = fresh();
    const unknown = signerFromSeed(new Uint8Array(32).fill(7));
    const note = must(parseNoteText(checkpoint(5)));
    const foreign = must(parseNoteText(signNote(nodeCrypto, unknown, 'x', note.text))).signatures;
    const body = formatAddCheckpoint(asTreeSize(0), [], must(addLines(checkpoint(5), foreign)));
    const answer = peer.ask(utf8(body));
    assert.ok(answer.status === 200);
    // The foreign line is not kept: nobody here could verify it.
    assert.equal(answer.state.note, checkpoint(5));
    const monitored = answer.state.note + answer.state.cosignature;
    const opened = must(openNote(nodeCrypto, utf8(monitored), [log, cosigner]));
    assert.deepEqual(
      opened.verified.map(({ timestamp }) => timestamp),
      [undefined, 1_700_000_000n],
    );
    const forked = peer.ask(utf8(formatAddCheckpoint(asTreeSize(5), [], checkpoint(5, leaves[0]))));
    assert.ok(forked.status === 422);
    assert.deepEqual([forked.forked, forked.signed], [true, checkpoint(5, leaves[0])]);
    const grown = peer.ask(utf8(formatAddCheckpoint(asTreeSize(5), [], checkpoint(9))));
    assert.ok(grown.status === 422);
    assert.deepEqual([grown.forked, grown.signed], [undefined, checkpoint(9)]);
    assert.equal(peer.ask(await request(5, 9)).status, 200);
  });

  it('grows through any sizes and never cosigns two trees of one size', () => {
    const sizes = fc.uniqueArray(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 8 });
    return fc.assert(
      fc.asyncProperty(sizes, async (unsorted) => {
        const peer = fresh();
        let last = 0;
        for (const size of [...unsorted].sort((a, b) => a - b)) {
          const answer = peer.ask(await request(last, size));
          assert.equal(answer.status, 200);
          last = size;
          const other = checkpoint(size, leaves[3]);
          const fork = utf8(formatAddCheckpoint(asTreeSize(size), [], other));
          assert.equal(peer.ask(fork).status, 422);
          const stale = peer.ask(utf8(formatAddCheckpoint(asTreeSize(0), [], checkpoint(size))));
          if (size > 0) assert.deepEqual([stale.status, stale.body], [409, `${size}\n`]);
        }
      }),
      { numRuns: 12 },
    );
  });

  it('refuses a clock that stands at zero', () => {
    const parsed = must(parseAddCheckpoint(utf8(`old 0\n\n${checkpoint(5)}`)));
    const zero = asTimeMs(999);
    assert.throws(() => decideCheckpoint(nodeCrypto, witness, parsed, { keys: [log] }, zero));
  });

  it('is deterministic, and its line is of the second in which it was asked', () => {
    const first = fresh().ask(utf8(`old 0\n\n${checkpoint(5)}`), asTimeMs(5_999));
    const again = fresh().ask(utf8(`old 0\n\n${checkpoint(5)}`), asTimeMs(5_000));
    assert.equal(first.body, again.body);
    const later = fresh().ask(utf8(`old 0\n\n${checkpoint(5)}`), asTimeMs(6_000));
    assert.notEqual(first.body, later.body);
  });

  it('answers a client that reads its lines', async () => {
    const peer = fresh();
    const answer = peer.ask(await request(0, 5));
    const { text } = must(parseNoteText(checkpoint(5)));
    const read = (body: string, keys = [cosigner]): ReturnType<typeof readCosignatures> =>
      readCosignatures(nodeCrypto, text, utf8(body), keys);
    const [line] = must(read(answer.body));
    assert.ok(line?.timestamp === 1_700_000_000n && line.key === cosigner);
    const cosigned = must(addLines(checkpoint(5), [line]));
    assert.equal(must(openNote(nodeCrypto, utf8(cosigned), [log, cosigner])).verified.length, 2);
    // Once more, and the line takes the place of the old one.
    assert.equal(must(addLines(cosigned, [line])), cosigned);
    const other = noteKey(nodeCrypto, 'other.example', 4, witness.signer.publicKey);
    refused(read(answer.body, [other]), 'note-unverified');
    refused(read(answer.body.slice(0, -8)), 'note-malformed');
    refused(read(`\n${answer.body}`), 'witness-answer');
    refused(read(`x\n\n${answer.body}`), 'witness-answer');
    refused(read(''), 'note-malformed');
    refused(read(answer.body.repeat(2000)), 'witness-answer');
    const { body } = peer.ask(utf8(`old 0\n\n${checkpoint(9)}`));
    assert.equal(must(parseConflict(utf8(body))), 5);
    for (const wrong of ['5', '05\n', '-1\n', '\n', '5\n\n', `${'9'.repeat(40)}\n`]) {
      refused(parseConflict(utf8(wrong)), 'witness-answer', JSON.stringify(wrong));
    }
    refused(parseConflict(utf8('9007199254740992\n')), 'integer-too-large');
  });

  it('bounds what it reads and never throws', () => {
    const long = `old 0\n\n${checkpoint(5)}${'x'.repeat(protocol.maxWitnessRequestBytes)}`;
    refused(parseAddCheckpoint(utf8(long)), 'witness-request');
    const huge = `old 9007199254740992\n\n${checkpoint(5)}`;
    refused(parseAddCheckpoint(utf8(huge)), 'integer-too-large');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, text) => {
        parseAddCheckpoint(bytes);
        parseAddCheckpoint(utf8(`old 1\n\n${text}`));
        parseConflict(bytes);
      }),
      { numRuns: 200 },
    );
  });
});
