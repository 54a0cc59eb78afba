/**
 * Who has my data: real peers read known ranges of a direct stream, whole and from a time on, paged and
 * live, with a restart, a crash of the owner and a second copy; an administrator reads over HTTP. What
 * the owner says they were given is what they have, to the event and to the byte, after `kill -9` too.
 */
import { join } from 'node:path';
import { openHome } from '../../src/node/home.ts';
import { JsonView } from '../../src/node/json-view.ts';
import { openHomeLedger } from '../../src/node/open-ledger.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import type { Result } from '../../src/result.ts';
import { asLogIndex } from '../../src/types.ts';
import { headOf } from '../checks/replicas.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must, numbered } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];
const stream = 'acme/orders';
/** Longer than the interval in which deliveries go into the journal here. */
const journalMs = 300;

export const usage: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.whole();
  await network.fromNow();
  await network.restarts();
  await network.twice();
  await network.overHttp();
  await network.journal();
  await network.trace();
};

class Network {
  readonly #options: Options;
  readonly #acme: Peer;
  readonly #beta: Peer;
  readonly #carl: Peer;
  #sent = 0;
  #beforeCarl = 0;

  private constructor(options: Options, peers: readonly [Peer, Peer, Peer]) {
    this.#options = options;
    [this.#acme, this.#beta, this.#carl] = peers;
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const acme = await new Peer(work, 'acme').init();
    acme.configure('limits.deliveryJournalMs', journalMs);
    await acme.up();
    (await acme.hw(['stream', 'create', 'orders', '--visibility', 'direct'])).expect(0);
    const others: Peer[] = [];
    for (const name of ['beta', 'carl']) {
      const invite = (await acme.hw(['invite'])).expect(0).json.text('invite') ?? '';
      const peer = await new Peer(work, name).join(invite);
      peer.configure('limits.accessPollMs', 500);
      others.push(await peer.up());
    }
    const [beta, carl] = others;
    if (beta === undefined || carl === undefined) throw new Error('two others');
    await until('acme to know them', async () => {
      const known = JSON.stringify((await acme.api.get('/peers')).value);
      return known.includes(beta.did) && known.includes(carl.did) ? true : undefined;
    });
    return new Network(options, [acme, beta, carl]);
  }

  /** History in pages, then live. */
  async whole(): Promise<void> {
    await this.#publish(600);
    await this.#give(this.#beta);
    await this.#has(this.#beta, 600);
    await this.#publish(30);
    await this.#has(this.#beta, 630);
    await this.#agrees('beta', 630);
    this.#options.holds('history and live events: 630 given, 630 there');
  }

  /** Leaves of what came before travel without their content: they count for nothing but bytes. */
  async fromNow(): Promise<void> {
    this.#beforeCarl = this.#sent;
    await this.#give(this.#carl, '--from', 'now');
    await this.#publish(70);
    await this.#has(this.#carl, 70);
    await this.#agrees('carl', 70, true);
    this.#options.holds('a grant from now on: what was withheld is not counted');
  }

  /** The reader misses some and comes back; then the owner is killed, and says the same. */
  async restarts(): Promise<void> {
    await this.#beta.down();
    await this.#publish(40);
    await this.#beta.up();
    await this.#has(this.#beta, this.#sent);
    await this.#has(this.#carl, 110);
    await this.#agrees('beta', this.#sent);
    const before = await this.#usage('beta');
    await until('it to be in the journal', async () => {
      const sums = await this.#journaled();
      return sums.get(this.#beta.did)?.events === this.#sent ? true : undefined;
    });
    await this.#acme.kill();
    await this.#acme.up();
    const after = await this.#usage('beta');
    for (const name of ['events', 'bytes', 'first', 'last']) {
      must(before.number(name) === after.number(name), `${name} is another after kill -9`);
    }
    must((await this.#usage('carl')).number('events') === 110, 'carl after kill -9');
    await this.#publish(5);
    await this.#has(this.#beta, this.#sent);
    await this.#agrees('beta', this.#sent, true);
    this.#options.holds('a reader that was away and a killed owner: the same totals');
  }

  /** Thrown away and read again: given twice, and said so. */
  async twice(): Promise<void> {
    const had = this.#sent;
    await this.#beta.api.call('DELETE', '/follows', { body: { target: stream, purge: true } });
    await this.#beta.api.post('/follows', { target: stream });
    await this.#has(this.#beta, had);
    await until('both readings to be counted', async () => {
      const events = (await this.#usage('beta')).number('events');
      return events === 2 * had ? true : undefined;
    });
    const ranges = (await this.#usage('beta')).list('ranges');
    must(ranges.length === 1 && ranges[0]?.number('from') === 0, 'one range from the beginning');
    this.#options.holds('what was read again counts again, and is one range');
  }

  async overHttp(): Promise<void> {
    const terms = ['--scope', 'read', '--for', '1h'];
    const delegated = await this.#acme.hw(['key', 'token', '--admin', this.#carl.did, ...terms]);
    const delegation = delegated.expect(0).json.text('delegation') ?? '';
    const target = '/streams/acme/orders/events?from=start&limit=25';
    const answer = await this.#asAdmin(delegation, target, 'application/x-ndjson');
    const lines = (await answer.text()).split('\n').filter((line) => line !== '');
    must(lines.length === 25, `${lines.length} lines: ${lines[0]}`);
    const readers = (await this.#list()).list('readers');
    const carl = readers.find((one) => one.text('organisation') === this.#carl.did);
    must(carl?.number('events') === 25, `HTTP: ${JSON.stringify(readers.map(valueOf))}`);
    (await this.#acme.hw(['stream', 'create', 'meters', '--sealed'])).expect(0);
    await this.#acme.api.publish('acme/meters', [numbered(0), numbered(1)]);
    const bundle = await this.#asAdmin(delegation, '/bundle?of=meters', '*/*');
    const file = await bundle.arrayBuffer();
    must(bundle.ok && file.byteLength > 500, `a bundle: ${bundle.status}`);
    const fetched = (await this.#list())
      .list('readers')
      .find(
        (one) => one.text('stream') === 'meters' && one.text('organisation') === this.#carl.did,
      );
    const range = fetched?.list('ranges').at(-1);
    must((range?.number('to') ?? 0) > 4, `a bundle counts as a range: ${JSON.stringify(range)}`);
    const own = await this.#acme.api.replay(stream);
    must(own.length === this.#sent, 'the operator reads');
    const still = (await this.#list()).list('readers').length;
    must(still === readers.length + 1, 'the operator counts');
    this.#options.holds('an administrator who reads over HTTP is a reader, the operator is not');
  }

  /** A request of carl's to acme, by what was delegated to carl. */
  async #asAdmin(delegation: string, target: string, accept: string): Promise<Response> {
    const made = await this.#carl.hw(
      ['key', 'token', '--request', `GET ${target}`, '--delegation', '-'],
      { input: delegation },
    );
    const token = made.expect(0).json.text('bearer') ?? '';
    const headers = { authorization: `Bearer ${token}`, accept };
    return fetch(`${this.#acme.api.base}${target}`, { headers });
  }

  /** The journal's entries add up to the same. */
  async journal(): Promise<void> {
    const given = (await this.#list()).list('grants');
    for (const peer of [this.#beta, this.#carl]) {
      const usageOf = given.find((one) => one.text('holder') === peer.did)?.at('usage');
      await until(`the journal on ${peer.name}`, async () => {
        const sums = (await this.#journaled()).get(peer.did);
        const same =
          sums?.events === usageOf?.number('events') && sums?.bytes === usageOf?.number('bytes');
        return same ? true : undefined;
      });
    }
    this.#options.holds('the entries of the journal add up to the totals');
  }

  async trace(): Promise<void> {
    const text = (await this.#acme.hw(['trace', 'orders#5', '--consumers'])).expect(0).json;
    const delivered = text.list('delivered').map((one) => one.text('organisation'));
    must(delivered.includes(this.#beta.did), 'beta had it');
    const late = this.#beforeCarl + 20;
    const log = headOf(await this.#acme.api.stream(stream)).log;
    const both = await this.#acme.hw(['trace', `hw:${log}/${late}`, '--consumers']);
    const who = new Set(
      both
        .expect(0)
        .json.list('delivered')
        .map((one) => one.text('organisation')),
    );
    must(who.has(this.#beta.did) && who.has(this.#carl.did), 'both had a late one');
    const early = new Set(delivered);
    const ways = text
      .list('delivered')
      .filter((one) => one.text('organisation') === this.#carl.did);
    must(early.has(this.#carl.did) && ways.every((one) => one.text('way') === 'http'), 'withheld');
    this.#options.holds('hw trace --consumers names who had an event, and by which grant');
  }

  async #publish(count: number): Promise<void> {
    const events = Array.from({ length: count }, (_, i) => numbered(this.#sent + i));
    for (let at = 0; at < count; at += 100) {
      await this.#acme.api.publish(stream, events.slice(at, at + 100));
    }
    this.#sent += count;
  }

  async #give(peer: Peer, ...terms: readonly string[]): Promise<void> {
    const file = join(this.#acme.home, `${peer.name}.grant`);
    const args = ['grant', 'create', 'orders', '--to', peer.did, '--out', file, ...terms];
    (await this.#acme.hw(args)).expect(0);
    (await peer.hw(['follow', stream, '--grant', file])).expect(0);
  }

  async #has(peer: Peer, count: number): Promise<void> {
    await until(`${peer.name} to have ${count} events`, async () => {
      const lines = await peer.api.replay(stream).catch(() => []);
      return lines.length === count ? true : undefined;
    });
  }

  #list(): Promise<JsonView> {
    return this.#acme.api.get('/grants', { usage: true });
  }

  async #usage(name: 'beta' | 'carl'): Promise<JsonView> {
    const holder = name === 'beta' ? this.#beta.did : this.#carl.did;
    const grants = (await this.#list()).list('grants');
    const grant = grants.find((one) => one.text('holder') === holder);
    if (grant === undefined) throw new Error(`no grant of ${name}`);
    return grant.at('usage');
  }

  /** Events that the owner says it gave, and bytes, and those that the reader has. */
  async #agrees(
    name: 'beta' | 'carl',
    events: number,
    exactly = !this.#options.short,
  ): Promise<void> {
    const said = await this.#usage(name);
    must(said.number('events') === events, `${name}: ${said.number('events')}, not ${events}`);
    if (!exactly) return;
    const peer = name === 'beta' ? this.#beta : this.#carl;
    const log = headOf(await peer.api.stream(stream)).log;
    await peer.down();
    const bytes = await storedBytes(peer, log);
    await peer.up();
    must(said.number('bytes') === bytes, `${name}: ${said.number('bytes')} bytes, not ${bytes}`);
  }

  /** Sums over the journal's deliveries by blocks, by organisation. */
  async #journaled(): Promise<ReadonlyMap<string, { events: number; bytes: number }>> {
    const ran = await this.#acme.hw(['replay', '_journal', '--from', 'start']);
    const sums = new Map<string, { events: number; bytes: number }>();
    for (const line of ran.expect(0).stdout.split('\n')) {
      if (!line.includes('access.delivered') || !line.includes('"blocks"')) continue;
      const data = JsonView.parse(line).at('event').at('data');
      const who = data.text('organisation') ?? '';
      const { events, bytes } = sums.get(who) ?? { events: 0, bytes: 0 };
      sums.set(who, {
        events: events + (data.number('events') ?? 0),
        bytes: bytes + (data.number('bytes') ?? 0),
      });
    }
    return sums;
  }
}

/** Of the blocks that a stopped reader keeps, as they were sent. */
async function storedBytes(peer: Peer, log: string): Promise<number> {
  const home = value(await openHome(peer.home));
  await using ledger = value(await openHomeLedger(home, processRuntime(), {}));
  const found = ledger.logs().find(({ logId }) => logId === log);
  if (found === undefined) throw new Error('the log is not kept');
  let bytes = 0;
  for await (const { wire } of ledger.blocks(found.logId, asLogIndex(0))) bytes += wire.length;
  return bytes;
}

function valueOf(view: JsonView): unknown {
  return view.value;
}

function value<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.code}: ${result.error.message}`);
}
