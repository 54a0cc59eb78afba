import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toBase64, toHex } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { logIdFromHash } from '../../src/ids.ts';
import {
  checkpointOrigin,
  checkpointText,
  checkpointVkey,
  parseCheckpoint,
  parseCheckpointText,
  signCheckpoint,
  verifyCheckpoint,
} from '../../src/ledger/checkpoint.ts';
import { cosignNote, hexKeyId, parseVkey, signNote } from '../../src/ledger/note.ts';
import { appendLeaves, rootOf, verifyAppend } from '../../src/ledger/tree.ts';
import { asHash, asPublicKey, asTreeSize, type Hash, type LogId } from '../../src/types.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { flat, namedLeaves } from './naive-tree.ts';

const logIdOf = (text: string): LogId => logIdFromHash(asHash(hex(text)));
const path = 'headwater/checkpoint.json';

function codeOf(note: string): string {
  const parsed = parseCheckpoint(note);
  return parsed.ok ? 'accepted' : parsed.error.code;
}

describe('checkpoints', () => {
  it('reads the checkpoint texts of any log as strictly as C2SP asks', function () {
    const notePath = 'note/checkpoints.json';
    const rows = suite<TextRow[]>(this, notePath);
    for (const row of rows) {
      const parsed = parseCheckpointText(row.body);
      assert.equal(parsed.ok, row.valid && row.lenient_only !== true, row.id);
      if (!parsed.ok || row.parsed === undefined) continue;
      const { origin, size, root, extensions } = parsed.value;
      const found = { origin, size: String(size), root: toBase64(root), extensions };
      assert.deepEqual(found, row.parsed);
    }
    ran(notePath, rows.length);
  });

  it('signs and verifies the checkpoints of the independent reference', function () {
    const { valid } = suite<{ valid: ValidRow[] }>(this, path);
    for (const row of valid) {
      const signer = signerFromSeed(hex(row.seed_hex));
      const logId = logIdOf(row.logId_hex);
      const [size, root] = [asTreeSize(Number(row.size)), asHash(hex(row.root_hex))];
      assert.equal(toHex(signer.publicKey), row.public_hex);
      assert.equal(logId, row.logId);
      assert.equal(checkpointOrigin(logId), row.origin);
      assert.equal(checkpointText(logId, size, root), row.text);
      assert.equal(checkpointVkey(nodeCrypto, logId, signer.publicKey), row.vkey);
      const vkey = parseVkey(nodeCrypto, row.vkey);
      assert.equal(vkey.ok && hexKeyId(vkey.value.keyId), row.keyId_hex);
      assert.equal(signCheckpoint(nodeCrypto, signer, logId, size, root), row.note);
      const parsed = parseCheckpoint(row.note);
      assert.ok(parsed.ok);
      assert.equal(parsed.value.text, row.text);
      for (const crypto of [nodeCrypto, nobleCrypto]) {
        const verified = verifyCheckpoint(crypto, row.note, logId, signer.publicKey);
        assert.deepEqual(verified, { ok: true, value: { logId, size, root } });
      }
    }
    ran(path, valid.length);
  });

  it('refuses the wrong notes of the reference with their codes', function () {
    const { invalid } = suite<{ invalid: InvalidRow[] }>(this, path);
    for (const row of invalid) {
      const key = asPublicKey(hex(row.public_hex));
      for (const crypto of [nodeCrypto, nobleCrypto]) {
        const verified = verifyCheckpoint(crypto, row.note, logIdOf(row.logId_hex), key);
        assert.equal(verified.ok ? 'accepted' : verified.error.code, row.code, row.id);
      }
    }
    ran(path, invalid.length);
  });

  it('finds the checkpoints that do not fit their leaves', function () {
    const { invalidForLeaves } = suite<{ invalidForLeaves: InvalidRow[] }>(this, path);
    const leaves = flat(namedLeaves(12));
    for (const row of invalidForLeaves) {
      const key = asPublicKey(hex(row.public_hex));
      const verified = verifyCheckpoint(nodeCrypto, row.note, logIdOf(row.logId_hex), key);
      assert.ok(verified.ok, row.id);
      const { size, root } = verified.value;
      const appended = verifyAppend(nodeCrypto, asTreeSize(0), [], leaves, root);
      if (row.code === 'checkpoint-size') assert.notEqual(size, 12);
      else assert.equal(appended.ok ? 'accepted' : appended.error.code, row.code, row.id);
    }
    ran(path, invalidForLeaves.length);
  });

  const signer = signerFromSeed(new Uint8Array(32).fill(9));
  const logId = logIdFromHash(nodeCrypto.sha256(signer.publicKey));
  const tree = appendLeaves(nodeCrypto, [], asTreeSize(0), flat(namedLeaves(3)));
  const root = rootOf(nodeCrypto, tree.frontier);

  it('reads a checkpoint with cosignatures beside it, which a block may not carry', () => {
    const own = signCheckpoint(nodeCrypto, signer, logId, tree.size, root);
    const text = checkpointText(logId, tree.size, root);
    const witness = signerFromSeed(new Uint8Array(32).fill(3));
    const cosigned =
      own + cosignNote(nodeCrypto, witness, 'witness.example/w1', text, 1_700_000_000n);
    const parsed = parseCheckpoint(cosigned);
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.value.signatures.map((line) => [line.name, line.signature.length]),
      [
        [checkpointOrigin(logId), 64],
        ['witness.example/w1', 72],
      ],
    );
    assert.deepEqual([parsed.value.logId, parsed.value.size], [logId, 3]);
    const verified = verifyCheckpoint(nodeCrypto, cosigned, logId, signer.publicKey);
    assert.equal(verified.ok ? 'accepted' : verified.error.code, 'checkpoint-signatures');
  });

  const note = (text: string): string => signNote(nodeCrypto, signer, 'a', text);

  it('refuses what is not a checkpoint of a log before any key is known', () => {
    const good = checkpointText(logId, tree.size, root);
    assert.equal(codeOf(note(good)), 'accepted');
    assert.equal(codeOf(good), 'note-malformed');
    assert.equal(codeOf(note(`${good}x\n`)), 'checkpoint-lines');
    assert.equal(
      codeOf(note(good.slice(0, good.lastIndexOf('\n', good.length - 2) + 1))),
      'checkpoint-lines',
    );
    assert.equal(codeOf(note(good.replace('headwater/', ''))), 'checkpoint-origin');
    assert.equal(codeOf(note(good.replace('bafkrei', 'bafkreI'))), 'checkpoint-origin');
    assert.equal(codeOf(note(good.replace('\n3\n', '\n03\n'))), 'checkpoint-size');
    assert.equal(codeOf(note(good.replace('\n3\n', '\n9007199254740992\n'))), 'integer-too-large');
    assert.equal(codeOf(note(good.replace('\n3\n', `\n${'9'.repeat(90)}\n`))), 'integer-too-large');
    assert.equal(codeOf(note(good.replace('=', ''))), 'bad-base64');
  });

  it('refuses an empty tree with a root that is not its own', () => {
    const wrong = signCheckpoint(nodeCrypto, signer, logId, asTreeSize(0), root);
    const verified = verifyCheckpoint(nodeCrypto, wrong, logId, signer.publicKey);
    assert.equal(verified.ok ? 'accepted' : verified.error.code, 'checkpoint-root');
  });

  it('reads back what it writes, for any size and root, and fails on any cut', () => {
    const roots = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes): Hash => asHash(bytes));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        roots,
        fc.nat(),
        (n, hash, cut) => {
          const size = asTreeSize(n);
          const note = signCheckpoint(nodeCrypto, signer, logId, size, hash);
          const verified = verifyCheckpoint(nodeCrypto, note, logId, signer.publicKey);
          assert.deepEqual(verified, { ok: true, value: { logId, size, root: hash } });
          const parsed = parseCheckpoint(note);
          assert.deepEqual(parsed.ok && parsed.value.root, hash);
          const shorter = note.slice(0, cut % note.length);
          assert.ok(!verifyCheckpoint(nodeCrypto, shorter, logId, signer.publicKey).ok);
        },
      ),
      { numRuns: 50 },
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !parseCheckpoint(text).ok));
  });

  it('verifies no checkpoint with one bit flipped', () => {
    const note = new TextEncoder().encode(
      signCheckpoint(nodeCrypto, signer, logId, tree.size, root),
    );
    for (let bit = 0; bit < note.length * 8; bit++) {
      const at = Math.floor(bit / 8);
      const flipped = new TextDecoder().decode(note.with(at, (note[at] ?? 0) ^ (1 << (bit % 8))));
      const verified = verifyCheckpoint(nodeCrypto, flipped, logId, signer.publicKey);
      assert.ok(!verified.ok, `bit ${bit}`);
    }
  });
});

interface TextRow {
  id: string;
  body: string;
  valid: boolean;
  lenient_only?: boolean;
  parsed?: { origin: string; size: string; root: string; extensions: string[] };
}
interface ValidRow {
  id: string;
  seed_hex: string;
  public_hex: string;
  logId_hex: string;
  logId: string;
  origin: string;
  vkey: string;
  keyId_hex: string;
  size: string;
  root_hex: string;
  text: string;
  note: string;
}
interface InvalidRow {
  id: string;
  note: string;
  logId_hex: string;
  public_hex: string;
  code: string;
}
