/** The lines that go to and fro when an organisation gets another peer. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { formatEncryptionKey } from '../../src/access/encryption-key.ts';
import { fromBase64url, toBase64url } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { protocol } from '../../src/limits.ts';
import {
  formatAnswer,
  formatRequest,
  parseAnswer,
  parseRequest,
  type PeerAnswer,
  type PeerRequest,
} from '../../src/node/enrolment-text.ts';
import { asHash } from '../../src/types.ts';
import { must } from '../support/result.ts';

const acme = signerFromSeed(new Uint8Array(32).fill(1));
const peer = signerFromSeed(new Uint8Array(32).fill(2));
const writer = signerFromSeed(new Uint8Array(32).fill(3));
const bytes = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

const request: PeerRequest = {
  organisation: didFromKey(acme.publicKey),
  peer: didFromKey(peer.publicKey),
  writer: didFromKey(writer.publicKey),
  name: 'depot',
  encryption: formatEncryptionKey(bytes(32, 9)),
};
const answer: PeerAnswer = {
  organisation: request.organisation,
  peer: request.peer,
  name: 'acme',
  tokens: [bytes(5, 4)],
  recoveryHash: asHash(bytes(32, 5)),
  bootstrap: ['/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWGYFQvWdDMkNZpCvUAXwQbbmRhqCvC6DYhFS5XYUSLn8H'],
  network: asHash(bytes(32, 6)),
  document: bytes(3, 7),
  encryption: { enc: bytes(32, 8), ciphertext: bytes(48, 9) },
};
const code = (text: string, parse: typeof parseRequest | typeof parseAnswer): string => {
  const read = parse(nodeCrypto, text);
  return read.ok ? 'ok' : read.error.code;
};

describe('the request of another peer', () => {
  const line = formatRequest(peer, request);

  it('is one line, read as it was written, with blanks around it', () => {
    assert.match(line, /^hwpeer-request:[A-Za-z0-9_-]+$/);
    assert.deepEqual(must(parseRequest(nodeCrypto, ` ${line}\n`)), request);
  });

  it('has the same bytes as ever', () => {
    const digest = toBase64url(nodeCrypto.sha256(new TextEncoder().encode(line)));
    assert.equal(digest, 'r9MXT5Ne6y7E9qD0fCRF4fX7m1DibdGmEVPiMOLmjpE');
  });

  it('of another key than it names is refused', () => {
    assert.equal(code(formatRequest(writer, request), parseRequest), 'enrolment-invalid');
  });

  it('is no answer, and an answer is no request', () => {
    assert.equal(code(line, parseAnswer), 'enrolment-invalid');
    assert.equal(code(formatAnswer(acme, answer), parseRequest), 'enrolment-invalid');
    const read = parseAnswer(nodeCrypto, line);
    assert.match(read.ok ? '' : read.error.message, /it is a request, not an answer/);
  });

  it('cut off anywhere, changed anywhere or too long is refused', () => {
    fc.assert(
      fc.property(fc.nat(line.length - 1), (at) => {
        assert.equal(code(line.slice(0, at), parseRequest), 'enrolment-invalid');
      }),
    );
    const raw = must(fromBase64url(line.slice('hwpeer-request:'.length)));
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = raw.slice();
        other[at] = (other[at] ?? 0) ^ change;
        assert.equal(
          code(`hwpeer-request:${toBase64url(other)}`, parseRequest),
          'enrolment-invalid',
        );
      }),
    );
    assert.equal(
      code(' '.repeat(protocol.maxEnrolmentLength) + line, parseRequest),
      'enrolment-invalid',
    );
  });
});

describe('the answer to it', () => {
  const line = formatAnswer(acme, answer);

  it('is read as it was written, with all of it and with the least', () => {
    assert.deepEqual(must(parseAnswer(nodeCrypto, line)), answer);
    const { organisation, name, tokens, recoveryHash } = answer;
    const least = { organisation, peer: answer.peer, name, tokens, recoveryHash, bootstrap: [] };
    assert.deepEqual(must(parseAnswer(nodeCrypto, formatAnswer(acme, least))), least);
  });

  it('has the same bytes as ever', () => {
    const digest = toBase64url(nodeCrypto.sha256(new TextEncoder().encode(line)));
    assert.equal(digest, 'U2PRIMyA1LsUTvYKAAVveTId_cOnYVLqZfFVM4FaA2o');
  });

  it('of another key than the organisation’s is refused', () => {
    assert.equal(code(formatAnswer(peer, answer), parseAnswer), 'enrolment-invalid');
  });

  it('with a malformed part is refused', () => {
    const broken: readonly Partial<PeerAnswer>[] = [
      { name: 'ACME' },
      { bootstrap: ['/ip4/192.0.2.1/tcp/4001'] },
      { tokens: Array.from({ length: 17 }, () => bytes(1, 1)) },
      { encryption: { enc: bytes(31, 8), ciphertext: bytes(48, 9) } },
    ];
    for (const change of broken) {
      const text = formatAnswer(acme, { ...answer, ...change });
      assert.equal(code(text, parseAnswer), 'enrolment-invalid', Object.keys(change).join(','));
    }
  });
});
