/** What a simulated story stands on: its seed, time and weather, its nodes, and what went wrong. */
import { Dice } from './dice.ts';
import type { Producer } from './producer.ts';
import { SimNetwork, type NetworkFaults } from './sim-network.ts';
import { problemOf, SimNode, simNetworkDocument } from './sim-node.ts';
import { VirtualTime } from './virtual-time.ts';

export class Simulation {
  /** Empty where everything held. */
  readonly problems: string[] = [];
  readonly seed: number;
  readonly time: VirtualTime = new VirtualTime();
  readonly dice: Dice;
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly producers: Producer[] = [];
  crashes = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.dice = new Dice(seed);
    this.network = new SimNetwork(this.time, this.dice.fork(), stormy(this.dice));
  }

  /** Founds the network; nobody runs yet. */
  addNodes(count: number): void {
    const document = simNetworkDocument(this.dice);
    for (let i = 0; i < count; i++) {
      this.nodes.push(new SimNode(this.network, this.dice.fork(), document, `n${i}`));
    }
  }

  get acknowledged(): number {
    return this.producers.reduce((sum, producer) => sum + producer.acknowledged, 0);
  }

  /** What `work` gives, in as much virtual time as it takes. */
  within<T>(work: Promise<T>, what: string): Promise<T> {
    return this.time.run(work, what);
  }

  /** Work that nobody awaits: a throw in it is a problem of the run. */
  do(work: Promise<void>): void {
    work.catch((cause: unknown) => {
      this.problems.push(problemOf(cause));
    });
  }

  /** The story itself; a throw ends it and is a problem of the run. */
  async tell(story: Promise<void>): Promise<void> {
    try {
      await story;
    } catch (cause) {
      this.problems.push(problemOf(cause));
    }
  }

  async checkProducers(): Promise<void> {
    for (const producer of this.producers) {
      this.problems.push(...(await this.within(producer.check(), 'the check')));
    }
  }

  tellUnpublished(): void {
    for (const { node, done } of this.producers) {
      if (!done) this.problems.push(`${node.name} could not publish everything`);
    }
  }

  async stopAll(): Promise<void> {
    const up = this.nodes.filter((node) => node.up);
    await this.within(Promise.all(up.map((node) => node.stop())), 'the end');
  }
}

/** How bad the weather of this seed is. */
function stormy(dice: Dice): NetworkFaults {
  return {
    minDelayMs: 1,
    maxDelayMs: dice.between(20, 300),
    loss: dice.between(0, 20) / 100,
    duplication: dice.between(0, 10) / 100,
    resets: dice.between(0, 10) / 1000,
  };
}
