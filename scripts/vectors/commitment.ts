/** Golden vectors of salts, commitments and public bodies. */
import { concat, toHex, utf8 } from '../../src/bytes.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import { decodeBody, encodeBody } from '../../src/ledger/body.ts';
import { checkOpening, commitments, saltsAt } from '../../src/ledger/commitment.ts';
import { err, ok, type Result } from '../../src/result.ts';
import type { EventBytes } from '../../src/types.ts';
import { accepted, labelled, refused, type Format, type Json } from './format.ts';

const seed = labelled('seed');
const attributes = utf8('{"id":"1","source":"/s","specversion":"1.0","type":"t"}');
const none = new Uint8Array(0);

const contents: readonly (readonly [string, EventBytes])[] = [
  ['none', { attributes, kind: 0, data: none }],
  ['JSON', { attributes, kind: 1, data: utf8('{"mag": 4.20, "place": "x" }') }],
  ['JSON null', { attributes, kind: 1, data: utf8('null') }],
  ['text', { attributes, kind: 2, data: utf8('Grüße, 世界 😀') }],
  ['empty text', { attributes, kind: 2, data: none }],
  ['binary', { attributes, kind: 3, data: Uint8Array.of(0, 255, 10, 13) }],
  ['binary of 23 bytes', { attributes, kind: 3, data: new Uint8Array(23) }],
  ['binary of 24 bytes', { attributes, kind: 3, data: new Uint8Array(24) }],
  ['binary of 256 bytes', { attributes, kind: 3, data: new Uint8Array(256) }],
];

function content(): Json {
  return contents.map(([how, event], position) => {
    const salts = saltsAt(h, seed, position);
    const made = commitments(h, salts, event);
    const body = encodeBody(event);
    accepted(decodeBody(body), how);
    return {
      how,
      position,
      kind: event.kind,
      attributes: toHex(event.attributes),
      data: toHex(event.data),
      salts: toHex(salts),
      attributesCommitment: toHex(made.attributes),
      dataCommitment: toHex(made.data),
      body: toHex(body),
      bodyLength: body.length,
    };
  });
}

function opening(salts: Uint8Array, event: EventBytes, leaf: Uint8Array): Result<void> {
  const wrong = checkOpening(h, salts, event, leaf, 0);
  return wrong === undefined ? ok(undefined) : err(wrong);
}

function invalidOpenings(): Json {
  const event: EventBytes = { attributes, kind: 1, data: utf8('null') };
  const salts = saltsAt(h, seed, 2);
  const made = commitments(h, salts, event);
  const leaf = concat(made.attributes, made.data);
  accepted(opening(salts, event, leaf), 'opening');
  const swapped = concat(salts.subarray(32), salts.subarray(0, 32));
  const cases: readonly (readonly [string, Uint8Array, EventBytes, Code])[] = [
    ['kind', salts, { ...event, kind: 2 }, 'data-commitment'],
    ['data', salts, { ...event, data: utf8('nulL') }, 'data-commitment'],
    ['white space', salts, { ...event, data: utf8('null ') }, 'data-commitment'],
    [
      'attributes',
      salts,
      { ...event, attributes: attributes.with(7, 50) },
      'attributes-commitment',
    ],
    ['salts swapped', swapped, event, 'attributes-commitment'],
    ['salts of another place', saltsAt(h, seed, 3), event, 'attributes-commitment'],
  ];
  const commitment = {
    attributesCommitment: toHex(made.attributes),
    dataCommitment: toHex(made.data),
  };
  return cases.map(([how, salt, other, code]) => ({
    how,
    salts: toHex(salt),
    kind: other.kind,
    attributes: toHex(other.attributes),
    data: toHex(other.data),
    ...commitment,
    code: refused(opening(salt, other, leaf), code, how),
  }));
}

function invalidBodies(): Json {
  const good = Array.from(
    encodeBody({ attributes: Uint8Array.of(1), kind: 1, data: Uint8Array.of(2) }),
  );
  const cases: readonly (readonly [string, readonly number[], Code])[] = [
    ['kind 4', [0x83, 4, 0x41, 1, 0x41, 2], 'body-kind'],
    ['kind -1', [0x83, 0x20, 0x41, 1, 0x41, 2], 'body-kind'],
    ['kind none with data', [0x83, 0, 0x41, 1, 0x41, 2], 'body-kind'],
    ['kind in two bytes', [0x83, 0x18, 1, 0x41, 1, 0x41, 2], 'body-encoding'],
    ['attributes as text', [0x83, 1, 0x61, 0x61, 0x41, 2], 'body-shape'],
    ['data null', [0x83, 1, 0x41, 1, 0xf6], 'body-shape'],
    ['two items', [0x82, 1, 0x41, 1], 'body-shape'],
    ['a map', [0xa0], 'body-shape'],
    ['indefinite list', [0x9f, 1, 0x41, 1, 0x41, 2, 0xff], 'body-encoding'],
    ['length in two bytes', [0x83, 1, 0x58, 1, 1, 0x41, 2], 'body-encoding'],
    ['cut', good.slice(0, -1), 'body-encoding'],
    ['a byte too many', [...good, 0], 'body-encoding'],
    ['empty', [], 'body-encoding'],
  ];
  return cases.map(([how, bytes, code]) => {
    const body = Uint8Array.from(bytes);
    return { how, body: toHex(body), code: refused(decodeBody(body), code, how) };
  });
}

async function make(): Promise<Json> {
  return {
    seed: toHex(seed),
    content: content(),
    invalidOpenings: invalidOpenings(),
    invalidBodies: invalidBodies(),
  };
}

export const commitment: Format = { name: 'commitment', make };
