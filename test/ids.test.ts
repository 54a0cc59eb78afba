import * as assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../src/bytes.ts';
import { signerFromSeed } from '../src/crypto-node.ts';
import {
  didFromKey,
  didKey,
  formatReference,
  logIdFromHash,
  logIdHash,
  parseDid,
  parseLink,
  parseLogId,
  parseReference,
  parseReferences,
} from '../src/ids.ts';
import { ok, type Result } from '../src/result.ts';
import { asHash, asLogIndex, asPublicKey } from '../src/types.ts';
import { hex, ran, suite } from './support/vectors.ts';

interface Refused {
  id: string;
  text: string;
  code: string;
}
interface IdsSuite {
  logs: { id: string; logId_hex: string; cid_hex: string; text: string }[];
  dids: { id: string; seed_hex: string; public_hex: string; text: string }[];
  references: {
    text: string;
    logId_hex: string;
    from: number;
    to: number;
    hash_hex: string | null;
  }[];
  referenceLists: { text: string; count: number }[];
  links: { text: string; logId_hex: string; index: number | null; peer: string | null }[];
  invalidLogs: Refused[];
  invalidDids: Refused[];
  invalidReferences: Refused[];
  invalidLists: Refused[];
  invalidLinks: Refused[];
}

function codeOf(result: Result<unknown>): string | undefined {
  return result.ok ? undefined : result.error.code;
}

/** A link is refused as a link, before its index or log id is looked at. */
const asLink: Readonly<Record<string, string>> = {
  'empty index': 'bad-link',
  'leading zero': 'bad-link',
  'a range': 'bad-link',
  fragment: 'bad-link',
};

function assertRefused(
  cases: Refused[],
  parse: (text: string) => Result<unknown>,
  mapped: Readonly<Record<string, string>> = {},
): void {
  for (const { id, text, code } of cases) {
    assert.equal(codeOf(parse(text)), mapped[id] ?? code, id);
  }
}

describe('text forms of identities', () => {
  it('writes and reads every log id of headwater/ids.json', function () {
    const { logs, invalidLogs } = suite<IdsSuite>(this, 'headwater/ids.json');
    for (const { logId_hex, text, cid_hex } of logs) {
      assert.equal(logIdFromHash(asHash(hex(logId_hex))), text);
      const parsed = parseLogId(text);
      assert.ok(parsed.ok);
      assert.equal(toHex(logIdHash(parsed.value)), logId_hex);
      assert.equal(cid_hex, `01551220${logId_hex}`);
    }
    assertRefused(invalidLogs, parseLogId);
    ran('headwater/ids.json', logs.length + invalidLogs.length);
  });

  it('writes and reads every did:key of headwater/ids.json', function () {
    const { dids, invalidDids } = suite<IdsSuite>(this, 'headwater/ids.json');
    for (const { seed_hex, public_hex, text } of dids) {
      const { publicKey } = signerFromSeed(hex(seed_hex));
      assert.equal(toHex(publicKey), public_hex);
      assert.equal(didFromKey(publicKey), text);
      const parsed = parseDid(text);
      assert.ok(parsed.ok);
      assert.equal(toHex(didKey(parsed.value)), public_hex);
    }
    assertRefused(invalidDids, parseDid);
    ran('headwater/ids.json', dids.length + invalidDids.length);
  });

  it('writes and reads every reference and list of headwater/ids.json', function () {
    const ids = suite<IdsSuite>(this, 'headwater/ids.json');
    for (const { text, logId_hex, from, to, hash_hex } of ids.references) {
      const parsed = parseReference(text);
      assert.ok(parsed.ok, text);
      assert.equal(toHex(logIdHash(parsed.value.logId)), logId_hex);
      assert.deepEqual([parsed.value.from, parsed.value.to], [from, to]);
      assert.equal(parsed.value.hash === undefined ? null : toHex(parsed.value.hash), hash_hex);
      assert.equal(formatReference(parsed.value), text);
    }
    for (const { text, count } of ids.referenceLists) {
      const parsed = parseReferences(text);
      assert.equal(parsed.ok ? parsed.value.length : codeOf(parsed), count);
    }
    assertRefused(ids.invalidReferences, parseReference);
    assertRefused(ids.invalidLists, parseReferences);
    const { references, referenceLists, invalidReferences, invalidLists } = ids;
    const all = [references, referenceLists, invalidReferences, invalidLists];
    ran(
      'headwater/ids.json',
      all.reduce((sum, cases) => sum + cases.length, 0),
    );
  });

  it('reads every link of headwater/ids.json', function () {
    const { links, invalidLinks } = suite<IdsSuite>(this, 'headwater/ids.json');
    for (const { text, logId_hex, index, peer } of links) {
      const parsed = parseLink(text);
      assert.ok(parsed.ok, text);
      assert.equal(toHex(logIdHash(parsed.value.logId)), logId_hex);
      assert.equal(parsed.value.index ?? null, index);
      assert.equal(parsed.value.peer ?? null, peer);
    }
    assertRefused(invalidLinks, parseLink, asLink);
    ran('headwater/ids.json', links.length + invalidLinks.length);
  });

  it('agrees with dagcbor/did-key.json', function () {
    const did = suite<{
      valid: { seed_hex?: string; public_hex: string; did: string }[];
      invalid: { did: string; why: string }[];
    }>(this, 'dagcbor/did-key.json');
    for (const { seed_hex, public_hex, did: text } of did.valid) {
      if (seed_hex !== undefined)
        assert.equal(toHex(signerFromSeed(hex(seed_hex)).publicKey), public_hex);
      assert.equal(didFromKey(asPublicKey(hex(public_hex))), text);
      const parsed = parseDid(text);
      assert.ok(parsed.ok, text);
      assert.equal(toHex(didKey(parsed.value)), public_hex);
    }
    for (const { did: text, why } of did.invalid) {
      assert.match(codeOf(parseDid(text)) ?? 'accepted', /^bad-(?:did|base58)$/, why);
    }
    ran('dagcbor/did-key.json', did.valid.length + did.invalid.length);
  });

  it('takes of dagcbor/cid.json the raw sha2-256 CIDs in base32 and nothing else', function () {
    const cids = suite<{
      valid: { cid: string; version: number; codec_hex: string; cid_bytes_hex?: string }[];
      invalid: { cid: string; why: string }[];
    }>(this, 'dagcbor/cid.json');
    for (const { cid, version, codec_hex, cid_bytes_hex } of cids.valid) {
      const parsed = parseLogId(cid);
      assert.equal(parsed.ok, version === 1 && codec_hex === '55' && cid.startsWith('b'), cid);
      if (parsed.ok && cid_bytes_hex !== undefined)
        assert.equal(`01551220${toHex(logIdHash(parsed.value))}`, cid_bytes_hex);
    }
    for (const { cid, why } of cids.invalid) {
      assert.match(codeOf(parseLogId(cid)) ?? 'accepted', /^bad-(?:logid|base32)$/, why);
    }
    ran('dagcbor/cid.json', cids.valid.length + cids.invalid.length);
  });

  it('refuses every cut of a log id, a DID and a reference', () => {
    const hash = asHash(Uint8Array.from({ length: 32 }, (_, i) => 7 * i));
    const logId = logIdFromHash(hash);
    const did = didFromKey(asPublicKey(hash));
    for (let i = 0; i < logId.length; i++) assert.ok(!parseLogId(logId.slice(0, i)).ok);
    for (let i = 0; i < did.length; i++) assert.ok(!parseDid(did.slice(0, i)).ok);
    const reference = formatReference({ logId, from: asLogIndex(0), to: asLogIndex(1), hash });
    const cuts = Array.from({ length: reference.length }, (_, i) => reference.slice(0, i));
    assert.equal(codeOf(parseDid(`did:key:z${'6'.repeat(1_000_000)}`)), 'bad-did');
    // Cut behind the index it is still a reference, without the hash.
    assert.deepEqual(
      cuts.filter((cut) => parseReference(cut).ok),
      [`hw:${logId}/0`],
    );
  });

  it('never throws on text and reads back what it writes', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((s) => `hw:b${s}`),
    );
    fc.assert(
      fc.property(text, (value) => {
        for (const parse of [parseLogId, parseDid, parseReference, parseReferences, parseLink])
          assert.equal(typeof parse(value).ok, 'boolean');
      }),
    );
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 1000 }), (hash, from, length) => {
        const logId = logIdFromHash(asHash(hash));
        assert.deepEqual(parseLogId(logId), ok(logId));
        const reference = { logId, from: asLogIndex(from), to: asLogIndex(from + length) };
        assert.deepEqual(parseReference(formatReference(reference)), ok(reference));
      }),
    );
  });
});
