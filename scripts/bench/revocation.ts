/**
 * From a revocation to the refusal, with six real peers: acme's hq, where grants are given and taken back,
 * its branch, which writes a direct stream and serves it, and four readers that read it live there. While
 * events are published every few milliseconds a grant is taken back at hq; the time runs until the last
 * event has arrived at its reader, verified and stored, as a subscriber of that node sees it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { streamPath } from '../../testnet/lib/api.ts';
import { enrol } from '../../testnet/lib/branch.ts';
import { Peer } from '../../testnet/lib/peer.ts';
import { until } from '../../testnet/lib/until.ts';
import { Workspace } from '../../testnet/lib/workspace.ts';
import type { Bench, BenchOptions } from './bench.ts';
import type { Measured } from './figures.ts';
import { median, percentile } from './statistics.ts';

const readers = ['beta', 'carl', 'dora', 'emil'] as const;
const everyMs = 10;
/** Longer than a refusal may take. */
const afterMs = 1500;

class Net implements AsyncDisposable {
  readonly #work: Workspace = new Workspace();
  readonly hq: Peer = new Peer(this.#work, 'acme');
  readonly branch: Peer = new Peer(this.#work, 'branch');
  readonly readers: readonly Peer[] = readers.map((name) => new Peer(this.#work, name));
  /** When the last event arrived at each reader. */
  readonly #arrived = new Map<Peer, number>();
  readonly #watching: Promise<void>[] = [];
  #sent = 0;
  #publishing = true;
  #loop: Promise<void> | undefined;

  async open(): Promise<void> {
    await (await this.hq.init()).up();
    const invite = (await this.hq.hw(['invite'])).expect(0).json.text('invite') ?? '';
    for (const peer of [this.branch, ...this.readers]) {
      await peer.join(invite);
      peer.configure('limits.accessPollMs', 200);
      peer.configure('limits.dialIntervalMs', 300);
    }
    await enrol(this.branch, this.hq);
    for (const peer of [this.branch, ...this.readers]) await peer.up();
    const args = ['stream', 'create', 'prices', '--visibility', 'direct'];
    (await this.branch.hw(args)).expect(0);
    // hq gives grants for what it keeps a copy of.
    await until('hq to follow', async () => {
      await this.hq.api.post('/follows', { target: `${this.hq.did}/prices` });
      await this.#publish();
      return (await this.#has(this.hq)) > 0;
    });
    this.#loop = this.#run();
  }

  /** A new grant for each reader; resolves when all read live. The grants' ids. */
  async give(): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const reader of this.readers) {
      const made = await this.hq.api.post('/grants', { stream: 'prices', to: reader.did });
      ids.push(made.text('id') ?? '');
      await reader.api.post('/grants/import', { grant: made.text('grant') ?? '' });
      await until(`${reader.name} to follow`, async () => {
        await reader.api.post('/follows', { target: `${this.hq.did}/prices` });
        return true;
      });
    }
    for (const reader of this.readers) {
      await until(`${reader.name} to read live`, async () => {
        this.#watch(reader);
        return performance.now() - (this.#arrived.get(reader) ?? 0) < 20 * everyMs;
      });
    }
    return ids;
  }

  /** Takes one grant back: milliseconds of the call, and until its reader got nothing more. */
  async revoke(reader: Peer, id: string): Promise<readonly [call: number, refusal: number]> {
    const begun = performance.now();
    await this.hq.api.call('DELETE', `/grants/${id}`, { body: {} });
    const call = performance.now() - begun;
    await sleep(afterMs);
    const last = this.#arrived.get(reader) ?? 0;
    if (performance.now() - last < afterMs / 3) throw new Error(`${reader.name} still reads`);
    return [call, Math.max(0, last - begun)];
  }

  #watch(reader: Peer): void {
    if (this.#arrived.has(reader)) return;
    this.#arrived.set(reader, 0);
    this.#watching.push(this.#subscribe(reader).catch(() => undefined));
  }

  /** Reads what its node stores, from now on, until the node ends. */
  async #subscribe(reader: Peer): Promise<void> {
    const path = `${streamPath(`${this.hq.did}/prices`)}/events`;
    const call = { accept: 'application/x-ndjson', query: { follow: true } };
    const { body } = await reader.api.fetch('GET', path, call);
    if (body === null) return;
    for await (const _ of body) this.#arrived.set(reader, performance.now());
  }

  async #run(): Promise<void> {
    while (this.#publishing) {
      await this.#publish();
      await sleep(everyMs);
    }
  }

  async #publish(): Promise<void> {
    this.#sent += 1;
    const event = {
      specversion: '1.0',
      id: `${this.#sent}`,
      source: '/bench',
      type: 'org.example.price',
    };
    await this.branch.api.publish('acme/prices', [JSON.stringify(event)]);
  }

  async #has(peer: Peer): Promise<number> {
    const read = await peer.api.replay(`${this.hq.did}/prices`).catch(() => []);
    return read.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#publishing = false;
    await this.#loop?.catch(() => undefined);
    await this.#work[Symbol.asyncDispose]();
    await Promise.all(this.#watching);
  }
}

export const revocation: Bench = {
  names: ['revocationCall', 'revocationP50', 'revocationP99'],
  async run(options: BenchOptions): Promise<readonly Measured[]> {
    await using net = new Net();
    await net.open();
    const [calls, refusals]: [number[], number[]] = [[], []];
    for (let round = 0; round < (options.quick ? 2 : 25); round++) {
      const ids = await net.give();
      const taken = net.readers.map((reader, i) => net.revoke(reader, ids[i] ?? ''));
      for (const [call, refusal] of await Promise.all(taken)) {
        calls.push(call);
        refusals.push(refusal);
      }
      options.note(
        `revocation: round ${round + 1}, the slowest ${Math.max(...refusals).toFixed(0)} ms`,
      );
    }
    return [
      { name: 'revocationCall', value: median(calls) },
      { name: 'revocationP50', value: median(refusals) },
      { name: 'revocationP99', value: percentile(refusals, 0.99) },
    ];
  },
};
