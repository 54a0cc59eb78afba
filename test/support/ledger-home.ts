/** A ledger for tests: in memory unless told otherwise, with a clock that the test can turn. */
import { randomBytes } from 'node:crypto';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import type { Host } from '../../src/host.ts';
import { didFromKey } from '../../src/ids.ts';
import { MemoryGuard, type Guard } from '../../src/ledger/guard.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { LedgerOptions, NewLog, Receipt } from '../../src/ledger/ledger-types.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import type { Store } from '../../src/ledger/store.ts';
import { limits, protocol } from '../../src/limits.ts';
import {
  asHash,
  asStreamName,
  asTimeMs,
  type LogId,
  type LogIndex,
  type ParsedEvent,
} from '../../src/types.ts';
import { env } from './judges.ts';
import { must } from './result.ts';

export interface TestHost extends Host {
  /** Added to the wall clock. */
  offsetMs: number;
}

export function testHost(): TestHost {
  const host: TestHost = {
    offsetMs: 0,
    clock: {
      now: () => asTimeMs(Date.now() + host.offsetMs),
      monotonic: () => performance.now(),
    },
    timers: {
      after(ms, run) {
        const timer = setTimeout(run, ms);
        return { [Symbol.dispose]: () => clearTimeout(timer) };
      },
      every(ms, run) {
        const timer = setInterval(run, ms).unref();
        return { [Symbol.dispose]: () => clearInterval(timer) };
      },
      sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
    },
    random: { bytes: (length) => new Uint8Array(randomBytes(length)) },
  };
  return host;
}

export const nodeSecret: Uint8Array = new Uint8Array(32).fill(7);
export const signer: Signer = signerFromSeed(new Uint8Array(32).fill(1));
export const otherSigner: Signer = signerFromSeed(new Uint8Array(32).fill(2));

export interface HomeOptions {
  readonly store?: Store;
  readonly guard?: Guard;
  readonly host?: Host;
  readonly limits?: Partial<LedgerOptions['limits']>;
  readonly clockCheck?: LedgerOptions['clockCheck'];
  readonly acceptClockStep?: boolean;
  readonly restoreGuard?: NonNullable<LedgerOptions['restoreGuard']>;
  readonly sealing?: NonNullable<LedgerOptions['sealing']>;
}

export function options(given: HomeOptions = {}): LedgerOptions {
  const { clockCheck, acceptClockStep, restoreGuard, sealing } = given;
  return {
    store: given.store ?? new MemoryStore(),
    guard: given.guard ?? new MemoryGuard([]),
    host: given.host ?? testHost(),
    crypto: nodeCrypto,
    judges: env.judges,
    limits: { ...protocol, ...limits, storeRetryMs: 5, ...given.limits },
    nodeSecret,
    ...(restoreGuard === undefined ? {} : { restoreGuard }),
    ...(sealing === undefined ? {} : { sealing }),
    ...(clockCheck === undefined ? {} : { clockCheck }),
    ...(acceptClockStep === undefined ? {} : { acceptClockStep }),
  };
}

export async function openLedger(given: HomeOptions = {}): Promise<Ledger> {
  return must(await Ledger.open(options(given)), 'open');
}

export const newLog: NewLog = {
  owner: didFromKey(signer.publicKey),
  name: asStreamName('orders'),
  partition: 0,
  partitions: 1,
  recoveryHash: asHash(new Uint8Array(32).fill(9)),
  visibility: 'public',
  retention: { keep: 'all' },
  proof: [],
};

/** A home with one log of our own. */
export async function withLog(
  given: HomeOptions = {},
): Promise<{ readonly ledger: Ledger; readonly log: LogId }> {
  const ledger = await openLedger(given);
  return { ledger, log: must(await ledger.create(newLog, signer), 'create') };
}

export function event(
  id: string | number,
  more: { readonly data?: string; readonly [name: string]: string | number | undefined } = {},
): ParsedEvent {
  const { data = '{"n":1}', ...attributes } = more;
  const context: Record<string, string | number> = {
    id: String(id),
    source: '/test',
    specversion: '1.0',
    type: 'org.test',
  };
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) context[name] = value;
  }
  const names = Object.keys(context).sort();
  const sorted = Object.fromEntries(names.map((name) => [name, context[name] ?? '']));
  return { attributes: utf8(JSON.stringify(sorted)), kind: 1, data: utf8(data), context: sorted };
}

export function events(count: number, from = 0): ParsedEvent[] {
  return Array.from({ length: count }, (_, i) =>
    event(from + i, { subject: `s${(from + i) % 10}` }),
  );
}

/** Publishes and expects a receipt for each. */
export async function publish(
  ledger: Ledger,
  log: LogId,
  list: readonly ParsedEvent[],
): Promise<Receipt[]> {
  const results = must(await ledger.publish(log, list), 'publish');
  return results.map((result) => must(result));
}

/** The ids of all events of a log, in order. */
export async function idsOf(ledger: Ledger, log: LogId, from: LogIndex): Promise<string[]> {
  const ids: string[] = [];
  for await (const entry of ledger.entries(log, from)) {
    if (entry.event === undefined) continue;
    const text = new TextDecoder().decode(entry.event.attributes);
    const { id }: { id: string } = JSON.parse(text);
    ids.push(id);
  }
  return ids;
}

/** All wire blocks of a log. */
export async function wires(ledger: Ledger, log: LogId, from: LogIndex): Promise<Uint8Array[]> {
  const list: Uint8Array[] = [];
  for await (const block of ledger.blocks(log, from)) list.push(block.wire.slice());
  return list;
}
