/**
 * Who may read: a direct and a sealed stream with real peers. A reader asks and is accepted by hand, another stream
 * by rule; a stranger learns nothing; a thief with a copied grant in its store is refused; what comes
 * after a revocation reaches nobody; a grant of a time range opens that range.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { orderGrant } from '../../src/access/grant.ts';
import { parseContainer } from '../../src/access/ucan-container.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { GrantBook } from '../../src/node/access/grant-book.ts';
import { openHome } from '../../src/node/home.ts';
import { openHomeLedger } from '../../src/node/open-ledger.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import type { Result } from '../../src/result.ts';
import { handingOn } from './access-handing-on.ts';
import { SealedStream } from './access-sealed.ts';
import { headOf } from '../checks/replicas.ts';
import { filesWith } from '../lib/files-with.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];

export const access: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.byHand();
  await network.byRule();
  await network.range();
  await network.sealed.read();
  await network.stranger();
  await network.thief();
  await network.revoked();
  if (!options.short) await handingOn(work, options);
};

class Network {
  readonly sealed: SealedStream;
  readonly #options: Options;
  readonly #acme: Peer;
  readonly #beta: Peer;
  readonly #carl: Peer;
  /** In the direct stream; the same search must find the other one in an open stream. */
  readonly #secret = randomBytes(48).toString('base64');
  readonly #open = randomBytes(48).toString('base64');
  #sent = 0;

  private constructor(options: Options, peers: readonly [Peer, Peer, Peer]) {
    this.#options = options;
    [this.#acme, this.#beta, this.#carl] = peers;
    this.sealed = new SealedStream({
      options,
      acme: this.#acme,
      reader: this.#beta,
      relay: this.#carl,
      open: this.#open,
      publish: (stream, text) => this.#publish(stream, text),
    });
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const acme = await new Peer(work, 'acme').init();
    acme.configure('limits.accessPollMs', 500);
    const rule = { when: { exact: { stream: 'rates' } }, answer: 'accept', for: '1h' };
    acme.configure('access.rules', [rule]);
    await acme.up();
    for (const name of ['prices', 'rates', 'history']) {
      (await acme.hw(['stream', 'create', name, '--visibility', 'direct'])).expect(0);
    }
    await acme.api.post('/streams', { name: 'news' });
    const others: Peer[] = [];
    for (const name of ['beta', 'carl']) {
      const invite = (await acme.hw(['invite'])).expect(0).json.text('invite') ?? '';
      const peer = await new Peer(work, name).join(invite);
      peer.configure('limits.accessPollMs', 500);
      others.push(await peer.up());
    }
    const [beta, carl] = others;
    if (beta === undefined || carl === undefined) throw new Error('two others');
    const network = new Network(options, [acme, beta, carl]);
    await network.#publish('prices', network.#secret);
    await network.#publish('news', network.#open);
    for (const peer of others) {
      await until(`${peer.name} to hear of news`, async () => {
        await peer.api.post('/follows', { target: 'acme/news' });
        return (await peer.api.replay('acme/news')).length === 1 ? true : undefined;
      });
    }
    return network;
  }

  /** Asked for, accepted by the operator, followed, verified. */
  async byHand(): Promise<void> {
    const asked = await this.#beta.hw([
      'grant',
      'request',
      'acme/prices',
      '--purpose',
      'billing',
      '--for',
      '1h',
    ]);
    const id = asked.expect(0).json.text('id') ?? '';
    await until('the request to arrive', async () => {
      const status = await this.#acme.api.get('/status');
      const open = status.list('checks').some((check) => check.text('name') === 'grant requests');
      return open ? true : undefined;
    });
    must((await this.#read(this.#beta, 'prices')) === undefined, 'read before it was accepted');
    (await this.#acme.hw(['grant', 'accept', id])).expect(0);
    await this.#follows(this.#beta, 'prices');
    await until('the history', () => this.#has(this.#beta, 'prices', 1));
    await this.#publish('prices', 'more');
    await until('what is live', () => this.#has(this.#beta, 'prices', 2));
    const verdict = (await this.#beta.api.verify('acme/prices')).text('verdict');
    must(verdict === 'intact', `beta says ${verdict}`);
    this.#options.holds('a request was accepted by hand: history and live events, verified intact');
  }

  async byRule(): Promise<void> {
    await this.#publish('rates', '1.1');
    const asked = await this.#beta.hw(['grant', 'request', 'acme/rates', '--purpose', 'any']);
    asked.expect(0);
    await this.#follows(this.#beta, 'rates');
    await until('the rates', () => this.#has(this.#beta, 'rates', 1));
    const grants = (await this.#acme.api.get('/grants')).list('grants');
    const given = grants.find((grant) => grant.text('stream') === 'rates');
    must(given?.number('expires') !== undefined, 'the rule gives no longer than an hour');
    this.#options.holds('a request was accepted by rule, for no longer than the rule says');
  }

  /** What was recorded before the range comes without its content, and everything verifies. */
  async range(): Promise<void> {
    await this.#publish('history', 'before');
    const file = join(this.#acme.home, 'range.grant');
    const args = ['grant', 'create', 'history', '--to', 'beta', '--from', 'now', '--out', file];
    (await this.#acme.hw(args)).expect(0);
    await this.#publish('history', 'after');
    (await this.#beta.hw(['grant', 'verify', file])).expect(0);
    (await this.#beta.hw(['follow', 'acme/history', '--grant', file])).expect(0);
    await until('the range', () => this.#has(this.#beta, 'history', 1));
    const [line = ''] = (await this.#read(this.#beta, 'history')) ?? [];
    must(line.includes('after') && !line.includes('before'), `beta reads ${line}`);
    const [mine, theirs] = await Promise.all(
      [this.#acme, this.#beta].map((peer) => peer.api.stream('acme/history')),
    );
    if (mine === undefined || theirs === undefined) throw new Error('two views');
    must(headOf(mine).root === headOf(theirs).root, 'the roots differ');
    const report = await this.#beta.api.verify('acme/history');
    const said = `${report.text('verdict')} ${report.at('firstProblem').text('code')}`;
    must(said === 'incomplete body-withheld', `beta says ${said}`);
    this.#options.holds('a grant from now on gives what comes: earlier content stays, same root');
  }

  /** Neither lists, nor follows, nor holds a byte of it. */
  async stranger(): Promise<void> {
    const shown = JSON.stringify((await this.#carl.api.get('/streams', { all: true })).value);
    must(shown.includes('news') && !shown.includes('prices'), 'a stranger sees the direct stream');
    const { log } = headOf(await this.#acme.api.stream('acme/prices'));
    await this.#carl.api.post('/follows', { target: `hw:${log}` });
    await this.#carl.api.post('/follows', { target: `${this.#acme.did}/prices` });
    await this.#publish('prices', 'not for carl');
    await until('beta to have it', () => this.#has(this.#beta, 'prices', 3));
    await this.#carl.api.call('DELETE', '/follows', { body: { target: `hw:${log}`, purge: true } });
    must((await filesWith(this.#carl, this.#secret)).length === 0, 'carl has the secret text');
    must((await filesWith(this.#carl, this.#open)).length > 0, 'the search finds nothing');
    this.#options.holds('a stranger who knows the log id gets nothing, and sees no such stream');
  }

  /** carl has copied the grant of beta, and everything that its own node would object to. */
  async thief(): Promise<void> {
    const grants = (await this.#acme.api.get('/grants')).list('grants');
    const id = grants.find((grant) => grant.text('stream') === 'prices')?.text('id') ?? '';
    const text = (await this.#acme.api.get(`/grants/${id}`)).text('grant') ?? '';
    const honest = await this.#carl.hw(['grant', 'import', '-'], { input: text });
    honest.expect(5, 'grant-holder');
    await this.#carl.down();
    const { log } = headOf(await this.#acme.api.stream('acme/prices'));
    const writer = (await this.#acme.api.get('/status')).text('peer') ?? '';
    const card = { name: 'prices', visibility: 'direct', partitions: [{ log, writer }] };
    await plant(this.#carl, text, JSON.stringify(card));
    await plant(this.#carl, this.sealed.grant);
    await this.#carl.up();
    await until('the thief to be refused', async () => {
      const own = (await this.#carl.api.get('/grants')).list('grants');
      return own.some((grant) => grant.at('problem').text('code') === 'ucan-audience')
        ? true
        : undefined;
    });
    must((await filesWith(this.#carl, this.#secret)).length === 0, 'the thief has the secret text');
    const journal = await this.#acme.hw(['replay', '_journal', '--from', 'start']);
    must(journal.expect(0).stdout.includes('ucan-audience'), 'the refusal is not in the journal');
    this.#options.holds(
      'a thief with a copied grant is refused (ucan-audience), in the journal too',
    );
    await this.sealed.robbed(this.#carl);
  }

  async revoked(): Promise<void> {
    const grants = (await this.#acme.api.get('/grants')).list('grants');
    const id = grants.find((grant) => grant.text('stream') === 'prices')?.text('id') ?? '';
    (await this.#acme.hw(['grant', 'revoke', id.slice(-8), '--why', 'over'])).expect(0);
    await this.#publish('prices', 'after the revocation');
    await this.sealed.revoke();
    await until('beta to hear of it', async () => {
      const own = (await this.#beta.api.get('/grants')).list('grants');
      return own.some((grant) => grant.text('state') === 'revoked') ? true : undefined;
    });
    // It goes on to ask, and after a restart too.
    await this.#beta.down();
    await this.#beta.up();
    await this.#acme.down();
    await this.#acme.up();
    await this.#publish('rates', '1.2');
    await until('the other stream to go on', () => this.#has(this.#beta, 'rates', 2));
    const read = (await this.#read(this.#beta, 'prices')) ?? [];
    must(read.length === 3, `beta reads ${read.length} events, not what it had`);
    const registry = await this.#beta.api.replay(`${this.#acme.did}/_registry`);
    must(
      registry.some((line) => line.includes('grant.revoked')),
      'it is not in the registry',
    );
    this.#options.holds(
      'after the revocation nothing comes, after restarts neither; the rest goes on',
    );
    await this.sealed.revoked();
  }

  async #publish(stream: string, text: string): Promise<void> {
    this.#sent += 1;
    const event = {
      specversion: '1.0',
      id: `${this.#sent}`,
      source: '/access',
      type: 'org.example.x',
    };
    const body = JSON.stringify({ ...event, data: { text } });
    await this.#acme.api.publish(`acme/${stream}`, [body]);
  }

  async #follows(peer: Peer, stream: string): Promise<void> {
    await until(`${peer.name} to have a grant for ${stream}`, async () => {
      const own = (await peer.api.get('/grants')).list('grants');
      const has = own.some((grant) => grant.text('stream') === `acme/${stream}`);
      return has ? true : undefined;
    });
    (await peer.hw(['follow', `acme/${stream}`])).expect(0);
  }

  /** Undefined where the stream is not kept there. */
  async #read(peer: Peer, stream: string): Promise<readonly string[] | undefined> {
    return peer.api.replay(`acme/${stream}`).catch(() => undefined);
  }

  async #has(peer: Peer, stream: string, count: number): Promise<true | undefined> {
    return (await this.#read(peer, stream))?.length === count ? true : undefined;
  }
}

/** Puts a grant into the store of a stopped node as if it were its own. */
async function plant(peer: Peer, text: string, card?: string): Promise<void> {
  const home = value(await openHome(peer.home));
  await using ledger = value(await openHomeLedger(home, processRuntime(), {}));
  const grant = value(orderGrant(nodeCrypto, value(parseContainer(text))));
  const book = new GrantBook(ledger.rows, nodeCrypto, 10);
  value(await book.keep('got', grant, processRuntime().clock.now(), card));
}

function value<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.code}: ${result.error.message}`);
}
