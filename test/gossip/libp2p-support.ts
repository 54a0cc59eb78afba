/** Real libp2p nodes on 127.0.0.1 for tests. */
import { nodeCrypto } from '../../src/crypto-node.ts';
import { ConnectionGate, type GateLimits } from '../../src/gossip/connection-gate.ts';
import type { Libp2pOptions } from '../../src/gossip/libp2p-options.ts';
import { createTransport, type Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import type { Host } from '../../src/host.ts';
import { limits } from '../../src/limits.ts';
import { asTimeMs } from '../../src/types.ts';
import type { TransportHarness } from '../contract/transport-support.ts';

function after(ms: number, run: () => void): Disposable {
  const timer = setTimeout(run, ms).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** The real clock and timers. */
export const realHost: Host = {
  clock: { now: () => asTimeMs(Date.now()), monotonic: () => performance.now() },
  timers: {
    after,
    every: (ms, run) => {
      const timer = setInterval(run, ms).unref();
      return { [Symbol.dispose]: () => clearInterval(timer) };
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      }),
  },
  random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
};

export const testTopics: readonly [string, string] = ['/headwater/1/test/a', '/headwater/1/test/b'];

export function testGate(overrides: Partial<GateLimits> = {}): ConnectionGate {
  return new ConnectionGate(realHost.clock, {
    ...limits,
    maxInboundPerSecond: 1000,
    ...overrides,
  });
}

/** A started node on a free port; the caller disposes it. */
export async function makeTransport(
  overrides: Partial<Libp2pOptions> = {},
): Promise<Libp2pTransport> {
  const made = await createTransport({
    seed: crypto.getRandomValues(new Uint8Array(32)),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    topics: testTopics,
    host: realHost,
    hasher: nodeCrypto,
    gate: testGate(),
    ...overrides,
    limits: { hangUpMs: 200, ...overrides.limits },
  });
  if (!made.ok) throw new Error(`${made.error.code}: ${made.error.message}`);
  return made.value;
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Waits until the condition holds, at most `ms`. */
export async function until(condition: () => boolean, what: string, ms = 4000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await sleep(5);
  }
}

export function libp2pHarness(): TransportHarness {
  return {
    create: (count) => Promise.all(Array.from({ length: count }, () => makeTransport())),
    run: async (promise) => promise,
    until,
    settle: () => sleep(100),
    topics: testTopics,
  };
}
