/**
 * What the book of deliveries costs whoever serves blocks: read from the store and framed as
 * `/headwater/1/blocks` does, with and without a meter, in turn; no network between, so that nothing
 * hides it.
 */
import { encodeBlocks } from '../../src/gossip/blocks-codec.ts';
import type { Handed, Meter } from '../../src/gossip/usage-port.ts';
import { didFromKey } from '../../src/ids.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { TableRows } from '../../src/ledger/table-rows.ts';
import { limits, protocol } from '../../src/limits.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import { UsageRoom } from '../../src/node/usage/usage-room.ts';
import { ok } from '../../src/result.ts';
import {
  asLogIndex,
  asStreamName,
  asTreeSize,
  type LogId,
  type ParsedEvent,
} from '../../src/types.ts';
import { labelledSigner } from '../vectors/format.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { blockEvents } from './bench-ledger.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { Publisher } from './publish.ts';
import { median } from './statistics.ts';

const owner = didFromKey(labelledSigner('deliver/owner').publicKey);
const reader = didFromKey(labelledSigner('deliver/reader').publicKey);

/** A book whose journal is an array. */
async function openBook(journal: ParsedEvent[], log: LogId): Promise<UsageRoom> {
  return must(
    await UsageRoom.open({
      host: processRuntime(),
      rows: new TableRows(new MemoryStore()),
      reader: { log: () => undefined, batches: () => nothing() },
      limits,
      journal: () => log,
      makeEntry: () => ok(new Events('small').parsed(1)[0] ?? noEvent()),
      append: (_log, events) => {
        journal.push(...events);
        return Promise.resolve(ok(events.map((_, i) => i)));
      },
      countPublic: true,
      isGiven: () => false,
      madeOf: () => undefined,
      journaled: () => nothing(),
      nameOf: () => undefined,
      streamName: (_owner, name) => name,
      onFault: () => undefined,
    }),
  );
}

async function* nothing(): AsyncGenerator<never> {}

function noEvent(): never {
  throw new Error('no event');
}

/** Events a second: all blocks of the log, small ones packed, told to the meter frame by frame. */
async function serve(
  publisher: Publisher,
  count: number,
  meter: Meter | undefined,
): Promise<number> {
  const begun = performance.now();
  let [wires, bytes, told]: [Uint8Array[], number, Handed[]] = [[], 0, []];
  let sent = 0;
  const send = (next: number): void => {
    sent += encodeBlocks({ kind: 'blocks', next: asTreeSize(next), wires }).length;
    for (const handed of told) meter?.delivered(handed);
    [wires, bytes, told] = [[], 0, []];
  };
  let last = 0;
  for await (const block of publisher.ledger.blocks(publisher.log, asLogIndex(0))) {
    const { wire, firstIndex, size, bodies = 0 } = block;
    if (wires.length > 0 && bytes + wire.length > protocol.maxMessageBytes) send(firstIndex);
    wires.push(wire);
    bytes += wire.length;
    last = size;
    told.push({ from: firstIndex, to: size, count: bodies, bytes: wire.length });
  }
  send(last);
  if (sent === 0) throw new Error('nothing was sent');
  return perSecond(count, begun);
}

export const deliver: Bench = {
  names: ['deliver', 'deliverCounted'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const count = blockEvents * (quick ? 100 : 400);
    await using publisher = await Publisher.open();
    await publisher.parsed(new Events('small').parsed(count));
    await using book = await openBook([], publisher.log);
    const genesis = { owner, name: asStreamName('bench'), visibility: 'direct' } as const;
    const consumer = { logId: publisher.log, genesis, organisation: reader, cids: ['grant'] };
    const meter = book.meter({ ...consumer, peer: 'peer', way: 'blocks' });
    const all = await rounds(quick ? 9 : 21, async (round) => {
      const counts = round % 2 === 0;
      const first = await serve(publisher, count, counts ? meter : undefined);
      const second = await serve(publisher, count, counts ? undefined : meter);
      return counts ? { counted: first, plain: second } : { counted: second, plain: first };
    });
    return [
      { name: 'deliver', value: median(all.map(({ plain }) => plain)) },
      {
        name: 'deliverCounted',
        value: median(all.map(({ counted }) => counted)),
        ratio: median(all.map(({ plain, counted }) => counted / plain)),
      },
    ];
  },
};
