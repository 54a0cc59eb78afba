import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../../src/bytes.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { formatPosition, parsePosition } from '../../../src/ledger/cursors.ts';
import {
  chainsOf,
  inOrder,
  lagOf,
  newestLog,
  successionOf,
} from '../../../src/node/core/chains.ts';
import { historyOf, readHistory } from '../../../src/node/core/history.ts';
import { partsOf, resolveRanges } from '../../../src/node/core/ranges.ts';
import { oneLog } from '../../../src/node/core/streams.ts';
import type { Delivery, ReadRequest, StreamView } from '../../../src/node/node-api.ts';
import { formatTime } from '../../../src/time.ts';
import { asLogIndex, asTimeMs, type LogId } from '../../../src/types.ts';
import { event, openLedger, publish, signer, testHost } from '../../support/ledger-home.ts';
import { must, refused } from '../../support/result.ts';
import { log0, plan, recovery, recoveryHash, sync } from '../../support/succession.ts';

/** The view of the only stream of a ledger. */
function viewOf(ledger: Ledger, of: readonly LogId[]): StreamView {
  const logs = of.flatMap((logId) => {
    const log = ledger.log(logId);
    return log === undefined ? [] : [log];
  });
  const [first] = logs;
  assert.ok(first?.genesis);
  const { owner, name } = first.genesis;
  return {
    display: name,
    owner,
    name,
    id: first.logId,
    visibility: 'public',
    partitions: 1,
    own: true,
    followed: false,
    paused: false,
    logs: inOrder(
      logs.map((log) => ({
        log: log.logId,
        partition: log.genesis?.partition ?? 0,
        size: log.size,
        root: toHex(log.root),
        blocks: log.blocks,
        role: log.role,
        state: log.state,
        lagEntries: lagOf(log, () => ({ entries: 0 })),
        writerKey: '',
        lowest: 0,
        ...successionOf(log),
      })),
    ),
  };
}

const host = testHost();

function idOf({ event }: Delivery): string {
  const { id }: { id: string } = JSON.parse(new TextDecoder().decode(event?.attributes));
  return id;
}

async function read(
  ledger: Ledger,
  stream: StreamView,
  request: ReadRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<Delivery[]> {
  const items: Delivery[] = [];
  const reading = must(await readHistory(historyOf(ledger), host, stream, request, signal));
  for await (const batch of reading) items.push(...batch);
  return items;
}

/** Events a and b in a log, c and d in its successor. */
async function chain(): Promise<{ ledger: Ledger; stream: StreamView; logs: readonly LogId[] }> {
  const ledger = await openLedger({ host: testHost() });
  const first = must(await ledger.create({ ...log0, recoveryHash }, signer));
  for (const id of ['a', 'b']) await publish(ledger, first, [event(id, { subject: `of-${id}` })]);
  const next = must(await ledger.successors.succeed(first, plan, recovery, signer));
  for (const id of ['c', 'd']) {
    await publish(ledger, next, [event(id, { subject: id === 'c' ? 'of-a' : 'of-d' })]);
  }
  const logs = [next, first];
  return { ledger, stream: viewOf(ledger, logs), logs: [first, next] };
}

describe('a partition of two logs', () => {
  it('is read as one, from each position of it without gap or duplicate', async () => {
    const { ledger, stream, logs } = await chain();
    assert.deepEqual(
      stream.logs.map(({ log }) => log),
      logs,
    );
    assert.equal(chainsOf(stream).length, 1);
    assert.equal(newestLog(stream, 0)?.log, logs[1]);
    const all = await read(ledger, stream, {});
    assert.deepEqual(all.map(idOf), ['a', 'b', 'c', 'd']);
    for (const [i, item] of all.entries()) {
      for (const request of [{ resume: item.position() }, { from: item.position() }]) {
        const rest = await read(ledger, stream, request);
        assert.deepEqual(rest.map(idOf), ['a', 'b', 'c', 'd'].slice(i + 1));
      }
      const head = await read(ledger, stream, { to: item.position() });
      assert.deepEqual(head.map(idOf), ['a', 'b', 'c', 'd'].slice(0, i + 1));
    }
    const none = await read(ledger, stream, {
      from: all[2]?.position() ?? '',
      to: all[0]?.position() ?? '',
    });
    assert.deepEqual(none, []);
    refused(oneLog(stream), 'position-ambiguous');
    await ledger.close();
  });

  it('gives each of its logs its part of a range, as a bundle needs them', async () => {
    const { ledger, stream, logs } = await chain();
    const all = await read(ledger, stream, {});
    const reading = {
      indexAtTime: ledger.indexAtTime.bind(ledger),
      cursor: ledger.cursors.get.bind(ledger.cursors),
    };
    const sizes = logs.map((log) => ledger.log(log)?.size ?? 0);
    const [a, b, c] = all.map((item) => item.position());
    const parts = async (request: ReadRequest): Promise<readonly (readonly number[])[]> => {
      const ranges = must(await resolveRanges(reading, stream, request));
      return partsOf(stream, ranges).map(({ logId, from, to }) => [logs.indexOf(logId), from, to]);
    };
    const [first = 0, second = 0] = sizes;
    assert.deepEqual(await parts({}), [
      [0, 0, first],
      [1, 0, second],
    ]);
    assert.deepEqual(await parts({ from: a ?? '', to: c ?? '' }), [
      [0, 3, first],
      [1, 0, 3],
    ]);
    assert.deepEqual(await parts({ from: a ?? '', to: b ?? '' }), [[0, 3, 5]]);
    assert.deepEqual(await parts({ from: c ?? '', to: a ?? '' }), []);
    await ledger.close();
  });

  it('moves a position at or behind the end of the closed log into the successor', async () => {
    const { ledger, stream } = await chain();
    const all = await read(ledger, stream, {});
    const [position] = must(parsePosition(all[1]?.position() ?? ''));
    assert.ok(position);
    for (const more of [0, 1, 1000]) {
      const token = formatPosition([{ ...position, next: asLogIndex(position.next + more) }]);
      assert.deepEqual((await read(ledger, stream, { from: token })).map(idOf), ['c', 'd']);
    }
    await ledger.close();
  });

  it('keeps a cursor across the boundary', async () => {
    const { ledger, stream } = await chain();
    const request = { cursor: 'app', autoAcknowledge: true, limit: 1 };
    const seen: string[] = [];
    for (let i = 0; i < 6; i++) seen.push(...(await read(ledger, stream, request)).map(idOf));
    assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
    await ledger.close();
  });

  it('is read by time and by subject', async () => {
    const { ledger, stream } = await chain();
    const all = await read(ledger, stream, {});
    const at = (i: number): string => formatTime(all[i]?.recordedTime ?? assert.fail());
    const times = all.map(({ recordedTime }) => recordedTime);
    const from = times.findIndex((time) => time >= (times[2] ?? 0));
    assert.deepEqual(
      (await read(ledger, stream, { from: at(2) })).map(idOf),
      all.slice(from).map(idOf),
    );
    const future = formatTime(asTimeMs(Date.now() + 60_000));
    assert.deepEqual(await read(ledger, stream, { from: future }), []);
    const subject = await read(ledger, stream, { subject: 'of-a' });
    assert.deepEqual(subject.map(idOf), ['a', 'c']);
    assert.deepEqual((await read(ledger, stream, { subject: 'of-a', last: true })).map(idOf), [
      'c',
    ]);
    assert.deepEqual((await read(ledger, stream, { subject: 'of-b', last: true })).map(idOf), [
      'b',
    ]);
    const resumed = await read(ledger, stream, {
      subject: 'of-a',
      from: subject[0]?.position() ?? '',
    });
    assert.deepEqual(resumed.map(idOf), ['c']);
    await ledger.close();
  });
});

describe('a live reader', () => {
  it('goes on in the successor without noticing, on the writer and on a follower', async () => {
    const writer = await openLedger({ host: testHost() });
    const follower = await openLedger({ host: testHost() });
    const first = must(await writer.create({ ...log0, recoveryHash }, signer));
    await publish(writer, first, [event('a')]);
    await sync(writer, follower, first);
    const stop = new AbortController();
    const seen = [writer, follower].map(async (ledger) => {
      const ids: string[] = [];
      const stream = viewOf(ledger, [first]);
      const reading = must(
        await readHistory(historyOf(ledger), host, stream, { follow: true }, stop.signal),
      );
      for await (const batch of reading) {
        ids.push(...batch.map(idOf));
        if (ids.length === 5) return ids;
      }
      return ids;
    });
    await publish(writer, first, [event('b')]);
    await sync(writer, follower, first);
    const next = must(
      await writer.successors.succeed(first, { ...plan, recoveryHash }, recovery, signer),
    );
    await publish(writer, next, [event('c')]);
    // The successor may come before the end of its predecessor.
    await sync(writer, follower, next);
    await sync(writer, follower, first);
    const third = must(await writer.successors.succeed(next, plan, recovery, signer));
    for (const id of ['d', 'e']) await publish(writer, third, [event(id)]);
    for (const log of [third, next]) await sync(writer, follower, log);
    const guard = setTimeout(() => stop.abort(), 5000);
    assert.deepEqual(await Promise.all(seen), [
      ['a', 'b', 'c', 'd', 'e'],
      ['a', 'b', 'c', 'd', 'e'],
    ]);
    clearTimeout(guard);
    stop.abort();
    await Promise.all([writer.close(), follower.close()]);
  });
});
