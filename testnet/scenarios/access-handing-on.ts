/**
 * Grants that travel: a reseller and what it may hand on, peers of one organisation whose key is away, a
 * second peer of the producer, attributes alone, and renewal by rule. In the full form eight organisations.
 *
 *   acme (hq, depot) ─► resell ─► carl (and its second peer carl2)
 *                          └────► gina ─► dora                      full form
 */
import { randomBytes } from 'node:crypto';
import type { JsonView } from '../../src/node/json-view.ts';
import { enrol } from '../lib/branch.ts';
import { filesWith } from '../lib/files-with.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];

export const handingOn: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.resale();
  await network.keyAway();
  await network.attributes();
  if (!options.short) await network.deep();
  await network.renewed();
  await network.copies();
  await network.revoked();
};

class Network {
  readonly #options: Options;
  readonly #peers = new Map<string, Peer>();
  readonly #secret = randomBytes(48).toString('base64');
  #sent = 0;

  private constructor(options: Options) {
    this.#options = options;
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const network = new Network(options);
    const acme = await new Peer(work, 'acme', work.directory('handing-on-acme')).init();
    const rule = { when: { exact: { stream: 'rates' } }, answer: 'accept', for: '20s' };
    acme.configure('access.rules', [rule]);
    await network.#add('acme', acme).up();
    for (const name of ['prices', 'rates', 'trades']) {
      await acme.api.post('/streams', { name, visibility: 'direct' });
      await network.#publish(name, 'first');
    }
    const invite = (await acme.api.post('/network/invites')).text('invite') ?? '';
    const others = [
      'resell',
      'carl',
      ...(options.short ? [] : ['gina', 'dora', 'emil', 'fred', 'hugo']),
    ];
    const join = (name: string): Promise<Peer> =>
      new Peer(work, name, work.directory(`handing-on-${name}`)).join(invite);
    const joined = await Promise.all([...others, 'depot', 'carl2'].map(join));
    for (const [i, peer] of joined.entries()) {
      const name = [...others, 'depot', 'carl2'][i] ?? '';
      network.#add(name, peer);
      if (others.includes(name)) await peer.up();
    }
    await enrol(network.#peer('depot'), acme);
    await until('the registry of carl to be named', async () => {
      await enrol(network.#peer('carl2'), network.#peer('carl'));
      return true;
    });
    await Promise.all(['depot', 'carl2'].map((name) => network.#peer(name).up()));
    for (const name of ['depot', 'carl2']) {
      await until(`${name} to know acme by name`, async () => {
        const streams = await network.#peer(name).hw(['peer', 'list']);
        return streams.stdout.includes(acme.did);
      });
    }
    return network;
  }

  /** The reseller gives less than it has, and can give no more. */
  async resale(): Promise<void> {
    const [acme, resell, carl] = ['acme', 'resell', 'carl'].map((name) => this.#peer(name));
    if (acme === undefined || resell === undefined || carl === undefined) throw new Error('three');
    // To the reseller's peer, to the next organisation, to its peer and a sister; full: once more.
    const depth = this.#options.short ? 4 : 6;
    await this.#give('acme', { stream: 'prices', to: resell.did, depth, seconds: 3600 }, 'resell');
    await this.#reads('resell', 'prices');
    const wide = ['grant', 'create', 'acme/prices', '--to', carl.did, '--for', '30d'];
    (await resell.hw(wide)).expect(5, 'grant-wider');
    const terms = { stream: 'acme/prices', to: carl.did, seconds: 1800, depth: 2, purpose: 'desk' };
    await this.#give('resell', terms, 'carl');
    await this.#reads('carl', 'prices');
    const [seen] = await this.#grants('acme', { side: 'through' });
    const text = JSON.stringify([seen?.text('holderName'), seen?.at('through').value]);
    must(text === '["carl",["resell"]]', `acme sees ${text}`);
    this.#options.holds(
      'a reseller hands on a part, no more; the producer sees who reads through it',
    );
  }

  /** A peer without its organisation's key asks for itself, and hands on what it gets. */
  async keyAway(): Promise<void> {
    const carl2 = this.#peer('carl2');
    const asked = await carl2.hw(['grant', 'request', 'acme/rates', '--purpose', 'desk']);
    asked.expect(0);
    await until('carl2 to have a grant', async () => {
      return (await this.#grants('carl2', { stream: 'rates', state: 'active' })).length > 0;
    });
    await this.#reads('carl2', 'rates');
    const [held] = await this.#grants('carl', { stream: 'prices', state: 'active' });
    const peer = (await carl2.api.get('/status')).text('peer') ?? '';
    const id = (held?.text('id') ?? '').slice(-8);
    (await this.#peer('carl').hw(['grant', 'hand-on', id, '--peer', peer])).expect(0);
    this.#options.holds(
      'a peer whose key is away asks for itself, by rule; a sister peer hands it another',
    );
  }

  async attributes(): Promise<void> {
    await this.#publish('trades', this.#secret);
    const reader = this.#options.short ? 'resell' : 'emil';
    const peer = this.#peer(reader);
    await this.#give('acme', { stream: 'trades', to: peer.did, fields: 'attributes' }, reader);
    const events = await until('attributes to come', async () => {
      const ran = await peer.hw(['replay', 'acme/trades', '--fields', 'attributes']);
      const lines = ran.stdout.split('\n').filter((line) => line !== '');
      return ran.code === 0 && lines.length === 2 ? lines : undefined;
    });
    must(
      events.every((line) => line.includes('org.example.x')),
      'attributes are there',
    );
    (await peer.hw(['follow', 'acme/trades'])).expect(5, 'fields-unsupported');
    must((await filesWith(peer, this.#secret)).length === 0, `${reader} has the data`);
    must((await filesWith(this.#peer('acme'), this.#secret)).length > 0, 'nothing is found');
    this.#options.holds(
      'a grant of attributes gives proofs of events: no data, no blocks, no following',
    );
  }

  /** Seven links: two resellers between. By hand and at the last link refused. */
  async deep(): Promise<void> {
    const [gina, dora, hugo, fred] = ['gina', 'dora', 'hugo', 'fred'].map(
      (one) => this.#peer(one).did,
    );
    await this.#give('resell', { stream: 'acme/prices', to: gina, depth: 3 }, 'gina');
    await this.#reads('gina', 'prices');
    await this.#give('gina', { stream: 'acme/prices', to: dora, depth: 1 }, 'dora');
    await this.#reads('dora', 'prices');
    const refused = await this.#peer('dora').hw([
      'grant',
      'create',
      'acme/prices',
      '--to',
      `${hugo}`,
    ]);
    refused.expect(5, 'grant-wider');
    const asked = await this.#peer('fred').hw([
      'grant',
      'request',
      'acme/prices',
      '--purpose',
      'x',
    ]);
    const id = asked.expect(0).json.text('id') ?? '';
    const arrived = async (): Promise<boolean> =>
      (await this.#peer('acme').hw(['grant', 'accept', id])).code === 0;
    await until('the request of fred', async () => ((await arrived()) ? true : undefined));
    await until('fred to have a grant', async () => {
      return (await this.#grants('fred', { stream: 'prices', state: 'active' })).length > 0;
    });
    await this.#reads('fred', 'prices');
    const through = await this.#grants('acme', { side: 'through' });
    const gone = through.find((one) => one.text('holder') === dora);
    await this.#peer('acme').api.call('DELETE', `/grants/${gone?.text('id') ?? ''}`, { body: {} });
    await this.#publish('prices', 'not for dora');
    await this.#has('gina', 'prices', 2);
    await this.#state('dora', 'prices', 'revoked');
    must((await this.#count('dora', 'prices')) === 1, 'dora reads on');
    must(
      fred !== undefined && (await this.#count('fred', 'prices')) === 2,
      'fred does not read on',
    );
    this.#options.holds(
      'two resellers in a row; the producer ends the last link alone, nobody else',
    );
  }

  /** A copy of the producer's other peer serves under its grants, that of a reader nobody. */
  async copies(): Promise<void> {
    const depot = this.#peer('depot');
    await depot.api.post('/follows', { target: `${this.#peer('acme').did}/prices` });
    const whole = await this.#count('acme', 'prices');
    await this.#has('depot', 'prices', whole);
    await until('the depot to have heard of revocations', async () => {
      const checks = (await depot.api.get('/status')).list('checks');
      return checks.every((one) => one.text('name') !== 'revocations' || one.flag('ok'));
    });
    const carl2 = this.#peer('carl2');
    const id = (await depot.api.get('/status')).text('peer') ?? '';
    await carl2.api.call('PATCH', `/peers/${id}`, { body: { state: 'banned' } });
    await until('the grant to reach the sister peer', async () => {
      return (await this.#grants('carl2', { stream: 'prices' })).length > 0;
    });
    await this.#peer('acme').down();
    await carl2.api.post('/follows', { target: `${this.#peer('acme').did}/prices` });
    await until('carl2 to be with readers alone', async () => {
      const list = (await carl2.api.get('/peers')).list('peers');
      const organisations = list
        .filter((one) => one.flag('connected'))
        .map((one) => one.text('organisation'));
      const readers = [this.#peer('resell').did, this.#peer('carl').did];
      const alone = !organisations.includes(this.#peer('acme').did);
      return alone && readers.every((did) => organisations.includes(did));
    });
    must((await this.#count('carl2', 'prices')) === 0, 'a copy of a reader served');
    await carl2.api.call('PATCH', `/peers/${id}`, { body: { state: 'ok' } });
    await this.#has('carl2', 'prices', whole);
    await this.#peer('acme').up();
    this.#options.holds(
      `the producer's other peer serves its copy (${whole} events), readers serve nobody`,
    );
  }

  /** The rule gives 20 s: in the last third the next grant is asked for and given. */
  async renewed(): Promise<void> {
    await until('a grant in the place of the one that ends', async () => {
      const requests = (await this.#peer('acme').api.get('/grants')).list('requests');
      return requests.some(
        (one) => one.text('renews') !== undefined && one.text('state') === 'accepted',
      );
    });
    await until('both to be there', async () => {
      return (await this.#grants('carl2', { stream: 'rates' })).length > 1;
    });
    const journal = await this.#peer('acme').hw(['replay', '_journal']);
    must(journal.stdout.includes('renewal requested'), 'it is not in the journal');
    this.#options.holds('a grant that ends is renewed by itself where the rule accepts again');
  }

  /** The reseller takes back its own link, the producer that of the reseller. */
  async revoked(): Promise<void> {
    const given = await this.#grants('resell', { side: 'given', stream: 'prices' });
    const carl = given.find((one) => one.text('holder') === this.#peer('carl').did);
    (
      await this.#peer('resell').hw(['grant', 'revoke', carl?.text('id') ?? '', '--why', 'over'])
    ).expect(0);
    await this.#state('carl', 'prices', 'revoked');
    await this.#state('carl2', 'prices', 'revoked');
    await this.#refuses('carl');
    const before = await this.#count('carl', 'prices');
    await this.#publish('prices', 'not for carl');
    await this.#has('resell', 'prices', before + 1);
    must((await this.#count('carl', 'prices')) === before, 'carl reads on');
    const [held] = await this.#grants('acme', { side: 'given', stream: 'prices' });
    (await this.#peer('acme').hw(['grant', 'revoke', held?.text('id') ?? ''])).expect(0);
    await this.#state('resell', 'prices', 'revoked');
    await this.#refuses('resell');
    await this.#publish('prices', 'not for resell');
    await this.#has('depot', 'prices', before + 2);
    must((await this.#count('resell', 'prices')) === before + 1, 'resell reads on');
    this.#options.holds(
      'the reseller ends its reader, the producer the reseller: nothing comes after',
    );
  }

  #add(name: string, peer: Peer): Peer {
    peer.configure('limits.accessPollMs', 500);
    peer.configure('limits.accessCardMs', 2000);
    peer.configure('limits.freshnessEveryMs', 1000);
    this.#peers.set(name, peer);
    return peer;
  }

  #peer(name: string): Peer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new Error(name);
    return peer;
  }

  /** A grant by one, taken by another, who follows the stream where the grant is for data. */
  async #give(by: string, terms: Readonly<Record<string, unknown>>, to: string): Promise<void> {
    const made = await until(`${by} to give ${to} a grant`, () =>
      this.#peer(by)
        .api.post('/grants', terms)
        .catch(() => undefined),
    );
    const grant = made.text('grant') ?? '';
    await this.#peer(to).api.post('/grants/import', { grant });
  }

  async #reads(name: string, stream: string): Promise<void> {
    const peer = this.#peer(name);
    const target = `${this.#peer('acme').did}/${stream}`;
    await peer.api.post('/follows', { target });
    await until(`${name} to read ${stream}`, async () => (await this.#count(name, stream)) > 0);
  }

  async #has(name: string, stream: string, count: number): Promise<void> {
    await until(`${name} to have ${count} events of ${stream}`, async () => {
      return (await this.#count(name, stream)) === count;
    });
  }

  async #count(name: string, stream: string): Promise<number> {
    const path = `${this.#peer('acme').did}/${stream}`;
    return this.#peer(name)
      .api.replay(path)
      .then(
        (lines) => lines.length,
        () => 0,
      );
  }

  async #grants(
    name: string,
    query: Readonly<Record<string, string>>,
  ): Promise<readonly JsonView[]> {
    return (await this.#peer(name).api.get('/grants', query)).list('grants');
  }

  async #state(name: string, stream: string, state: string): Promise<void> {
    await until(`the grant of ${name} to be ${state}`, async () => {
      const own = await this.#grants(name, { side: 'got', stream });
      return own.length > 0 && own.every((one) => one.text('state') === state);
    });
  }

  /** Both peers that serve know that what they have seen of this reader's grants is void. */
  async #refuses(reader: string): Promise<void> {
    const { did } = this.#peer(reader);
    for (const name of ['acme', 'depot']) {
      await until(`${name} to hear of it`, async () => {
        const seen = await this.#grants(name, { side: 'through', stream: 'prices' });
        const own = seen.filter((one) => one.text('holder') === did);
        return own.every((one) => one.text('state') === 'revoked');
      });
    }
  }

  async #publish(stream: string, text: string): Promise<void> {
    this.#sent += 1;
    const event = {
      specversion: '1.0',
      id: `${this.#sent}`,
      source: '/handing-on',
      type: 'org.example.x',
      data: { text },
    };
    await this.#peer('acme').api.publish(`${this.#peer('acme').did}/${stream}`, [
      JSON.stringify(event),
    ]);
  }
}
