/**
 * An agency makes a stream of its own from those of the seismic networks; an auditor follows only
 * the agency's stream. A trace of one derived event ends at the networks' own events, each fetched
 * from peers and verified; the bundle of it holds in an empty folder; a network whose peers are down
 * is `unreachable`, and nothing else is.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { didKey, parseDid } from '../../src/ids.ts';
import { openEnvelope, payloadJson } from '../../src/lineage/dsse.ts';
import { checkProvenance, checkStatement } from '../../src/lineage/intoto.ts';
import { parseProvJson } from '../../src/lineage/prov-json.ts';
import { parseProvN } from '../../src/lineage/prov-n-read.ts';
import { provInvalid } from '../../src/lineage/prov-valid.ts';
import { provStatements } from '../../src/lineage/prov.ts';
import { JsonView } from '../../src/node/json-view.ts';
import { asSignature } from '../../src/types.ts';
import { agencyName, agencyStream, runAgency, type DayOfQuakes } from '../agency.ts';
import { seismicEvents } from '../earthquakes.ts';
import { hw } from '../lib/hw.ts';
import { Peer } from '../lib/peer.ts';
import { inParallel, until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { planOrganisations, type OrganisationPlan } from '../plan.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];
type Day = DayOfQuakes & { readonly ref: string };

export const lineage: NetworkChecks = async (work, options) => {
  const audit = await Audit.start(work, options);
  await audit.traced();
  await audit.consumers();
  await audit.bundle();
  await audit.exports();
  await audit.resumed();
  await audit.cut();
};

const derived = `${agencyName}/${agencyStream}`;
/** Events that one network publishes in the short form. */
const shortEvents = 150;

class Audit {
  readonly #work: Workspace;
  readonly #options: Options;
  readonly #networks: ReadonlyMap<string, Peer>;
  readonly #agency: Peer;
  readonly #auditor: Peer;
  /** The day with inputs of the most networks. */
  readonly #day: Day;

  private constructor(
    work: Workspace,
    options: Options,
    networks: ReadonlyMap<string, Peer>,
    [agency, auditor]: readonly [Peer, Peer],
    day: Day,
  ) {
    this.#work = work;
    this.#options = options;
    this.#networks = networks;
    this.#agency = agency;
    this.#auditor = auditor;
    this.#day = day;
  }

  static async start(work: Workspace, options: Options): Promise<Audit> {
    const plan = planned(options.short);
    const [founder, ...others] = plan.map(({ name }) => new Peer(work, name));
    if (founder === undefined) throw new Error('there is no network');
    await founder.init();
    await founder.up();
    const invite = (await founder.hw(['invite'])).expect(0).json.text('invite') ?? '';
    const agency = new Peer(work, agencyName);
    const auditor = new Peer(work, 'auditor');
    await inParallel([...others, agency, auditor], 4, async (peer) => {
      await peer.join(invite);
      await peer.up();
    });
    const networks = new Map([founder, ...others].map((peer) => [peer.name, peer]));
    const streams = plan.flatMap((organisation) => organisation.streams);
    await inParallel(streams, 4, async ({ organisation, name, title, events }) => {
      const api = networks.get(organisation)?.api;
      await api?.post('/streams', { name, contentType: 'application/json' });
      for (let from = 0; from < events.length; from += 50) {
        await api?.publish(title, events.slice(from, from + 50));
      }
    });
    const counts = new Map(streams.map(({ title, events }) => [title, events.length]));
    const days = await runAgency(agency, counts);
    const [day] = days.toSorted((a, b) => b.networks.length - a.networks.length);
    if (day === undefined) throw new Error('there is no day');
    await until('the auditor to hear of the agency', async () => {
      await auditor.api.post('/follows', { target: derived });
      return true;
    });
    await until('the auditor to have what the agency says', async () => {
      const kept = await auditor.api.replay(derived);
      return kept.length === days.length ? true : undefined;
    });
    const inputs = days.reduce((sum, one) => sum + one.inputs.length, 0);
    const each = `${inputs} significant events of ${plan.length} networks`;
    options.holds(`the agency publishes ${days.length} days made from ${each}`);
    return new Audit(work, options, networks, [agency, auditor], day);
  }

  /** Ends at the networks' own events, and nothing of them is kept. */
  async traced(): Promise<void> {
    const from = performance.now();
    const trace = await this.#trace(this.#day.ref, 0);
    const ms = performance.now() - from;
    must(trace.at('trace').text('verdict') === 'intact', `not intact: ${text(trace)}`);
    const ends = endsOf(trace);
    const found = new Set(ends.map((node) => node.text('ref')));
    for (const ref of this.#day.inputs) must(found.has(ref), `${ref} is not in the trace`);
    const wrong = ends.find(
      (node) => node.text('verdict') !== 'intact' || node.at('fetched').value !== true,
    );
    must(wrong === undefined, `not fetched and intact: ${text(wrong)}`);
    const owners = new Set(ends.map((node) => node.text('organisation')));
    const networks = new Set(this.#day.networks.map((title) => title.split('/')[0]));
    for (const name of networks) must(owners.has(name), `no event of ${name}`);
    const streams = (await this.#auditor.api.get('/streams')).list('streams');
    const kept = streams.map((view) => view.text('name') ?? '').filter((n) => !n.startsWith('_'));
    must(kept.join() === agencyStream, `the auditor keeps ${kept.join()}`);
    const what = `${found.size} events of ${networks.size} networks`;
    this.#options.holds(
      `a trace on the auditor ends at ${what}, each fetched and verified (${ms.toFixed(0)} ms)`,
    );
  }

  async consumers(): Promise<void> {
    const [input = ''] = this.#day.inputs;
    const view = (await this.#auditor.hw(['trace', input, '--consumers'])).expect(0).json;
    const [consumer] = view.list('consumers');
    must(consumer?.text('organisation') === agencyName, `who uses it: ${text(view)}`);
    const refs = consumer.list('events').map((event) => event.text('ref'));
    must(refs.includes(this.#day.ref), `which events use it: ${text(consumer)}`);
    this.#options.holds(`--consumers of an event of ${view.text('organisation')} names the agency`);
  }

  /** In an empty folder, with no home. */
  async bundle(): Promise<void> {
    const file = join(this.#work.folder, 'day.hwb');
    const made = ['export', '--bundle', file, this.#day.ref, '--ancestors'];
    (await this.#auditor.hw(made)).expect(0);
    const home = join(this.#work.folder, 'nobody');
    const page = join(this.#work.folder, 'day.html');
    const trust = ['--trust', this.#agency.did];
    for (const peer of this.#networks.values()) trust.push('--trust', peer.did);
    const sound = await hw(this.#work, ['verify', file, '--html', page, ...trust], { home });
    const report = sound.expect(0).json;
    must(report.text('verdict') === 'intact', sound.said());
    const html = readFileSync(page, 'utf8');
    for (const ref of this.#day.inputs) must(html.includes(ref), `${ref} is not on the page`);
    const bytes = readFileSync(file);
    const at = Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    const changed = join(this.#work.folder, 'changed.hwb');
    writeFileSync(changed, bytes);
    const refused = await hw(this.#work, ['verify', changed], { home });
    must(refused.code !== 0, 'a flipped byte was not noticed');
    this.#options.holds(
      `a bundle with all ancestors (${bytes.length} bytes) holds with no home, and no flipped byte does`,
    );
  }

  /** Every format, read back. */
  async exports(): Promise<void> {
    const { folder } = this.#work;
    mkdirSync(join(folder, 'exports'), { recursive: true });
    const write = async (format: string): Promise<string> => {
      const file = join(folder, 'exports', format);
      const args = ['trace', this.#day.ref, '--format', format, '--out', file];
      (await this.#auditor.hw(args)).expect(0);
      return readFileSync(file, 'utf8');
    };
    const provJson = parseProvJson(await write('prov-json'));
    const provN = parseProvN(await write('prov-n'));
    must(provJson.ok && provN.ok, 'PROV is not read back');
    const wrong = provInvalid(provJson.value);
    must(wrong === undefined, `the PROV document is not valid: ${wrong?.message}`);
    const [a, b] = [provStatements(provJson.value), provStatements(provN.value)];
    must(JSON.stringify(a) === JSON.stringify(b), 'PROV-JSON and PROV-N say different things');
    must(a.length > this.#day.inputs.length, `${a.length} statements`);
    const runs = JsonView.parse(await write('openlineage'));
    must(JSON.stringify(runs.value).includes('"inputs"'), 'OpenLineage has no inputs');
    const statement = signedStatement(await write('intoto'));
    const { value } = new JsonView(statement).at('predicate');
    must(checkStatement(statement).ok && checkProvenance(value).ok, 'in-toto is not read back');
    const arrows = (await write('dot')).split(' -> ').length - 1;
    must(arrows >= this.#day.inputs.length, `the drawing has ${arrows} arrows`);
    const page = await write('html');
    for (const ref of this.#day.inputs) must(page.includes(ref), `the page lacks ${ref}`);
    this.#options.holds(
      'every format is written; PROV-JSON, PROV-N, OpenLineage and in-toto are read back',
    );
  }

  /** A trace that was cut goes on from each of its ends. */
  async resumed(): Promise<void> {
    const cut = await this.#trace(this.#day.ref, 4, ['--limit', '4']);
    const { pending, more } = pendingOf(cut);
    must(pending.length > 0 && more === 0, `where it goes on: ${text(cut.at('trace'))}`);
    const found = new Set(endsOf(cut).map((node) => node.text('ref')));
    for (const ref of pending) {
      for (const node of endsOf(await this.#trace(ref, 0))) found.add(node.text('ref'));
    }
    for (const ref of this.#day.inputs) must(found.has(ref), `${ref} was lost at the cut`);
    this.#options.holds(
      `cut at 4 steps, it goes on from ${pending.length} places and finds the rest`,
    );
  }

  async cut(): Promise<void> {
    const [title = ''] = this.#day.networks.filter((one) => !one.startsWith('us/'));
    const [name = ''] = title.split('/');
    await this.#networks.get(name)?.kill();
    const copied = await this.#trace(this.#day.ref, 0);
    must(copied.at('trace').text('verdict') === 'intact', text(copied));
    this.#options.holds(
      `with ${name} killed, its events come from the agency's copy, verified the same`,
    );
    await this.#agency.kill();
    const trace = await this.#trace(this.#day.ref, 4);
    must(trace.at('trace').text('verdict') === 'incomplete', text(trace.at('trace')));
    const nodes = endsOf(trace);
    const away = nodes.filter((node) => node.text('verdict') !== 'intact');
    const codes = new Set(away.map((node) => node.at('problem').text('code')));
    must([...codes].join() === 'lineage-unreachable', `why: ${[...codes].join()}`);
    const owners = new Set(away.map((node) => node.text('organisation')));
    must([...owners].join() === name, `whose are unreachable: ${[...owners].join()}`);
    must(nodes.length > away.length, 'the other networks are there');
    this.#options.holds(
      `with the agency killed too, ${name} is unreachable and the verdict incomplete (exit 4)`,
    );
  }

  async #trace(ref: string, code: number, more: readonly string[] = []): Promise<JsonView> {
    return (await this.#auditor.hw(['trace', ref, '--up', ...more])).expect(code).json;
  }
}

/** All networks, or the three with the most events and few of them. */
function planned(short: boolean): readonly OrganisationPlan[] {
  const all = planOrganisations(seismicEvents());
  if (!short) return all;
  const names = ['us', 'nc', 'pr'];
  return all
    .filter(({ name }) => names.includes(name))
    .map(({ name, streams }) => ({
      name,
      streams: streams.map((one) => ({ ...one, events: one.events.slice(0, shortEvents) })),
    }));
}

/** What the key that the envelope names has signed. */
function signedStatement(envelope: string): unknown {
  const [signature] = JsonView.parse(envelope).list('signatures');
  const did = parseDid(signature?.text('keyid') ?? '');
  if (!did.ok) throw new Error(did.error.message);
  const key = didKey(did.value);
  const verify = (message: Uint8Array, sig: Uint8Array): boolean =>
    sig.length === 64 && nodeCrypto.verify(key, message, asSignature(sig));
  const opened = openEnvelope(envelope, [verify], 1);
  if (!opened.ok) throw new Error(opened.error.message);
  return payloadJson(opened.value);
}

/** Events without parents; ranges are passed through. */
function endsOf(node: JsonView): readonly JsonView[] {
  const parents = node.list('parents');
  if (parents.length > 0) return parents.flatMap(endsOf);
  return node.at('seen').value === true ? [] : [node];
}

function pendingOf(trace: JsonView): {
  readonly pending: readonly string[];
  readonly more: number;
} {
  const incomplete = trace.at('trace').at('incomplete');
  const pending = incomplete.list('pending').map((one) => String(one.value));
  return { pending, more: incomplete.number('more') ?? -1 };
}

function text(view: JsonView | undefined): string {
  return JSON.stringify(view?.value)?.slice(0, 1500) ?? '';
}
