/**
 * kill -9 at random points of publishing, again and again. Whoever publishes sends what was not
 * acknowledged once more, as a client does; a follower in another process sees that the writer never
 * went back on what it had shown.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../lib/until.ts';
import { headOf } from '../checks/replicas.ts';
import type { Peer } from '../lib/peer.ts';
import { Broken, joined, loneNode, must, numbered, numberOf, type Scenario } from '../scenario.ts';

const stream = 'writer/events';
/** Publishers at once, and events of their requests. */
const publishers = 4;
const maxBatch = 24;
const longestRunMs = 400;

export const kill: Scenario = {
  name: 'kill',
  promise: 'nothing acknowledged is lost and nothing stored twice, however often it is killed',
  async run({ work, kills, random }) {
    const writer = await loneNode(work, 'writer', 'events');
    // From the next start on: it is killed more often than a follower can confirm its head.
    writer.configure('limits.restoreGuardMs', 50);
    const follower = await joined(work, 'follower', writer);
    await until('the follower to hear of the stream', async () => {
      await follower.api.post('/follows', { target: stream });
      return true;
    });
    const source = new Source();
    const book = new Book();
    for (let done = 1; done <= kills; done++) {
      await publishUntilKilled(writer, source, random() * longestRunMs, random);
      // Sometimes it does not even get to its feet.
      if (random() < 0.2) await killWhileStarting(writer, random() * 1500);
      await writer.up();
      await book.read(writer, source);
      if (done % 10 === 0) work.note(`killed ${done} times, ${book.events} events`);
    }
    await source.settle(writer);
    await book.read(writer, source);
    must(book.events === source.acknowledged.size, 'an event without acknowledgement is left');
    const wanted = headOf(await writer.api.stream(stream));
    await until('the follower to have the same root', async () => {
      const { size, root } = headOf(await follower.api.stream(stream));
      if (size < wanted.size) return undefined;
      must(root === wanted.root, `the follower has ${root}, the writer ${wanted.root}`);
      return true;
    });
    await Promise.all([writer.down(), follower.down()]);
    for (const peer of [writer, follower]) {
      const verified = (await peer.hw(['verify', stream, '--offline'])).expect(0);
      must(verified.json.number('checkedEvents') === book.events, 'verify counts other events');
    }
    return `${kills} kills, ${book.events} events, each once; both replicas intact`;
  },
};

/** Numbered events, and what became of them. */
class Source {
  /** Index by number. */
  readonly acknowledged = new Map<number, number>();
  readonly #unanswered: number[][] = [];
  #next = 0;

  /** What was sent and not answered comes first. */
  take(count: number): readonly number[] {
    const again = this.#unanswered.pop();
    if (again !== undefined) return again;
    return Array.from({ length: count }, () => this.#next++);
  }

  async publish(writer: Peer, numbers: readonly number[]): Promise<void> {
    try {
      const events = numbers.map((n) => numbered(n));
      const receipts = await writer.api.publish(stream, events);
      must(receipts.length === numbers.length, `${receipts.length} of ${numbers.length} receipts`);
      for (const [i, n] of numbers.entries()) {
        this.acknowledged.set(n, receipts[i]?.number('index') ?? -1);
      }
    } catch (cause) {
      this.#unanswered.push([...numbers]);
      throw cause;
    }
  }

  /** Publishes what is left without an answer. */
  async settle(writer: Peer): Promise<void> {
    while (this.#unanswered.length > 0) await this.publish(writer, this.take(0));
  }
}

/** What the writer's log was seen to hold: it may only grow. */
class Book {
  readonly #indexes = new Map<number, number>();
  #to = 0;

  get events(): number {
    return this.#indexes.size;
  }

  /** Reads on from where the last reading ended; each event once, each acknowledged one in its place. */
  async read(writer: Peer, source: Source): Promise<void> {
    const lines = await writer.api.replay(stream, { from: this.#to });
    for (const line of lines) {
      const n = numberOf(line);
      const index = Number(/"hwref":"hw:[a-z2-7]+\/(\d+)"/.exec(line)?.[1] ?? -1);
      const before = this.#indexes.get(n);
      must(before === undefined, `event ${n} is at ${before} and again at ${index}`);
      this.#indexes.set(n, index);
      this.#to = index + 1;
    }
    for (const [n, index] of source.acknowledged) {
      const found = this.#indexes.get(n);
      must(found === index, `event ${n} was acknowledged at ${index} and is at ${found}`);
    }
  }
}

async function publishUntilKilled(
  writer: Peer,
  source: Source,
  afterMs: number,
  random: () => number,
): Promise<void> {
  const killed = new AbortController();
  const publishing = Array.from({ length: publishers }, async () => {
    while (!killed.signal.aborted) {
      try {
        await source.publish(writer, source.take(1 + Math.floor(random() * maxBatch)));
      } catch (cause) {
        if (cause instanceof Broken || !killed.signal.aborted) throw cause;
        return;
      }
    }
  });
  await Promise.race([sleep(afterMs), Promise.all(publishing)]);
  killed.abort();
  await writer.kill();
  await Promise.all(publishing);
}

async function killWhileStarting(writer: Peer, afterMs: number): Promise<void> {
  const up = writer.up().then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([sleep(afterMs), up]);
  await writer.kill();
  await up;
}
