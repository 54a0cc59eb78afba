/**
 * The table of figures: what is measured, in which unit, what it must reach, and to which raw limit
 * of the same run it is put in proportion. The names up to `residentMiB` and their order are fixed;
 * others read them. judge-figures.ts holds what was measured against it.
 */
import { accessFigures } from './access-figures.ts';
import { revocationFigures } from './revocation-figures.ts';
import { sealedFigures } from './sealed-figures.ts';

export type Unit =
  'events/s' | 'requests/s' | 'operations/s' | 'ms' | 'µs' | 'bytes/event' | 'MiB' | 'share';

export interface FigureSpec {
  readonly unit: Unit;
  readonly what: string;
  /** Bound of the value; absent where only the ratio is bound, or nothing. */
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly ratioTo?: FigureName;
  /** Least value over that of `ratioTo`. */
  readonly ratioAtLeast?: number;
}

export interface Measured {
  readonly name: FigureName;
  readonly value: number;
  /** Median of the ratios of neighbouring rounds, where the two were measured in turn. */
  readonly ratio?: number;
}

const rate: Unit = 'events/s';

export type TargetName =
  | 'publish'
  | 'publishSingle'
  | 'apply'
  | 'threeProcesses'
  | 'latency1000P50'
  | 'latency1000P99'
  | 'rangeSync'
  | 'replayLibrary'
  | 'replayHttp'
  | 'ingestBatch'
  | 'ingestSingle'
  | 'coldOpen'
  | 'inclusionProof'
  | 'diskBytes'
  | 'wireBytes'
  | 'residentMiB';

const targets: Readonly<Record<TargetName, FigureSpec>> = {
  publish: {
    unit: rate,
    what: 'signed, hash-linked, fsynced; blocks of 256',
    atLeast: 60_000,
    ratioTo: 'rawLevelBatch',
    ratioAtLeast: 0.7,
  },
  publishSingle: {
    unit: rate,
    what: 'the same, one event a block, each with its own fsync',
    ratioTo: 'rawPair',
    ratioAtLeast: 0.8,
  },
  apply: {
    unit: rate,
    what: 'verified and stored by a replica',
    atLeast: 100_000,
    ratioTo: 'rawLevelUnsynced',
  },
  threeProcesses: {
    unit: rate,
    what: 'producer → gossip → verifying replica → local subscriber, nothing lost',
    atLeast: 25_000,
    ratioTo: 'rawTcp',
  },
  latency1000P50: {
    unit: 'ms',
    what: 'the same way at a steady 1,000 a second, p50',
    atMost: 15,
    ratioTo: 'rawPairMs',
  },
  latency1000P99: {
    unit: 'ms',
    what: 'the same way at a steady 1,000 a second, p99',
    atMost: 80,
    ratioTo: 'rawPairMs',
  },
  rangeSync: {
    unit: rate,
    what: 'range sync to an empty follower, another process',
    atLeast: 40_000,
    ratioTo: 'rawTcp',
  },
  replayLibrary: {
    unit: rate,
    what: 'replay through the library, attributes and data parsed',
    atLeast: 400_000,
    ratioTo: 'rawLevelScan',
  },
  replayHttp: {
    unit: rate,
    what: 'replay as HTTP NDJSON',
    atLeast: 100_000,
    ratioTo: 'rawTcp',
  },
  ingestBatch: {
    unit: rate,
    what: 'HTTP ingest, batches of 100, 8 connections, durable',
    atLeast: 25_000,
    ratioTo: 'rawLevelBatch',
  },
  ingestSingle: {
    unit: 'requests/s',
    what: 'HTTP ingest, single events, 256 connections, durable',
    atLeast: 3000,
    ratioTo: 'rawHttp',
  },
  coldOpen: {
    unit: 'ms',
    what: 'cold open of a home with 1,000,000 events, tail verified',
    atMost: 500,
    ratioTo: 'rawLevelOpen',
  },
  inclusionProof: {
    unit: 'µs',
    what: 'inclusion proof at 1,000,000 events, p50',
    atMost: 50,
    ratioTo: 'rawLevelGet',
  },
  diskBytes: {
    unit: 'bytes/event',
    what: 'disk: store and guard after 1,000,000 events',
    atMost: 160,
    ratioTo: 'rawDiskBytes',
  },
  wireBytes: {
    unit: 'bytes/event',
    what: 'wire blocks, without compression',
    atMost: 440,
    ratioTo: 'rawEventBytes',
  },
  residentMiB: {
    unit: 'MiB',
    what: 'highest resident memory of a node publishing at full rate for 5 minutes',
    atMost: 350,
    ratioTo: 'rawResidentMiB',
  },
};

export type OtherName =
  | 'residentGrowthMiB'
  | 'residentEvents'
  | 'latency20P50'
  | 'latency20P99'
  | 'publishDeduped'
  | 'publishFromJson'
  | 'publishLarge'
  | 'applyLarge'
  | 'replayBytes'
  | 'replayLarge'
  | 'ingestLarge'
  | 'diskBytesLarge'
  | 'wireBytesLarge'
  | 'forkProof'
  | keyof typeof accessFigures
  | keyof typeof revocationFigures
  | keyof typeof sealedFigures
  | 'witness'
  | 'audit'
  | 'auditTwoWorkers'
  | 'auditWithIndexes'
  | 'scrubImpact'
  | 'inclusionProofP99'
  | 'proofVerify'
  | 'bundleWrite'
  | 'bundleVerify'
  | 'trace';

const others: Readonly<Record<OtherName, FigureSpec>> = {
  residentGrowthMiB: {
    unit: 'MiB',
    what: 'growth of its mean memory from the second to the last fifth of that time',
    atMost: 40,
  },
  residentEvents: { unit: rate, what: 'published over HTTP in that time' },
  latency20P50: {
    unit: 'ms',
    what: 'the same way at 20 a second, p50',
    atMost: 6,
    ratioTo: 'rawPairMs',
  },
  latency20P99: {
    unit: 'ms',
    what: 'the same way at 20 a second, p99',
    atMost: 30,
    ratioTo: 'rawPairMs',
  },
  publishDeduped: {
    unit: rate,
    what: 'publish with 10 million earlier rows in the dedupe window',
    ratioTo: 'publish',
    ratioAtLeast: 0.8,
  },
  publishFromJson: {
    unit: rate,
    what: 'publish of JSON texts, parsed and validated on the way',
    ratioTo: 'rawLevelBatch',
  },
  publishLarge: {
    unit: rate,
    what: 'publish, events of 1 KB',
    ratioTo: 'rawLevelBatchLarge',
  },
  applyLarge: { unit: rate, what: 'apply, events of 1 KB', ratioTo: 'rawLevelBatchLarge' },
  replayBytes: {
    unit: rate,
    what: 'replay through the library, attributes and data as bytes',
    ratioTo: 'rawLevelScan',
  },
  replayLarge: { unit: rate, what: 'replay through the library, events of 1 KB' },
  ingestLarge: { unit: rate, what: 'HTTP ingest, batches of 100, events of 1 KB' },
  diskBytesLarge: { unit: 'bytes/event', what: 'disk, events of 1 KB' },
  wireBytesLarge: { unit: 'bytes/event', what: 'wire, events of 1 KB' },
  forkProof: {
    unit: 'operations/s',
    what: 'fork proofs verified, with a rotation on one branch; each within 1 ms',
    atLeast: 1000,
    ratioTo: 'rawVerify',
  },
  ...accessFigures,
  ...revocationFigures,
  ...sealedFigures,
  witness: {
    unit: 'operations/s',
    what: 'checkpoints cosigned as a witness, durable before each answer (group commit)',
    atLeast: 2000,
    ratioTo: 'rawVerify',
  },
  audit: {
    unit: rate,
    what: 'audit on one core: every commitment, leaf, seal, root, tile and signature',
    atLeast: 150_000,
    ratioTo: 'rawSha256',
  },
  auditTwoWorkers: {
    unit: rate,
    what: 'the same with two threads',
    ratioTo: 'audit',
    ratioAtLeast: 1.6,
  },
  auditWithIndexes: { unit: rate, what: 'the same on one core, with all index rows counted' },
  scrubImpact: {
    unit: 'share',
    what: 'publish rate beside the scrub at its usual bound, of that without',
    atLeast: 0.9,
  },
  proofVerify: {
    unit: 'µs',
    what: 'proof of one event verified, the Ed25519 check of its checkpoint included, p50',
    atMost: 150,
  },
  bundleWrite: {
    unit: rate,
    what: 'audit bundle of 100,000 events made from the store, packed',
    atLeast: 30_000,
    ratioTo: 'audit',
  },
  bundleVerify: {
    unit: rate,
    what: 'the same unpacked and verified, every block, event and signature',
    atLeast: 30_000,
    ratioTo: 'audit',
  },
  trace: {
    unit: 'operations/s',
    what: 'steps of a trace up through 10,000 ancestors in 100 logs, each verified; within 2 s',
    atLeast: 5000,
    ratioTo: 'rawSha256',
  },
  inclusionProofP99: {
    unit: 'µs',
    what: 'inclusion proof at 1,000,000 events, p99',
    atMost: 300,
    ratioTo: 'rawLevelGet',
  },
};

export type RawName =
  | 'rawLevelBatch'
  | 'rawLevelBatchLarge'
  | 'rawLevelUnsynced'
  | 'rawPair'
  | 'rawPairMs'
  | 'rawLevelScan'
  | 'rawLevelGet'
  | 'rawLevelOpen'
  | 'rawDiskBytes'
  | 'rawEventBytes'
  | 'rawSha256'
  | 'rawSign'
  | 'rawVerify'
  | 'rawJsonParse'
  | 'rawTcp'
  | 'rawHttp'
  | 'rawResidentMiB';

const raw: Readonly<Record<RawName, FigureSpec>> = {
  rawLevelBatch: {
    unit: rate,
    what: 'LevelDB: the same event bytes, single keys, batches of 256, sync: true',
  },
  rawLevelBatchLarge: { unit: rate, what: 'the same, events of 1 KB' },
  rawLevelUnsynced: { unit: rate, what: 'the same, sync: false, then one sync' },
  rawPair: { unit: 'operations/s', what: 'one synced put, then an fsync of a 1 KiB file' },
  rawPairMs: { unit: 'ms', what: 'time of such a pair' },
  rawLevelScan: { unit: rate, what: 'LevelDB: single keys read in order' },
  rawLevelGet: { unit: 'µs', what: 'LevelDB: one key read at random, p50' },
  rawLevelOpen: { unit: 'ms', what: 'LevelDB: open with 1,000,000 single keys' },
  rawDiskBytes: { unit: 'bytes/event', what: 'LevelDB: the same event bytes as single keys' },
  rawEventBytes: { unit: 'bytes/event', what: 'an event as JSON text' },
  rawSha256: { unit: 'operations/s', what: 'SHA-256 of 400 bytes' },
  rawSign: { unit: 'operations/s', what: 'Ed25519 signatures' },
  rawVerify: { unit: 'operations/s', what: 'Ed25519 verifications' },
  rawJsonParse: { unit: rate, what: 'JSON.parse of the event text' },
  rawTcp: { unit: rate, what: 'event bytes through a loopback TCP connection' },
  rawHttp: { unit: 'requests/s', what: 'node:http answering the same posts, 256 connections' },
  rawResidentMiB: { unit: 'MiB', what: 'a Node process that does nothing' },
};

export type FigureName = TargetName | OtherName | RawName;

/** Every figure, in the order in which they are printed. */
export const figureSpecs: Readonly<Record<FigureName, FigureSpec>> = {
  ...targets,
  ...others,
  ...raw,
};

export function isFigureName(name: string): name is FigureName {
  return Object.hasOwn(figureSpecs, name);
}
