import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat, toHex, writeUint64 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { formatReference, logIdHash } from '../../src/ids.ts';
import { keyspace } from '../../src/keyspace.ts';
import type { DecodedBlock } from '../../src/ledger/block.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { encodeParents, parentBytes } from '../../src/ledger/leaf.ts';
import { lineageNode, lineageRows } from '../../src/ledger/lineage-rows.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { alignedSubtrees, rangeProof, rangeRoot, verifyRange } from '../../src/ledger/range.ts';
import { rangeMemberProof, verifyRangeMember } from '../../src/ledger/range-member.ts';
import type { StoreWrite } from '../../src/ledger/store.ts';
import { protocol } from '../../src/limits.ts';
import {
  asHash,
  asLogIndex,
  asStreamName,
  type Hash,
  type LogId,
  type LogIndex,
} from '../../src/types.ts';
import { naiveReader, namedLeaves } from './naive-tree.ts';
import {
  event,
  events,
  newLog,
  openLedger,
  otherSigner,
  publish,
  signer,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';

const zero = asLogIndex(0);

/** Key of block 1 of a log with this number. */
function secondBlock(number: number): Uint8Array {
  return Uint8Array.of(3, 0, 0, 0, number, 0, 0, 0, 0, 0, 1);
}

async function cite(ledger: Ledger, log: LogId, id: string, hwparents: string): Promise<LogIndex> {
  const [receipt] = await publish(ledger, log, [event(id, { hwparents })]);
  return receipt?.index ?? zero;
}

async function refusedParents(ledger: Ledger, log: LogId, hwparents: string): Promise<string> {
  const [result] = must(await ledger.publish(log, [event('refused', { hwparents })]));
  return result === undefined || result.ok ? 'ok' : result.error.code;
}

async function childrenOf(ledger: Ledger, log: LogId, index: number): Promise<string[]> {
  const found = must(await ledger.lineage().children(log, asLogIndex(index), 100));
  assert.equal(found.more, false);
  return found.children.map(({ logId, index: at }) => `${logId === log ? '' : 'other'}${at}`);
}

describe('parents of an event', () => {
  it('take the hash that the publisher gives only where there is none of our own', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(5));
    const root = toHex(must(await ledger.proofs.rangeRoot(log, asLogIndex(2), asLogIndex(5))));
    await cite(ledger, log, 'right', `hw:${log}/2-5@${root}`);
    assert.equal(await refusedParents(ledger, log, `hw:${log}/2-4@${root}`), 'parent-mismatch');
    assert.equal(await refusedParents(ledger, log, `hw:${log}/900`), 'parent-unknown');
    assert.equal(await refusedParents(ledger, log, `hw:${log}/900@${root}`), 'parent-range');
    const { ledger: other, log: foreign } = await withLog();
    assert.equal(await refusedParents(ledger, log, `hw:${foreign}/1`), 'parent-unknown');
    const index = await cite(ledger, log, 'foreign', `hw:${foreign}/1@${root}`);
    const traced = must(await ledger.lineage().entry(log, index));
    assert.deepEqual(
      traced.parents.map((parent) => [toHex(parent.log), parent.from, parent.to]),
      [[toHex(logIdHash(foreign)), 1, 2]],
    );
    await Promise.all([ledger.close(), other.close()]);
  });

  it('of a followed log are resolved as far as it was fetched', async () => {
    const { ledger: source, log: inputs } = await withLog();
    await publish(source, inputs, events(3));
    const { ledger, log } = await withLog();
    must(await ledger.follow(inputs));
    assert.equal(await refusedParents(ledger, log, `hw:${inputs}/1`), 'parent-unknown');
    for (const wire of await wires(source, inputs, zero)) await ledger.apply(wire, 'sync');
    const child = await cite(ledger, log, 'child', `hw:${inputs}/1-3`);
    // Ahead of our copy the publisher may know more than we do.
    await cite(ledger, log, 'ahead', `hw:${inputs}/70@${'11'.repeat(32)}`);
    const found = must(await ledger.lineage().children(inputs, asLogIndex(2), 9));
    assert.deepEqual(found.children, [{ logId: log, index: child }]);
    await Promise.all([ledger.close(), source.close()]);
  });
});

describe('the reverse index', () => {
  it('finds the children of an entry under every range that holds it', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(40));
    const a = await cite(ledger, log, 'a', `hw:${log}/3-30`);
    const b = await cite(ledger, log, 'b', `hw:${log}/7 hw:${log}/6-9`);
    const c = await cite(ledger, log, 'c', `hw:${log}/${a}`);
    assert.deepEqual(await childrenOf(ledger, log, 7), [b, a].map(String));
    assert.deepEqual(await childrenOf(ledger, log, 29), [String(a)]);
    assert.deepEqual(await childrenOf(ledger, log, 30), []);
    assert.deepEqual(await childrenOf(ledger, log, 2), []);
    assert.deepEqual(await childrenOf(ledger, log, a), [String(c)]);
    const one = must(await ledger.lineage().children(log, asLogIndex(7), 1));
    assert.deepEqual([one.children.length, one.more], [1, true]);
    await ledger.close();
  });

  it('agrees with a search through all parents', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(64));
    const cited = new Map<number, readonly [number, number]>();
    for (let n = 0; n < 24; n++) {
      const from = (n * 37) % 60;
      const to = Math.min(64, from + 1 + ((n * 13) % 31));
      const text = formatReference({ logId: log, from: asLogIndex(from), to: asLogIndex(to) });
      cited.set(await cite(ledger, log, `n${n}`, text), [from, to]);
    }
    for (let index = 0; index < 66; index++) {
      const wanted = [...cited].filter(([, [from, to]]) => from <= index && index < to);
      assert.deepEqual(
        (await childrenOf(ledger, log, index)).map(Number).sort((x, y) => x - y),
        wanted.map(([child]) => child),
        `entry ${index}`,
      );
    }
    await ledger.close();
  });

  it('is written with the block of a followed log, and goes with it', async () => {
    const store = new MemoryStore();
    const { ledger: source, log } = await withLog();
    await publish(source, log, events(5));
    const child = await cite(source, log, 'child', `hw:${log}/1-4`);
    const ledger = await openLedger({ store });
    must(await ledger.follow(log));
    for (const wire of await wires(source, log, zero)) await ledger.apply(wire, 'sync');
    assert.deepEqual(await childrenOf(ledger, log, 2), [String(child)]);
    must(await ledger.unfollow(log, { purge: true }));
    const rows = store.scan({
      gte: Uint8Array.of(keyspace.lineage.prefix),
      lt: Uint8Array.of(0x0e),
    });
    assert.deepEqual(must(await rows.next(10)), []);
    await Promise.all([ledger.close(), source.close()]);
  });

  it('has one row a parent once a block asks for too many', () => {
    const parents = Array.from({ length: 200 }, () => {
      const item = new Uint8Array(parentBytes);
      writeUint64(item, 32, 1);
      writeUint64(item, 40, 2 ** 53 - 2);
      return item;
    });
    const field = concat(Uint8Array.of(0, 200), ...parents);
    const entry = { parentsOffset: 0, parentsLength: field.length };
    const block = { wire: field, firstIndex: 7, entries: [entry] } as unknown as DecodedBlock;
    const writes: StoreWrite[] = [];
    lineageRows(1, block, writes);
    assert.ok(writes.length < protocol.maxLineageRowsPerBlock + 200, String(writes.length));
    assert.deepEqual(lineageNode(writes.at(-1)?.key ?? field), { level: 53, index: 0 });
  });
});

describe('an entry of a trace', () => {
  it('verifies against the signed head, also behind a rotation', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(3));
    must(await ledger.rotate(log, otherSigner));
    const atHead = must(await ledger.lineage().entry(log, asLogIndex(2)));
    assert.equal(atHead.problem, undefined);
    await publish(ledger, log, events(1, 9));
    const reader = ledger.lineage();
    const after = must(await reader.entry(log, asLogIndex(2)));
    assert.equal(after.problem, undefined);
    refused(await reader.entry(log, asLogIndex(900)), 'index-over-head');
    const { ledger: other, log: foreign } = await withLog();
    refused(await reader.entry(foreign, zero), 'log-unknown');
    await Promise.all([ledger.close(), other.close()]);
  });

  it('is told to be wrong where another log was written in its place', async () => {
    const store = new MemoryStore();
    const { ledger, log } = await withLog({ store });
    await publish(ledger, log, events(3));
    const reader = ledger.lineage();
    assert.equal(must(await reader.entry(log, asLogIndex(1))).problem, undefined);
    const second = must(await ledger.create({ ...newLog, name: asStreamName('other') }, signer));
    await publish(ledger, second, events(3, 50));
    // The second log's block under the first log's number.
    const value = must(await store.get(secondBlock(2)));
    assert.ok(value !== undefined);
    must(await store.batch([{ key: secondBlock(1), value }], { sync: true }));
    const wrong = must(await ledger.lineage().entry(log, asLogIndex(2)));
    assert.equal(wrong.problem?.code, 'root-mismatch');
    await ledger.close();
  });
});

describe('a range of 10,000 inputs', () => {
  const leaves = namedLeaves(12_345);
  const reader = naiveReader(leaves);
  const [from, to] = [1_111, 11_111];
  const rootOf = async (a: number, b: number): Promise<Hash> =>
    rangeRoot(nodeCrypto, await reader.nodes(alignedSubtrees(a, b)));

  it('costs 80 bytes of parents', async () => {
    const parent = { log: await rootOf(0, 1), rangeRoot: await rootOf(from, to) };
    const field = encodeParents([{ ...parent, from: asLogIndex(from), to: asLogIndex(to) }]);
    assert.equal(field.length, 2 + 80);
  });

  it('is proved in its log, and one input in it, with O(log n) hashes', async () => {
    const [treeRoot, cited] = [await rootOf(0, leaves.length), await rootOf(from, to)];
    const whole = await rangeProof(reader, from, to, leaves.length);
    assert.ok(whole.length <= 40, `${whole.length} hashes`);
    assert.deepEqual(
      must(verifyRange(nodeCrypto, from, to, leaves.length, whole, treeRoot)),
      cited,
    );
    for (const index of [from, 5_000, 8_192, to - 1]) {
      const proof = await rangeMemberProof(reader, index, from, to);
      assert.ok(proof.length <= 28, `${proof.length} hashes`);
      const leaf = leaves[index] ?? cited;
      must(verifyRangeMember(nodeCrypto, leaf, { index, from, to }, proof, cited));
      const other = { index: index === from ? from + 1 : index - 1, from, to };
      assert.ok(!verifyRangeMember(nodeCrypto, leaf, other, proof, cited).ok);
      const wrong = proof.map((hash, i) => (i === 3 ? asHash(new Uint8Array(32)) : hash));
      refused(
        verifyRangeMember(nodeCrypto, leaf, { index, from, to }, wrong, cited),
        'root-mismatch',
      );
    }
  });

  it('proves nothing for what is outside, too short or misshapen', async () => {
    const cited = await rootOf(from, to);
    const [leaf = cited] = leaves;
    const at = (index: number): { index: number; from: number; to: number } => ({
      index,
      from,
      to,
    });
    refused(verifyRangeMember(nodeCrypto, leaf, at(to), [], cited), 'range-invalid');
    refused(verifyRangeMember(nodeCrypto, leaf, at(from - 1), [], cited), 'range-invalid');
    refused(verifyRangeMember(nodeCrypto, leaf, at(1.5), [], cited), 'range-invalid');
    const proof = await rangeMemberProof(reader, from, from, to);
    refused(verifyRangeMember(nodeCrypto, leaf, at(from), proof.slice(1), cited), 'proof-length');
    const cut = proof.map((hash) => hash.subarray(1));
    refused(verifyRangeMember(nodeCrypto, leaf, at(from), cut, cited), 'proof-hash');
  });

  it('holds each of its entries, whatever its bounds', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(600), fc.integer({ min: 1, max: 600 }), fc.nat(), async (a, n, k) => {
        const index = a + (k % n);
        const proof = await rangeMemberProof(reader, index, a, a + n);
        const [leaf, root] = [leaves[index], await rootOf(a, a + n)];
        const range = { index, from: a, to: a + n };
        return leaf !== undefined && verifyRangeMember(nodeCrypto, leaf, range, proof, root).ok;
      }),
      { numRuns: 60 },
    ));
});
