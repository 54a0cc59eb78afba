/** What users get wrong when they publish. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonView } from '../../src/node/json-view.ts';
import { ApiError, streamPath } from '../lib/api.ts';
import type { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import { joined, loneNode, must, noStack, numbered, type Scenario } from '../scenario.ts';

const lines = 100;
const badLine = 57;
const bad = '{"specversion":"1.0","id":"bad","source":"/faults","type":"t","time":"yesterday"}';

export const input: Scenario = {
  name: 'input',
  promise: 'what is wrong with an event or a stream is said with its place; the rest is kept',
  async run({ work }) {
    const writer = await loneNode(work, 'writer', 'events');
    const other = await joined(work, 'other', writer);
    await until('the other to hear of the stream', async () => {
      await other.api.post('/follows', { target: 'writer/events' });
      return true;
    });
    await badLineInFile(work.folder, writer);
    const unknown = (await writer.hw(['publish', 'orders', '-'], { input: '' })).expect(1);
    must(unknown.fault === 'stream-unknown', unknown.said());
    const foreign = await other.hw(['publish', 'writer/events', '-'], { input: numbered(1) });
    must(foreign.expect(5).fault === 'stream-not-own', foreign.said());
    for (const ran of [unknown, foreign]) noStack(ran.said());
    await refusedWith(writer, [numbered(1, 200_000)], 413);
    await refusedWith(
      writer,
      Array.from({ length: 90 }, (_, n) => numbered(n, 100_000)),
      413,
    );
    await refusedWith(writer, [numbered(0), bad], 422);
    must((await writer.api.replay('writer/events')).length === lines - 1, 'a refused event is in');
    await Promise.all([writer.down(), other.down()]);
    return `line ${badLine} of ${lines}, unknown and foreign streams, large events and batches`;
  },
};

/** Everything before the bad line is in; with --skip-invalid everything behind it too. */
async function badLineInFile(folder: string, writer: Peer): Promise<void> {
  const file = join(folder, 'events.ndjson');
  const texts = Array.from({ length: lines }, (_, i) => (i + 1 === badLine ? bad : numbered(i)));
  writeFileSync(file, `${texts.join('\n')}\n`);
  const stopped = (await writer.hw(['publish', 'events', file])).expect(1);
  const place = stopped.json.at('error').at('place');
  must(place.text('file') === file, `the file is not named: ${stopped.said()}`);
  must(place.number('line') === badLine, `the line is not named: ${stopped.said()}`);
  must(place.number('column') !== undefined, `the column is not named: ${stopped.said()}`);
  noStack(stopped.said());
  const before = await writer.api.replay('writer/events');
  must(before.length === badLine - 1, `${before.length} events before line ${badLine}`);
  const skipped = (await writer.hw(['publish', 'events', file, '--skip-invalid'])).expect(0);
  counts(skipped.json, { published: lines - badLine, duplicates: badLine - 1, rejected: 1 });
  must(readFileSync(`${file}.rejected`, 'utf8') === `${bad}\n`, 'the rejected line is not kept');
}

function counts(report: JsonView, wanted: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(wanted)) {
    must(report.number(name) === count, `${name} is ${report.number(name)}, not ${count}`);
  }
}

/** The whole batch is refused, with a code and the place of the fault. */
async function refusedWith(writer: Peer, events: readonly string[], status: number): Promise<void> {
  try {
    await writer.api.publish('writer/events', events);
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause;
    must(cause.status === status && cause.code !== '', `refused with ${cause.message}`);
    return;
  }
  throw new Error(
    `${streamPath('writer/events')} took ${events.length} events instead of ${status}`,
  );
}
