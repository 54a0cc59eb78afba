/** A ledger in a folder of its own, opened as a node opens it, with or without a log that it writes. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey } from '../../src/ids.ts';
import { GuardFile } from '../../src/ledger/guard-file.ts';
import type { Sealing } from '../../src/ledger/sealing.ts';
import type { LedgerLimits } from '../../src/ledger/ledger-types.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { LevelStore } from '../../src/ledger/store.ts';
import { limits, protocol } from '../../src/limits.ts';
import { nodeJudges } from '../../src/node/judges.ts';
import { processRuntime } from '../../src/node/runtime.ts';
import { asHash, asStreamName, type LogId, type ParsedEvent } from '../../src/types.ts';
import { must } from './must.ts';

/** Events of a publish call that fill a block, whose last entry is the seal. */
export const blockEvents: number = protocol.maxBlockEvents - 1;
/** Calls under way at once: enough that a block is always ready while the last one is synced. */
const callsAtOnce = 8;
const runtime = processRuntime();
export const nodeSecret: Uint8Array = new Uint8Array(32).fill(5);

/** The same key in every bench: a log must be found again by another process. */
export function benchSigner(): Signer {
  return signerFromSeed(new Uint8Array(32).fill(3));
}

export async function openLedger(
  folder: string,
  changed: Partial<LedgerLimits> = {},
  sealing?: Sealing,
): Promise<Ledger> {
  await mkdir(folder, { recursive: true });
  return must(
    await Ledger.open({
      store: must(await LevelStore.open(join(folder, 'store'))),
      guard: must(await GuardFile.open(join(folder, 'guard'), nodeCrypto)),
      host: runtime,
      crypto: nodeCrypto,
      judges: nodeJudges,
      limits: { ...protocol, ...limits, ...changed },
      nodeSecret,
      ...(sealing === undefined ? {} : { sealing }),
    }),
  );
}

/** A log of one partition, owned by the key that writes it; public unless said. */
export async function createLog(
  ledger: Ledger,
  visibility: 'public' | 'sealed' = 'public',
): Promise<LogId> {
  const signer = benchSigner();
  return must(
    await ledger.create(
      {
        owner: didFromKey(signer.publicKey),
        name: asStreamName('bench'),
        partition: 0,
        partitions: 1,
        recoveryHash: asHash(new Uint8Array(32).fill(1)),
        visibility,
        retention: { keep: 'all' },
        proof: [],
      },
      signer,
    ),
  );
}

/**
 * Publishes in calls that fill a block each, several at once, and waits until all are durable.
 * Throws unless every event was appended and none was known before.
 */
export async function publishAll(
  ledger: Ledger,
  log: LogId,
  count: number,
  next: (at: number, count: number) => readonly ParsedEvent[],
): Promise<void> {
  const running: Promise<void>[] = [];
  for (let at = 0; at < count; at += blockEvents) {
    if (running.length === callsAtOnce) await running.shift();
    running.push(publishOne(ledger, log, next(at, Math.min(blockEvents, count - at))));
  }
  await Promise.all(running);
}

/** One call; throws unless every event was appended and none was known before. */
export async function publishOne(
  ledger: Ledger,
  log: LogId,
  events: readonly ParsedEvent[],
): Promise<void> {
  for (const result of must(await ledger.publish(log, events))) {
    if (must(result).duplicate === true) throw new Error('an event of the bench is a duplicate');
  }
}
