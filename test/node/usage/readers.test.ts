/**
 * What the book says against what readers received, over the simulator's network with real ledgers:
 * pages and live reads from known places, again and overlapping, whole and within a range of times.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { AccessPort } from '../../../src/gossip/access-port.ts';
import { decodeBlocks, encodeBlocks } from '../../../src/gossip/blocks-codec.ts';
import { ask, type Exchange } from '../../../src/gossip/exchange.ts';
import { protocols } from '../../../src/gossip/serve.ts';
import type { UsageView } from '../../../src/node/usage-api.ts';
import type { UsageRoom } from '../../../src/node/usage/usage-room.ts';
import { decodeBlock } from '../../../src/ledger/block-codec.ts';
import { isEvent } from '../../../src/ledger/block.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { fault } from '../../../src/errors.ts';
import { err, ok } from '../../../src/result.ts';
import { asLogIndex, type LogId, type PeerId } from '../../../src/types.ts';
import { World, type TestNode } from '../../gossip/support.ts';
import { VirtualHost } from '../../sim/virtual-time.ts';
import {
  events,
  newLog,
  openLedger,
  publish,
  signer,
  testHost,
  type TestHost,
} from '../../support/ledger-home.ts';
import { must } from '../../support/result.ts';
import { UsageHome } from '../../support/usage-home.ts';

const step = 1000;

/** Everybody whose range stands here may read it. */
class Ranges implements AccessPort {
  readonly of: Map<PeerId, { readonly from: number; readonly to?: number }> = new Map();

  may(
    genesis: Parameters<AccessPort['may']>[0],
    ...rest: unknown[]
  ): ReturnType<AccessPort['may']> {
    const [, asker] = rest;
    const peer = isAsker(asker) ? asker.peer : undefined;
    const range = [...this.of].find(([id]) => id === peer)?.[1];
    if (range === undefined) return { kind: 'deny', reason: none, told: false };
    const { owner, name } = genesis;
    const args = { stream: name, fields: 'data' as const, ...range };
    const who = { owner, organisation: owner, holder: owner };
    const cids = ['root', `grant of ${peer}`];
    return {
      kind: 'allow',
      permit: { ...who, args, chain: [], cids, untilMs: Number.MAX_SAFE_INTEGER },
    };
  }
  ended(): undefined {}
  onChange(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }
  ownerOf(): undefined {}
  show(): ReturnType<AccessPort['show']> {
    return err(none);
  }
  answered(): void {}
  takeRevocation(): ReturnType<AccessPort['takeRevocation']> {
    return Promise.resolve(err(none));
  }
  request(): ReturnType<AccessPort['request']> {
    return Promise.resolve(err(none));
  }
  stateOf(): ReturnType<AccessPort['stateOf']> {
    return Promise.resolve(err(none));
  }
  withdraw(): ReturnType<AccessPort['withdraw']> {
    return Promise.resolve(err(none));
  }
  card(): ReturnType<AccessPort['card']> {
    return err(none);
  }
  handed(): readonly string[] {
    return [];
  }
}
const none = fault('grant-missing', 'none');

function isAsker(value: unknown): value is { readonly peer: PeerId } {
  return typeof value === 'object' && value !== null && 'peer' in value;
}

interface Producer {
  readonly node: TestNode;
  readonly ledger: Ledger;
  readonly log: LogId;
  readonly usage: UsageRoom;
  readonly home: UsageHome;
  readonly ranges: Ranges;
  readonly clock: TestHost;
  published: number;
}

/** A direct log of `blocks` blocks of 20 events, a second apart. */
async function producer(world: World, blocks: number): Promise<Producer> {
  const clock = testHost();
  const ledger = await openLedger({ host: clock });
  const log = must(await ledger.create({ ...newLog, visibility: 'direct' }, signer));
  const home = new UsageHome({ isGiven: (grant) => grant.startsWith('grant of') });
  const usage = await home.open();
  const ranges = new Ranges();
  const node = await world.add({ owner: signer, ledger, usage, access: ranges });
  const made = { node, ledger, log, usage, home, ranges, clock, published: 0 };
  for (let i = 0; i < blocks; i++) await more(made);
  return made;
}

/** One block of 20 events, a second later. */
async function more(at: Producer): Promise<void> {
  at.clock.offsetMs += step;
  await publish(at.ledger, at.log, events(20, at.published));
  at.published += 20;
}

/** What a reader has had, all in all. */
class Reader {
  readonly node: TestNode;
  readonly #world: World;
  readonly #at: Producer;
  readonly had: Set<number> = new Set();
  events = 0;
  bytes = 0;

  constructor(world: World, at: Producer, node: TestNode) {
    this.#world = world;
    this.#at = at;
    this.node = node;
  }

  static async join(
    world: World,
    at: Producer,
    range: { from: number; to?: number } = { from: 0 },
  ): Promise<Reader> {
    const node = await world.add();
    at.ranges.of.set(node.transport.self, range);
    await world.greet(node, at.node);
    return new Reader(world, at, node);
  }

  get usage(): UsageView | undefined {
    return this.#at.usage.api.ofGrant(`grant of ${this.node.transport.self}`);
  }

  /** A page; or live, until so many events came. */
  async read(from: number, options: { maxBytes?: number; live?: number } = {}): Promise<void> {
    await this.#world.run(this.begin(from, options));
  }

  async begin(from: number, { maxBytes = 1_000_000, live = 0 } = {}): Promise<void> {
    const wanted = live === 0 ? Infinity : this.events + live;
    const options = {
      host: new VirtualHost(this.#world.time, this.#world.dice.fork()),
      signals: [new AbortController().signal],
      limit: { ms: 60_000, counts: 'idle' as const },
    };
    const { transport } = this.node;
    const to = this.#at.node.transport.self;
    const done = await ask(transport, to, protocols.blocks, options, async (exchange) => {
      const request = { kind: 'read', logId: this.#at.log, from: asLogIndex(from) } as const;
      const grant = Uint8Array.of(1);
      must(await exchange.send(encodeBlocks({ ...request, maxBytes, live: live > 0, grant })));
      while (this.events < wanted) if (!(await this.#take(exchange))) break;
      return ok(undefined);
    });
    must(done);
  }

  /** False at the end. */
  async #take(exchange: Exchange): Promise<boolean> {
    const message = must(decodeBlocks(must(await exchange.next())));
    if (message.kind === 'end') return false;
    if (message.kind !== 'blocks') return true;
    for (const wire of message.wires) {
      const block = must(decodeBlock(wire, { reduced: true }));
      this.bytes += wire.length;
      for (const [i, entry] of block.entries.entries()) {
        if (!isEvent(entry) || entry.bodyOffset < 0) continue;
        this.events += 1;
        this.had.add(block.firstIndex + i);
      }
    }
    must(await exchange.send(encodeBlocks({ kind: 'ack', next: asLogIndex(message.next) })));
    return true;
  }

  /** Totals are those of the reader, and what is said to be delivered is what it had. */
  agrees(size: number): void {
    const usage = this.usage;
    assert.deepEqual([usage?.events ?? 0, usage?.bytes ?? 0], [this.events, this.bytes]);
    const ranges = usage?.ranges ?? [];
    for (let index = 0; index < size; index++) {
      const said = ranges.some(({ from, to }) => index >= from && index < to);
      if (this.had.has(index)) assert.ok(said, `${index} was delivered`);
      else if (isBody(index)) assert.ok(!said, `${index} was not delivered`);
    }
  }
}

/** Blocks of 20 events and a seal follow the genesis block of 2 entries. */
function isBody(index: number): boolean {
  return index >= 2 && (index - 2) % 21 !== 20;
}

describe('deliveries against what readers received', () => {
  it('agree for pages and live reads, from anywhere and again', async () => {
    await using world = new World();
    const at = await producer(world, 12);
    const [one, two] = [await Reader.join(world, at), await Reader.join(world, at)];
    await one.read(0);
    assert.equal(one.events, 240);
    one.agrees(254);
    await one.read(40, { maxBytes: 1 });
    await one.read(200);
    await two.read(100, { maxBytes: 5000 });
    await two.read(60, { maxBytes: 20_000 });
    for (const reader of [one, two]) reader.agrees(254);
    assert.ok(one.events > 240 && two.events > 0 && two.events < 240);
    const live = one.begin(254, { live: 60 });
    for (let i = 0; i < 3; i++) {
      await world.time.pass(100);
      await more(at);
    }
    await world.run(live);
    one.agrees(254 + 63);
    await two.read(0);
    two.agrees(254 + 63);
    assert.deepEqual(
      two.usage?.ranges.map(({ from, to }) => [from, to]),
      [[0, 317]],
    );
  });

  it('agree where the grant has a range: only what had content counts as an event', async () => {
    await using world = new World();
    const at = await producer(world, 10);
    const begin = at.clock.clock.now() - 5 * step - step / 2;
    const range = { from: begin, to: begin + 3 * step };
    const [late, middle] = [
      await Reader.join(world, at, { from: begin }),
      await Reader.join(world, at, range),
    ];
    await late.read(0);
    await middle.read(0);
    assert.deepEqual([late.events, middle.events], [120, 60]);
    late.agrees(212);
    middle.agrees(212);
    assert.deepEqual(
      middle.usage?.ranges.map(({ from, to }) => [from, to]),
      [[2 + 4 * 21, 2 + 7 * 21]],
    );
    assert.ok(middle.bytes > 0 && middle.bytes < late.bytes);
    await middle.read(0, { maxBytes: 1 });
    middle.agrees(212);
    assert.equal(middle.events, 60, 'a block without any content adds bytes alone');
  });

  it('agree after many reads of many readers, and the journal adds up to the same', async () => {
    await using world = new World();
    const at = await producer(world, 20);
    const readers: Reader[] = [];
    for (let i = 0; i < 4; i++) {
      const from = i % 2 === 0 ? 0 : at.clock.clock.now() - 10 * step - step / 2;
      readers.push(await Reader.join(world, at, { from }));
    }
    const { dice } = world;
    for (let i = 0; i < 60; i++) {
      const reader = readers[dice.below(readers.length)] ?? assert.fail();
      await reader.read(dice.below(at.published), { maxBytes: 1 + dice.below(60_000) });
      if (i % 10 === 0) await more(at);
      if (i % 7 === 0) must(await world.run(at.usage.flush()));
    }
    const size = at.ledger.log(at.log)?.size ?? 0;
    for (const reader of readers) reader.agrees(size);
    await world.run(at.usage[Symbol.asyncDispose]());
    const sums = at.home.journaled().map((row) => (Array.isArray(row) ? row.slice(3) : []));
    const [count, bytes] = [0, 1].map((i) =>
      sums.reduce((sum, row) => sum + (typeof row[i] === 'number' ? row[i] : 0), 0),
    );
    assert.equal(
      count,
      readers.reduce((sum, one) => sum + one.events, 0),
    );
    assert.equal(
      bytes,
      readers.reduce((sum, one) => sum + one.bytes, 0),
    );
    const again = await at.home.open();
    const before = readers.map(({ usage }) => [usage?.events, usage?.bytes, usage?.ranges]);
    const after = readers.map(({ node }) => {
      const usage = again.api.ofGrant(`grant of ${node.transport.self}`);
      return [usage?.events, usage?.bytes, usage?.ranges];
    });
    assert.deepEqual(after, before);
  });
});
