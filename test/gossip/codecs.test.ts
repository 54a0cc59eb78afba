import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { fault } from '../../src/errors.ts';
import {
  decodeAlert,
  decodeAnnouncement,
  encodeAlert,
  encodeAnnouncement,
  isLaterAlert,
} from '../../src/gossip/announcement-codec.ts';
import { decodeBlocks, encodeBlocks } from '../../src/gossip/blocks-codec.ts';
import {
  decodeHeads,
  encodeHeads,
  headsDigest,
  pagesOf,
  type HeadRow,
} from '../../src/gossip/heads-codec.ts';
import { decodeHello, encodeHello } from '../../src/gossip/hello-codec.ts';
import { decodeKeys, encodeKeys } from '../../src/gossip/keys-codec.ts';
import { encodeRefusal, isMalformed, isRefusal } from '../../src/gossip/message.ts';
import { decodeProof, encodeProof } from '../../src/gossip/proof-codec.ts';
import { decodePublish, encodePublish } from '../../src/gossip/publish-codec.ts';
import { logIdFromHash } from '../../src/ids.ts';
import { protocol } from '../../src/limits.ts';
import type { Result } from '../../src/result.ts';
import { asHash, asLogIndex, asTreeSize } from '../../src/types.ts';
import { refused } from '../support/result.ts';
import {
  alert,
  announcement,
  blocks,
  bytes,
  heads,
  hello,
  keys,
  proof,
  publish,
} from './messages.ts';

const runs = { numRuns: 150 };

/** The same value with ordinary prototypes: fast-check's records have none. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** The properties of every codec: it inverts, has one encoding, and refuses cut or foreign bytes. */
function codec<T extends object>(
  name: string,
  value: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (frame: Uint8Array) => Result<T>,
): void {
  describe(name, () => {
    it('decodes what it encodes, to the same bytes again', () => {
      fc.assert(
        fc.property(value, (message) => {
          const frame = encode(message);
          const decoded = decode(frame);
          assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
          assert.deepEqual(decoded.value, plain(message));
          assert.equal(toHex(encode(decoded.value)), toHex(frame));
        }),
        runs,
      );
    });
    it('refuses every truncation and every appended byte', () => {
      fc.assert(
        fc.property(value, fc.nat(), (message, at) => {
          const frame = encode(message);
          assert.ok(!decode(frame.subarray(0, at % frame.length)).ok);
          assert.ok(!decode(Uint8Array.of(...frame, 0)).ok);
        }),
        runs,
      );
    });
    it('never throws, and what it takes from changed bytes is canonical', () => {
      fc.assert(
        fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, change) => {
          const frame = encode(message);
          const i = at % frame.length;
          frame[i] = (frame[i] ?? 0) ^ change;
          const decoded = decode(frame);
          // A code that we do not know becomes peer-fault: the one thing that is not kept.
          if (!decoded.ok || JSON.stringify(decoded.value).includes('peer-fault')) return;
          assert.equal(toHex(encode(decoded.value)), toHex(frame));
        }),
        runs,
      );
      fc.assert(
        fc.property(bytes(200), (garbage) => {
          const decoded = decode(garbage);
          if (!decoded.ok) assert.match(decoded.error.code, /^[a-z0-9-]+$/);
        }),
        runs,
      );
    });
  });
}

const wire = (length: number): Uint8Array =>
  encodeBlocks({ kind: 'blocks', next: asTreeSize(1), wires: [new Uint8Array(length)] });

const sizes = (length: number): Uint8Array =>
  encodeHeads({
    kind: 'page',
    more: false,
    sizes: Array.from({ length }, () => ({
      logId: logIdFromHash(asHash(new Uint8Array(32))),
      size: asTreeSize(1),
    })),
  });

describe('protocol codecs', () => {
  codec('heads', heads, encodeHeads, decodeHeads);
  codec('blocks', blocks, encodeBlocks, decodeBlocks);
  codec('keys', keys, encodeKeys, decodeKeys);
  codec('publish', publish, encodePublish, decodePublish);
  codec('hello', hello, encodeHello, decodeHello);
  codec('registry announcement', announcement, encodeAnnouncement, decodeAnnouncement);
  codec('alert', alert, encodeAlert, decodeAlert);
  codec('proof', proof, encodeProof, decodeProof);

  it('passes over alerts of later versions, and refuses those that are broken', () => {
    const later = Uint8Array.of(0x82, 4, 0x41, 1);
    refused(decodeAlert(later), 'message-shape');
    assert.ok(isLaterAlert(later));
    for (const broken of [new Uint8Array(0), Uint8Array.of(0x82, 2, 0x01), Uint8Array.of(0x20)]) {
      assert.ok(!decodeAlert(broken).ok && !isLaterAlert(broken));
    }
    const large = { kind: 'fork' as const, proof: new Uint8Array(protocol.maxForkProofBytes) };
    assert.ok(encodeAlert(large).length <= protocol.maxMessageBytes);
    assert.ok(decodeAlert(encodeAlert(large)).ok);
    const above = { ...large, proof: new Uint8Array(protocol.maxForkProofBytes + 1) };
    refused(decodeAlert(encodeAlert(above)), 'message-shape');
    const document = Uint8Array.of(1, 2);
    assert.equal(toHex(encodeAlert({ kind: 'network', document })), '8201420102');
    assert.equal(toHex(encodeAlert({ kind: 'fork', proof: document })), '8202420102');
    assert.equal(toHex(encodeAlert({ kind: 'revocation', token: document })), '8203420102');
  });

  it('fixes the bytes of the messages', () => {
    const id = logIdFromHash(asHash(new Uint8Array(32).fill(7)));
    const sevens = '07'.repeat(32);
    const from = asLogIndex(500);
    const read = { kind: 'read' as const, logId: id, from, maxBytes: 65_536, live: true };
    assert.equal(toHex(encodeBlocks(read)), `86015820${sevens}1901f41a0001000001f6`);
    const wires = [Uint8Array.of(1, 2)];
    const next = asTreeSize(9);
    assert.equal(toHex(encodeBlocks({ kind: 'blocks', next, wires })), '83020981420102');
    assert.equal(toHex(encodeBlocks({ kind: 'ack', next: asLogIndex(9) })), '820509');
    const page = { kind: 'page' as const, more: false, sizes: [{ logId: id, size: next }] };
    assert.equal(toHex(encodeHeads(page)), `83040081825820${sevens}09`);
    assert.equal(toHex(encodeKeys({ kind: 'ask', logId: id, from })), `83015820${sevens}1901f4`);
    assert.equal(toHex(encodeHello({ kind: 'accepted' })), '8103');
    assert.equal(
      toHex(headsDigest(nodeCrypto, [{ logId: id, size: next }])),
      toHex(
        nodeCrypto.sha256(Uint8Array.of(...new Uint8Array(32).fill(7), 0, 0, 0, 0, 0, 0, 0, 9)),
      ),
    );
  });

  it('gives a refusal as the fault it names, and an unknown code as peer-fault', () => {
    const frame = encodeRefusal(fault('not-a-member', 'you are not listed'));
    const decoded = decodeHello(frame);
    assert.ok(!decoded.ok);
    assert.equal(decoded.error.code, 'not-a-member');
    assert.match(decoded.error.message, /you are not listed/);
    assert.ok(isRefusal(decoded.error));
    const shape = decodeBlocks(encodeRefusal(fault('message-shape', 'you sent garbage')));
    assert.ok(!shape.ok && !isMalformed(shape.error), 'a stated fault costs nobody');
    const unknown = Uint8Array.of(0x83, 0, 0x63, 0x61, 0x62, 0x63, 0x61, 0x78);
    const strange = decodeHeads(unknown);
    assert.ok(!strange.ok);
    assert.equal(strange.error.code, 'peer-fault');
    assert.match(strange.error.message, /abc/);
  });

  it('holds the limits of each field, at the limit and one past it', () => {
    assert.ok(decodeBlocks(wire(protocol.maxMessageBytes)).ok);
    const large = decodeBlocks(wire(protocol.maxMessageBytes + 1));
    assert.ok(!large.ok);
    assert.equal(large.error.code, 'message-shape');
    assert.ok(decodeHeads(sizes(protocol.maxHeadsPage)).ok);
    assert.ok(!decodeHeads(sizes(protocol.maxHeadsPage + 1)).ok);
  });

  it('cuts head rows into pages that fit a frame', () => {
    const one: HeadRow = {
      logId: logIdFromHash(asHash(new Uint8Array(32))),
      size: asTreeSize(1),
      root: asHash(new Uint8Array(32)),
      checkpoint: 'x'.repeat(300),
      cosignatures: [],
    };
    const pages = pagesOf(Array.from({ length: 5000 }, () => one));
    assert.equal(pages.flat().length, 5000);
    for (const page of pages) {
      assert.ok(page.length <= protocol.maxHeadsPage);
      const frame = encodeHeads({ kind: 'rows', more: true, rows: page });
      assert.ok(frame.length <= protocol.maxFrameBytes);
    }
    assert.deepEqual(pagesOf([]), [[]]);
  });
});
