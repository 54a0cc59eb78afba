import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { asHash } from '../../src/types.ts';
import {
  checkEpochKey,
  coverOf,
  epochCheck,
  epochKey,
  epochRoot,
  epochs,
  grantEpochs,
  nodeBelow,
  shredEpoch,
  spans,
  type EpochNode,
} from '../../src/access/epoch-keys.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { nodeCrypto, refused, value } from './tokens.ts';

interface Node {
  readonly level: number;
  readonly node: number;
  readonly key_hex: string;
}
interface Sealed {
  readonly root_hex: string;
  readonly nodes: readonly Node[];
  readonly epochs: readonly {
    epoch: number;
    key_hex: string;
    logId_hex: string;
    check_hex: string;
  }[];
  readonly covers: readonly { from: number; to: number; nodes: readonly Node[] }[];
  readonly shredded: readonly { epoch: number; kept: readonly Node[] }[];
  readonly invalidKeys: readonly {
    readonly id: string;
    readonly code: string;
    readonly epoch?: number;
    readonly key?: string;
    readonly check?: string;
    readonly from?: number;
    readonly to?: number;
    readonly level?: number;
    readonly node?: number;
  }[];
}

const plain = (nodes: readonly EpochNode[]): Node[] =>
  nodes.map(({ level, node, key }) => ({ level, node, key_hex: toHex(key) }));
const root = epochRoot(new Uint8Array(32).fill(9));

describe('epoch keys', () => {
  it('derive, cover, shred and check as in the golden vectors', function () {
    const path = 'headwater/sealed.json';
    const file = suite<Sealed>(this, path);
    const held = epochRoot(hex(file.root_hex));
    for (const { level, node, key_hex } of file.nodes) {
      assert.equal(toHex(value(nodeBelow(nodeCipher, held, { level, node })).key), key_hex);
    }
    for (const { epoch, key_hex, logId_hex, check_hex } of file.epochs) {
      const key = value(epochKey(nodeCipher, held, epoch));
      assert.equal(toHex(key), key_hex);
      assert.equal(toHex(epochCheck(nodeCrypto, asHash(hex(logId_hex)), epoch, key)), check_hex);
    }
    for (const { from, to, nodes } of file.covers) {
      assert.deepEqual(plain(value(grantEpochs(nodeCipher, held, from, to))), nodes);
    }
    for (const { epoch, kept } of file.shredded) {
      assert.deepEqual(plain(shredEpoch(nodeCipher, [held], epoch)), kept);
    }
    const { nodes, epochs: keys, covers, shredded } = file;
    ran(`${path} (epoch keys)`, nodes.length + keys.length + covers.length + shredded.length);
  });

  it('epoch key of another stream, wrong epoch key delivered: told apart by the log', function () {
    const { invalidKeys } = suite<Sealed & { invalidKeys: { logId?: string }[] }>(
      this,
      'headwater/sealed.json',
    );
    for (const c of invalidKeys) {
      if (c.code === 'epoch-key') {
        const log = asHash(hex(c.logId ?? ''));
        const result = checkEpochKey(
          nodeCrypto,
          log,
          c.epoch ?? 0,
          hex(c.key ?? ''),
          hex(c.check ?? ''),
        );
        refused(result, c.code);
      } else if (c.code === 'epoch-range') refused(coverOf(c.from ?? 0, c.to ?? 0), c.code);
      else {
        const held = { level: c.level ?? 0, node: c.node ?? 0, key: new Uint8Array(32) };
        refused(epochKey(nodeCipher, held, c.epoch ?? 0), c.code);
      }
    }
    ran('headwater/sealed.json (refused keys)', invalidKeys.length);
  });

  const range = fc
    .tuple(fc.integer({ min: 0, max: epochs - 1 }), fc.integer({ min: 1, max: 5_000 }))
    .map(([from, length]) => [from, Math.min(epochs, from + length)] as const);

  it('reach exactly the range that was granted, with as few nodes as can be', () => {
    fc.assert(
      fc.property(range, fc.nat(), ([from, to], pick) => {
        const nodes = value(grantEpochs(nodeCipher, root, from, to));
        assert.equal(
          nodes.reduce((sum, { level }) => sum + 2 ** level, 0),
          to - from,
        );
        assert.ok(nodes.length <= 64);
        const inside = from + (pick % (to - from));
        const holders = nodes.filter((node) => spans(node, inside));
        assert.equal(holders.length, 1);
        const [holder] = holders;
        assert.ok(holder);
        const key = value(epochKey(nodeCipher, holder, inside));
        assert.deepEqual(key, value(epochKey(nodeCipher, root, inside)));
        for (const outside of [from - 1, to]) {
          for (const node of nodes)
            refused(epochKey(nodeCipher, node, outside), 'epoch-not-covered');
        }
      }),
    );
  });

  it('a shredded epoch is gone, and every other one stays', () => {
    fc.assert(
      fc.property(range, fc.nat(), fc.nat(), ([from, to], a, b) => {
        const gone = from + (a % (to - from));
        const kept = shredEpoch(nodeCipher, value(grantEpochs(nodeCipher, root, from, to)), gone);
        const reach = (epoch: number) => kept.filter((node) => spans(node, epoch));
        assert.equal(reach(gone).length, 0);
        const other = from + (b % (to - from));
        if (other === gone) return;
        const [holder] = reach(other);
        assert.ok(holder);
        assert.deepEqual(
          value(epochKey(nodeCipher, holder, other)),
          value(epochKey(nodeCipher, root, other)),
        );
        assert.deepEqual(shredEpoch(nodeCipher, kept, gone), kept);
      }),
    );
  });

  it('a node does not give the one above it', () => {
    const held = value(nodeBelow(nodeCipher, root, { level: 5, node: 0 }));
    assert.deepEqual(value(nodeBelow(nodeCipher, held, { level: 5, node: 0 })), held);
    refused(nodeBelow(nodeCipher, held, { level: 6, node: 0 }), 'epoch-not-covered');
    refused(nodeBelow(nodeCipher, held, { level: 32, node: 0 }), 'epoch-not-covered');
  });

  it('the whole tree is one node', () => {
    assert.deepEqual(value(coverOf(0, epochs)), [{ level: 32, node: 0 }]);
    for (const [from, to] of [
      [0, 0.5],
      [0.5, 1],
      [0, Number.NaN],
      [0, epochs + 1],
    ] as const) {
      refused(coverOf(from, to), 'epoch-range');
    }
  });
});
