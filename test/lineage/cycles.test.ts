/**
 * Why no events can be inputs of each other. A's leaf holds the hash of B's leaf, and so B's bytes
 * were fixed before A's. For a cycle B's leaf would have to hold A's hash as well: both hashes would
 * have to be known before the other, a collision of SHA-256. What remains to be tried is to cite
 * what does not exist yet, under a hash that is made up, and to add the reference later.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { walkLineage } from '../../src/lineage/walk.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { event, events, publish, withLog } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { portOf, walkOptions } from './support.ts';

interface Organisation {
  readonly ledger: Ledger;
  readonly log: LogId;
}

/** Two homes with a log each, which follow each other. */
async function two(): Promise<readonly [Organisation, Organisation]> {
  const [a, b] = [await withLog(), await withLog()];
  must(await a.ledger.follow(b.log));
  must(await b.ledger.follow(a.log));
  await exchange(a, b);
  await exchange(b, a);
  return [a, b];
}

async function exchange(from: Organisation, to: Organisation): Promise<void> {
  const next = to.ledger.log(from.log)?.size ?? 0;
  for await (const { wire } of from.ledger.blocks(from.log, asLogIndex(next))) {
    await to.ledger.apply(wire, 'sync');
  }
}

describe('a cycle through two organisations', () => {
  it('is impossible by hash: the entry that was promised turns out to be another one', async () => {
    const [a, b] = await two();
    const next = a.ledger.log(a.log)?.size ?? 0;
    // Only A's own node may know A's next entry: whoever else cites it makes up a hash.
    const promised = `hw:${a.log}/${next}@${'ab'.repeat(32)}`;
    const [first] = await publish(b.ledger, b.log, [event('b', { hwparents: promised })]);
    await exchange(b, a);
    const closing = `hw:${b.log}/${first?.index}`;
    const [second] = await publish(a.ledger, a.log, [event('a', { hwparents: closing })]);
    assert.equal(second?.index, next);
    assert.notEqual(toHex(second?.leafHash ?? new Uint8Array(32)), 'ab'.repeat(32));
    const place = { logId: a.log, index: second?.index ?? asLogIndex(0) };
    const graph = must(await walkLineage(portOf(a.ledger), place, walkOptions));
    assert.equal(graph.verdict, 'broken');
    const nodes = [...graph.nodes.values()];
    assert.deepEqual(
      nodes.map(({ verdict, problem }) => [verdict, problem?.code]),
      [
        ['intact', undefined],
        ['intact', undefined],
        ['broken', 'parent-mismatch'],
      ],
    );
    assert.deepEqual(nodes[2]?.next, [], 'it does not go round');
    await Promise.all([a.ledger.close(), b.ledger.close()]);
  });

  it('is refused by late reference: what is published takes no more inputs', async () => {
    const { ledger, log } = await withLog();
    const [early] = await publish(ledger, log, [event('early')]);
    const [late] = await publish(ledger, log, [
      event('late', { hwparents: `hw:${log}/${early?.index}` }),
    ]);
    const again = event('early', { hwparents: `hw:${log}/${late?.index}` });
    const [answer] = must(await ledger.publish(log, [again]));
    assert.ok(answer !== undefined);
    refused(answer, 'event-conflict');
    await ledger.close();
  });

  it('is refused where an event cites the one that will stand at its own place, or after it', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(1));
    const next = ledger.log(log)?.size ?? 0;
    for (const [i, place] of [`${next}`, `${next + 1}`, `1-${next + 1}`].entries()) {
      for (const hash of ['', `@${'cd'.repeat(32)}`]) {
        const own = event(`own${i}${hash}`, { hwparents: `hw:${log}/${place}${hash}` });
        const [answer] = must(await ledger.publish(log, [own]));
        assert.ok(answer !== undefined);
        const code = hash === '' ? 'parent-unknown' : 'parent-range';
        refused(answer, code, `${place}${hash}`);
      }
    }
    await ledger.close();
  });
});

describe('a million ancestors', () => {
  it('are walked in bounded steps, each of which says where it goes on', async () => {
    const { ledger, log } = await withLog();
    for (let i = 0; i < 10; i++) await publish(ledger, log, events(100, 100 * i));
    const head = ledger.log(log)?.size ?? 0;
    const child = event('all', { hwparents: `hw:${log}/0-${head}` });
    const [receipt] = await publish(ledger, log, [child]);
    // The range is one number pair in the queue; the port counts what is read at most at once.
    let read = 0;
    const port = portOf(ledger);
    const counted: typeof port = {
      ...port,
      entry: (logId, index) => {
        read += 1;
        return port.entry(logId, index);
      },
    };
    const seen = new Set<string>();
    let places = [`hw:${log}/${receipt?.index}`];
    let rounds = 0;
    while (places.length > 0) {
      rounds += 1;
      read = 0;
      const [place = '', ...rest] = places;
      const [from = '', to] =
        place
          .slice(place.indexOf('/') + 1)
          .split('@')[0]
          ?.split('-') ?? [];
      const range = {
        logId: log,
        from: asLogIndex(Number(from)),
        to: asLogIndex(Number(to ?? Number(from) + 1)),
      };
      const options = { ...walkOptions, maxNodes: 120 };
      const graph = must(await walkLineage(counted, range, options));
      assert.ok(graph.nodes.size <= 120);
      assert.ok(read <= 240, `${read} entries were read in one round`);
      for (const { ref, kind } of graph.nodes.values()) if (kind === 'event') seen.add(ref);
      places = [...(graph.incomplete?.pending ?? []), ...rest];
    }
    assert.equal(seen.size, 1001);
    assert.equal(rounds, 9);
    await ledger.close();
  });
});
