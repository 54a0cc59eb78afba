/**
 * A peer of an organisation that writes one of its streams is taken that right: the log ends at its last
 * good entry at everybody, what comes after it reaches nobody, and the owner goes on in a successor.
 */
import { enrol } from '../lib/branch.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

type Options = Parameters<NetworkChecks>[1];

export const writers: NetworkChecks = async (work, options) => {
  const network = await Network.start(work, options);
  await network.written();
  await network.revoked();
  await network.goesOn();
};

class Network {
  readonly #options: Options;
  readonly #hq: Peer;
  readonly #branch: Peer;
  readonly #beta: Peer;
  readonly #target: string;
  #sent = 0;

  private constructor(options: Options, peers: readonly [Peer, Peer, Peer]) {
    this.#options = options;
    [this.#hq, this.#branch, this.#beta] = peers;
    this.#target = `${this.#hq.did}/orders`;
  }

  static async start(work: Workspace, options: Options): Promise<Network> {
    const hq = await new Peer(work, 'acme').init();
    await hq.up();
    const invite = (await hq.hw(['invite'])).expect(0).json.text('invite') ?? '';
    const [branch, beta] = [new Peer(work, 'branch'), new Peer(work, 'beta')];
    await Promise.all([branch.join(invite), beta.join(invite)]);
    await enrol(branch, hq);
    await Promise.all([branch.up(), beta.up()]);
    return new Network(options, [hq, branch, beta]);
  }

  async written(): Promise<void> {
    await until('the branch to announce its stream', async () => {
      return (await this.#branch.hw(['stream', 'create', 'orders'])).code === 0;
    });
    for (const peer of [this.#hq, this.#beta]) {
      await until(`${peer.name} to follow`, async () => {
        await peer.api.post('/follows', { target: this.#target });
        return true;
      });
    }
    await this.#publish(this.#branch, 5);
    for (const peer of [this.#hq, this.#beta]) await this.#reaches(peer, 5);
    this.#options.holds('a stream is written by another peer of its organisation');
  }

  async revoked(): Promise<void> {
    const [one] = (await this.#hq.api.stream(this.#target)).list('logs');
    const log = one?.text('log') ?? '';
    const id = (await this.#branch.api.get('/status')).text('peer') ?? '';
    const args = ['peer', 'revoke', id, '--why', 'stolen', '--good'];
    // Genesis and its seal, then an event and a seal each: three events are good.
    const within = await this.#hq.hw([...args, `hw:${log}=6`]);
    within.expect(within.code, 'successor-predecessor');
    (await this.#hq.hw([...args, `hw:${log}=7`])).expect(0);
    for (const peer of [this.#hq, this.#beta]) {
      await until(`${peer.name} to end the log`, async () => {
        const [now] = (await peer.api.stream(this.#target)).list('logs');
        const problem = now?.at('problem').text('code');
        return `${now?.text('state')} ${problem} ${now?.number('size')}` === revokedState;
      });
      must(await this.#has(peer, 3), `${peer.name} still has what is not good`);
    }
    const refused = await this.#publish(this.#branch, 1).then(
      () => 'taken',
      (cause: unknown) => String(cause),
    );
    // It is hung up, perhaps before it has read of it: what it still takes reaches nobody.
    const alone = refused === 'taken' || refused.includes('log-frozen');
    must(alone, `the revoked writer: ${refused}`);
    await until('nobody to be connected to it', async () => {
      const peers = await Promise.all([this.#hq, this.#beta].map((peer) => peer.api.get('/peers')));
      const seen = peers
        .flatMap((view) => view.list('peers'))
        .filter((one) => one.text('peer') === id);
      return seen.every((one) => !one.flag('connected'));
    });
    this.#options.holds(
      'revoked: the log ends at its last good entry at both peers, its writer is hung up',
    );
  }

  async goesOn(): Promise<void> {
    (await this.#hq.hw(['stream', 'recover', 'orders', '--reason', 'fork'])).expect(0);
    await this.#publish(this.#hq, 2);
    await this.#reaches(this.#beta, 5);
    const verdict = (await this.#beta.api.verify(this.#target)).text('verdict');
    must(verdict === 'intact', `beta says ${verdict}`);
    const registry = await this.#beta.api.replay(`${this.#hq.did}/_registry`);
    const type = 'org.headwater.writer.revoked';
    must(
      registry.some((line) => line.includes(type)),
      'it is not in the registry',
    );
    this.#options.holds(
      'the owner goes on in a successor; a follower has 3 good events and 2 new ones, intact',
    );
    await this.#beta.down();
    await this.#beta.up();
    await this.#reaches(this.#beta, 5);
    const { length } = (await this.#beta.api.stream(this.#target)).list('logs');
    must(length === 2, `${length} logs after a restart`);
    this.#options.holds('after a restart nothing else is true');
  }

  async #publish(at: Peer, count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      this.#sent += 1;
      const event = {
        specversion: '1.0',
        id: `${this.#sent}`,
        source: '/w',
        type: 'org.example.x',
      };
      await at.api.publish('acme/orders', [JSON.stringify(event)]);
    }
  }

  async #has(peer: Peer, count: number): Promise<boolean> {
    return (await peer.api.replay(this.#target).catch(() => [])).length === count;
  }

  async #reaches(peer: Peer, count: number): Promise<void> {
    await until(`${peer.name} to have ${count}`, () => this.#has(peer, count));
  }
}

const revokedState = 'frozen writer-revoked 8';
