import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { fault } from '../../src/errors.ts';
import { ForeignLog } from '../../src/ledger/foreign-log.ts';
import type { ForeignBudget, ForeignSource } from '../../src/ledger/foreign-port.ts';
import { asLogIndex, asTreeSize, type LogId } from '../../src/types.ts';
import { events, otherSigner, publish, wires, withLog } from '../support/ledger-home.ts';
import { env } from '../support/judges.ts';
import { served, type Lies, type Served } from '../support/foreign.ts';
import { must, refused } from '../support/result.ts';

const free: ForeignBudget = {
  spent: () => undefined,
  took: () => undefined,
  keep: () => undefined,
};

function foreign(logId: LogId, { source }: Served, budget: ForeignBudget = free): ForeignLog {
  return new ForeignLog(env, logId, source, budget, new AbortController().signal);
}

describe('a log that is read from peers', () => {
  it('gives the entries, roots and proofs that its keeper has, under one signed head', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(5));
    await publish(ledger, log, events(3, 5));
    const peer = served(ledger);
    const away = foreign(log, peer);
    const size = ledger.log(log)?.size ?? 0;
    const [own, read] = [ledger.lineage(), must(await away.entry(asLogIndex(3)))];
    const kept = must(await own.entry(log, asLogIndex(3)));
    assert.equal(toHex(read.leafHash), toHex(kept.leafHash));
    assert.deepEqual([read.fetched, read.problem, read.entry.kind], [true, undefined, 'event']);
    assert.deepEqual(read.entry.event, kept.entry.event);
    const range = must(await away.rangeRoot(asLogIndex(2), asLogIndex(9)));
    assert.equal(toHex(range), toHex(must(await own.rangeRoot(log, asLogIndex(2), asLogIndex(9)))));
    assert.equal(away.head?.size, size);
    const path = must(await away.inclusion(asLogIndex(3)));
    assert.deepEqual(path, must(await ledger.proofs.inclusion(log, asLogIndex(3))));
    assert.deepEqual(peer.asked, [
      'keys',
      'consistency 1',
      'blocks 3',
      'consistency 8',
      'range 2-9',
      'inclusion 3',
    ]);
    await ledger.close();
  });

  it('fetches an announced stretch at once, and a single entry as one block', async () => {
    const { ledger, log } = await withLog();
    for (let i = 0; i < 6; i++) await publish(ledger, log, events(4, 4 * i));
    const peer = served(ledger);
    const away = foreign(log, peer);
    must(await away.entry(asLogIndex(2)));
    const single = peer.bytes;
    const [first] = await wires(ledger, log, asLogIndex(2));
    assert.equal(single, first?.length);
    away.announce(7, 25);
    for (let index = 7; index < 25; index++) must(await away.entry(asLogIndex(index)));
    assert.deepEqual(
      peer.asked.filter((one) => one.startsWith('blocks')),
      ['blocks 2', 'blocks 7'],
    );
    await ledger.close();
  });

  it('goes on with a later head, and across a rotation', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(2));
    const peer = served(ledger);
    const away = foreign(log, peer);
    must(await away.entry(asLogIndex(1)));
    must(await ledger.rotate(log, otherSigner));
    await publish(ledger, log, events(2, 2));
    const later = (ledger.log(log)?.size ?? 0) - 2;
    must(await away.entry(asLogIndex(later)));
    assert.equal(peer.asked.filter((one) => one === 'keys').length, 2);
    refused(await away.entry(asLogIndex(99)), 'index-over-head');
    await ledger.close();
  });

  const lies: readonly (readonly [string, Lies, string])[] = [
    ['a flipped byte of a block', { wire: flipped }, 'cbor-shape root-mismatch bad-signature'],
    [
      'a root that the checkpoint does not sign',
      { answer: (answer) => ({ ...answer, root: flippedHash(answer.root) }) },
      'root-mismatch',
    ],
    [
      'a checkpoint of another size',
      { answer: (answer) => ({ ...answer, size: asTreeSize(answer.size - 1) }) },
      'root-mismatch',
    ],
    ['no checkpoint', { answer: (answer) => ({ ...answer, checkpoint: '' }) }, 'note-malformed'],
  ];
  for (const [what, lie, codes] of lies) {
    it(`is not read from a peer that shows ${what}`, async () => {
      const { ledger, log } = await withLog();
      await publish(ledger, log, events(5));
      const read = await foreign(log, served(ledger, lie)).entry(asLogIndex(3));
      assert.ok(!read.ok && codes.split(' ').includes(read.error.code), JSON.stringify(read));
      await ledger.close();
    });
  }

  it('is not read from a peer whose proofs lead elsewhere, or whose block is of another history', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(5));
    await publish(ledger, log, events(5, 5));
    const head = ledger.log(log)?.size;
    const wrong = served(ledger, {
      answer: (answer) => {
        const [first, ...rest] = answer.hashes;
        const changed = first === undefined ? [] : [flippedHash(first), ...rest];
        return answer.size === head ? { ...answer, hashes: changed } : answer;
      },
    });
    refused(await foreign(log, wrong).rangeRoot(asLogIndex(1), asLogIndex(4)), 'root-mismatch');
    refused(await foreign(log, wrong).entry(asLogIndex(2)), 'root-mismatch');
    await ledger.close();
  });

  it('of a stranger is refused: the genesis is not that of the id', async () => {
    const { ledger } = await withLog();
    const { ledger: other, log } = await withLog();
    const [, swapped] = [log, ledger.logs()[0]?.logId ?? log];
    const { source } = served(ledger);
    const lying: ForeignSource = {
      ...source,
      keys: (_, take, signal) => source.keys(swapped, take, signal),
    };
    const away = foreign(log, { asked: [], bytes: 0, source: lying });
    refused(await away.reach(1), 'block-log');
    await Promise.all([ledger.close(), other.close()]);
  });

  it('is not read on once the budget is spent', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(5));
    const limit = fault('lineage-limit', 'enough');
    let taken = 0;
    const budget: ForeignBudget = {
      spent: () => (taken > 0 ? limit : undefined),
      took: (bytes) => {
        taken += bytes;
      },
      keep: (_, drop) => drop(),
    };
    const away = foreign(log, served(ledger), budget);
    must(await away.entry(asLogIndex(3)));
    refused(await away.entry(asLogIndex(4)), 'lineage-limit');
    assert.ok(taken > 0);
    await ledger.close();
  });
});

function flipped(wire: Uint8Array): Uint8Array {
  const at = Math.floor(wire.length / 2);
  wire[at] = (wire[at] ?? 0) ^ 1;
  return wire;
}

function flippedHash<T extends Uint8Array>(hash: T): T {
  const copy = hash.slice() as T;
  copy[0] = (copy[0] ?? 0) ^ 1;
  return copy;
}
