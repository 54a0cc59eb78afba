/**
 * Transports that most peers never need and that cost time and memory to load: websockets, relayed
 * connections and hole punching. They are added when the first address asks for them, at start or
 * later.
 */
import type { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import type { dcutr } from '@libp2p/dcutr';
import type { Transport } from '@libp2p/interface';
import { start, stop } from '@libp2p/interface';
import type { webSockets } from '@libp2p/websockets';

type ComponentsOf<Make extends (...args: never[]) => (components: never) => unknown> = Parameters<
  ReturnType<Make>
>[0];

export type LateComponents = ComponentsOf<typeof circuitRelayTransport> &
  ComponentsOf<typeof dcutr> &
  ComponentsOf<typeof webSockets>;

type Need = 'websockets' | 'relayed';

/** What an address asks for beyond tcp. */
export function needsOf(addresses: readonly string[]): readonly Need[] {
  const all = addresses.join(' ');
  const needs: Need[] = [];
  if (/\/wss?(?:\/| |$)/.test(all)) needs.push('websockets');
  if (all.includes('/p2p-circuit')) needs.push('relayed');
  return needs;
}

/** The transports themselves; dcutr is no transport and comes with `LateTransports`. */
export async function lateTransports(
  needs: readonly Need[],
): Promise<((components: LateComponents) => Transport)[]> {
  const made: ((components: LateComponents) => Transport)[] = [];
  if (needs.includes('websockets')) {
    const { webSockets } = await import('@libp2p/websockets');
    made.push(webSockets());
  }
  if (needs.includes('relayed')) {
    const { circuitRelayTransport } = await import('@libp2p/circuit-relay-v2');
    made.push(circuitRelayTransport());
  }
  return made;
}

/** A libp2p service that adds transports to a running node. */
export class LateTransports {
  readonly #components: LateComponents;
  readonly #have: Set<Need>;
  readonly #started: unknown[] = [];
  #adding: Promise<void> = Promise.resolve();

  constructor(components: LateComponents, have: readonly Need[]) {
    this.#components = components;
    this.#have = new Set(have);
  }

  /** Loads what these addresses need and is not there yet. */
  ensure(addresses: readonly string[]): Promise<void> {
    if (needsOf(addresses).every((need) => this.#have.has(need))) return this.#adding;
    this.#adding = this.#adding.then(() => this.#add(addresses));
    return this.#adding;
  }

  async #add(addresses: readonly string[]): Promise<void> {
    const missing = needsOf(addresses).filter((need) => !this.#have.has(need));
    for (const make of await lateTransports(missing)) {
      const transport = make(this.#components);
      this.#components.transportManager.add(transport);
      await this.#start(transport);
    }
    for (const need of missing) this.#have.add(need);
    if (missing.includes('relayed')) await this.#punchHoles();
  }

  async #punchHoles(): Promise<void> {
    const { dcutr } = await import('@libp2p/dcutr');
    await this.#start(dcutr()(this.#components));
  }

  async #start(service: unknown): Promise<void> {
    await start(service);
    this.#started.push(service);
  }

  /** libp2p calls this with its own start and stop. */
  async afterStart(): Promise<void> {
    if (this.#have.has('relayed')) await this.#punchHoles();
  }

  async stop(): Promise<void> {
    await this.#adding;
    await stop(...this.#started.splice(0));
  }
}
