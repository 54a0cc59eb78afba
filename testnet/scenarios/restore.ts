/**
 * A publisher whose home is lost and comes back from an old backup, or from an old copy of its folder:
 * it must never sign a second history. What followers keep comes back first; where no follower can be
 * asked, `strict` waits, and `normal` goes on and says what it risks.
 */
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NetworkChecks } from '../scenarios.ts';
import { headOf, type Head } from '../checks/replicas.ts';
import { ApiError } from '../lib/api.ts';
import type { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { joined, loneNode, must, numbered, numberOf } from '../scenario.ts';

const stream = 'writer/events';

type Options = Parameters<NetworkChecks>[1];

export const restore: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.backedUp();
  await network.copied();
  await network.strict();
  await network.normal();
};

class Network {
  readonly #work: Workspace;
  readonly #options: Options;
  readonly #writer: Peer;
  readonly #followers: readonly Peer[];
  #next = 0;
  #lost = 0;

  private constructor(work: Workspace, options: Options, writer: Peer, followers: readonly Peer[]) {
    this.#work = work;
    this.#options = options;
    this.#writer = writer;
    this.#followers = followers;
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const writer = await loneNode(work, 'writer', 'events');
    const names = options.short ? ['north'] : ['north', 'south'];
    const followers = await Promise.all(names.map((name) => joined(work, name, writer)));
    for (const follower of followers) {
      await until('the follower to hear of the stream', async () => {
        await follower.api.post('/follows', { target: stream });
        return true;
      });
    }
    return new Network(work, options, writer, followers);
  }

  /** A backup of the running node, then the home is lost. */
  async backedUp(): Promise<void> {
    await this.#publish(this.#options.short ? 500 : 20_000);
    const backup = join(this.#work.folder, 'backup');
    const [seconds, during] = await this.#whilePublishing(async () => {
      (await this.#writer.hw(['backup', 'create', backup])).expect(0);
    });
    (await this.#writer.hw(['backup', 'verify', backup, '--full'])).expect(0);
    this.#options.holds(
      `a backup of the running node in ${seconds.toFixed(1)} s is intact; ${during} events were published meanwhile`,
    );
    await this.#publish(300);
    const before = await this.#replicated();
    await this.#lose();
    (await this.#writer.hw(['backup', 'restore', backup])).expect(0);
    await this.#comesBack('restored from an old backup', before);
  }

  /** A plain copy of the folder of a stopped home. */
  async copied(): Promise<void> {
    await this.#writer.down();
    const copy = join(this.#work.folder, 'copy');
    await cp(this.#writer.home, copy, { recursive: true });
    await this.#writer.up();
    await this.#publish(200);
    const before = await this.#replicated();
    await this.#lose();
    await rename(copy, this.#writer.home);
    await this.#comesBack('an old copy of the folder', before);
  }

  async strict(): Promise<void> {
    const before = await this.#restoredAlone({ restoreGuard: 'strict' });
    const refused = await this.#refusal();
    must(refused === 'head-unconfirmed', `strict: publishing gave ${refused}`);
    const kept = await this.#writer.api.replay(stream, { limit: 5 });
    must(kept.length === 5, 'strict: nothing can be read while it waits');
    this.#options.holds('strict, no follower there: 503 head-unconfirmed, reading goes on');
    await this.#followers[0]?.up();
    await until('the writer to have its blocks back', async () => {
      return headOf(await this.#writer.api.stream(stream)).size >= before.size ? true : undefined;
    });
    await until('the writer to sign again', async () => {
      await this.#publish(1);
      return true;
    });
    await Promise.all(this.#followers.slice(1).map((follower) => follower.up()));
    await this.#sameEverywhere('strict, a follower is back');
  }

  /** Nobody can be asked: it goes on, and the fork that this may be is found as soon as they meet. */
  async normal(): Promise<void> {
    await this.#restoredAlone({ restoreGuard: 'normal' });
    const began = performance.now();
    await this.#publish(1);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const journal = (await this.#writer.hw(['replay', '_journal', '--from', 'start'])).expect(0);
    const warned = journal.stdout.includes('"head-unconfirmed"');
    must(warned, 'normal: no warning in the journal');
    this.#options.holds(`normal, no follower there: goes on after ${seconds} s, with a warning`);
    await Promise.all(this.#followers.map((follower) => follower.up()));
    await until('the fork to be found', async () => {
      const states = await Promise.all(
        [this.#writer, ...this.#followers].map(async ({ api }) => {
          return (await api.stream(stream)).list('logs')[0]?.text('state');
        }),
      );
      return states.includes('frozen') ? true : undefined;
    });
    this.#options.holds('normal: the fork that it risked is found when a follower is back');
  }

  /** A home that is older than what its followers have, up while they are down. */
  async #restoredAlone(settings: Readonly<Record<string, string>>): Promise<Head> {
    const backup = join(this.#work.folder, `backup-${Object.values(settings).join('-')}`);
    (await this.#writer.hw(['backup', 'create', backup])).expect(0);
    await this.#publish(100);
    const before = await this.#replicated();
    await Promise.all(this.#followers.map((follower) => follower.down()));
    await this.#lose();
    (await this.#writer.hw(['backup', 'restore', backup])).expect(0);
    for (const [key, value] of Object.entries(settings)) this.#writer.configure(key, value);
    this.#writer.configure('limits.restoreGuardMs', 1500);
    await this.#writer.up();
    const found = headOf(await this.#writer.api.stream(stream));
    must(found.size < before.size, 'the backup is not older than what the followers have');
    return before;
  }

  async #comesBack(what: string, before: Head): Promise<void> {
    await this.#writer.up();
    const began = performance.now();
    // Busy machines may take longer than the guard holds a publish: a producer tries again.
    const [first] = await until('the writer to sign again', () =>
      this.#publish(3).catch((cause: unknown) => {
        if (cause instanceof ApiError && cause.status === 503) return undefined;
        throw cause;
      }),
    );
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    must((first ?? 0) >= before.size, `${what}: index ${first} was signed twice`);
    await this.#sameEverywhere(`${what}: fetches what it lost, signs again after ${seconds} s`);
  }

  /** Same root everywhere, nothing frozen, every event once, all of it intact. */
  async #sameEverywhere(what: string): Promise<void> {
    const head = await this.#replicated();
    for (const peer of [this.#writer, ...this.#followers]) {
      const [log] = (await peer.api.stream(stream)).list('logs');
      must(log?.text('state') === 'open', `${what}: ${peer.name} is ${log?.text('state')}`);
      const verified = await peer.api.verify(stream);
      must(verified.text('verdict') === 'intact', `${what}: ${peer.name} is not intact`);
    }
    const lines = await this.#writer.api.replay(stream);
    const numbers = new Set(lines.map(numberOf));
    must(lines.length === this.#next, `${what}: ${lines.length} of ${this.#next} events`);
    must(numbers.size === this.#next, `${what}: an event is there twice`);
    this.#options.holds(`${what}; ${head.size} entries, the same root everywhere`);
  }

  /** The head, once every follower has it. */
  async #replicated(): Promise<Head> {
    const wanted = headOf(await this.#writer.api.stream(stream));
    for (const { name, api } of this.#followers) {
      await until(`${name} to have everything`, async () => {
        const { size, root } = headOf(await api.stream(stream));
        if (size < wanted.size) return undefined;
        must(root === wanted.root, `${name} has ${root}, the writer ${wanted.root}`);
        return true;
      });
    }
    return wanted;
  }

  /** The home is gone, as with its disk. */
  async #lose(): Promise<void> {
    await this.#writer.kill();
    this.#lost += 1;
    await rename(this.#writer.home, join(this.#work.folder, `lost-${this.#lost}`));
    await rm(join(this.#work.folder, `lost-${this.#lost}`), { recursive: true });
  }

  /** Indexes of that many new events. */
  async #publish(count: number): Promise<readonly number[]> {
    const indexes: number[] = [];
    for (let left = count; left > 0;) {
      const batch = Math.min(left, 500);
      const events = Array.from({ length: batch }, (_, i) => numbered(this.#next + i));
      const receipts = await this.#writer.api.publish(stream, events);
      this.#next += batch;
      left -= batch;
      indexes.push(...receipts.map((receipt) => receipt.number('index') ?? -1));
    }
    return indexes;
  }

  async #whilePublishing(work: () => Promise<void>): Promise<readonly [number, number]> {
    const began = performance.now();
    const before = this.#next;
    const done = new AbortController();
    const publishing = (async () => {
      while (!done.signal.aborted) await this.#publish(20);
    })();
    try {
      await work();
    } finally {
      done.abort();
      await publishing;
    }
    return [(performance.now() - began) / 1000, this.#next - before];
  }

  async #refusal(): Promise<string> {
    try {
      await this.#writer.api.publish(stream, [numbered(this.#next)]);
      return 'a receipt';
    } catch (cause) {
      if (cause instanceof ApiError) return cause.code;
      throw cause;
    }
  }
}
