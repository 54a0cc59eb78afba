/**
 * Bits that flip on the disk, anywhere in a table file of a stopped node. `hw verify --offline` says
 * where the stream is affected; the node starts or says why not; nobody crashes, and nothing that is
 * wrong is given out as right.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError } from '../lib/api.ts';
import { flipByte, settleStore, tableFiles } from '../lib/damage.ts';
import { hw } from '../lib/hw.ts';
import { NotUp, Peer } from '../lib/peer.ts';
import { loneNode, must, noStack, numbered, numberOf, type Scenario } from '../scenario.ts';
import type { Workspace } from '../lib/workspace.ts';

const stream = 'writer/events';
const events = 2000;
/** Places in the file, spread evenly, and at how many of them the node is started as well. */
const places = 24;
const startEvery = 4;

export const corrupt: Scenario = {
  name: 'corrupt',
  promise: 'a flipped bit is found and placed, and never given out as good',
  async run({ work, random }) {
    const writer = await loneNode(work, 'writer', 'events');
    for (let n = 0; n < events; n += 50) {
      const batch = Array.from({ length: 50 }, (_, i) =>
        numbered(n + i, Math.floor(random() * 500)),
      );
      await writer.api.publish(stream, batch);
    }
    await writer.down();
    await settleStore(join(writer.home, 'store'));
    const found = new Map<string, number>();
    const started = new Map<string, number>();
    for (let i = 0; i < places; i++) {
      const home = join(work.folder, 'copy');
      await cp(writer.home, home, { recursive: true });
      const [largest = ''] = await tableFiles(join(home, 'store'));
      const at = await flipByte(largest, (i + random()) / places);
      count(found, await verified(work, home, at));
      if (i % startEvery === 0) count(started, await startedOn(new Peer(work, `copy-${i}`, home)));
      await rm(home, { recursive: true });
    }
    return `verify: ${listed(found)}; up: ${listed(started)}`;
  },
};

/** What `hw verify --offline` says, which must not be `intact`, and twice the same. */
async function verified(work: Workspace, home: string, at: number): Promise<string> {
  const first = await hw(work, ['verify', 'events', '--offline'], { home });
  const second = await hw(work, ['verify', 'events', '--offline'], { home });
  noStack(first.said());
  const problem = first.json.at('firstProblem');
  const word = problem.text('code') ?? first.fault;
  must(first.code === 3 || first.code === 4, `byte ${at}: exit ${first.code}: ${first.said()}`);
  must(word !== '' && word !== 'internal', `byte ${at}: no code: ${first.said()}`);
  must(second.code === first.code, `byte ${at}: exit ${first.code}, then ${second.code}`);
  return word;
}

/** How the node does on the damaged store: it serves what is sound, or ends with a code. */
async function startedOn(copy: Peer): Promise<string> {
  try {
    await copy.up();
  } catch (cause) {
    if (!(cause instanceof NotUp)) throw cause;
    noStack(cause.message);
    must(cause.fault !== '' && cause.fault !== 'internal', `no code: ${cause.message}`);
    return cause.fault;
  }
  const words: string[] = [];
  try {
    const given = await copy.api.replay(stream);
    const wrong = given.filter((line) => !line.startsWith('{"error":') && !isSound(line));
    must(wrong.length === 0, `a damaged event is given out: ${wrong[0]?.slice(0, 200)}`);
    words.push(given.length === events ? 'reads all' : 'reads a part');
    await copy.api.publish(stream, [numbered(events)]);
    words.push('publishes');
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause;
    must(cause.code !== 'internal', cause.message);
    words.push(cause.code);
  }
  await copy.down();
  return words.join(' and ');
}

/** Padding is of one letter, so that any other byte in it shows. */
function isSound(line: string): boolean {
  const n = numberOf(line);
  return (
    n >= 0 && line.includes(`"data":{"n":${n}`) && /"padding":"x*"\}\}$|"n":\d+\}\}$/.test(line)
  );
}

function count(counts: Map<string, number>, word: string): void {
  counts.set(word, (counts.get(word) ?? 0) + 1);
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([word, times]) => `${times} ${word}`).join(', ');
}
