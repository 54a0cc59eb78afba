/** What the suites of a transport share: the harness, and nodes that are disposed after each test. */
import assert from 'node:assert/strict';
import { afterEach } from 'mocha';
import type { Transport } from '../../src/gossip/transport.ts';
import type { Result } from '../../src/result.ts';
import type { PeerId } from '../../src/types.ts';

export interface TransportHarness {
  /** New transports that know nothing of each other; the suite disposes them. */
  create(count: number): Promise<readonly Transport[]>;
  /** Lets time pass until the promise settles. */
  run<T>(promise: PromiseLike<T>): Promise<T>;
  /** Lets time pass until the condition holds; fails after a while. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** Resolves when what was sent before has arrived. */
  settle(): Promise<void>;
  /** Topics the transports allow (the suite uses the first two). */
  readonly topics: readonly [string, string];
}

export function bytes(length: number, seed = 1): Uint8Array {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = (i * 31 + seed * 7 + (i >>> 8)) & 0xff;
  return made;
}

export function value<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : `${result.error.code}: ${result.error.message}`);
  return result.value;
}

export function code<T>(result: Result<T>): string {
  assert.ok(!result.ok, 'expected a fault');
  return result.error.code;
}

export const sees = (node: Transport, peer: PeerId): boolean =>
  node.peers().some((info) => info.peer === peer);

/** Makes nodes with a fresh harness for each test and disposes them after it. */
export class Nodes {
  readonly #make: () => TransportHarness;
  readonly #made: Transport[] = [];
  h: TransportHarness;

  constructor(make: () => TransportHarness) {
    this.#make = make;
    this.h = make();
    afterEach(() => this.#dispose());
  }

  async create(count: number): Promise<readonly Transport[]> {
    this.h = this.#make();
    const transports = await this.h.run(this.h.create(count));
    this.#made.push(...transports);
    return transports;
  }

  async connect(from: Transport, to: Transport): Promise<void> {
    const address = to.addresses()[0];
    assert.ok(address !== undefined, 'no address');
    assert.equal(value(await this.h.run(from.dial(address))), to.self);
    const both = (): boolean => sees(to, from.self) && sees(from, to.self);
    await this.h.until(both, 'both see the connection');
  }

  /** Two nodes, the first connected to the second. */
  async pair(): Promise<readonly [Transport, Transport]> {
    const [a, b] = await this.create(2);
    assert.ok(a !== undefined && b !== undefined);
    await this.connect(a, b);
    return [a, b];
  }

  async #dispose(): Promise<void> {
    const closing = this.#made.splice(0).map((transport) => transport[Symbol.asyncDispose]());
    if (closing.length > 0) await this.h.run(Promise.all(closing));
  }
}
