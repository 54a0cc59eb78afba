/**
 * A producer of the simulation: publishes batches, remembers every acknowledgement, and publishes
 * again after a crash what was not acknowledged. At the end it says what was lost or doubled.
 */
import { makeEvent } from '../../src/event/make.ts';
import { equal, fromUtf8, toHex } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { asLogIndex, type Hash, type LogId, type ParsedEvent } from '../../src/types.ts';
import type { Dice } from './dice.ts';
import { must, type SimNode } from './sim-node.ts';

interface Acknowledged {
  readonly index: number;
  readonly leafHash: Hash;
}

export class Producer {
  readonly node: SimNode;
  readonly logId: LogId;
  readonly #dice: Dice;
  readonly #waiting: (readonly ParsedEvent[])[] = [];
  readonly #acknowledged = new Map<string, Acknowledged>();
  readonly #pauseMs: number;

  constructor(node: SimNode, logId: LogId, dice: Dice, batches: number, spanMs: number) {
    this.node = node;
    this.logId = logId;
    this.#dice = dice;
    this.#pauseMs = Math.floor((spanMs * 0.8) / batches);
    let id = 0;
    for (let i = 0; i < batches; i++) {
      const count = dice.between(1, 8);
      this.#waiting.push(Array.from({ length: count }, () => event(node.name, id++, dice)));
    }
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }
  get blocks(): number {
    return this.node.ledger?.log(this.logId)?.blocks ?? 0;
  }
  /** Everything is acknowledged. */
  get done(): boolean {
    return this.#waiting.length === 0;
  }

  /** Publishes from now on, until the node's life ends. */
  begin(): void {
    void this.#publish(this.node.life);
  }

  /** Sabotage: an acknowledgement for what was never stored. */
  believePhantom(): void {
    const phantom = { index: 1, leafHash: nodeCrypto.sha256(new Uint8Array(0)) };
    this.#acknowledged.set('phantom', phantom);
  }

  /** What is wrong at the end; empty where nothing is. */
  async check(): Promise<string[]> {
    const { ledger, name } = this.node;
    if (ledger === undefined) return [`${name} is down`];
    const problems: string[] = [];
    const seen = new Map<string, number>();
    for await (const entry of ledger.entries(this.logId, asLogIndex(0))) {
      if (entry.event === undefined) continue;
      const id = idOf(entry.event.attributes);
      if (seen.has(id)) problems.push(`${name}: ${id} is stored twice`);
      seen.set(id, entry.index);
      const receipt = this.#acknowledged.get(id);
      if (receipt === undefined || receipt.index !== entry.index) continue;
      const hash = leafHash(nodeCrypto, entry.leaf());
      if (!equal(hash, receipt.leafHash)) {
        problems.push(`${name}: ${id} was acknowledged as ${toHex(receipt.leafHash)}`);
      }
    }
    for (const [id, { index }] of this.#acknowledged) {
      if (seen.get(id) !== index) {
        problems.push(`${name}: ${id} was acknowledged at ${index} and is at ${seen.get(id)}`);
      }
    }
    return problems;
  }

  async #publish(life: number): Promise<void> {
    const alive = (): boolean => this.node.up && this.node.life === life;
    while (alive()) {
      const batch = this.#waiting[0];
      const { ledger, host } = this.node;
      if (batch === undefined || ledger === undefined || host === undefined) return;
      await host.timers.sleep(this.#dice.between(0, 2 * this.#pauseMs));
      if (!alive()) return;
      const results = await ledger.publish(this.logId, batch);
      // A life that ended has acknowledged nothing.
      if (!alive()) return;
      if (!results.ok) continue;
      for (const [i, result] of results.value.entries()) {
        const published = batch[i];
        if (published === undefined) continue;
        const { index, leafHash } = must(result);
        this.#acknowledged.set(String(published.context['id']), { index, leafHash });
      }
      this.#waiting.shift();
    }
  }
}

function event(source: string, number: number, dice: Dice): ParsedEvent {
  const attributes = {
    specversion: '1.0',
    id: `${source}-${number}`,
    source: `https://${source}.example/orders`,
    type: 'example.order.placed',
    subject: `customer-${dice.below(20)}`,
  };
  return must(makeEvent(attributes, 3, dice.bytes(dice.between(1, 200))));
}

function idOf(attributes: Uint8Array): string {
  const parsed: unknown = JSON.parse(must(fromUtf8(attributes)));
  if (typeof parsed !== 'object' || parsed === null || !('id' in parsed)) throw new Error('no id');
  return String(parsed.id);
}
