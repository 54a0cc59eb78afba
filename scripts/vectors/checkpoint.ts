/** Golden vectors of checkpoints in the form that a block carries. */
import { toBase64, toHex } from '../../src/bytes.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import type { Code } from '../../src/errors.ts';
import { logIdFromHash, logIdHash } from '../../src/ids.ts';
import {
  checkpointOrigin,
  checkpointText,
  checkpointVkey,
  signCheckpoint,
  verifyCheckpoint,
} from '../../src/ledger/checkpoint.ts';
import { cosignNote, signNote } from '../../src/ledger/note.ts';
import { emptyRoot } from '../../src/ledger/tree.ts';
import { asHash, asTreeSize } from '../../src/types.ts';
import {
  accepted,
  flipped,
  labelled,
  labelledSigner,
  refused,
  type Format,
  type Json,
} from './format.ts';

function valid(): Json {
  const cases: Json[] = [];
  for (const name of ['acme', 'globex', 'initech']) {
    const signer = labelledSigner(`writer/${name}`);
    const logId = logIdFromHash(labelled(`log/${name}`));
    for (const size of [0, 1, 2, 256, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const root = size === 0 ? emptyRoot(h) : labelled(`root/${size}`);
      const note = signCheckpoint(h, signer, logId, asTreeSize(size), root);
      accepted(verifyCheckpoint(h, note, logId, signer.publicKey), note);
      cases.push({
        seed: toHex(labelled(`writer/${name}`)),
        publicKey: toHex(signer.publicKey),
        logIdHash: toHex(logIdHash(logId)),
        logId,
        vkey: checkpointVkey(h, logId, signer.publicKey),
        size,
        root: toHex(root),
        text: checkpointText(logId, asTreeSize(size), root),
        note,
      });
    }
  }
  return cases;
}

const signer = labelledSigner('writer/acme');
const logId = logIdFromHash(labelled('log/acme'));
const origin = checkpointOrigin(logId);
const root = labelled('root/10');
const text = checkpointText(logId, asTreeSize(10), root);
const good = signNote(h, signer, origin, text);

/** Signed by the right key, so that only the text is wrong. */
function signed(lines: readonly string[], by: Signer = signer, name: string = origin): string {
  return signNote(h, by, name, lines.map((line) => `${line}\n`).join(''));
}

/** The note's key id and signature replaced. */
function withBlob(change: (blob: Uint8Array) => Uint8Array): string {
  const at = good.lastIndexOf(' ') + 1;
  const blob = new Uint8Array(Buffer.from(good.slice(at), 'base64'));
  return `${good.slice(0, at)}${toBase64(change(blob))}\n`;
}

function wrongTexts(): readonly (readonly [string, string, Code])[] {
  const rootText = toBase64(root);
  const other = checkpointOrigin(logIdFromHash(labelled('log/globex')));
  return [
    ['origin of another log', signed([other, '10', rootText]), 'checkpoint-origin'],
    ['origin without headwater/', signed([logId, '10', rootText]), 'checkpoint-origin'],
    ['origin in upper case', signed([origin.toUpperCase(), '10', rootText]), 'checkpoint-origin'],
    ['two lines', signed([origin, '10']), 'checkpoint-lines'],
    ['an extension line', signed([origin, '10', rootText, 'x']), 'checkpoint-lines'],
    ['an empty line at the end', signed([origin, '10', rootText, '']), 'checkpoint-lines'],
    ['a leading zero', signed([origin, '010', rootText]), 'checkpoint-size'],
    ['a sign', signed([origin, '+10', rootText]), 'checkpoint-size'],
    ['a size in hex', signed([origin, '0xa', rootText]), 'checkpoint-size'],
    ['no size', signed([origin, '', rootText]), 'checkpoint-size'],
    ['2^53', signed([origin, '9007199254740992', rootText]), 'integer-too-large'],
    ['root of 31 bytes', signed([origin, '10', toBase64(root.slice(1))]), 'checkpoint-root'],
    ['root unpadded', signed([origin, '10', rootText.slice(0, -1)]), 'bad-base64'],
    ['size 0 with another root', signed([origin, '0', rootText]), 'checkpoint-root'],
  ];
}

function wrongLines(): readonly (readonly [string, string, Code])[] {
  const thief = labelledSigner('writer/globex');
  const witness = labelledSigner('witness');
  const cosigned = good + cosignNote(h, witness, 'witness.example/w1', text, 1_700_000_000n);
  const line = good.slice(text.length + 1);
  return [
    ['a cosignature beside it', cosigned, 'checkpoint-signatures'],
    ['the line twice', good + line, 'checkpoint-signatures'],
    ['no line', `${text}\n`, 'note-malformed'],
    ['no blank line', text + line, 'note-malformed'],
    ['no final LF', good.slice(0, -1), 'note-malformed'],
    ['CR LF', good.replaceAll('\n', '\r\n'), 'note-malformed'],
    ['a hyphen for the dash', good.replace('\u2014', '-'), 'note-malformed'],
    ['two spaces', good.replace('\u2014 ', '\u2014  '), 'note-malformed'],
    ['signature of 63 bytes', withBlob((blob) => blob.slice(0, -1)), 'note-malformed'],
    [
      'key name is not the origin',
      signed(text.trimEnd().split('\n'), signer, 'a'),
      'checkpoint-key-name',
    ],
    ['another key', signed(text.trimEnd().split('\n'), thief), 'checkpoint-key-id'],
    ['another key id', withBlob((blob) => flipped(blob)), 'checkpoint-key-id'],
    ['a bit of R flipped', withBlob((blob) => blob.with(4, (blob[4] ?? 0) ^ 1)), 'bad-signature'],
    ['a bit of S flipped', withBlob((blob) => blob.with(36, (blob[36] ?? 0) ^ 1)), 'bad-signature'],
    ['zeros for a signature', withBlob((blob) => blob.fill(0, 4)), 'bad-signature'],
    ['size changed', good.replace('\n10\n', '\n11\n'), 'bad-signature'],
    [
      'root changed',
      good.replace(toBase64(root), toBase64(asHash(flipped(root)))),
      'bad-signature',
    ],
  ];
}

async function make(): Promise<Json> {
  const invalid = [...wrongTexts(), ...wrongLines()].map(([how, note, code]) => ({
    how,
    note,
    code: refused(verifyCheckpoint(h, note, logId, signer.publicKey), code, how),
  }));
  const key = { logId, publicKey: toHex(signer.publicKey) };
  return { valid: valid(), invalidFor: key, invalid };
}

export const checkpoint: Format = { name: 'checkpoint', make };
