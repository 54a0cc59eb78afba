import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { EvidenceLog } from '../../../scripts/vectors/evidence-log.ts';
import type { AttributesAnswer } from '../../../src/gossip/proof-codec.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import {
  AttributeReading,
  attributesPort,
  type AttributesPage,
} from '../../../src/node/core/attributes.ts';
import { ok, type Result } from '../../../src/result.ts';
import { asLogIndex, asTreeSize, type LogId, type LogIndex } from '../../../src/types.ts';
import { openLedger } from '../../support/ledger-home.ts';
import { must, refused } from '../../support/result.ts';
import { stream } from '../http/double.ts';

const first = EvidenceLog.open('attributes', { visibility: 'direct' })
  .withEvents(['"secret 1"', '"secret 2"'])
  .withEvents(['"secret 3"']);
const second = EvidenceLog.open('attributes 2', { visibility: 'direct' }).withEvents([
  '"secret 4"',
]);

async function keeping(...logs: readonly EvidenceLog[]): Promise<Ledger> {
  const ledger = await openLedger();
  for (const log of logs) {
    must(await ledger.follow(log.state.logId));
    for (const { wire } of log.blocks) await ledger.apply(wire, 'sync');
  }
  return ledger;
}

type Answering = (log: LogId, from: LogIndex, count: number) => Promise<AttributesAnswer>;

/** A holder that keeps nothing, and peers that answer so. */
async function holder(answer: Answering, logs: readonly LogId[]): Promise<AttributeReading> {
  const lookups: NonNullable<
    ReturnType<ConstructorParameters<typeof AttributeReading>[0]['lookups']>
  > = {
    attributes: async (log, { from, count }, take) => take(await answer(log, from, count)),
  };
  return new AttributeReading({
    ledger: await openLedger(),
    logsOf: () => logs,
    lookups: () => lookups,
  });
}

/** As an honest peer would, page by page. */
function honest(ledger: Ledger, perPage: number): Answering {
  const port = attributesPort(ledger);
  return async (log, from, count) => {
    const size = ledger.log(log)?.size ?? asTreeSize(0);
    const proofs: string[] = [];
    let at: number = from;
    for (; at < size && proofs.length < Math.min(count, perPage); at++) {
      const proved = must(await port.prove(log, asLogIndex(at)));
      if (proved !== undefined) proofs.push(proved);
    }
    return { kind: 'attributes', next: asLogIndex(at), size, proofs };
  };
}

/** One character of what is proved is another. */
function changed(proof: string): string {
  return `${proof.slice(0, 200)}${proof[200] === 'A' ? 'B' : 'A'}${proof.slice(201)}`;
}

const nobody = (): undefined => undefined;
const signal = new AbortController().signal;
const ids = (page: Result<AttributesPage>): readonly unknown[] =>
  must(page).events.map(({ attributes }) => attributes['id']);

describe('attributes of events without their data', () => {
  it('come from peers in pages, over all logs of a stream, each verified, and hold no data', async () => {
    const kept = await keeping(first, second);
    const logs = [first.state.logId, second.state.logId];
    const reading = await holder(honest(kept, 1), logs);
    assert.deepEqual(ids(await reading.page(stream, {}, signal)), ['1-0', '1-1', '2-0', '1-0']);
    const page = must(await reading.page(stream, { limit: 2 }, signal));
    assert.deepEqual(ids(ok(page)), ['1-0', '1-1']);
    for (const { proof } of page.events) {
      const extra = atob(/^extra (.*)$/m.exec(proof)?.[1] ?? '');
      assert.ok(extra.includes('/vectors') && !extra.includes('secret'));
    }
    const rest = await reading.page(stream, { from: page.next ?? '' }, signal);
    assert.deepEqual(ids(rest), ['2-0', '1-0']);
    refused(await reading.page(stream, { from: '3' }, signal), 'usage');
    refused(
      await reading.page(stream, { from: `hw:${kept.logs()[0]?.logId ?? ''}x/1` }, signal),
      'usage',
    );
  });

  it('come from the store where the log is kept', async () => {
    const ledger = await keeping(first);
    const reading = new AttributeReading({
      ledger,
      logsOf: () => [first.state.logId],
      lookups: nobody,
    });
    assert.deepEqual(ids(await reading.page(stream, { from: '3' }, signal)), ['1-1', '2-0']);
    const away = new AttributeReading({
      ledger: await openLedger(),
      logsOf: () => [first.state.logId],
      lookups: nobody,
    });
    refused(await away.page(stream, {}, signal), 'network-none');
  });

  it('are refused where a peer changes one, shows another log, or the same again', async () => {
    const kept = await keeping(first, second);
    const good = honest(kept, 10);
    const log = first.state.logId;
    const lies: readonly ((answer: AttributesAnswer) => Promise<readonly string[]>)[] = [
      async ({ proofs }) => proofs.map(changed),
      async ({ proofs }) => proofs.toReversed(),
      async ({ proofs }) => [...proofs, ...proofs],
      async () => (await good(second.state.logId, asLogIndex(0), 10)).proofs,
      async () => ['nonsense'],
    ];
    for (const lie of lies) {
      const reading = await holder(
        async (asked, from, count) => {
          const answer = await good(asked, from, count);
          return { ...answer, proofs: await lie(answer) };
        },
        [log],
      );
      refused(await reading.page(stream, {}, signal), 'attributes-broken');
    }
  });

  it('end where a peer leads on without any', async () => {
    let asked = 0;
    const reading = await holder(
      (_log, from) => {
        asked += 1;
        const next = asLogIndex(from + 1);
        const size = asTreeSize(2 ** 40);
        return Promise.resolve({ kind: 'attributes', next, size, proofs: [] });
      },
      [first.state.logId],
    );
    const page = must(await reading.page(stream, {}, signal));
    assert.deepEqual([page.events.length, page.next], [0, `hw:${first.state.logId}/${asked}`]);
    assert.ok(asked < 100, `${asked} questions`);
  });
});
