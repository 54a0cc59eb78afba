/** Golden vectors of leaves: fields ↔ bytes → leaf hash. */
import { concat, toHex, utf8, writeUint16, writeUint32, writeUint64 } from '../../src/bytes.ts';
import type { CborMap, CborValue } from '../../src/cbor.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import { decodeLeaf, encodeLeaf, leafAt, type Leaf, type Parent } from '../../src/ledger/leaf.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { asBlockNumber, asHash, asLogIndex, asTimeMs } from '../../src/types.ts';
import { accepted, labelled, refused, type Format, type Json } from './format.ts';

const time = asTimeMs(1_763_683_200_000);
const most = Number.MAX_SAFE_INTEGER;

export function parent(label: string, from: number, to: number): Parent {
  return {
    log: labelled(`log/${label}`),
    from: asLogIndex(from),
    to: asLogIndex(to),
    rangeRoot: labelled(`range/${label}/${from}-${to}`),
  };
}

function event(bodyLength: number, parents: readonly Parent[]): Leaf {
  const attributesCommitment = labelled('attributes');
  const dataCommitment = labelled('data');
  return { kind: 0, time, attributesCommitment, dataCommitment, bodyLength, parents };
}
function sealed(bodyLength: number, epoch: number, parents: readonly Parent[]): Leaf {
  const { kind: _kind, ...rest } = { ...event(bodyLength, parents), kind: 1 };
  const commitments = {
    attributesCommitment: labelled('attributes'),
    dataCommitment: labelled('data'),
  };
  return {
    ...rest,
    ...commitments,
    kind: 1,
    bodyLength,
    parents,
    epoch,
    bodyHash: labelled('body'),
  };
}
function seal(number: number, entries: number, epoch: number, lowest: number): Leaf {
  return {
    kind: 2,
    blockNumber: asBlockNumber(number),
    previousSeal: number === 0 ? asHash(new Uint8Array(32)) : labelled('previous seal'),
    entries,
    time,
    epoch,
    lowest: asLogIndex(lowest),
  };
}
function control(map: CborMap): Leaf {
  return { kind: 3, time, map };
}
function nested(levels: number): CborValue {
  return levels === 0 ? null : [nested(levels - 1)];
}

const two = [parent('acme', 7, 8), parent('globex', 0, 300)];
const valid: readonly (readonly [string, Leaf])[] = [
  ['event', event(412, [])],
  ['event, two parents', event(412, two)],
  ['event, one parent twice', event(1, [parent('acme', 7, 8), parent('acme', 7, 8)])],
  [
    'event, 256 parents',
    event(
      99,
      Array.from({ length: 256 }, (_, i) => parent('acme', i, i + 1)),
    ),
  ],
  ['event, largest body and index', event(196_608, [parent('acme', most - 1, most)])],
  ['event at time 0', { ...event(1, []), time: asTimeMs(0) }],
  ['event at the largest time', { ...event(1, []), time: asTimeMs(2 ** 48 - 1) }],
  ['sealed event', sealed(159, 0, [])],
  ['sealed event, two parents, largest epoch', sealed(196_608, 2 ** 32 - 1, two)],
  ['first seal', seal(0, 2, 0, 0)],
  ['later seal', seal(9, 256, 3, 140)],
  ['seal, largest numbers', seal(most, 2 ** 32 - 1, 2 ** 32 - 1, most)],
  ['control, smallest', control({ type: 'x' })],
  ['control, redact', control({ type: 'redact', index: 12, reason: 'personal data' })],
  ['control, of a later version', control({ type: 'later', list: [1, -1, null, true, 'é'] })],
  [
    'control, integers',
    control({ type: 'n', v: [23, 24, 255, 256, 65_536, 2 ** 32, most, -most] }),
  ],
  ['control, 32 levels', control({ type: 'x', n: nested(31) })],
];

/** Byte strings of a map as {"bytes": hex}, everything else as itself. */
export function plain(value: CborValue): Json {
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
function isList(value: CborValue): value is readonly CborValue[] {
  return Array.isArray(value);
}

function plainParents(parents: readonly Parent[]): Json {
  return parents.map(({ log, from, to, rangeRoot }) => ({
    log: toHex(log),
    from,
    to,
    rangeRoot: toHex(rangeRoot),
  }));
}

function fields(leaf: Leaf): Json {
  switch (leaf.kind) {
    case 0:
    case 1: {
      const { kind, attributesCommitment, dataCommitment, bodyLength } = leaf;
      return {
        kind,
        time: leaf.time,
        attributesCommitment: toHex(attributesCommitment),
        dataCommitment: toHex(dataCommitment),
        bodyLength,
        ...(leaf.kind === 0 ? {} : { bodyHash: toHex(leaf.bodyHash), epoch: leaf.epoch }),
        parents: plainParents(leaf.parents),
      };
    }
    case 2:
      return { ...leaf, previousSeal: toHex(leaf.previousSeal) };
    case 3:
      return { ...leaf, map: plain(leaf.map) };
  }
}

/** The bytes of a leaf with something changed. */
function changed(leaf: Leaf, change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = encodeLeaf(leaf);
  change(bytes);
  return bytes;
}
function controlOf(...map: number[]): Uint8Array {
  return concat(encodeLeaf(control({ type: 'x' })).subarray(0, leafAt.map), Uint8Array.from(map));
}
const typeX = [0x64, ...utf8('type'), 0x61, 0x78];

function wrongEvents(): readonly (readonly [string, Uint8Array, Code])[] {
  const one = event(412, [parent('acme', 7, 9)]);
  const none = encodeLeaf(event(412, []));
  const item = leafAt.eventParents + 2;
  return [
    ['empty', new Uint8Array(0), 'truncated'],
    ['unknown kind 4', none.with(0, 4), 'leaf-kind'],
    ['event cut in its parents count', none.subarray(0, 76), 'truncated'],
    ['event, a byte too many', concat(none, Uint8Array.of(0)), 'trailing-bytes'],
    ['event, its parent cut', encodeLeaf(one).slice(0, -1), 'truncated'],
    ['event, a parent not counted', changed(one, (b) => writeUint16(b, 75, 0)), 'trailing-bytes'],
    ['event, 257 parents', changed(one, (b) => writeUint16(b, 75, 257)), 'parents-over-limit'],
    ['event, empty range', changed(one, (b) => writeUint64(b, item + 32, 9)), 'parent-range'],
    ['event, range backwards', changed(one, (b) => writeUint64(b, item + 32, 10)), 'parent-range'],
    [
      'event, parent above 2^53-1',
      changed(one, (b) => writeUint64(b, item + 40, 2 ** 53)),
      'integer-too-large',
    ],
    [
      'event, body above 192 KiB',
      changed(one, (b) => writeUint32(b, leafAt.bodyLength, 196_609)),
      'body-too-large',
    ],
    ['sealed event cut', encodeLeaf(sealed(1, 0, [])).slice(0, -3), 'truncated'],
  ];
}

function wrongOthers(): readonly (readonly [string, Uint8Array, Code])[] {
  const first = encodeLeaf(seal(0, 2, 0, 0));
  return [
    ['seal cut', first.slice(0, -1), 'truncated'],
    ['seal, a byte too many', concat(first, Uint8Array.of(0)), 'trailing-bytes'],
    ['seal of nothing', encodeLeaf(seal(0, 1, 0, 0)).with(44, 0), 'seal-entries'],
    ['first seal names another', first.with(9, 1), 'seal-previous'],
    ['second seal names none', first.with(8, 1), 'seal-previous'],
    ['seal number above 2^53-1', first.with(1, 1), 'integer-too-large'],
    ['seal, lowest above 2^53-1', first.with(55, 1), 'integer-too-large'],
    ['control without a map', controlOf(), 'control-encoding'],
    ['control, a list', controlOf(0x80), 'control-shape'],
    ['control, no type', controlOf(0xa0), 'control-shape'],
    ['control, bytes after the map', controlOf(0xa1, ...typeX, 0), 'control-encoding'],
    ['control, keys not sorted', controlOf(0xa2, ...typeX, 0x61, 0x61, 0), 'control-encoding'],
    ['control, a key twice', controlOf(0xa2, ...typeX, ...typeX), 'control-encoding'],
    ['control, 1 in two bytes', controlOf(0xa2, 0x61, 0x61, 0x18, 1, ...typeX), 'control-encoding'],
    ['control, a float', controlOf(0xa2, 0x61, 0x61, 0xf9, 0x3c, 0, ...typeX), 'control-encoding'],
    ['control, indefinite map', controlOf(0xbf, ...typeX, 0xff), 'control-encoding'],
  ];
}

async function make(): Promise<Json> {
  const good = valid.map(([how, leaf]) => {
    const bytes = encodeLeaf(leaf);
    accepted(decodeLeaf(bytes), how);
    return { how, fields: fields(leaf), leaf: toHex(bytes), leafHash: toHex(leafHash(h, bytes)) };
  });
  const bad = [...wrongEvents(), ...wrongOthers()].map(([how, bytes, code]) => ({
    how,
    leaf: toHex(bytes),
    code: refused(decodeLeaf(bytes), code, how),
  }));
  return { valid: good, invalid: bad };
}

export const leaf: Format = { name: 'leaf', make };
