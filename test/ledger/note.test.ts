import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { fromBase64, toHex, utf8 } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import {
  cosignedMessage,
  cosignNote,
  formatSignatureLine,
  formatVkey,
  hexKeyId,
  isKeyName,
  noteKey,
  openNote,
  originHash,
  parseCosignature,
  parseNote,
  parseNoteText,
  parseVkey,
  signNote,
  type NoteKey,
} from '../../src/ledger/note.ts';
import { protocol } from '../../src/limits.ts';
import { asPublicKey } from '../../src/types.ts';
import { hex, ran, suite } from '../support/vectors.ts';

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));

/** Name and key id of lines, as the suite writes them. */
function names(lines: readonly { name: string; keyId: number }[]): unknown {
  return lines.map((line) => ({ name: line.name, key_id_hex: hexKeyId(line.keyId) }));
}

/** A key that a test trusts. */
function key(vkey: string): NoteKey {
  const parsed = parseVkey(nodeCrypto, vkey);
  assert.ok(parsed.ok, vkey);
  return parsed.value;
}

/**
 * Keys as the suite configures them. The published example of C2SP puts the key of the Go checksum
 * database, with its key id, under another name: no vkey at all, so it is put together by hand.
 */
function configured(vkey: string): NoteKey {
  const sofa = /^(example\.com\/behind-the-sofa)\+033de0ae\+(.+)$/.exec(vkey);
  if (sofa === null) return key(vkey);
  assert.ok(!parseVkey(nodeCrypto, vkey).ok);
  return {
    name: sofa[1] ?? '',
    keyId: 0x033de0ae,
    algorithm: 1,
    publicKey: asPublicKey(bytesOf(sofa[2] ?? '').slice(1)),
  };
}

const outcomes: Record<string, string> = {
  'note-malformed': 'malformed',
  'note-unverified': 'unverified',
  'note-key-ambiguous': 'ambiguous-key',
  'bad-signature': 'invalid-signature',
};

describe('signed notes', () => {
  it('opens the notes of the suite with their outcomes', function () {
    const path = 'note/notes.json';
    const notes = suite<NoteRow[]>(this, path);
    for (const { id, note_base64, vkeys, expect } of notes) {
      for (const crypto of [nodeCrypto, nobleCrypto]) {
        const opened = openNote(crypto, bytesOf(note_base64), vkeys.map(configured));
        const outcome = opened.ok ? 'ok' : outcomes[opened.error.code];
        assert.equal(outcome, expect.outcome, id);
        if (!opened.ok) continue;
        assert.equal(opened.value.text, expect.text, id);
        assert.deepEqual(names(opened.value.verified), expect.verified, id);
        assert.deepEqual(names(opened.value.unverified), expect.unverified, id);
      }
    }
    ran(path, notes.length);
  });

  it('gives the lines that no known key explains, also where none is known', function () {
    const path = 'note/notes.json';
    const notes = suite<NoteRow[]>(this, path);
    for (const { note_base64, expect } of notes) {
      if (expect.outcome !== 'unverified') continue;
      const parsed = parseNote(bytesOf(note_base64));
      assert.deepEqual(
        parsed.ok && parsed.value.signatures.map((line) => hexKeyId(line.keyId)),
        expect.unverified?.map((line) => line.key_id_hex),
      );
    }
  });

  it('reads and writes verifier keys, and refuses wrong ones', function () {
    const path = 'note/vkeys.json';
    const rows = suite<Vkeys>(this, path);
    for (const row of rows.valid) {
      const parsed = key(row.vkey);
      assert.deepEqual(
        [parsed.name, hexKeyId(parsed.keyId), parsed.algorithm, toHex(parsed.publicKey)],
        [row.name, row.key_id_hex, row.algorithm, row.public_hex],
      );
      assert.equal(formatVkey(parsed), row.vkey);
    }
    for (const row of rows.invalid) {
      const parsed = parseVkey(nodeCrypto, row.vkey);
      assert.equal(parsed.ok ? 'accepted' : parsed.error.code, 'bad-vkey', row.why);
    }
    const { vkey } = rows.mangling_rule;
    for (let from = 0; from < vkey.length; from++) {
      for (let to = from; to <= vkey.length; to++) {
        const part = vkey.slice(from, to);
        if (part !== vkey) assert.ok(!parseVkey(nodeCrypto, part).ok, part);
      }
      const next = String.fromCharCode(vkey.charCodeAt(from) + 1);
      const mangled = vkey.slice(0, from) + next + vkey.slice(from + 1);
      assert.ok(!parseVkey(nodeCrypto, mangled).ok, mangled);
    }
    ran(path, rows.valid.length + rows.invalid.length + 1);
  });

  it('signs and cosigns byte for byte', function () {
    const path = 'note/sign.json';
    const rows = suite<SignRow[]>(this, path);
    const { signer_keys } = suite<Vkeys>(this, 'note/vkeys.json');
    const skey = fromBase64(signer_keys[0]?.skey.split('+').slice(4).join('+') ?? '');
    assert.ok(skey.ok);
    for (const row of rows) {
      const seed = row.key === undefined ? skey.value.slice(1) : hex(row.key.seed_hex);
      const signer = signerFromSeed(seed);
      const name = row.name ?? row.key?.name ?? '';
      if (row.expect_note !== undefined) {
        assert.equal(signNote(nodeCrypto, signer, name, row.text), row.expect_note);
      } else {
        const time = BigInt(row.timestamp ?? '');
        const line = cosignNote(nodeCrypto, signer, name, row.text, time);
        assert.equal(line, row.expect_line);
        const opened = openNote(nodeCrypto, utf8(`${row.text}\n${line}`), [
          noteKey(nodeCrypto, name, 4, signer.publicKey),
        ]);
        assert.equal(opened.ok && opened.value.verified[0]?.timestamp, time);
      }
      if (row.signed_message !== undefined) {
        const message = cosignedMessage(row.text, BigInt(row.timestamp ?? ''));
        assert.deepEqual(message, utf8(row.signed_message));
      }
      if (row.key !== undefined) {
        const { vkey, key_id_hex, algorithm } = row.key;
        const made = noteKey(nodeCrypto, name, algorithm, signer.publicKey);
        assert.deepEqual([formatVkey(made), hexKeyId(made.keyId)], [vkey, key_id_hex]);
      }
    }
    ran(path, rows.length);
  });

  it('reads the times of cosignatures', function () {
    const path = 'note/cosignature-timestamps.json';
    const rows = suite<TimestampRow[]>(this, path);
    for (const row of rows) {
      const blob = fromBase64(row.sig_base64);
      const parsed = blob.ok ? parseCosignature(blob.value.slice(4)) : blob;
      assert.equal(parsed.ok, row.expect !== undefined, row.error);
      if (!parsed.ok || !blob.ok || row.expect === undefined) continue;
      assert.equal(toHex(blob.value.slice(0, 4)), row.expect.key_id_hex);
      assert.equal(String(parsed.value.timestamp), row.expect.timestamp);
    }
    const late = parseCosignature(new Uint8Array(72).fill(0xff));
    assert.equal(late.ok ? 'accepted' : late.error.code, 'bad-cosignature');
    ran(path, rows.length);
  });

  it('hashes origins as the monitoring prefix of a witness wants them', function () {
    const path = 'note/origin-hash.json';
    const rows = suite<OriginHashes>(this, path);
    for (const { origin, hash_hex } of rows.plain_sha256) {
      assert.equal(originHash(nodeCrypto, origin), hash_hex);
    }
    // The old form puts `o:` before it; it must not be mistaken for ours.
    for (const { origin, id_hex } of rows.legacy_formats_log_id.values) {
      assert.equal(originHash(nodeCrypto, `o:${origin}`), id_hex);
      assert.notEqual(originHash(nodeCrypto, origin), id_hex);
    }
    ran(path, rows.plain_sha256.length + rows.legacy_formats_log_id.values.length);
  });

  const signer = signerFromSeed(new Uint8Array(32).fill(7));
  const ours = noteKey(nodeCrypto, 'example.com/log', 1, signer.publicKey);

  it('takes as many signature lines as the limit and not one more', () => {
    const note = signNote(nodeCrypto, signer, ours.name, 'text\n');
    const line = formatSignatureLine({ name: 'x', keyId: 1, signature: new Uint8Array(64) });
    const most = note + line.repeat(protocol.maxNoteSignatures - 1);
    assert.ok(openNote(nodeCrypto, utf8(most), [ours]).ok);
    const over = openNote(nodeCrypto, utf8(most + line), [ours]);
    assert.equal(over.ok ? 'accepted' : over.error.code, 'note-malformed');
  });

  it('takes a note as long as the limit and not a byte longer', () => {
    const rest = signNote(nodeCrypto, signer, ours.name, '\n').length;
    const text = `${'a'.repeat(protocol.maxNoteBytes - rest)}\n`;
    const most = utf8(signNote(nodeCrypto, signer, ours.name, text));
    // The dash takes three bytes but counts as one character.
    const fits = most.length - protocol.maxNoteBytes;
    assert.equal(fits, 2);
    const longest = utf8(signNote(nodeCrypto, signer, ours.name, text.slice(fits)));
    assert.equal(longest.length, protocol.maxNoteBytes);
    assert.ok(openNote(nodeCrypto, longest, [ours]).ok);
    const over = utf8(signNote(nodeCrypto, signer, ours.name, text.slice(1)));
    const parsed = parseNote(over);
    assert.equal(parsed.ok ? 'accepted' : parsed.error.code, 'note-malformed');
  });

  it('knows which names can sign', () => {
    for (const name of ['a', 'example.com/log', 'Zürich', '\ufeffa']) assert.ok(isKeyName(name));
    for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\u0085b', 'a\u2003b', 'a\n']) {
      assert.ok(!isKeyName(name), JSON.stringify(name));
    }
  });

  it('throws where our own code signs what no note can carry', () => {
    assert.throws(() => signNote(nodeCrypto, signer, 'a', 'no newline'), RangeError);
    assert.throws(() => signNote(nodeCrypto, signer, 'a b', 'text\n'), RangeError);
    assert.throws(() => signNote(nodeCrypto, signer, 'a', 'tab\t\n'), RangeError);
  });

  it('opens what it signed, and nothing that was cut or changed', () => {
    const line = fc.stringMatching(/^[ -~\u00a1-\uffee]{0,12}$/).filter((s) => s.isWellFormed());
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 5 }),
        fc.nat(),
        fc.nat({ max: 254 }),
        (lines, at, by) => {
          const text = `${lines.join('\n')}\n`;
          const bytes = utf8(signNote(nodeCrypto, signer, ours.name, text));
          const opened = openNote(nodeCrypto, bytes, [ours]);
          assert.ok(opened.ok);
          assert.equal(opened.value.text, text);
          assert.deepEqual(
            parseNoteText(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)),
            parseNote(bytes),
          );
          assert.ok(!openNote(nodeCrypto, bytes.subarray(0, at % bytes.length), [ours]).ok);
          const place = at % bytes.length;
          const changed = bytes.with(place, ((bytes[place] ?? 0) + 1 + by) % 256);
          assert.ok(!openNote(nodeCrypto, changed, [ours]).ok);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('never throws on bytes that are no note', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => !parseNote(bytes).ok));
  });
});

interface Line {
  name: string;
  key_id_hex: string;
}
interface NoteRow {
  id: string;
  note_base64: string;
  vkeys: string[];
  expect: { outcome: string; text?: string; verified?: Line[]; unverified?: Line[] };
}
interface Vkeys {
  valid: {
    vkey: string;
    name: string;
    key_id_hex: string;
    algorithm: number;
    public_hex: string;
  }[];
  invalid: { vkey: string; why: string }[];
  mangling_rule: { vkey: string };
  signer_keys: { skey: string }[];
}
interface SignRow {
  id: string;
  text: string;
  name?: string;
  key?: { name: string; algorithm: 1 | 4; key_id_hex: string; seed_hex: string; vkey: string };
  timestamp?: string;
  signed_message?: string;
  expect_note?: string;
  expect_line?: string;
}
interface TimestampRow {
  sig_base64: string;
  expect?: { key_id_hex: string; timestamp: string };
  error?: string;
}
interface OriginHashes {
  plain_sha256: { origin: string; hash_hex: string }[];
  legacy_formats_log_id: { values: { origin: string; id_hex: string }[] };
}
