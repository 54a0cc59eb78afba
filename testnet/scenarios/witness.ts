/**
 * Three organisations witness a stream that asks for two of them. Witnesses are killed with SIGKILL
 * and come back: what waits for them waits, everything else goes on, and what they missed is
 * cosigned afterwards. A fourth one, in a network of its own, is reached by HTTP. Proofs are held
 * against quorums offline, with no home.
 */
import { join } from 'node:path';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { didKey, parseDid, parseLogId } from '../../src/ids.ts';
import { checkpointVkey } from '../../src/ledger/checkpoint.ts';
import type { JsonView } from '../../src/node/json-view.ts';
import { streamPath } from '../lib/api.ts';
import { hw } from '../lib/hw.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];

export const witness: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.acknowledged();
  await network.oneDown();
  await network.twoDown();
  await network.back();
  await network.proofs();
  await network.verified();
  if (options.short) return;
  await network.killed();
  await network.foreign();
};

const stream = 'writer/quakes';
/** Longer than a round with its witnesses takes, on a busy machine too. */
const ackTimeoutMs = 2500;

class Network {
  readonly #work: Workspace;
  readonly #options: Options;
  readonly #writer: Peer;
  readonly #witnesses: readonly Peer[];
  readonly #keys: readonly string[];
  #published = 0;

  private constructor(
    work: Workspace,
    options: Options,
    writer: Peer,
    witnesses: readonly Peer[],
    keys: readonly string[],
  ) {
    this.#work = work;
    this.#options = options;
    this.#writer = writer;
    this.#witnesses = witnesses;
    this.#keys = keys;
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const writer = await new Peer(work, 'writer').init();
    writer.configure('limits.ackTimeoutMs', ackTimeoutMs);
    writer.configure('limits.maxWitnessBackoffMs', 1000);
    await writer.up();
    const invite = (await writer.hw(['invite'])).expect(0).json.text('invite') ?? '';
    const witnesses = await Promise.all(
      ['north', 'east', 'south'].map(async (name) => {
        const peer = await new Peer(work, name).join(invite);
        peer.configure('roles', ['witness']);
        // Cosignatures come to a follower with the next meeting.
        peer.configure('limits.antiEntropyMs', 1000);
        peer.configure('limits.dialIntervalMs', 500);
        return peer.up();
      }),
    );
    const keys = await Promise.all(witnesses.map((peer) => keyOf(peer)));
    const named = keys.flatMap((key) => ['--witness', key]);
    (await writer.hw(['stream', 'create', 'quakes', ...named, '--quorum', '2'])).expect(0);
    for (const peer of witnesses) {
      await until(`${peer.name} to hear of the stream`, async () => {
        await peer.api.post('/follows', { target: stream });
        return true;
      });
    }
    return new Network(work, options, writer, witnesses, keys);
  }

  async acknowledged(): Promise<void> {
    const witnessed = await this.#publish('witnessed');
    must(witnessed.text('ack') === 'witnessed', `not witnessed: ${text(witnessed)}`);
    const replicated = await this.#publish('replicated:2');
    must(replicated.text('ack') === 'replicated:2', `not replicated: ${text(replicated)}`);
    const short = await this.#publish('replicated:9');
    must(short.text('ack') === 'local', `nine of three: ${text(short)}`);
    must(short.number('replicated') === 3, `three followers: ${text(short)}`);
    this.#options.holds('ack=witnessed and ack=replicated:2 are reached; 9 of 3 says 3 in time');
  }

  /** A quorum of two is left. */
  async oneDown(): Promise<void> {
    await this.#witness(2).kill();
    const receipt = await this.#publish('witnessed');
    must(receipt.text('ack') === 'witnessed', `two of three are up: ${text(receipt)}`);
    this.#options.holds('with one witness killed ack=witnessed goes on');
  }

  async twoDown(): Promise<void> {
    await this.#witness(1).kill();
    const waiting = this.#publish('witnessed');
    const from = performance.now();
    for (let i = 0; i < 20; i++) await this.#publish('local');
    const eachMs = (performance.now() - from) / 20;
    must(eachMs < 500, `a local publish took ${eachMs.toFixed(0)} ms meanwhile`);
    const receipt = await waiting;
    must(receipt.text('ack') === 'local', `one of three is up: ${text(receipt)}`);
    const code = receipt.at('shortfall').text('code');
    must(code === 'ack-timeout', `the shortfall is ${code}`);
    const input = `${event(`cli-${this.#published}`)}\n`;
    const published = await this.#writer.hw(['publish', 'quakes', '--ack', 'witnessed'], { input });
    must(published.code === 1, `hw publish ended with ${published.code}: ${published.said()}`);
    must(published.stdout.includes('ack-timeout'), `hw publish says ${published.said()}`);
    const late = await until('the writer to tell who is behind', async () => {
      const rows = await this.#rows();
      const behind = rows.filter((row) => row.at('reason').text('code') !== undefined);
      return behind.length === 2 ? behind : undefined;
    });
    must(
      late.every((row) => (row.number('behindSince') ?? 0) > 0),
      'behind since when is not told',
    );
    this.#options.holds(
      `with two killed ack=witnessed says ack-timeout, local goes on (${eachMs.toFixed(0)} ms each)`,
    );
  }

  async back(): Promise<void> {
    await Promise.all([1, 2].map((i) => this.#witness(i).up()));
    await this.#caughtUp();
    const receipt = await this.#publish('witnessed');
    must(receipt.text('ack') === 'witnessed', `all are back: ${text(receipt)}`);
    this.#options.holds('back again, the witnesses cosign what they missed');
  }

  async proofs(): Promise<void> {
    const file = join(this.#work.folder, 'event.tlog-proof');
    (await this.#writer.hw(['prove', 'quakes#2', '--out', file])).expect(0);
    const named = this.#keys.flatMap((key) => ['--witness', key]);
    await this.#offline([file, ...named, '--quorum', '2'], 0, 'intact');
    const own = await keyOf(this.#writer);
    const four = [...named, '--witness', own, '--quorum', '4'];
    await this.#offline([file, ...four], 4, 'untrusted');
    this.#options.holds('a proof meets --quorum 2 offline, and of four says untrusted (exit 4)');
  }

  /** Writer and follower hold the stream against its own policy and against a stated one. */
  async verified(): Promise<void> {
    const [north] = this.#witnesses;
    const stranger = await keyOf(this.#writer);
    for (const peer of north === undefined ? [] : [this.#writer, north]) {
      await until(`${peer.name} to hold the cosignatures`, async () => {
        const log = (await peer.api.verify(stream)).list('logs')[0];
        return (log?.list('witnesses').length ?? 0) >= 2 ? true : undefined;
      });
      (await peer.hw(['verify', stream])).expect(0);
      const key = this.#keys[0] ?? '';
      (await peer.hw(['verify', stream, '--witness', key, '--trust', this.#writer.did])).expect(0);
      const stated = ['--witness', key, '--witness', stranger, '--quorum', '2'];
      const report = (await peer.hw(['verify', stream, ...stated])).expect(4);
      must(report.json.text('verdict') === 'untrusted', report.said());
    }
    this.#options.holds('hw verify STREAM holds it against witnesses at writer and follower');
  }

  /** A witness that dies again and again never contradicts itself, and no round is lost. */
  async killed(): Promise<void> {
    for (let round = 0; round < 5; round++) {
      const publishing = Array.from({ length: 30 }, () => this.#publish('local'));
      await Promise.race(publishing);
      await this.#witness(0).kill();
      await Promise.all(publishing);
      await this.#witness(0).up();
    }
    await this.#caughtUp();
    const rows = await this.#rows();
    must(
      rows.every((row) => row.at('reason').value === undefined),
      text(rows[0]),
    );
    (await this.#writer.hw(['verify', stream])).expect(0);
    this.#options.holds('a witness killed five times under load cosigns on without contradiction');
  }

  /** In a network of its own: it must be told of the log, and is reached by HTTP. */
  async foreign(): Promise<void> {
    const view = await this.#writer.api.stream(stream);
    const log = parseLogId(view.list('logs')[0]?.text('log') ?? '');
    const key = parseDid(view.list('logs')[0]?.text('writerKey') ?? '');
    if (!log.ok || !key.ok) throw new Error('the stream has no log and key');
    const west = await new Peer(this.#work, 'west').init();
    west.configure('roles', ['witness']);
    west.configure('witness.origins', [checkpointVkey(nodeCrypto, log.value, didKey(key.value))]);
    await west.up();
    const named = await keyOf(west);
    await this.#writer.down();
    this.#writer.configure('witness.urls', [`${named} ${west.api.base}/witness`]);
    await this.#writer.up();
    await this.#publish('local');
    await until('the foreign witness to cosign', async () => {
      const row = (await this.#rows()).find(
        (one) => one.text('witness') === named && one.text('stream') === 'quakes',
      );
      return row?.number('size') === row?.number('head') ? true : undefined;
    });
    (await this.#writer.hw(['verify', stream, '--witness', named])).expect(0);
    this.#options.holds('a witness of another network cosigns by HTTP');
  }

  #witness(i: number): Peer {
    const peer = this.#witnesses[i];
    if (peer === undefined) throw new Error(`there is no witness ${i}`);
    return peer;
  }

  async #publish(ack: string): Promise<JsonView> {
    this.#published += 1;
    const answer = await this.#writer.api.call('POST', `${streamPath(stream)}/events`, {
      query: { ack },
      body: event(`e${this.#published}`),
      type: 'application/cloudevents+json',
    });
    const [receipt] = answer.list('receipts');
    if (receipt === undefined) throw new Error(`no receipt: ${text(answer)}`);
    return receipt;
  }

  async #rows(): Promise<readonly JsonView[]> {
    const view = await this.#writer.api.call('GET', '/witness');
    return view.list('witnesses').filter((row) => row.text('stream') === 'quakes');
  }

  async #caughtUp(): Promise<void> {
    await until('all witnesses to cosign the head', async () => {
      const rows = await this.#rows();
      const isCosigned = rows.every((row) => row.number('size') === row.number('head'));
      return rows.length > 0 && isCosigned ? true : undefined;
    });
  }

  async #offline(args: readonly string[], code: number, verdict: string): Promise<void> {
    const home = join(this.#work.folder, 'nobody');
    const ran = (await hw(this.#work, ['verify', ...args], { home })).expect(code);
    must(ran.json.text('verdict') === verdict, ran.said());
  }
}

async function keyOf(peer: Peer): Promise<string> {
  return (await peer.hw(['witness', 'key'])).expect(0).json.text('did') ?? '';
}

function event(id: string): string {
  const context = { specversion: '1.0', id, source: '/witness', type: 'org.example.quake' };
  return JSON.stringify({ ...context, data: { id } });
}

function text(view: JsonView | undefined): string {
  return JSON.stringify(view?.value);
}
