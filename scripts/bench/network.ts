/**
 * Two real nodes for the benches that cross processes: a producer with one stream, and a follower.
 * Each is `hw up` in a process of its own; this process publishes and subscribes.
 */
import { streamPath } from '../../testnet/lib/api.ts';
import { Peer } from '../../testnet/lib/peer.ts';
import { until } from '../../testnet/lib/until.ts';
import { Workspace } from '../../testnet/lib/workspace.ts';
import type { Events } from './events.ts';
import { post, type Target } from './http-connection.ts';

const producerName = 'producer';
const streamName = 'quakes';
export const structured = 'application/cloudevents+json';
const batched = 'application/cloudevents-batch+json';

export class BenchNetwork implements AsyncDisposable {
  readonly #work: Workspace;
  readonly producer: Peer;
  readonly follower: Peer;

  private constructor(work: Workspace) {
    this.#work = work;
    this.producer = new Peer(work, producerName);
    this.follower = new Peer(work, 'follower');
  }

  /** The producer is up and has its stream; the follower has a home and is down. */
  static async open(): Promise<BenchNetwork> {
    const network = new BenchNetwork(new Workspace());
    try {
      await (await network.producer.init()).up();
      await network.producer.api.post('/streams', { name: streamName });
      const invited = await network.producer.hw(['invite']);
      await network.follower.join(invited.expect(0).json.text('invite') ?? '');
    } catch (cause) {
      await network[Symbol.asyncDispose]();
      throw cause;
    }
    return network;
  }

  /** Path of the stream's events on either node. */
  readonly path: string = `${streamPath(`${producerName}/${streamName}`)}/events`;

  /** Where events are posted. */
  get target(): Target {
    const { base, token } = this.producer.api;
    return { port: Number(new URL(base).port), path: this.path, token };
  }

  /** One request with the next `count` events. */
  batch(events: Events, count: number): Uint8Array {
    return post(this.target, batched, Buffer.from(`[${events.texts(count).join(',')}]`));
  }

  /** One request with one event. */
  single(events: Events): Uint8Array {
    return post(this.target, structured, Buffer.from(events.text()));
  }

  /** Starts the follower and waits until it knows the stream. */
  async startFollower(): Promise<void> {
    await this.follower.up();
    await until('the follower to hear of the stream', async () => {
      const listed = await this.follower.api.get('/streams', { all: true });
      const names = listed.list('streams').map((view) => view.text('display'));
      return names.includes(`${producerName}/${streamName}`) ? true : undefined;
    });
  }

  async follow(): Promise<void> {
    await this.follower.api.post('/follows', { target: `${producerName}/${streamName}` });
  }

  /** Entries that a node has of the stream. */
  async size(peer: Peer): Promise<number> {
    const view = await peer.api.stream(`${producerName}/${streamName}`);
    return view.list('logs')[0]?.number('size') ?? 0;
  }

  /** Waits until the follower has everything that the producer has; gives the number of entries. */
  async caughtUp(timeoutMs: number): Promise<number> {
    const wanted = await this.size(this.producer);
    await until(
      `the follower to have ${wanted} entries`,
      async () => ((await this.size(this.follower)) >= wanted ? true : undefined),
      { timeoutMs, everyMs: 20 },
    );
    return wanted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work[Symbol.asyncDispose]();
  }
}
