/** Real libp2p nodes on 127.0.0.1 for tests. */
import { nodeCrypto } from '../../src/crypto-node.ts';
import { ConnectionGate, type GateLimits } from '../../src/gossip/connection-gate.ts';
import type { Libp2pOptions } from '../../src/gossip/libp2p-options.ts';
import { createTransport, type Libp2pTransport } from '../../src/gossip/libp2p-transport.ts';
import type { Host } from '../../src/host.ts';
import { limits } from '../../src/limits.ts';
import { asTimeMs } from '../../src/types.ts';
import type { TransportHarness } from '../contract/transport-support.ts';
import { until } from '../support/until.ts';

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

const turnProtocol = '/headwater/test/turn/1.0.0';

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
  await made.value.handle(turnProtocol, async (stream) => {
    const frame = await stream.receive();
    if (frame.ok && frame.value !== undefined) await stream.send(frame.value);
  });
  return made.value;
}

/**
 * There and back between all that are connected: what was sent to them before has arrived. Twice, so
 * that what a peer passes on arrives too.
 */
export async function roundTrip(transports: readonly Libp2pTransport[]): Promise<void> {
  const { signal } = new AbortController();
  for (let turn = 0; turn < 2; turn++) {
    const turns = transports.flatMap((from) =>
      from.peers().map(async ({ peer }) => {
        const stream = await from.open(peer, turnProtocol, signal);
        if (!stream.ok) return;
        await stream.value.send(Uint8Array.of(turn));
        await stream.value.receive();
        stream.value.abort();
      }),
    );
    await Promise.all(turns);
  }
}

export function libp2pHarness(): TransportHarness {
  const made: Libp2pTransport[] = [];
  return {
    create: async (count) => {
      made.push(...(await Promise.all(Array.from({ length: count }, () => makeTransport()))));
      return made;
    },
    run: async (promise) => promise,
    until,
    settle: () => roundTrip(made),
    topics: testTopics,
  };
}
