/**
 * Forgetting by rule, with real peers and real disks: age, bytes, an index, one event a subject, one
 * event by name. Followers do what the writer does, whoever comes later gets what is left and comes to
 * the same root, and what was redacted is in no file of anybody, not even after `kill -9`.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { headOf, type Head } from '../checks/replicas.ts';
import { ApiError, streamPath } from '../lib/api.ts';
import { filesWith } from '../lib/files-with.ts';
import { hw } from '../lib/hw.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];

export const retention: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.policies();
  await network.redaction();
  await network.crash();
  await network.late();
};

/** Streams with what their policy is when they are made. */
const streams = {
  aged: ['--max-age', '2s'],
  sized: ['--max-bytes', '60kB'],
  cut: [],
  state: ['--compact'],
  people: [],
  kept: ['--keep', 'all'],
} as const;
type Name = keyof typeof streams;
const names: readonly Name[] = ['aged', 'sized', 'cut', 'state', 'people', 'kept'];
const subjects = 10;

class Network {
  readonly #work: Workspace;
  readonly #options: Options;
  readonly #writer: Peer;
  readonly #followers: Peer[] = [];
  /** In `people`, to be redacted; in `kept`, for the same search. */
  readonly #secret = randomBytes(48).toString('base64');
  readonly #control = randomBytes(48).toString('base64');

  private constructor(work: Workspace, options: Options, writer: Peer) {
    this.#work = work;
    this.#options = options;
    this.#writer = writer;
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const writer = await new Peer(work, 'writer').init();
    writer.configure('limits.retentionIntervalMs', 300);
    await writer.up();
    for (const name of names) {
      const flags = streams[name];
      if (flags.length === 0) await writer.api.post('/streams', { name });
      else (await writer.hw(['stream', 'create', name, ...flags])).expect(0);
    }
    const network = new Network(work, options, writer);
    await network.#join('north');
    return network;
  }

  async #join(name: string): Promise<Peer> {
    const invite = (await this.#writer.hw(['invite'])).expect(0).json.text('invite') ?? '';
    const peer = await new Peer(this.#work, name).join(invite);
    peer.configure('limits.retentionIntervalMs', 300);
    await peer.up();
    for (const stream of names) {
      await until(`${name} to hear of ${stream}`, async () => {
        await peer.api.post('/follows', { target: `writer/${stream}` });
        return true;
      });
    }
    this.#followers.push(peer);
    return peer;
  }

  /** Age, bytes, index, subjects: the writer decides, all drop, and everything stays provable. */
  async policies(): Promise<void> {
    const count = this.#options.short ? 300 : 3000;
    for (const name of ['aged', 'sized', 'cut', 'state'] as const) await this.#fill(name, count);
    await this.#everywhere();
    await this.#writer.api.call('PATCH', streamPath('writer/cut'), {
      body: { retention: { below: count }, why: 'the scenario' },
    });
    const aged = await this.#drops('aged', (lines) => lines.length === 0);
    const sized = await this.#drops('sized', (lines) => bytesOf(lines) < 60_000);
    must(sized > 0, 'a limit of bytes dropped everything');
    const cut = await this.#drops('cut', (lines) => lines.length < count);
    must(cut > 0, 'an index dropped everything');
    const state = await this.#drops('state', (lines) => lines.length === subjects);
    const left = `age ${aged}, bytes ${sized}, index ${cut}, one a subject ${state}`;
    this.#options.holds(`of ${count} events each there are left at writer and follower: ${left}`);
    for (const name of ['aged', 'sized', 'cut', 'state'] as const) {
      await this.#incomplete(name, 'event-dropped');
    }
    this.#options.holds(
      'verify says incomplete with event-dropped, exit 4, at both; roots are equal',
    );
    await this.#proofs();
  }

  /** The leaf of a dropped event and the content of one that stays are proved with no home at all. */
  async #proofs(): Promise<void> {
    const { lowest } = await this.#log('cut');
    const kept = (await this.#indexes('cut')).find((index) => index >= lowest) ?? 0;
    await this.#proved('cut#2', ['--disclose', 'none'], 'dropped');
    await this.#proved(`cut#${kept}`, [], 'kept');
    const gone = await this.#writer.hw(['prove', 'cut#2', '--out', join(this.#work.folder, 'x')]);
    gone.expect(4, 'event-dropped');
    this.#options.holds('the leaf of what was dropped and the events that stay are proved offline');
  }

  async #proved(event: string, args: readonly string[], name: string): Promise<string> {
    const file = join(this.#work.folder, `${name}.tlog-proof`);
    (await this.#writer.hw(['prove', event, '--out', file, ...args])).expect(0);
    await this.#verifies(file);
    return file;
  }

  /** In a home that there is not. */
  async #verifies(file: string): Promise<void> {
    const home = join(this.#work.folder, 'nobody');
    (await hw(this.#work, ['verify', file], { home })).expect(0);
  }

  /** One event goes by name, and the same search finds the other one. */
  async redaction(): Promise<void> {
    await this.#fill('people', 20);
    const index = await this.#publish('people', 'secret', this.#secret);
    await this.#fill('people', 20, 20);
    await this.#publish('kept', 'secret', this.#control);
    await this.#everywhere();
    for (const peer of [this.#writer, ...this.#followers]) {
      await until(`${peer.name} to have both texts on its disk`, async () => {
        const secret = await filesWith(peer, this.#secret);
        const control = await filesWith(peer, this.#control);
        return secret.length > 0 && control.length > 0 ? true : undefined;
      });
    }
    const before = await this.#proved(`people#${index}`, [], 'before');
    const stranger = await this.#followers[0]?.hw([
      'redact',
      `writer/people#${index}`,
      '--reason',
      'not mine',
    ]);
    stranger?.expect(5, 'redact-denied');
    const reason = 'asked by the person';
    (await this.#writer.hw(['redact', `people#${index}`, '--reason', reason])).expect(0);
    await this.#everywhere();
    await this.#forgotten();
    this.#options.holds('64 redacted characters are in no file of writer and follower, others are');
    await this.#incomplete('people', 'event-redacted');
    for (const peer of [this.#writer, ...this.#followers]) {
      const code = await codeOf(peer, `${streamPath('writer/people')}/events/${index}`);
      must(code === 'event-redacted', `${peer.name} answers ${code} for a redacted event`);
      const lines = await peer.api.replay('writer/people');
      must(lines.length === 40, `${peer.name} has ${lines.length} other events of 40`);
    }
    await this.#verifies(before);
    const [, text] = await Promise.all([
      this.#proved(`people#${index}`, ['--disclose', 'none'], 'after'),
      this.#writer.hw(['prove', `people#${index}`, '--out', join(this.#work.folder, 'x')]),
    ]);
    text.expect(4, 'event-redacted');
    await this.#proved(`people#${index + 4}`, [], 'neighbour');
    this.#options.holds(
      'proofs of its leaf and of all others verify; its content says event-redacted',
    );
  }

  /** Killed in the middle of redactions: what the log names is gone after the next start. */
  async crash(): Promise<void> {
    const texts: string[] = [];
    const indexes: number[] = [];
    for (let n = 0; n < 6; n++) {
      const text = randomBytes(48).toString('base64');
      texts.push(text);
      indexes.push(await this.#publish('people', `crash${n}`, text));
    }
    await this.#everywhere();
    const asked = indexes.map((index) =>
      this.#writer.api
        .post(`${streamPath('writer/people')}/events/${index}/redact`, { reason: 'crash' })
        .catch(() => undefined),
    );
    await Promise.race(asked);
    await Promise.all([this.#writer, ...this.#followers].map((peer) => peer.kill()));
    await Promise.all([this.#writer, ...this.#followers].map((peer) => peer.up()));
    const redacted = await this.#everywhere().then(() => this.#redactedIn('people'));
    const named = texts.filter((_, n) => redacted.includes(indexes[n] ?? -1));
    must(named.length > 0, 'no redaction was in the log before the kill');
    for (const peer of [this.#writer, ...this.#followers]) {
      await until(`${peer.name} to finish after kill -9`, async () => {
        for (const text of named) if ((await filesWith(peer, text)).length > 0) return undefined;
        return true;
      });
    }
    for (const index of indexes) {
      const path = `${streamPath('writer/people')}/events/${index}/redact`;
      await this.#writer.api.post(path, { reason: 'again' });
    }
    await this.#everywhere();
    await this.#incomplete('people', 'event-redacted');
    this.#options.holds(
      `${named.length} of 6 redactions were named before kill -9: all were finished`,
    );
  }

  /** Who comes later gets the reduced blocks by sync, and the same root and reasons. */
  async late(): Promise<void> {
    const south = await this.#join('south');
    await this.#everywhere();
    for (const name of ['cut', 'state', 'sized'] as const) {
      await this.#incomplete(name, 'event-dropped');
    }
    await this.#incomplete('people', 'event-redacted');
    for (const name of names) {
      const [mine, theirs] = await Promise.all(
        [south, this.#writer].map((peer) => peer.api.replay(`writer/${name}`)),
      );
      must(mine?.join('\n') === theirs?.join('\n'), `south has other events of ${name}`);
    }
    must(
      (await south.api.verify('writer/kept')).text('verdict') === 'intact',
      'kept is not intact',
    );
    for (const peer of [this.#writer, ...this.#followers]) await peer.down();
    await this.#forgotten();
    this.#options.holds('a late joiner syncs what is left: same events, same roots, same reasons');
  }

  /** No file of anybody has the redacted text, every store has the other one. */
  async #forgotten(): Promise<void> {
    for (const peer of [this.#writer, ...this.#followers]) {
      await until(`${peer.name} to have forgotten`, async () => {
        return (await filesWith(peer, this.#secret)).length === 0 ? true : undefined;
      });
      const control = await filesWith(peer, this.#control);
      must(control.length > 0, `${peer.name}: the search does not find what was not redacted`);
    }
  }

  async #fill(name: Name, count: number, from = 0): Promise<void> {
    for (let n = from; n < from + count; n += 100) {
      const length = Math.min(100, from + count - n);
      const events = Array.from({ length }, (_, i) =>
        JSON.stringify({
          specversion: '1.0',
          id: `${n + i}`,
          source: '/retention',
          type: 'org.example.state',
          subject: `s${(n + i) % subjects}`,
          data: { n: n + i, text: 'x'.repeat(200) },
        }),
      );
      await this.#writer.api.publish(`writer/${name}`, events);
    }
  }

  /** One event in a block of its own, so that no compressor hides its text from a plain search. */
  async #publish(name: Name, id: string, text: string): Promise<number> {
    const event = { specversion: '1.0', id, source: '/retention', type: 'org.example.person' };
    const body = JSON.stringify({ ...event, data: { text } });
    const [receipt] = await this.#writer.api.publish(`writer/${name}`, [body]);
    return receipt?.number('index') ?? -1;
  }

  async #log(name: Name): Promise<Head & { readonly lowest: number }> {
    const view = await this.#writer.api.stream(`writer/${name}`);
    return { ...headOf(view), lowest: view.list('logs')[0]?.number('lowest') ?? 0 };
  }

  async #indexes(name: Name): Promise<readonly number[]> {
    const lines = await this.#writer.api.replay(`writer/${name}`, { envelope: true });
    return lines.map((line) => Number(/"index":(\d+)/.exec(line)?.[1] ?? -1));
  }

  async #redactedIn(name: Name): Promise<readonly number[]> {
    const { log, size } = await this.#log(name);
    const gone: number[] = [];
    for (let index = 0; index < size; index++) {
      const code = await codeOf(this.#writer, `/logs/${log}/events/${index}`);
      if (code === 'event-redacted') gone.push(index);
    }
    return gone;
  }

  /** Every follower has every log as long and with the root that the writer has. */
  async #everywhere(): Promise<void> {
    for (const peer of this.#followers) {
      for (const name of names) {
        await until(`${peer.name} to have all of ${name}`, async () => {
          const [mine, theirs] = await Promise.all([
            peer.api.stream(`writer/${name}`),
            this.#writer.api.stream(`writer/${name}`),
          ]);
          return headOf(mine).root === headOf(theirs).root ? true : undefined;
        });
      }
    }
  }

  /** Resolves when writer and followers keep the same, and it fits; how many events that are. */
  async #drops(name: Name, fits: (lines: readonly string[]) => boolean): Promise<number> {
    return until(`${name} to drop`, async () => {
      const kept = await Promise.all(
        [this.#writer, ...this.#followers].map((peer) => peer.api.replay(`writer/${name}`)),
      );
      const [first = []] = kept;
      const same = kept.every((lines) => lines.join('\n') === first.join('\n'));
      return same && fits(first) ? first.length : undefined;
    });
  }

  async #incomplete(name: Name, reason: string): Promise<void> {
    await Promise.all(
      [this.#writer, ...this.#followers].map(async (peer) => {
        const command = name === 'people' || !this.#options.short;
        const report = command
          ? (await peer.hw(['verify', `writer/${name}`])).expect(4).json
          : await peer.api.verify(`writer/${name}`);
        const said = `${report.text('verdict')} ${report.at('firstProblem').text('code')}`;
        must(said === `incomplete ${reason}`, `${peer.name} says of ${name}: ${said}`);
      }),
    );
  }
}

function bytesOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}

async function codeOf(peer: Peer, path: string): Promise<string> {
  try {
    await peer.api.get(path);
    return '';
  } catch (cause) {
    if (cause instanceof ApiError) return cause.code;
    throw cause;
  }
}
