import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, toHex } from '../../src/bytes.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { bodyLength, decodeBody, encodeBody } from '../../src/ledger/body.ts';
import {
  attributesCommitment,
  checkOpening,
  commitments,
  dataCommitment,
  saltsAt,
} from '../../src/ledger/commitment.ts';
import type { DataKind, EventBytes } from '../../src/types.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

interface Content {
  id: string;
  position: number;
  kind: DataKind;
  attributes_hex: string;
  data_hex?: string;
  attributesSalt_hex: string;
  dataSalt_hex: string;
  attributesCommitment_hex: string;
  dataCommitment_hex: string;
  body_hex: string;
  bodyLength: number;
}
interface Commitments {
  seed_hex: string;
  salts: { seed_hex: string; position: number; attributesSalt_hex: string; dataSalt_hex: string }[];
  content: Content[];
  invalidBodies: { id: string; body_hex?: string; body_rule?: string; code: string }[];
  invalidOpenings: {
    id: string;
    attributesSalt: string;
    dataSalt: string;
    kind: DataKind;
    attributes: string;
    data: string;
    attributesCommitment: string;
    dataCommitment: string;
    code: string;
  }[];
}
const path = 'headwater/commitments.json';

describe('commitments', () => {
  it('take their salts from seed and position', function () {
    const { salts } = suite<Commitments>(this, path);
    for (const { seed_hex, position, attributesSalt_hex, dataSalt_hex } of salts) {
      for (const crypto of [nodeCrypto, nobleCrypto]) {
        const both = saltsAt(crypto, hex(seed_hex), position);
        assert.equal(toHex(both), attributesSalt_hex + dataSalt_hex);
      }
    }
    ran(path, salts.length);
  });

  it('and bodies have the bytes of the independent reference', function () {
    const { seed_hex, content } = suite<Commitments>(this, path);
    for (const item of content) {
      const { id, kind, position } = item;
      const event = must(decodeBody(hex(item.body_hex)), id);
      assert.equal(toHex(event.attributes), item.attributes_hex, id);
      assert.equal(event.kind, kind, id);
      if (item.data_hex !== undefined) assert.equal(toHex(event.data), item.data_hex, id);
      assert.equal(toHex(encodeBody(event)), item.body_hex, id);
      assert.equal(bodyLength(event), item.bodyLength, id);
      const salts = saltsAt(nodeCrypto, hex(seed_hex), position);
      assert.equal(toHex(salts), item.attributesSalt_hex + item.dataSalt_hex, id);
      const made = commitments(nodeCrypto, salts, event);
      assert.equal(toHex(made.attributes), item.attributesCommitment_hex, id);
      assert.equal(toHex(made.data), item.dataCommitment_hex, id);
      const [salt, dataSalt] = [salts.subarray(0, 32), salts.subarray(32)];
      const one = attributesCommitment(nodeCrypto, salt, event.attributes);
      assert.equal(toHex(one), item.attributesCommitment_hex, id);
      const other = dataCommitment(nodeCrypto, dataSalt, kind, event.data);
      assert.equal(toHex(other), item.dataCommitment_hex, id);
    }
    ran(path, content.length);
  });

  it('are not opened by other salts, kinds or bytes', function () {
    const { invalidOpenings } = suite<Commitments>(this, path);
    for (const item of invalidOpenings) {
      const salts = concat(hex(item.attributesSalt), hex(item.dataSalt));
      const leaf = concat(hex(item.attributesCommitment), hex(item.dataCommitment));
      const event = { attributes: hex(item.attributes), kind: item.kind, data: hex(item.data) };
      const fault = checkOpening(nodeCrypto, salts, event, leaf, 0);
      assert.equal(fault?.code, item.code, item.id);
    }
    ran(path, invalidOpenings.length);
  });
});

describe('public bodies', () => {
  it('are refused by code where the encoding is wrong', function () {
    const { content, invalidBodies } = suite<Commitments>(this, path);
    const attributes = hex(content.find(({ id }) => id === 'none')?.attributes_hex ?? '');
    // The one case that is too long to print is given by a rule.
    const long = encodeBody({ attributes, kind: 3, data: new Uint8Array(196_608) });
    for (const { id, body_hex, body_rule, code } of invalidBodies) {
      if (body_rule !== undefined)
        assert.match(body_rule, /^dag-cbor \[3, attributes of case none/);
      refused(decodeBody(body_hex === undefined ? long : hex(body_hex)), code, id);
    }
    ran(path, invalidBodies.length);
  });

  const arbitraryEvent: fc.Arbitrary<EventBytes> = fc.oneof(
    fc.record({
      attributes: fc.uint8Array({ maxLength: 300 }),
      kind: fc.constantFrom(1 as const, 2 as const, 3 as const),
      data: fc.uint8Array({ maxLength: 300 }),
    }),
    fc.record({
      attributes: fc.uint8Array({ maxLength: 30 }),
      kind: fc.constant(0 as const),
      data: fc.constant(new Uint8Array(0)),
    }),
  );

  it('come back as they went in, and fail when cut or flipped in their framing', () => {
    fc.assert(
      fc.property(arbitraryEvent, (event) => {
        const bytes = encodeBody(event);
        assert.equal(bytes.length, bodyLength(event));
        const back = must(decodeBody(bytes));
        assert.deepEqual({ ...back }, { ...event });
        for (let length = 0; length < bytes.length; length++) {
          assert.equal(decodeBody(bytes.subarray(0, length)).ok, false);
        }
        refused(decodeBody(concat(bytes, Uint8Array.of(0))), 'body-encoding');
      }),
      { numRuns: 60 },
    );
  });

  it('change a commitment with every bit of kind, attributes and data', () => {
    const salts = saltsAt(nodeCrypto, new Uint8Array(32), 3);
    const event = {
      attributes: Uint8Array.of(1, 2, 3),
      kind: 1 as const,
      data: Uint8Array.of(4, 5),
    };
    const made = commitments(nodeCrypto, salts, event);
    const leaf = concat(made.attributes, made.data);
    const bytes = encodeBody(event);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
      const body = decodeBody(flipped);
      if (body.ok) assert.ok(checkOpening(nodeCrypto, salts, body.value, leaf, 0), `bit ${bit}`);
    }
    assert.equal(checkOpening(nodeCrypto, salts, event, leaf, 0), undefined);
  });

  it('never throw on bytes that are no body', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const body = decodeBody(bytes);
        if (body.ok) assert.equal(toHex(encodeBody(body.value)), toHex(bytes));
      }),
      { numRuns: 500 },
    );
  });
});
