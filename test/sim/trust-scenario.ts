/**
 * One simulated network in which somebody cheats and everything else goes wrong as well, from its
 * seed: a writer shows two histories to two halves, an honest producer dies and comes back from an
 * old copy of its home, another one loses power, followers crash, messages are lost. Then the
 * cheated stream is recovered. In the end all honest peers hold the same logs, nothing that anyone
 * accepted is gone, and no honest writer has signed two histories.
 */
import { toHex } from '../../src/bytes.ts';
import { codes } from '../../src/codes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { makeEvent } from '../../src/event/make.ts';
import { verifyForkProof } from '../../src/ledger/fork-proof.ts';
import type { MemoryStore } from '../../src/ledger/memory-store.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { offlineEnv } from '../../src/verify.ts';
import { Producer } from './producer.ts';
import { calm } from './sim-network.ts';
import { must, ofRunning, type SimNode } from './sim-node.ts';
import { Simulation } from './simulation.ts';

export interface TrustResult {
  readonly seed: number;
  /** Empty where everything held. */
  readonly problems: readonly string[];
  readonly traceHash: string;
  readonly acknowledged: number;
  /** Entries that the restored producer had lost, and accepted blocks that were set aside. */
  readonly lost: number;
  readonly setAside: number;
  readonly crashes: number;
  readonly virtualSeconds: number;
}

const spanMs = 40_000;
const convergeMs = 900_000;
const restoreGuard = { mode: 'strict', waitMs: 10_000, restored: false } as const;

export async function runTrust(seed: number, peers = 10): Promise<TrustResult> {
  const story = new Story(seed, peers);
  await story.tell(story.run());
  return story.result();
}

class Story extends Simulation {
  /** What each peer follows by now, for when it comes back. */
  readonly #followed: LogId[] = [];
  readonly #peers: number;
  #lost = 0;
  #setAside = 0;

  constructor(seed: number, peers: number) {
    super(seed);
    this.#peers = peers;
  }

  async run(): Promise<void> {
    await this.#build();
    const [restored, , cheat] = this.nodes;
    if (restored === undefined || cheat === undefined) throw new Error('too few peers');
    const forked = await this.within(cheat.create('cheated'), 'the cheat begins');
    await this.#followAll(forked, cheat);
    for (const id of ['one', 'two']) await this.#publish(cheat, forked, id);
    this.#weather();
    await this.time.pass(this.dice.between(3000, 6000));
    const copy = await this.within(restored.copy(), 'a copy');
    const marks = restored.marks();
    this.producers[0]?.begin();
    const twin = await this.#cheat(cheat, forked);
    await this.#restore(restored, copy, marks);
    const accepted = await this.#meet(forked, [...this.nodes, twin]);
    await this.within(twin.stop(), 'the twin ends');
    await this.time.pass(Math.max(0, spanMs - this.time.nowMs));
    this.network.faults = calm;
    this.network.heal();
    const next = await this.#recover(cheat, forked);
    await this.#converge(cheat, forked, next);
    await this.#check(cheat, forked, accepted);
    await this.stopAll();
  }

  result(): TrustResult {
    return {
      seed: this.seed,
      problems: this.problems,
      traceHash: this.network.traceHash(),
      acknowledged: this.acknowledged,
      lost: this.#lost,
      setAside: this.#setAside,
      crashes: this.crashes,
      virtualSeconds: this.time.nowMs / 1000,
    };
  }

  async #build(): Promise<void> {
    this.addNodes(this.#peers);
    for (const node of this.nodes) {
      const others = this.nodes.filter((one) => one !== node);
      const bootstrap = this.dice.shuffle(others).slice(0, 4);
      const livePulls = this.dice.chance(0.5);
      const gossip = !this.dice.chance(0.1);
      node.options = {
        gossip,
        livePulls,
        bootstrap: bootstrap.map(({ peer }) => peer),
        restoreGuard,
      };
      await this.within(node.start(), 'the start');
    }
    for (const node of this.nodes.slice(0, 2)) {
      const logId = await this.within(node.create('orders'), 'a log');
      await this.#followAll(logId, node);
      const producer = new Producer(node, logId, this.dice.fork(), 10, spanMs);
      this.producers.push(producer);
      producer.begin();
    }
  }

  /** The second producer loses power, and followers crash and come back, all through the story. */
  #weather(): void {
    const dice = this.dice.fork();
    const [, powerless] = this.nodes;
    const victims = [powerless, ...dice.shuffle(this.nodes.slice(4)).slice(0, 2)];
    for (const node of victims) {
      const lost = node === powerless || dice.chance(0.5) ? 'unsynced' : 'nothing';
      this.time.after(dice.between(1000, spanMs - 15_000), () => {
        if (node?.up !== true) return;
        this.crashes += 1;
        node.crash(lost);
        this.time.after(dice.between(500, 5000), () => this.do(this.#back(node)));
      });
    }
  }

  async #back(node: SimNode): Promise<void> {
    if (node.up) return;
    await node.start();
    await this.#followIn(node, this.#followed);
    this.producers.find((one) => one.node === node)?.begin();
  }

  /** Two histories for two halves, with an honest producer on each side of the split. */
  async #cheat(cheat: SimNode, logId: LogId): Promise<SimNode> {
    const size = (node: SimNode): number => node.ledger?.log(logId)?.size ?? 0;
    const common = (): boolean => this.nodes.every((one) => size(one) >= size(cheat));
    if (!(await this.time.until(common, 120_000))) throw new Error('the common part is missing');
    const twin = await this.within(cheat.twin('twin'), 'the twin');
    const sides = new Map(this.nodes.map((node, i) => [node.peer, i % 2]));
    this.network.partition(sides.set(cheat.peer, 0).set(twin.peer, 1));
    const near = this.nodes.filter((_, i) => i % 2 === 1);
    twin.options = { ...cheat.options, bootstrap: near.map(({ peer }) => peer) };
    await this.within(twin.start(), 'the twin');
    await this.#signs(cheat, logId);
    await this.#signs(twin, logId);
    await this.#publish(cheat, logId, 'left');
    const [more, other] = [this.dice.between(1, 5), this.dice.between(1, 5)];
    for (let i = 0; i < more; i++) await this.#publish(cheat, logId, `left ${i}`);
    for (let i = 0; i < other; i++) await this.#publish(twin, logId, `right ${i}`);
    await this.time.pass(this.dice.between(2000, 5000));
    this.network.heal();
    return twin;
  }

  /** A log that waits for a word of others at the start signs again; each half knows the common part. */
  async #signs(node: SimNode, logId: LogId): Promise<void> {
    const open = (): boolean => node.ledger?.log(logId)?.state === 'open';
    if (!(await this.time.until(open, 60_000))) throw new Error(`${node.name} never signs`);
  }

  /** As soon as somebody else has all of it, the producer dies and comes back as it was. */
  async #restore(
    node: SimNode,
    copy: MemoryStore,
    marks: Parameters<SimNode['restoreHome']>[1],
  ): Promise<void> {
    const [producer] = this.producers;
    if (producer === undefined) throw new Error('no producer');
    const { logId } = producer;
    const size = (one: SimNode): number => one.ledger?.log(logId)?.size ?? 0;
    const safe = (): boolean => this.nodes.filter((one) => size(one) === size(node)).length > 3;
    if (!(await this.time.until(() => node.up && safe(), 300_000))) throw new Error('never safe');
    const before = size(node);
    this.crashes += 1;
    await this.within(node.restoreHome(copy, marks), 'the restore');
    this.#lost += before - size(node);
    await this.within(this.#followIn(node, this.#followed), 'following');
    producer.begin();
  }

  /** All learn of the fork; gives what each honest peer had accepted of the log by then. */
  async #meet(
    logId: LogId,
    nodes: readonly SimNode[],
  ): Promise<ReadonlyMap<SimNode, ReadonlySet<string>>> {
    const knows = (node: SimNode): boolean => node.ledger?.forks.known(logId) !== undefined;
    if (!(await this.time.until(() => nodes.every(knows), convergeMs))) {
      const not = nodes.filter((node) => !knows(node)).map(({ name }) => name);
      throw new Error(`${not.join(' ')} never learned of the fork`);
    }
    const accepted = new Map<SimNode, ReadonlySet<string>>();
    for (const node of this.nodes) {
      const proof = must(await this.within(ofRunning(node.ledger?.forks.proof(logId)), 'a proof'));
      if (proof === undefined || !verifyForkProof(offlineEnv(nodeCrypto), proof).ok) {
        this.problems.push(`${node.name}: its fork proof is none`);
      }
      if (node.ledger?.log(logId)?.state !== 'frozen')
        this.problems.push(`${node.name}: not frozen`);
      accepted.set(node, await this.within(wiresOf(node, logId), 'reading'));
    }
    return accepted;
  }

  async #recover(cheat: SimNode, logId: LogId): Promise<LogId> {
    const up = (): boolean => this.nodes.every((node) => node.up);
    await this.time.until(up, 60_000);
    const next = await this.within(cheat.recover(logId), 'the recovery');
    await this.#publish(cheat, next, 'after');
    await this.#followAll(next, cheat);
    return next;
  }

  async #converge(cheat: SimNode, forked: LogId, next: LogId): Promise<void> {
    const logs = this.producers.map(({ logId, node }) => ({ logId, node }));
    logs.push({ logId: next, node: cheat });
    const behind = (): string[] =>
      this.nodes.flatMap((node) => {
        const closing = node.ledger?.log(forked)?.closing;
        const open = closing?.whole === true ? [] : [`${node.name}: the forked log is not whole`];
        const short = logs.flatMap(({ logId, node: writer }) => {
          const [ours, theirs] = [node.ledger?.log(logId), writer.ledger?.log(logId)];
          const same = ours !== undefined && ours.checkpoint === theirs?.checkpoint;
          const what = `${node.name}: ${ours?.size} of ${theirs?.size} of ${writer.name} (${ours?.state})`;
          return same && ours.state === 'open' ? [] : [what];
        });
        return [...open, ...short];
      });
    const done = (): boolean => this.producers.every((one) => one.done) && behind().length === 0;
    if (await this.time.until(done, convergeMs)) return;
    this.tellUnpublished();
    this.problems.push(...behind().slice(0, 10));
  }

  async #check(
    cheat: SimNode,
    forked: LogId,
    accepted: ReadonlyMap<SimNode, ReadonlySet<string>>,
  ): Promise<void> {
    await this.checkProducers();
    const root = cheat.ledger?.log(forked)?.root ?? new Uint8Array(0);
    for (const node of this.nodes) {
      const { ledger } = node;
      for (const { logId } of ledger?.forks.list() ?? []) {
        if (logId !== forked) this.problems.push(`${node.name}: an honest writer has forked`);
      }
      if (toHex(ledger?.log(forked)?.root ?? root) !== toHex(root)) {
        this.problems.push(`${node.name}: another end of the forked log`);
      }
      const audit = must(await this.within(ofRunning(ledger?.verify(forked)), 'the audit'));
      if (audit.verdict !== 'intact')
        this.problems.push(`${node.name}: the audit says ${audit.verdict}`);
      const kept = new Set(await this.within(wiresOf(node, forked), 'reading'));
      const evidence = must(
        await this.within(ofRunning(ledger?.successors.evidence(forked)), 'evidence'),
      );
      this.#setAside += evidence.length;
      for (const { wire } of evidence) kept.add(toHex(nodeCrypto.sha256(wire)));
      const gone = [...(accepted.get(node) ?? [])].filter((wire) => !kept.has(wire));
      if (gone.length > 0)
        this.problems.push(`${node.name}: ${gone.length} accepted blocks are gone`);
      for (const [code] of node.gossip?.report().rejectsByReason ?? []) {
        // Silence has its price in bad weather; nobody sent what can never be valid.
        if (codes[code][0] === 'invalid') this.problems.push(`${node.name}: charged for ${code}`);
      }
    }
  }

  async #followAll(logId: LogId, writer: SimNode): Promise<void> {
    this.#followed.push(logId);
    for (const node of this.nodes) {
      if (node !== writer && node.up) await this.within(this.#followIn(node, [logId]), 'following');
    }
  }

  /** All but its own logs. */
  async #followIn(node: SimNode, logs: readonly LogId[]): Promise<void> {
    for (const logId of logs) {
      if (node.ledger?.log(logId)?.role !== 'writer') await node.follow(logId);
    }
  }

  async #publish(node: SimNode, logId: LogId, id: string): Promise<void> {
    const made = must(makeEvent({ specversion: '1.0', id, source: '/orders', type: 'order' }, 0));
    const results = must(
      await this.within(ofRunning(node.ledger?.publish(logId, [made])), 'a publish'),
    );
    for (const result of results) must(result);
  }
}

/** SHA-256 of each block that a peer holds as part of the log. */
async function wiresOf(node: SimNode, logId: LogId): Promise<ReadonlySet<string>> {
  const wires = new Set<string>();
  for await (const { wire } of node.ledger?.blocks(logId, asLogIndex(0)) ?? []) {
    wires.add(toHex(nodeCrypto.sha256(wire)));
  }
  return wires;
}
