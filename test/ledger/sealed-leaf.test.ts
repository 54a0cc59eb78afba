import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { concat, toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { checkSealedBody } from '../../src/ledger/block-leaves.ts';
import { commitments } from '../../src/ledger/commitment.ts';
import { decodeLeaf, encodeLeaf } from '../../src/ledger/leaf.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import type { DataKind } from '../../src/types.ts';
import { must } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';

interface Sealed {
  events: {
    id: string;
    time: number;
    epoch: number;
    kind: DataKind;
    attributes_hex: string;
    data_hex: string;
    attributesSalt_hex: string;
    dataSalt_hex: string;
    attributesCommitment_hex: string;
    dataCommitment_hex: string;
    body_hex: string;
    bodyLength: number;
    bodyHash_hex: string;
    leaf_hex: string;
    leafHash_hex: string;
  }[];
  invalidEvents: { id: string; leaf: string; body: string; code: string }[];
}
const path = 'headwater/sealed.json';

describe('a sealed event', () => {
  it('has a leaf whose every field the ciphertext and the content give', function () {
    const { events } = suite<Sealed>(this, path);
    for (const item of events) {
      const bytes = hex(item.leaf_hex);
      const leaf = must(decodeLeaf(bytes), item.id);
      assert.equal(leaf.kind, 1);
      if (leaf.kind !== 1) continue;
      assert.equal(toHex(encodeLeaf(leaf)), item.leaf_hex);
      assert.equal(toHex(leafHash(nodeCrypto, bytes)), item.leafHash_hex);
      const { time, epoch, bodyLength } = leaf;
      assert.deepEqual(
        { time: Number(time), epoch, bodyLength },
        { time: item.time, epoch: item.epoch, bodyLength: item.bodyLength },
      );
      assert.equal(toHex(leaf.bodyHash), item.bodyHash_hex);
      const salts = concat(hex(item.attributesSalt_hex), hex(item.dataSalt_hex));
      const { attributes_hex, data_hex, kind } = item;
      const event = { attributes: hex(attributes_hex), kind, data: hex(data_hex) };
      const made = commitments(nodeCrypto, salts, event);
      assert.equal(toHex(made.attributes), item.attributesCommitment_hex);
      assert.equal(toHex(made.data), item.dataCommitment_hex);
      assert.equal(toHex(leaf.attributesCommitment), item.attributesCommitment_hex);
      assert.equal(toHex(leaf.dataCommitment), item.dataCommitment_hex);
      assert.equal(checkSealedBody(nodeCrypto, bytes, hex(item.body_hex)), undefined, item.id);
    }
    ran(path, events.length);
  });

  it('is held against its leaf without any key', function () {
    const { invalidEvents } = suite<Sealed>(this, path);
    let keyless = 0;
    for (const { id, leaf, body, code } of invalidEvents) {
      const found = checkSealedBody(nodeCrypto, hex(leaf), hex(body))?.code;
      const withoutKey = code === 'body-length' || code === 'sealed-body-hash';
      // What only a key holder can see passes here: relays carry it.
      assert.equal(found, withoutKey ? code : undefined, id);
      if (withoutKey) keyless += 1;
    }
    assert.ok(keyless > 0);
    ran(path, keyless);
  });
});
