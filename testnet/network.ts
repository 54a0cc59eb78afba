/**
 * The peers of the testnet: one founder, everyone else by its invite. Ten organisations publish for
 * themselves, one for the small networks; an auditor and a relay follow all; one peer joins late.
 */
import { inParallel, until } from './lib/until.ts';
import { warmCache } from './lib/hw.ts';
import { Peer } from './lib/peer.ts';
import type { Workspace } from './lib/workspace.ts';
import { followedBy, founderName, type OrganisationPlan, type StreamPlan } from './plan.ts';

/** Processes that are started at once. */
const startWidth = 4;

export class Network {
  readonly organisations: readonly OrganisationPlan[];
  readonly publishers: ReadonlyMap<string, Peer>;
  readonly auditor: Peer;
  readonly relay: Peer;
  /** Has no home until `joinLate`. */
  readonly late: Peer;
  readonly #work: Workspace;
  #invite = '';

  constructor(work: Workspace, organisations: readonly OrganisationPlan[]) {
    this.#work = work;
    this.organisations = organisations;
    this.publishers = new Map(organisations.map(({ name }) => [name, new Peer(work, name)]));
    this.auditor = new Peer(work, 'auditor');
    this.relay = new Peer(work, 'relay');
    this.late = new Peer(work, 'late-joiner');
  }

  get streams(): readonly StreamPlan[] {
    return this.organisations.flatMap(({ streams }) => streams);
  }
  /** All that run from the start. */
  get early(): readonly Peer[] {
    return [...this.publishers.values(), this.auditor, this.relay];
  }
  get peers(): readonly Peer[] {
    return [...this.early, this.late];
  }

  publisher(organisation: string): Peer {
    const peer = this.publishers.get(organisation);
    if (peer === undefined) throw new Error(`no peer of ${organisation}`);
    return peer;
  }

  /** The streams of others that a peer keeps a copy of. */
  copies(peer: Peer): readonly StreamPlan[] {
    return followedBy(peer.name, this.organisations).flatMap(({ streams }) => streams);
  }

  /** Homes, nodes and streams of everyone but the late joiner. */
  async start(): Promise<void> {
    const founder = this.publisher(founderName);
    await Promise.all([founder.init(), warmCache(this.#work)]);
    await founder.up();
    this.#invite = (await founder.hw(['invite'])).expect(0).json.text('invite') ?? '';
    const others = this.early.filter((peer) => peer !== founder);
    await inParallel(others, startWidth, async (peer) => {
      await peer.join(this.#invite);
      if (peer === this.relay) peer.configure('roles', ['relay']);
      await peer.up();
    });
    await inParallel(this.streams, startWidth, ({ organisation, name }) =>
      this.publisher(organisation).api.post('/streams', { name, contentType: 'application/json' }),
    );
  }

  /** Everyone follows what it wants, once it has heard of it. */
  async follow(): Promise<void> {
    await inParallel(this.early, startWidth, (peer) => this.followAll(peer));
  }

  /** Waits until the registries have told the peer of its streams, then follows them by name. */
  async followAll(peer: Peer): Promise<void> {
    const wanted = this.copies(peer).map(({ title }) => title);
    await until(`${peer.name} to hear of ${wanted.length} streams`, async () => {
      const listed = await peer.api.get('/streams', { all: true });
      const known = new Set(listed.list('streams').map((view) => view.text('display')));
      const unknown = wanted.filter((title) => !known.has(title));
      if (unknown.length > 0) throw new Error(`${unknown.join(', ')} unknown`);
      return true;
    });
    for (const target of wanted) await peer.api.post('/follows', { target });
  }

  /** The fourteenth peer: made and started when all has been published. */
  async joinLate(): Promise<void> {
    await (await this.late.join(this.#invite)).up();
    await this.followAll(this.late);
  }
}
