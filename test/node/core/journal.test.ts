import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fault, type Fault } from '../../../src/errors.ts';
import { limits } from '../../../src/limits.ts';
import { Journal, journalTypes, type AppendJournal } from '../../../src/node/core/journal.ts';
import { err, ok } from '../../../src/result.ts';
import { asPeerId, type ParsedEvent } from '../../../src/types.ts';
import { testHost } from '../../support/ledger-home.ts';

const peer = asPeerId('12D3KooWtest');

/** A journal whose batches wait for the test. */
function journal(append: AppendJournal): { readonly journal: Journal; readonly faults: Fault[] } {
  const faults: Fault[] = [];
  return { journal: new Journal(testHost(), peer, append, (one) => faults.push(one)), faults };
}
const data = ({ data: bytes }: ParsedEvent): unknown => JSON.parse(Buffer.from(bytes).toString());

describe('the journal', () => {
  it('writes a burst as one batch, behind its caller', async () => {
    const batches: (readonly ParsedEvent[])[] = [];
    const { journal: book } = journal((events) => {
      batches.push(events);
      return Promise.resolve(ok(undefined));
    });
    book.record({ type: journalTypes.started, data: { version: '1' } });
    book.record({
      type: journalTypes.action,
      subject: 'orders',
      data: { action: 'x', why: undefined },
    });
    assert.equal(batches.length, 0);
    await book[Symbol.asyncDispose]();
    assert.equal(batches.length, 1);
    const [first, second] = batches[0] ?? [];
    assert.deepEqual(
      [first, second].map((event) => event?.context['type']),
      ['org.headwater.node.started', 'org.headwater.operator.action'],
    );
    assert.equal(second?.context['subject'], 'orders');
    assert.equal(second?.context['source'], `urn:headwater:peer:${peer}`);
    assert.deepEqual(data(second ?? assert.fail()), { action: 'x' });
    assert.notEqual(first?.context['id'], second?.context['id']);
    book.record({ type: journalTypes.warning, data: {} });
    assert.equal(batches.length, 1, 'closed');
  });

  it('drops the oldest when it cannot write, and says how many', async () => {
    const batches: (readonly ParsedEvent[])[] = [];
    const gate = Promise.withResolvers<void>();
    const { journal: book } = journal(async (events) => {
      batches.push(events);
      await gate.promise;
      return ok(undefined);
    });
    book.record({ type: journalTypes.action, data: { n: -1 } });
    await Promise.resolve(); // The first one is on its way.
    await Promise.resolve();
    assert.equal(batches.length, 1);
    for (let n = 0; n < limits.maxJournalQueue + 5; n++) {
      book.record({ type: journalTypes.action, data: { n } });
    }
    assert.equal(book.dropped, 5);
    gate.resolve();
    await book[Symbol.asyncDispose]();
    const written = batches.slice(1).flat();
    assert.equal(written.length, limits.maxJournalQueue);
    assert.deepEqual(data(written[0] ?? assert.fail()), { n: 5 });
    assert.deepEqual(data(written.at(-1) ?? assert.fail()), {
      n: limits.maxJournalQueue + 4,
      entriesLost: 5,
    });
    assert.ok(batches.every((batch) => batch.length <= limits.maxJournalBatch));
  });

  it('counts and tells what the store refused, and goes on', async () => {
    let fails = true;
    const { journal: book, faults } = journal(() =>
      Promise.resolve(fails ? err(fault('disk-full', 'no room')) : ok(undefined)),
    );
    book.record({ type: journalTypes.started, data: {} });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      faults.map(({ code }) => code),
      ['disk-full'],
    );
    assert.equal(book.dropped, 1);
    fails = false;
    book.record({ type: journalTypes.stopped, data: {} });
    await book[Symbol.asyncDispose]();
    assert.equal(book.dropped, 1);
  });
});
