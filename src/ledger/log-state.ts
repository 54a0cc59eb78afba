/**
 * What must be known of a log to check or make its next block, and nothing else. A state is a value:
 * `verifyBlock` and `buildBlock` return a new one.
 *
 * Stored as dag-cbor: [1, genesis leaf, size, frontier, blocks, seal hash, time, writer key,
 * recovery hash, epoch or null, generation or null, lowest]
 */
import { CborReader, CborWriter } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asBlockNumber,
  asHash,
  asLogIndex,
  asPublicKey,
  asTimeMs,
  asTreeSize,
  type BlockNumber,
  type Hash,
  type LogId,
  type LogIndex,
  type PublicKey,
  type TimeMs,
  type TreeSize,
} from '../types.ts';
import { parseGenesis, type Genesis } from './genesis.ts';
import { decodeLeaf } from './leaf.ts';
import { checkFrontier, leafHash, rootOf, type Frontier } from './tree.ts';

export interface LogState {
  readonly logId: LogId;
  /** The 32 bytes that `logId` names. */
  readonly log: Hash;
  readonly genesis: Genesis;
  readonly genesisLeaf: Uint8Array;
  readonly size: TreeSize;
  readonly frontier: Frontier;
  readonly root: Hash;
  /** Number of blocks so far, that is the number of the next one. */
  readonly blocks: BlockNumber;
  /** Leaf hash of the last seal. */
  readonly sealHash: Hash;
  /** Recorded time of the last entry. */
  readonly time: TimeMs;
  /** Signs the next block. */
  readonly writerKey: PublicKey;
  readonly recoveryHash: Hash;
  /** The key epoch opened last; undefined before the first and in logs that are not sealed. */
  readonly epoch: number | undefined;
  readonly generation: number | undefined;
  /** Lowest index whose body is still offered, by the last seal. */
  readonly lowest: LogIndex;
}

/** A log of which nothing but its id is known yet. */
export interface UnknownLog {
  readonly logId: LogId;
}

export function isKnown(state: LogState | UnknownLog): state is LogState {
  return 'genesis' in state;
}

const stateVersion = 1;

export function encodeLogState(state: LogState): Uint8Array {
  const writer = new CborWriter(512 + state.genesisLeaf.length + 34 * state.frontier.length);
  writer.list(12).uint(stateVersion).bytes(state.genesisLeaf).uint(state.size);
  writer.list(state.frontier.length);
  for (const hash of state.frontier) writer.bytes(hash);
  writer.uint(state.blocks).bytes(state.sealHash).uint(state.time);
  writer.bytes(state.writerKey).bytes(state.recoveryHash);
  for (const number of [state.epoch, state.generation]) {
    if (number === undefined) writer.null();
    else writer.uint(number);
  }
  return writer.uint(state.lowest).finish();
}

/** Reads what `encodeLogState` wrote; bytes are copied. Any fault of the encoding or a leaf. */
export function decodeLogState(h: Hasher, stored: Uint8Array): Result<LogState> {
  const reader = new CborReader(stored.slice());
  if (reader.list() !== 12 || reader.uint() !== stateVersion) reader.fail('not a log state');
  const genesisLeaf = reader.bytes();
  const size = reader.uint();
  const hashes: Uint8Array[] = [];
  for (let left = reader.list(); left > 0; left--) hashes.push(reader.bytes());
  const blocks = reader.uint();
  const sealHash = reader.bytes();
  const time = reader.uint();
  const writerKey = reader.bytes();
  const recoveryHash = reader.bytes();
  const epoch = reader.null() ? undefined : reader.uint();
  const generation = reader.null() ? undefined : reader.uint();
  const lowest = reader.uint();
  reader.end();
  if (reader.failed !== undefined) return err(reader.failed);
  const sized = [sealHash, writerKey, recoveryHash].every((bytes) => bytes.length === 32);
  if (!sized || time >= 2 ** 48) return err(fault('cbor-shape', 'not a log state'));
  const frontier = checkFrontier(asTreeSize(size), hashes);
  if (!frontier.ok) return frontier;
  const genesis = readGenesis(genesisLeaf);
  if (!genesis.ok) return genesis;
  const log = leafHash(h, genesisLeaf);
  return ok({
    logId: logIdFromHash(log),
    log,
    genesis: genesis.value,
    genesisLeaf,
    size: asTreeSize(size),
    frontier: frontier.value,
    root: rootOf(h, frontier.value),
    blocks: asBlockNumber(blocks),
    sealHash: asHash(sealHash),
    time: asTimeMs(time),
    writerKey: asPublicKey(writerKey),
    recoveryHash: asHash(recoveryHash),
    epoch,
    generation,
    lowest: asLogIndex(lowest),
  });
}

/** The genesis in a leaf; codes of leaves and genesis, genesis-missing where it is another entry. */
export function readGenesis(leaf: Uint8Array): Result<Genesis> {
  const decoded = decodeLeaf(leaf);
  if (!decoded.ok) return decoded;
  if (decoded.value.kind !== 3 || decoded.value.map['type'] !== 'genesis') {
    return err(fault('genesis-missing', 'not a genesis'));
  }
  return parseGenesis(decoded.value.map);
}
