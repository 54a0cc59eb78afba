/**
 * The organisation's key, kept offline, stolen and lost. A node without it does all that a node does. A
 * thief with a copy of it, and a peer of his own, gets nobody to take his registry, and after the
 * succession nobody to take anything that he signs. What was granted by and to the old DID goes on, what
 * was proved before verifies, names lead to the new DID. Whoever has the recovery key as well can open a
 * second succession, and everyone is told.
 */
import { copyFile, cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { peerKey } from '../../src/gossip/peer-id.ts';
import { didFromKey } from '../../src/ids.ts';
import type { JsonView } from '../../src/node/json-view.ts';
import { asPeerId } from '../../src/types.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];
const wait = { timeoutMs: 60_000, everyMs: 50 };

export const orgkey: NetworkChecks = async (work, options) => {
  const story = await Story.begin(work, options);
  await story.offline();
  await story.thief();
  await story.stolen();
  await story.superseded();
  await story.papers();
  await story.lost();
  if (!options.short) await story.newcomer();
  await story.twice();
};

class Story {
  readonly #work: Workspace;
  readonly #options: Options;
  readonly #acme: Peer;
  readonly #beta: Peer;
  readonly #thief: Peer;
  readonly #stick: string;
  readonly #old: string;
  #now = '';
  #sent = 0;

  private constructor(
    work: Workspace,
    options: Options,
    { acme, beta, stick }: { readonly acme: Peer; readonly beta: Peer; readonly stick: string },
  ) {
    this.#work = work;
    this.#options = options;
    this.#acme = acme;
    this.#beta = beta;
    this.#thief = new Peer(work, 'thief');
    this.#stick = stick;
    this.#old = acme.did;
  }

  /** Keys go to the stick before a node has ever run. */
  static async begin(work: Workspace, options: Options): Promise<Story> {
    const stick = work.directory('stick');
    const acme = await new Peer(work, 'acme').init();
    for (const name of ['organisation', 'recovery']) {
      await rename(join(acme.home, 'keys', `${name}.key`), join(stick, `${name}.key`));
    }
    await tuned(acme).up();
    const invite = await inviteOf(acme);
    const beta = await new Peer(work, 'beta').join(invite);
    await rename(join(beta.home, 'keys', 'organisation.key'), join(stick, 'beta.key'));
    await tuned(beta).up();
    return new Story(work, options, { acme, beta, stick });
  }

  #holds(what: string): void {
    this.#options.holds(`${what} (${this.#work.seconds.toFixed(1)} s)`);
  }

  async offline(): Promise<void> {
    await this.#acme.api.post('/streams', { name: 'orders' });
    await this.#acme.api.post('/streams', { name: 'prices', visibility: 'direct' });
    await this.#publish('orders');
    await this.#publish('prices');
    await until('beta to follow orders', () => this.#follows(this.#beta, 'acme/orders'), wait);
    const ask = ['grant', 'request', 'acme/prices', '--purpose', 'billing'];
    const id = (await this.#beta.hw(ask)).expect(0).json.text('id') ?? '';
    await until('acme to accept', async () => {
      return (await this.#acme.hw(['grant', 'accept', id])).code === 0;
    });
    await until('beta to follow prices', () => this.#follows(this.#beta, 'acme/prices'), wait);
    await this.#both(1);
    const file = join(this.#stick, 'before.tlog-proof');
    (await this.#acme.hw(['prove', 'orders#2', '--out', file])).expect(0);
    this.#holds('without the organisation’s key: streams, grants, following, proofs');
  }

  /** He has copied the stick: a home whose organisation is acme, by its very key. */
  async thief(): Promise<void> {
    const { home } = this.#thief;
    await mkdir(join(home, 'keys'), { recursive: true });
    const key = join(home, 'keys', 'organisation.key');
    await copyFile(join(this.#stick, 'organisation.key'), key);
    await this.#thief.join(await inviteOf(this.#acme), '--org', 'acme');
    must(this.#thief.did === this.#old, 'the thief is not acme');
    await tuned(this.#thief).up();
    await this.#thief.api.post('/streams', { name: 'forged' });
    for (const peer of [this.#acme, this.#beta]) {
      await until(`${peer.name} to warn`, () => said(peer, 'registry-known'), wait);
    }
    const shown = JSON.stringify((await this.#beta.api.get('/streams', { all: true })).value);
    must(shown.includes('orders') && !shown.includes('forged'), 'beta lists what the thief made');
    // In his own home he can succeed himself: nobody else learns of it.
    if (!this.#options.short) {
      await this.#thief.down();
      (await this.#thief.hw(['key', 'succeed'])).expect(0);
      await this.#thief.up();
    }
    await this.#publish('orders');
    await this.#both(2);
    must((await ownerOf(this.#beta)) === this.#old, 'beta believes the thief');
    this.#holds('a thief with the key opens a second registry: nobody takes it');
  }

  async stolen(): Promise<void> {
    await this.#acme.down();
    const without = await this.#acme.hw(['key', 'succeed', '--stolen']);
    without.expect(78, 'key-file-missing');
    const wrong = ['--key', join(this.#stick, 'organisation.key')];
    (await this.#acme.hw(['key', 'succeed', '--stolen', ...wrong])).expect(5, 'recovery-key');
    await cp(this.#acme.home, join(this.#work.folder, 'twin'), { recursive: true });
    const key = join(this.#stick, 'recovery.key');
    const args = ['key', 'succeed', '--stolen', '--since', '2026-01-01T00:00:00Z', '--key', key];
    const done = (await this.#acme.hw(args)).expect(0).json;
    this.#now = done.text('to') ?? '';
    must(done.text('from') === this.#old && this.#now !== this.#old, 'another DID');
    const again = join(this.#stick, 'organisation-2.key');
    await rename(join(this.#acme.home, 'keys', 'organisation.key'), again);
    await this.#acme.up();
    await this.#publish('orders');
    await this.#publish('prices');
    await this.#moved(this.#beta);
    await this.#both(3);
    const view = (await this.#beta.hw(['stream', 'show', `${this.#old}/orders`])).expect(0).json;
    must(view.text('owner') === this.#now, 'the old DID leads nowhere');
    must(view.list('succeeded')[0]?.text('reason') === 'stolen', 'it is not said why');
    must(await said(this.#beta, 'organisation.succeeded'), 'it is not in the journal of beta');
    this.#holds('acme is succeeded: names, follows and grants go on under the new DID');
  }

  /** His peer is no peer of acme any more, and the key opens nothing. */
  async superseded(): Promise<void> {
    const status = await this.#thief.api.get('/status');
    const id = status.text('peer') ?? '';
    for (const peer of [this.#acme, this.#beta]) {
      await until(
        `${peer.name} to refuse the thief`,
        async () => {
          const peers = (await peer.api.get('/peers')).list('peers');
          const his = peers.find((one) => one.text('peer') === id);
          return his?.text('state') === 'refused' && his.text('reason')?.includes('stolen');
        },
        wait,
      );
    }
    const prices = await this.#thief.api.replay(`${this.#old}/prices`).catch(() => []);
    must(prices.length === 0, 'the thief reads prices');
    await this.#thief.down();
    this.#holds('what the stolen key signs is refused: did-superseded');
  }

  async papers(): Promise<void> {
    const [proof, bundle] = ['before.tlog-proof', 'orders.hwb'].map((name) =>
      join(this.#stick, name),
    );
    if (proof === undefined || bundle === undefined) throw new Error('two files');
    (await this.#acme.hw(['verify', proof, '--trust', this.#old])).expect(0);
    for (const did of [this.#old, this.#now]) {
      const verified = await this.#beta.hw(['verify', 'acme/orders', '--trust', did]);
      must(verified.expect(0).json.text('verdict') === 'intact', verified.said());
    }
    (await this.#beta.hw(['export', 'acme/orders', '--bundle', bundle])).expect(0);
    (await this.#beta.hw(['verify', bundle])).expect(0);
    this.#holds('proofs from before, the stream by either DID, and a bundle verify');
  }

  /** The reader’s turn: its key is lost, nobody has it. */
  async lost(): Promise<void> {
    const before = this.#beta.did;
    await this.#beta.down();
    const done = (await this.#beta.hw(['key', 'succeed'])).expect(0).json;
    const after = done.text('to') ?? '';
    await this.#beta.up();
    await until(
      'acme to know beta by its new DID',
      async () => {
        const peers = (await this.#acme.api.get('/peers')).list('peers');
        return peers.some((one) => one.text('organisation') === after);
      },
      wait,
    );
    must(before !== after, 'beta has another DID');
    await this.#publish('prices');
    await this.#publish('orders');
    await until('beta to read on', () => this.#has(this.#beta, 'acme/prices', 3), wait);
    await this.#both(4, 3);
    this.#holds('a reader whose key was lost reads on with the grant of its old DID');
  }

  /** It has never known the old DID, and meets only beta. */
  async newcomer(): Promise<void> {
    const late = await new Peer(this.#work, 'late').join(await inviteOf(this.#beta));
    await tuned(late).up();
    await until('late to follow acme', () => this.#follows(late, `${this.#old}/orders`), wait);
    await until('late to have it', () => this.#has(late, `${this.#now}/orders`, 4), wait);
    await this.#moved(late, `${this.#old}/orders`);
    await late.down();
    this.#holds('a newcomer learns it from the registry');
  }

  /** The recovery key was on the stick as well: a copy of the home makes a succession of its own. */
  async twice(): Promise<void> {
    await this.#acme.down();
    const twin = new Peer(this.#work, 'twin');
    const key = join(this.#stick, 'recovery.key');
    const done = (await twin.hw(['key', 'succeed', '--key', key])).expect(0).json;
    must(done.text('to') !== this.#now, 'a second DID');
    await rm(join(twin.home, 'run'), { recursive: true, force: true });
    await twin.up();
    await until(
      'beta to see two successions',
      async () => {
        const checks = (await this.#beta.api.get('/checks')).list('checks');
        return checks.some((one) => one.text('reason')?.includes('two successions'));
      },
      wait,
    );
    must((await ownerOf(this.#beta)) === this.#now, 'beta changes over to the second');
    await Promise.all([twin.down(), this.#beta.down()]);
    this.#holds('a second succession is found out: the first one stays, and the operator is told');
  }

  /** Until the peer calls acme by the new DID. */
  async #moved(peer: Peer, stream = 'acme/orders'): Promise<void> {
    await until(
      `${peer.name} to know the new DID`,
      async () => (await ownerOf(peer, stream)) === this.#now,
      wait,
    );
  }

  async #both(orders: number, prices = orders === 1 ? 1 : orders - 1): Promise<void> {
    await until('orders', () => this.#has(this.#beta, 'acme/orders', orders), wait);
    await until('prices', () => this.#has(this.#beta, 'acme/prices', prices), wait);
  }

  async #publish(stream: string): Promise<void> {
    this.#sent += 1;
    const event = { specversion: '1.0', id: `${this.#sent}`, source: '/s', type: 't', data: {} };
    await this.#acme.api.publish(`acme/${stream}`, [JSON.stringify(event)]);
  }

  async #follows(peer: Peer, stream: string): Promise<boolean> {
    await peer.api.post('/follows', { target: stream });
    return true;
  }

  async #has(peer: Peer, stream: string, count: number): Promise<boolean> {
    return (await peer.api.replay(stream)).length === count;
  }
}

function tuned(peer: Peer): Peer {
  peer.configure('limits.accessPollMs', 500);
  peer.configure('limits.accessCardMs', 1000);
  return peer;
}

async function inviteOf(peer: Peer): Promise<string> {
  return (await peer.hw(['invite'])).expect(0).json.text('invite') ?? '';
}

async function ownerOf(peer: Peer, stream = 'acme/orders'): Promise<string> {
  const view: JsonView = await peer.api.stream(stream);
  return view.text('owner') ?? '';
}

async function said(peer: Peer, word: string): Promise<boolean> {
  const id = (await peer.api.get('/status')).text('peer') ?? '';
  const key = peerKey(asPeerId(id));
  if (key === undefined) throw new Error(`${id} is no peer id`);
  const journal = await peer.api.replay(`${didFromKey(key)}/_journal`);
  return journal.some((line) => line.includes(word));
}
