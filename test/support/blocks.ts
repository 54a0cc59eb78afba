/** The suite of blocks, and a small log of our own for tests. */
import type { Context } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey, parseLogId } from '../../src/ids.ts';
import { buildFirstBlock } from '../../src/ledger/build-block.ts';
import type { VerifiedBlock } from '../../src/ledger/block.ts';
import type { Genesis } from '../../src/ledger/genesis.ts';
import type { LogState, UnknownLog } from '../../src/ledger/log-state.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { asHash, asStreamName, asTimeMs, type ParsedEvent, type TimeMs } from '../../src/types.ts';
import { env } from './judges.ts';
import { must } from './result.ts';
import { hex, suite } from './vectors.ts';

export interface PlainState {
  size: number;
  root_hex: string;
  frontier_hex: string[];
  blocks: number;
  sealHash_hex: string;
  time: number;
  writerKey_hex: string;
  recoveryHash_hex: string;
  epoch: number | null;
  lowest: number;
}
export interface PlainBlock {
  wire_hex: string;
  wireLength: number;
  fields: {
    version: number;
    firstIndex: number;
    frontier_hex: string[];
    salts_hex: string | null | (string | null)[];
    entries: {
      kind: 0 | 1 | 2 | 3;
      leaf_hex: string;
      leafHash_hex: string;
      body_hex: string | null;
      map?: unknown;
    }[];
    checkpoint: string;
  };
  stateAfter: PlainState;
}
export interface PlainLog {
  id: string;
  logId: string;
  logId_hex: string;
  genesis: unknown;
  writerSeed_hex: string;
  blocks: PlainBlock[];
}
export interface BlockCase {
  id: string;
  log: string | null;
  after: number;
  wire_hex: string;
  code: string;
  gossip?: boolean;
}
export interface Blocks {
  logs: PlainLog[];
  reduced: (PlainBlock & { id: string; log: string; after: number; dropped: number[] })[];
  invalid: BlockCase[];
  invalidReduced: BlockCase[];
}

export const blocksPath = 'headwater/blocks.json';

/** The suite, and the states of its logs: `states(log)[n]` is after n blocks. */
export function blocksSuite(context: Context): {
  file: Blocks;
  states: (log: string) => readonly (LogState | UnknownLog)[];
} {
  const file = suite<Blocks>(context, blocksPath);
  const all = new Map(file.logs.map((log) => [log.id, replay(log)]));
  return { file, states: (log) => all.get(log) ?? [] };
}

function replay(log: PlainLog): readonly (LogState | UnknownLog)[] {
  const states: (LogState | UnknownLog)[] = [{ logId: must(parseLogId(log.logId)) }];
  for (const { wire_hex } of log.blocks) {
    const before = states.at(-1);
    if (before === undefined) break;
    states.push(must(verifyBlock(env, before, hex(wire_hex), { form: 'gossip' })).state);
  }
  return states;
}

export const testTime: TimeMs = asTimeMs(1_763_683_200_000);
export const testSeed: Uint8Array = new Uint8Array(32).fill(9);

export function testSigner(fill: number): Signer {
  return signerFromSeed(new Uint8Array(32).fill(fill));
}

export function testGenesis(signer: Signer, more: Partial<Genesis> = {}): Genesis {
  return {
    type: 'genesis',
    owner: didFromKey(signer.publicKey),
    name: asStreamName('orders'),
    partition: 0,
    partitions: 1,
    created: testTime,
    writerKey: signer.publicKey,
    recoveryHash: asHash(env.crypto.sha256(testSigner(99).publicKey)),
    visibility: 'public',
    retention: { keep: 'all' },
    random: new Uint8Array(16).fill(3),
    proof: [],
    ...more,
  };
}

/** The first block of a log of our own. */
export function testLog(signer: Signer, more: Partial<Genesis> = {}): VerifiedBlock {
  const options = { time: testTime, seed: testSeed };
  return must(buildFirstBlock(env, signer, testGenesis(signer, more), [], options));
}

export function testEvent(id: number, data = `{"n":${id}}`): ParsedEvent {
  const context = { id: `${id}`, source: '/s', specversion: '1.0', type: 't' };
  return { attributes: utf8(JSON.stringify(context)), kind: 1, data: utf8(data), context };
}
