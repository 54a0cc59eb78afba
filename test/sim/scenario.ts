/**
 * One simulated network from its seed: several producers publish while messages are lost, delayed,
 * repeated and reordered, streams break, the network splits and peers crash and come back. Then the
 * faults end, and everybody must arrive at the producers' trees with nothing lost that was
 * acknowledged and nothing stored twice.
 */
import { type LogId } from '../../src/types.ts';
import type { Dice } from './dice.ts';
import { Producer } from './producer.ts';
import { calm } from './sim-network.ts';
import { ofRunning, type SimNode } from './sim-node.ts';
import { Simulation } from './simulation.ts';

export interface ScenarioOptions {
  readonly peers: number;
  readonly producers: number;
  /** Batches that each producer publishes. */
  readonly batches: number;
  readonly gossip: boolean;
  /**
   * Breaks the run on purpose, to see that it is noticed: the network never heals, or a producer
   * believes an acknowledgement that it never got.
   */
  readonly sabotage?: 'unhealed' | 'phantom';
}

export const usual: ScenarioOptions = { peers: 50, producers: 4, batches: 30, gossip: true };

export interface ScenarioResult {
  readonly seed: number;
  /** Empty where everything held; else what did not. */
  readonly problems: readonly string[];
  readonly traceHash: string;
  readonly events: number;
  readonly acknowledged: number;
  readonly blocks: number;
  /** Simulated time until all had converged. */
  readonly virtualSeconds: number;
  readonly crashes: number;
  readonly partitions: number;
  /** Blocks that arrived by gossip and by sync, over all peers still up from their last start. */
  readonly byGossip: number;
  readonly bySync: number;
}

/** Producers publish for this long; the faults end with it. */
const stormMs = 40_000;
const convergeMs = 900_000;

export async function runScenario(
  seed: number,
  options: Partial<ScenarioOptions> = {},
): Promise<ScenarioResult> {
  const scenario = new Scenario(seed, { ...usual, ...options });
  await scenario.tell(scenario.run());
  return scenario.result();
}

class Scenario extends Simulation {
  readonly #options: ScenarioOptions;
  readonly #follows = new Map<SimNode, LogId[]>();
  #partitions = 0;
  #convergedMs = 0;
  #counted = { blocks: 0, byGossip: 0, bySync: 0 };

  constructor(seed: number, options: ScenarioOptions) {
    super(seed);
    this.#options = options;
  }

  async run(): Promise<void> {
    await this.within(this.#build(), 'the start');
    this.#plan();
    await this.time.pass(stormMs);
    this.network.faults = calm;
    if (this.#options.sabotage === 'unhealed') this.#split(this.dice);
    else this.network.heal();
    if (this.#options.sabotage === 'phantom') this.producers[0]?.believePhantom();
    const done = await this.time.until(() => this.#converged(), convergeMs);
    this.#convergedMs = this.time.nowMs;
    if (!done) this.#explain();
    await this.checkProducers();
    await this.#verifyOne();
    this.#count();
    await this.stopAll();
  }

  result(): ScenarioResult {
    return {
      seed: this.seed,
      problems: this.problems,
      traceHash: this.network.traceHash(),
      events: this.network.events,
      acknowledged: this.acknowledged,
      virtualSeconds: this.#convergedMs / 1000,
      crashes: this.crashes,
      partitions: this.#partitions,
      ...this.#counted,
    };
  }

  async #build(): Promise<void> {
    const { peers, producers, batches, gossip } = this.#options;
    this.addNodes(peers);
    for (const [i, node] of this.nodes.entries()) {
      const earlier = this.dice.shuffle(this.nodes.slice(0, i)).slice(0, 2);
      const bootstrap = earlier.map((other) => other.peer);
      node.options = { gossip, livePulls: this.dice.chance(0.5), bootstrap };
    }
    const logs: LogId[] = [];
    for (const node of this.nodes.slice(0, producers)) {
      await node.start();
      const logId = await node.create('orders');
      logs.push(logId);
      this.producers.push(new Producer(node, logId, this.dice.fork(), batches, stormMs));
    }
    for (const node of this.nodes) this.#follows.set(node, this.#choose(node, logs));
    // One in ten comes late; the producers are there from the start.
    for (const node of this.nodes) {
      const late = !node.up && this.dice.chance(0.1);
      const atMs = late ? this.dice.between(5000, stormMs) : this.dice.below(1000);
      this.time.after(atMs, () => this.do(this.#join(node)));
    }
  }

  /** Every log but now and then one, never its own. */
  #choose(node: SimNode, logs: readonly LogId[]): LogId[] {
    return logs.filter((_, i) => this.nodes[i] !== node && !this.dice.chance(0.15));
  }

  async #join(node: SimNode): Promise<void> {
    if (!node.up) await node.start();
    for (const logId of this.#follows.get(node) ?? []) await node.follow(logId);
    this.producers.find((producer) => producer.node === node)?.begin();
  }

  /** Draws when the network splits and who crashes; everybody is back when the storm ends. */
  #plan(): void {
    const dice = this.dice.fork();
    for (let atMs = dice.between(4000, 10_000); atMs < stormMs - 8000;) {
      const lastsMs = dice.between(2000, 7000);
      this.time.after(atMs, () => this.#split(dice));
      this.time.after(atMs + lastsMs, () => this.network.heal());
      atMs += lastsMs + dice.between(2000, 12_000);
    }
    const crashes = Math.ceil(this.#options.peers / 5);
    for (let i = 0; i < crashes; i++) {
      // Producers are the ones with something to lose: they crash more often.
      const node =
        i % 3 === 0
          ? this.producers[dice.below(this.producers.length)]?.node
          : dice.pick(this.nodes);
      const atMs = dice.between(2000, stormMs - 6000);
      const downMs = dice.between(200, 5000);
      const lost = dice.chance(0.5) ? 'nothing' : 'unsynced';
      this.time.after(atMs, () => {
        if (node?.up !== true) return;
        this.crashes += 1;
        node.crash(lost);
        this.time.after(downMs, () => this.do(this.#back(node)));
      });
    }
  }

  #split(dice: Dice): void {
    this.#partitions += 1;
    const parts = dice.chance(0.3) ? 3 : 2;
    this.network.partition(new Map(this.nodes.map((node) => [node.peer, dice.below(parts)])));
  }

  async #back(node: SimNode): Promise<void> {
    if (node.up) return;
    await node.start();
    // Following is durable, but a crash may have come before it.
    for (const logId of this.#follows.get(node) ?? []) await node.follow(logId);
    this.producers.find((producer) => producer.node === node)?.begin();
  }

  #converged(): boolean {
    return this.producers.every((producer) => producer.done) && this.#behind().length === 0;
  }

  /** Who has not what the producer has. */
  #behind(): string[] {
    const behind: string[] = [];
    for (const { node: producer, logId } of this.producers) {
      const head = producer.ledger?.log(logId);
      if (head === undefined) return [`${producer.name} is down`];
      for (const [node, follows] of this.#follows) {
        if (!follows.includes(logId)) continue;
        const log = node.ledger?.log(logId);
        const same = log?.size === head.size && log.checkpoint === head.checkpoint;
        if (!same) behind.push(`${node.name} has ${log?.size} of ${head.size} of ${producer.name}`);
      }
    }
    return behind;
  }

  #explain(): void {
    this.tellUnpublished();
    this.problems.push(...this.#behind().slice(0, 10));
  }

  /** The full audit of one follower, and its tree against the receipts. */
  async #verifyOne(): Promise<void> {
    const node = this.dice.pick(this.nodes.slice(this.#options.producers));
    for (const logId of node === undefined ? [] : (this.#follows.get(node) ?? [])) {
      const report = await this.within(ofRunning(node?.ledger?.verify(logId)), 'the audit');
      if (report.ok && report.value.verdict === 'intact') continue;
      const what = report.ok ? report.value.verdict : report.error.code;
      this.problems.push(`${node?.name}: the audit says ${what}`);
    }
  }

  #count(): void {
    for (const producer of this.producers) this.#counted.blocks += producer.blocks;
    for (const { counted } of this.nodes) {
      this.#counted.byGossip += counted.byGossip;
      this.#counted.bySync += counted.bySync;
    }
  }
}
