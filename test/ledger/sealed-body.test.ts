import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, toHex } from '../../src/bytes.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { commitments } from '../../src/ledger/commitment.ts';
import { encodeLeaf } from '../../src/ledger/leaf.ts';
import {
  openBody,
  openBodyWith,
  sealBody,
  sealedKey,
  sealedLength,
} from '../../src/ledger/sealed-body.ts';
import { asHash, asTimeMs, type DataKind, type EventBytes } from '../../src/types.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

interface Sealed {
  readonly events: readonly {
    id: string;
    logId_hex: string;
    index: number;
    epochKey_hex: string;
    eventKey_hex: string;
    attributesSalt_hex: string;
    dataSalt_hex: string;
    kind: DataKind;
    attributes_hex: string;
    data_hex: string;
    leaf_hex: string;
    body_hex: string;
  }[];
  readonly invalidEvents: readonly {
    id: string;
    leaf: string;
    body: string;
    logId_hex?: string;
    logId: string;
    index: number;
    epochKey: string;
    code: string;
  }[];
}
const path = 'headwater/sealed.json';

const bytes = fc.uint8Array({ maxLength: 400 });

function exactly(n: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: n, maxLength: n });
}

describe('the body of a sealed event', () => {
  it('is sealed and opened as in the golden vectors', function () {
    const { events } = suite<Sealed>(this, path);
    for (const item of events) {
      const leaf = hex(item.leaf_hex);
      const place = { log: asHash(hex(item.logId_hex)), index: item.index, leaf };
      const epochKey = hex(item.epochKey_hex);
      assert.equal(toHex(sealedKey(nodeCrypto, place, epochKey)), item.eventKey_hex);
      const event: EventBytes = {
        attributes: hex(item.attributes_hex),
        kind: item.kind,
        data: hex(item.data_hex),
      };
      const salts = concat(hex(item.attributesSalt_hex), hex(item.dataSalt_hex));
      const unsigned = leaf.slice().fill(0, 75, 107);
      const made = sealBody(
        nodeCipher,
        nodeCrypto,
        { ...place, leaf: unsigned },
        epochKey,
        salts,
        event,
      );
      assert.equal(toHex(made), item.body_hex, item.id);
      assert.equal(sealedLength(event), made.length);
      const opened = must(openBody(nodeCipher, nodeCrypto, place, epochKey, made));
      assert.deepEqual(opened, { event, salts });
      const key = hex(item.eventKey_hex);
      assert.deepEqual(must(openBodyWith(nodeCipher, nodeCrypto, place, key, made)), opened);
    }
    ran(`${path} (bodies)`, events.length);
  });

  it('ciphertext swapped, plaintext not matching its commitment, kind changed: refused', function () {
    const { invalidEvents } = suite<Sealed>(this, path);
    for (const c of invalidEvents) {
      const place = { log: asHash(hex(c.logId_hex ?? c.logId)), index: c.index, leaf: hex(c.leaf) };
      refused(openBody(nodeCipher, nodeCrypto, place, hex(c.epochKey), hex(c.body)), c.code);
    }
    ran(`${path} (refused bodies)`, invalidEvents.length);
  });

  it('gives any event back, and no flipped bit of it opens', () => {
    fc.assert(
      fc.property(
        bytes,
        bytes,
        exactly(64),
        exactly(32),
        fc.nat(),
        (attributes, data, salts, key, at) => {
          const event: EventBytes = { attributes, kind: 3, data };
          const made = commitments(nodeCrypto, salts, event);
          const fields = {
            kind: 1,
            time: asTimeMs(1),
            attributesCommitment: made.attributes,
            dataCommitment: made.data,
            bodyLength: sealedLength(event),
            epoch: 4,
            parents: [],
          } as const;
          const log = asHash(new Uint8Array(32).fill(1));
          const open = encodeLeaf({ ...fields, bodyHash: asHash(new Uint8Array(32)) });
          const body = sealBody(
            nodeCipher,
            nodeCrypto,
            { log, index: 9, leaf: open },
            key,
            salts,
            event,
          );
          const leaf = encodeLeaf({ ...fields, bodyHash: nodeCrypto.sha256(body) });
          const place = { log, index: 9, leaf };
          assert.deepEqual(must(openBody(nodeCipher, nodeCrypto, place, key, body)).event, event);
          const flipped = body.slice();
          flipped[at % body.length] = (flipped[at % body.length] ?? 0) ^ 1;
          refused(openBody(nodeCipher, nodeCrypto, place, key, flipped), 'sealed-body-hash');
        },
      ),
      { numRuns: 50 },
    );
  });
});
