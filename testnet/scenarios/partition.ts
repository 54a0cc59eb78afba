/**
 * A network that splits while a grant is taken back: what each side serves, and for how long.
 *
 *   side A   hq (acme, writes the registry), beta       side B   branch (acme too), carl
 *
 * The branch writes the direct stream `local` and the open one `news`; hq keeps copies. beta and carl
 * read both by grants of hq, each at the peer of its side. The lag is 8 s here, 5 minutes as a rule.
 */
import { enrol } from '../lib/branch.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];

const lagMs = 8000;

export const partition: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.whole();
  await network.split();
  await network.revokedOnOneSide();
  await network.beyondTheLag();
  await network.revokedOnTheOther();
  await network.healed();
};

class Network {
  readonly #options: Options;
  readonly #hq: Peer;
  readonly #branch: Peer;
  readonly #beta: Peer;
  readonly #carl: Peer;
  readonly #grants = new Map<string, string>();
  #sent = 0;
  #splitAt = 0;

  private constructor(options: Options, peers: readonly [Peer, Peer, Peer, Peer]) {
    this.#options = options;
    [this.#hq, this.#branch, this.#beta, this.#carl] = peers;
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const hq = await new Peer(work, 'acme').init();
    await quick(hq).up();
    const invite = (await hq.hw(['invite'])).expect(0).json.text('invite') ?? '';
    const [branch, beta, carl] = await Promise.all(
      ['branch', 'beta', 'carl'].map((name) => new Peer(work, name).join(invite)),
    );
    if (branch === undefined || beta === undefined || carl === undefined) throw new Error('three');
    await enrol(branch, hq);
    await Promise.all([branch, beta, carl].map((peer) => quick(peer).up()));
    const network = new Network(options, [hq, branch, beta, carl]);
    await network.#streams();
    return network;
  }

  async #streams(): Promise<void> {
    await until('the branch to know the registry', async () => {
      await this.#branch.api.post('/streams', { name: 'news' });
      return true;
    });
    await this.#branch.api.post('/streams', { name: 'local', visibility: 'direct' });
    await this.#meet();
    await until('hq to keep a copy', async () => {
      await this.#hq.api.post('/follows', { target: `${this.#hq.did}/local` });
      await this.#publish();
      return (await this.#count(this.#hq, 'local')) > 0;
    });
    for (const reader of [this.#beta, this.#carl]) await this.#give(reader);
  }

  /** Everybody is connected to everybody. */
  async #meet(): Promise<void> {
    const all = [this.#hq, this.#branch, this.#beta, this.#carl];
    for (const peer of all) {
      await until(`${peer.name} to meet all`, async () => {
        const peers = (await peer.api.get('/peers')).list('peers');
        return peers.filter((one) => one.flag('connected')).length >= all.length - 1;
      });
    }
  }

  async #give(reader: Peer): Promise<void> {
    const made = await this.#hq.api.post('/grants', { stream: 'local', to: reader.did });
    this.#grants.set(reader.name, made.text('id') ?? '');
    await reader.api.post('/grants/import', { grant: made.text('grant') ?? '' });
    await until(`${reader.name} to follow`, async () => {
      for (const name of ['local', 'news']) {
        await reader.api.post('/follows', { target: `acme/${name}` });
      }
      return true;
    });
  }

  async whole(): Promise<void> {
    await this.#publish();
    const [local, news] = await this.#sizes(this.#branch);
    for (const reader of [this.#beta, this.#carl]) await this.#reaches(reader, [local, news]);
    this.#options.holds(`whole: beta and carl read all ${local} events of the direct stream`);
  }

  async split(): Promise<void> {
    const [a, b] = [
      [this.#hq, this.#beta],
      [this.#branch, this.#carl],
    ];
    await this.#sides(a, b, 'banned');
    this.#splitAt = performance.now();
    await until('the two sides to part', async () => {
      const { length } = await connected(this.#hq);
      return length === 1 && (await connected(this.#branch)).length === 1;
    });
    this.#options.holds('split: {hq, beta} and {branch, carl}, nothing in between');
  }

  /** The branch cannot know it, and goes on as long as the lag allows. */
  async revokedOnOneSide(): Promise<void> {
    const id = this.#grants.get('carl') ?? '';
    (await this.#hq.hw(['grant', 'revoke', id, '--why', 'over'])).expect(0);
    await this.#publish();
    const sizes = await this.#sizes(this.#branch);
    await this.#reaches(this.#carl, sizes);
    this.#options.holds(
      `A: carl's grant is taken back. B: the branch cannot know, carl still reads (${this.#seconds()} s after the split)`,
    );
  }

  async beyondTheLag(): Promise<void> {
    await until('the branch to be stale', async () => {
      await this.#publish();
      const status = await this.#branch.api.get('/status');
      return status.list('checks').some((check) => check.text('name') === 'revocations');
    });
    const stoppedS = this.#seconds();
    const before = await this.#count(this.#carl, 'local');
    await this.#publish();
    const [local, news] = await this.#sizes(this.#branch);
    await until(
      'public data to go on',
      async () => (await this.#count(this.#carl, 'news')) === news,
    );
    await until('carl to be told why', async () => {
      const own = (await this.#carl.api.get('/grants')).list('grants');
      return own.some((grant) => grant.at('problem').text('code') === 'revocations-stale');
    });
    const after = await this.#count(this.#carl, 'local');
    must(after < local, `carl has all ${local} events`);
    must(after - before <= 1, `carl got ${after - before} events beyond the lag`);
    const metrics = await this.#branch.api.text('GET', '/metrics', { accept: 'text/plain' });
    const age = Number(/^headwater_revocation_view_seconds (\S+)$/m.exec(metrics)?.[1]);
    must(age * 1000 > lagMs, `the metric says ${age} s`);
    this.#options.holds(
      `B: stopped ${stoppedS} s after the split (lag ${lagMs / 1000} s, view ${Math.round(age)} s old): revocations-stale; carl has ${after} of ${local}, and all ${news} open ones`,
    );
    const read = await this.#count(this.#beta, 'local');
    must(read > 0 && (await stale(this.#hq)) === undefined, 'hq writes the registry');
    this.#options.holds(`A: hq writes the registry, is never stale, and serves beta what it has`);
  }

  /** Of what a cut-off branch takes back the other side knows nothing until it is whole again. */
  async revokedOnTheOther(): Promise<void> {
    const given = { stream: 'local', to: this.#beta.did, seconds: 3600 };
    const made = (await this.#branch.api.post('/grants', given)).text('id') ?? '';
    await this.#branch.api.call('DELETE', `/grants/${made}`, { body: { why: 'test' } });
    const said = await this.#registry(this.#hq);
    must(!said.some((line) => line.includes(made)), 'hq has it already');
    this.#grants.set('late', made);
    this.#options.holds('B: a revocation there holds at once, and waits for the registry');
  }

  async healed(): Promise<void> {
    const [a, b] = [
      [this.#hq, this.#beta],
      [this.#branch, this.#carl],
    ];
    const healedAt = performance.now();
    await this.#sides(a, b, 'ok');
    await until('the branch to be fresh', async () => (await stale(this.#branch)) === undefined);
    const freshS = ((performance.now() - healedAt) / 1000).toFixed(1);
    await this.#publish();
    const [local, news] = await this.#sizes(this.#branch);
    await this.#reaches(this.#beta, [local, news]);
    await until('carl to be told', async () => {
      const own = (await this.#carl.api.get('/grants')).list('grants');
      return own.some((grant) => grant.text('state') === 'revoked');
    });
    const has = await this.#count(this.#carl, 'local');
    must(has < local, 'carl got something after the revocation');
    this.#options.holds(
      `healed: fresh again after ${freshS} s; beta has all ${local}, carl is refused and stays at ${has}`,
    );
    const late = this.#grants.get('late') ?? '';
    await until('the registry to have both', async () => {
      const said = await this.#registry(this.#hq);
      return [late, this.#grants.get('carl') ?? ''].every((id) =>
        said.some((line) => line.includes(id)),
      );
    });
    this.#options.holds('healed: both revocations stand in the registry');
  }

  async #sides(a: readonly Peer[], b: readonly Peer[], state: 'ok' | 'banned'): Promise<void> {
    const ids = new Map<Peer, string>();
    for (const peer of [...a, ...b]) {
      ids.set(peer, (await peer.api.get('/status')).text('peer') ?? '');
    }
    const set = (at: Peer, other: Peer): Promise<unknown> =>
      at.api.call('PATCH', `/peers/${ids.get(other)}`, { body: { state, why: 'partition' } });
    for (const left of a) {
      for (const right of b) await Promise.all([set(left, right), set(right, left)]);
    }
  }

  #seconds(): string {
    return ((performance.now() - this.#splitAt) / 1000).toFixed(1);
  }

  /** One event in each stream. */
  async #publish(): Promise<void> {
    for (const stream of ['local', 'news']) {
      this.#sent += 1;
      const event = {
        specversion: '1.0',
        id: `${this.#sent}`,
        source: '/p',
        type: 'org.example.x',
      };
      await this.#branch.api.publish(`acme/${stream}`, [JSON.stringify(event)]);
    }
  }

  async #sizes(peer: Peer): Promise<readonly [number, number]> {
    return [await this.#count(peer, 'local'), await this.#count(peer, 'news')];
  }

  async #reaches(reader: Peer, [local, news]: readonly [number, number]): Promise<void> {
    await until(`${reader.name} to have ${local} and ${news}`, async () => {
      const has = await this.#sizes(reader);
      return has[0] >= local && has[1] >= news;
    });
  }

  /** Events of a stream that a peer has; 0 where it does not keep it. */
  async #count(peer: Peer, stream: string): Promise<number> {
    const read = await peer.api.replay(`${this.#hq.did}/${stream}`).catch(() => []);
    return read.length;
  }

  #registry(peer: Peer): Promise<readonly string[]> {
    return peer.api.replay(`${this.#hq.did}/_registry`);
  }
}

function quick(peer: Peer): Peer {
  peer.configure('limits.maxRevocationLagMs', lagMs);
  peer.configure('limits.freshnessEveryMs', 1000);
  peer.configure('limits.freshnessPollMs', 500);
  peer.configure('limits.accessPollMs', 500);
  peer.configure('limits.antiEntropyMs', 2000);
  peer.configure('limits.dialIntervalMs', 500);
  return peer;
}

async function connected(peer: Peer): Promise<readonly unknown[]> {
  return (await peer.api.get('/peers')).list('peers').filter((one) => one.flag('connected'));
}

/** Why a peer serves nothing by grant, where that is so. */
async function stale(peer: Peer): Promise<string | undefined> {
  const checks = (await peer.api.get('/status')).list('checks');
  return checks.find((check) => check.text('name') === 'revocations')?.text('reason');
}
