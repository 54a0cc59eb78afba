/**
 * Damage in the stores of two peers, repaired from each other: silent garbage, blocks that are gone
 * in the middle and at the end, a bit flipped in a table file. `hw verify` finds it and changes
 * nothing, `--repair` and the background scrub mend it with verified blocks of the other peer.
 */
import { join } from 'node:path';
import { readUint32 } from '../../src/bytes.ts';
import { keyOf, keyspace, prefixRange } from '../../src/keyspace.ts';
import { LevelStore, type StoreEntry } from '../../src/ledger/store.ts';
import { flipByte, forgeBody, settleStore, tableFiles } from '../lib/damage.ts';
import type { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { joined, loneNode, must, numbered } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

const stream = 'writer/events';

export const scrub: NetworkChecks = async (work, { short, holds }) => {
  const events = short ? 400 : 5000;
  const writer = await loneNode(work, 'writer', 'events');
  const reader = await joined(work, 'reader', writer);
  for (let n = 0; n < events; n += 50) {
    await writer.api.publish(
      stream,
      Array.from({ length: 50 }, (_, i) => numbered(n + i, 20)),
    );
  }
  const name = `${writer.did}/events`;
  (await reader.hw(['follow', name])).expect(0);
  await until('the reader to have all', async () => (await count(reader, name)) === events, {
    timeoutMs: 60_000,
    everyMs: 100,
    signal: work.signal,
  });
  await byCommand(reader, name, events);
  holds('verify finds a forged byte and lost blocks, changes nothing, and --repair mends them');
  await byItself(work, reader, name);
  holds('the scrub mends a log that lost its newest blocks, and it goes on');
  await brokenTable(reader, name, events);
  holds('a bit flipped in a table file: --offline --repair, then --repair: every event is back');
  await ofTheWriter(writer);
  holds('a writer gets its own lost block back from who follows it');
  await Promise.all([writer.down(), reader.down()]);
};

async function count(peer: Peer, name: string): Promise<number> {
  const lines = await peer.api.replay(name).catch(() => []);
  return lines.filter((line) => !line.startsWith('{"error":')).length;
}

async function byCommand(reader: Peer, name: string, events: number): Promise<void> {
  await reader.down();
  const store = join(reader.home, 'store');
  await forgeBody(store, { holds: '"n":', before: '"n":' }, { resealed: true });
  await dropBlocks(store, 1, 2);
  reader.configure('scrub.repair', false);
  const offline = await reader.hw(['verify', name, '--offline']);
  must(offline.code === 3, `offline: ${offline.said()}`);
  await reader.up();
  for (let i = 0; i < 2; i++) (await reader.hw(['verify', name])).expect(3);
  const status = (await reader.hw(['status'])).expect(0).json.at('scrub');
  must(status.number('repaired') === 0, 'something was repaired though nobody asked');
  const repaired = (await reader.hw(['verify', name, '--repair'])).expect(0);
  must(repaired.json.text('verdict') === 'intact', repaired.said());
  const from = repaired.json.list('repairs').map((one) => one.text('from') ?? '');
  must(from.length >= 2 && from.every((who) => who !== ''), repaired.said());
  must((await count(reader, name)) === events, 'an event is missing after the repair');
}

async function byItself(work: Workspace, reader: Peer, name: string): Promise<void> {
  await reader.down();
  await dropBlocks(join(reader.home, 'store'), -3, 2);
  reader.configure('scrub.repair', true);
  reader.configure('limits.scrubRetryMs', 500);
  await reader.up();
  const mended = async (): Promise<boolean> => {
    const view = (await reader.hw(['status'])).expect(0).json.at('scrub');
    return (view.number('repaired') ?? 0) > 0 && view.number('open') === 0;
  };
  const wait = { timeoutMs: 30_000, everyMs: 250, signal: work.signal };
  await until('the scrub to mend the log', mended, wait);
  (await reader.hw(['verify', name])).expect(0);
  const journal = (await reader.hw(['replay', '_journal'])).expect(0);
  must(
    journal.stdout.includes('org.headwater.store.repaired'),
    'the journal does not tell the repair',
  );
}

async function brokenTable(reader: Peer, name: string, events: number): Promise<void> {
  await reader.down();
  const store = join(reader.home, 'store');
  await settleStore(store);
  const [largest = ''] = await tableFiles(store);
  await flipByte(largest, 0.4);
  const found = await reader.hw(['verify', name, '--offline']);
  must(found.code === 3 || found.code === 4, `a flipped bit: ${found.said()}`);
  const salvaged = await reader.hw(['verify', name, '--offline', '--repair']);
  must([0, 3, 4, 6].includes(salvaged.code), salvaged.said());
  await reader.up();
  (await reader.hw(['verify', name, '--repair'])).expect(0);
  must((await count(reader, name)) === events, 'an event is missing after the repair');
}

async function ofTheWriter(writer: Peer): Promise<void> {
  await writer.down();
  await dropBlocks(join(writer.home, 'store'), 2, 1);
  await writer.up();
  const repaired = await writer.hw(['verify', 'events', '--repair']);
  repaired.expect(0);
  await writer.api.publish(stream, [numbered(1_000_000)]);
}

/** Deletes blocks of the largest log; `at` counts from its end where negative. */
async function dropBlocks(store: string, at: number, many: number): Promise<void> {
  const opened = await LevelStore.open(store);
  if (!opened.ok) throw new Error(opened.error.message);
  await using level = opened.value;
  const range = prefixRange(keyOf(keyspace.blocks, new Uint8Array(0)));
  await using scan = level.scan(range);
  const rows: StoreEntry[] = [];
  for (;;) {
    const page = await scan.next(64);
    if (!page.ok) throw new Error(page.error.message);
    if (page.value.length === 0) break;
    rows.push(...page.value);
  }
  const logs = Map.groupBy(rows, ({ key }) => readUint32(key, 1));
  const [longest = []] = [...logs.values()].toSorted((a, b) => bytes(b) - bytes(a));
  const from = at < 0 ? longest.length + at : at;
  const writes = longest.slice(from, from + many).map(({ key }) => ({ key }));
  const done = await level.batch(writes, { sync: true });
  if (!done.ok || writes.length !== many) throw new Error('no blocks to delete');
}

function bytes(rows: readonly StoreEntry[]): number {
  return rows.reduce((sum, { value }) => sum + value.length, 0);
}
