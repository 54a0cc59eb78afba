/**
 * The rules from one state of a log to the next (FACTS.md sections 2, 5 and 6), entry by entry:
 * time, kind against visibility, epochs, parents, control records, and the seal at the end. Writer
 * and follower run the same lines, so that a writer cannot make what a follower refuses. The tree
 * is `advance`'s business, signatures are their callers'.
 */
import { equal, readUint32, readUint64 } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { logIdFromHash } from '../ids.ts';
import { err, never, ok, type Result } from '../result.ts';
import {
  asHash,
  asLogIndex,
  asTimeMs,
  type Hash,
  type LogIndex,
  type PublicKey,
  type TimeMs,
} from '../types.ts';
import type { BlockEntry, LeafTable } from './block.ts';
import { parseControl, type Control, type EpochOpening } from './control.ts';
import type { Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';
import { checkRecovery, checkRotation } from './key-chain.ts';
import { leafAt, leafKind, parentBytes, parentsStart } from './leaf.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
import { checkOwnSuccession } from './successor.ts';

/** What the rules need of a block, whether it is read or being made. */
export interface BlockContent {
  readonly firstIndex: LogIndex;
  readonly entries: readonly Pick<BlockEntry, 'kind' | 'time' | 'control' | 'parentsLength'>[];
  readonly leaves: LeafTable;
  readonly leafHashes: Uint8Array;
}

/** The parts of a state that entries change. */
export interface Progress {
  log: Hash;
  genesis: Genesis | undefined;
  genesisLeaf: Uint8Array;
  blocks: number;
  sealHash: Hash;
  time: TimeMs;
  /** Signs this block's checkpoint. */
  keyInForce: PublicKey | undefined;
  /** Signs the next one. */
  nextKey: PublicKey | undefined;
  recoveryHash: Hash | undefined;
  epoch: number | undefined;
  generation: number | undefined;
  lowest: LogIndex;
}

const zeroHash = asHash(new Uint8Array(32));

function begin(state: LogState | UnknownLog): Progress {
  if (isKnown(state)) {
    const { log, genesis, genesisLeaf, blocks, sealHash, time, writerKey } = state;
    const { recoveryHash, epoch, generation, lowest } = state;
    const keys = { keyInForce: writerKey, nextKey: writerKey, recoveryHash };
    const rest = { blocks, sealHash, time, epoch, generation, lowest };
    return { log, genesis, genesisLeaf, ...keys, ...rest };
  }
  return {
    log: zeroHash,
    genesis: undefined,
    genesisLeaf: new Uint8Array(0),
    blocks: 0,
    sealHash: zeroHash,
    time: asTimeMs(0),
    keyInForce: undefined,
    nextKey: undefined,
    recoveryHash: undefined,
    epoch: undefined,
    generation: undefined,
    lowest: asLogIndex(0),
  };
}

/**
 * Applies all entries of a block that begins where the state ends. Faults carry the index in the
 * log. Codes: genesis-missing, genesis-place, block-log, time-back, leaf-visibility, parent-range,
 * epoch-mismatch, epoch-order, redact-fields, rotation-place, those of `parseControl`,
 * `checkRotation`, `checkRecovery` and `checkOwnSuccession`, seal-place, seal-entries,
 * seal-previous, seal-number, seal-lowest.
 */
export function applyEntries(
  env: BlockEnv,
  state: LogState | UnknownLog,
  block: BlockContent,
): Result<Progress> {
  const progress = begin(state);
  const last = block.entries.length - 1;
  for (let position = 0; position <= last; position++) {
    const entry = block.entries[position];
    if (entry === undefined) break;
    const index = asLogIndex(block.firstIndex + position);
    let wrong: Fault | undefined;
    if (progress.genesis === undefined) wrong = open(env, state, block, progress);
    else if (entry.time < progress.time) wrong = fault('time-back', 'recorded time goes back');
    else if ((entry.kind === leafKind.seal) !== (position === last)) {
      wrong = fault('seal-place', 'a block has exactly one seal, and it is last');
    } else wrong = apply(env, block, position, index, progress);
    if (wrong !== undefined) return err(at(wrong, { index }));
    progress.time = entry.time;
  }
  return ok(progress);
}

function apply(
  env: BlockEnv,
  block: BlockContent,
  position: number,
  index: LogIndex,
  progress: Progress,
): Fault | undefined {
  const entry = block.entries[position];
  if (entry === undefined) return fault('seal-place', 'an entry is missing');
  switch (entry.kind) {
    case leafKind.event:
    case leafKind.sealed:
      return checkEvent(entry.kind, block, position, index, progress);
    case leafKind.seal:
      return applySeal(block, position, index, progress);
    case leafKind.control: {
      const control = parseControl(entry.control ?? {});
      if (!control.ok) return control.error;
      return applyControl(env, block, position, index, progress, control.value);
    }
    default:
      return never(entry.kind);
  }
}

/** The first entry of a log: its genesis, from which everything else follows. */
function open(
  env: BlockEnv,
  state: LogState | UnknownLog,
  block: BlockContent,
  progress: Progress,
): Fault | undefined {
  const entry = block.entries[0];
  if (entry?.control?.['type'] !== 'genesis') return missing();
  if (block.entries.length === 1) return fault('seal-place', 'a block ends with its seal');
  const genesis = parseControl(entry.control);
  if (!genesis.ok) return genesis.error;
  if (genesis.value.type !== 'genesis') return missing();
  if (genesis.value.created !== entry.time) {
    return fault('genesis-fields', 'created differs from the recorded time');
  }
  progress.log = asHash(block.leafHashes.slice(0, 32));
  if (logIdFromHash(progress.log) !== state.logId) {
    return fault('block-log', 'the leaf hash of the genesis is not the log id');
  }
  progress.genesis = genesis.value;
  progress.genesisLeaf = block.leaves.leaf(0).slice();
  progress.keyInForce = genesis.value.writerKey;
  progress.nextKey = genesis.value.writerKey;
  progress.recoveryHash = genesis.value.recoveryHash;
  return checkOwnSuccession(env.crypto, genesis.value);
}

function checkEvent(
  kind: 0 | 1,
  block: BlockContent,
  position: number,
  index: LogIndex,
  progress: Progress,
): Fault | undefined {
  const sealed = progress.genesis?.visibility === 'sealed';
  if (sealed !== (kind === leafKind.sealed)) {
    return fault('leaf-visibility', "the leaf kind does not fit the log's visibility");
  }
  const { bytes } = block.leaves;
  const start = block.leaves.start(position);
  if (sealed && readUint32(bytes, start + leafAt.sealedEpoch) !== progress.epoch) {
    return fault('epoch-mismatch', 'the key epoch is not the one open here');
  }
  const parentsLength = block.entries[position]?.parentsLength ?? 0;
  if (parentsLength <= 2) return undefined;
  const end = block.leaves.end(position);
  for (let item = start + parentsStart(kind) + 2; item < end; item += parentBytes) {
    if (readUint64(bytes, item + 40) <= index) continue;
    if (equal(bytes.subarray(item, item + 32), progress.log)) {
      return fault('parent-range', 'a parent in the same log is not earlier');
    }
  }
  return undefined;
}

function applySeal(
  block: BlockContent,
  position: number,
  index: LogIndex,
  progress: Progress,
): Fault | undefined {
  const seal = block.leaves.leaf(position);
  if (readUint32(seal, leafAt.sealEntries) !== block.entries.length) {
    return fault('seal-entries', 'the seal counts another number of entries');
  }
  if (readUint64(seal, leafAt.blockNumber) !== progress.blocks) {
    return fault('seal-number', 'the block number is not the next one');
  }
  if (!equal(seal.subarray(leafAt.previousSeal, leafAt.sealEntries), progress.sealHash)) {
    return fault('seal-previous', 'not the leaf hash of the previous seal');
  }
  if (readUint32(seal, leafAt.sealEpoch) !== (progress.epoch ?? 0)) {
    return fault('epoch-mismatch', "the seal's key epoch is not the one open here");
  }
  const lowest = readUint64(seal, leafAt.lowest);
  if (lowest < progress.lowest || lowest > index) {
    return fault('seal-lowest', 'the lowest offered index goes back or lies ahead');
  }
  progress.lowest = asLogIndex(lowest);
  progress.blocks += 1;
  progress.sealHash = asHash(block.leafHashes.slice(32 * position, 32 * position + 32));
  return undefined;
}

function applyControl(
  env: BlockEnv,
  block: BlockContent,
  position: number,
  index: LogIndex,
  progress: Progress,
  control: Control,
): Fault | undefined {
  const { log, keyInForce, recoveryHash } = progress;
  if (keyInForce === undefined || recoveryHash === undefined) return missing();
  switch (control.type) {
    case 'genesis':
      return fault('genesis-place', 'a genesis stands at index 0 and only there');
    case 'rotate': {
      if (position !== 0 || block.entries.length !== 2) {
        return fault('rotation-place', 'a rotation is alone in its block, with the seal');
      }
      progress.nextKey = control.newWriterKey;
      return checkRotation(env.crypto, log, index, keyInForce, control);
    }
    case 'recovery':
      progress.recoveryHash = control.newRecoveryHash;
      return checkRecovery(env.crypto, log, index, recoveryHash, control);
    case 'epoch':
      return openEpoch(progress, control);
    case 'redact':
      if (control.index < index) return undefined;
      return fault('redact-fields', 'only an earlier entry is redacted');
    case 'other':
      return undefined;
    default:
      return never(control);
  }
}

function openEpoch(progress: Progress, opening: EpochOpening): Fault | undefined {
  if (progress.genesis?.visibility !== 'sealed') return order('only a sealed log opens epochs');
  if (progress.epoch !== undefined && opening.epoch <= progress.epoch) {
    return order('epoch numbers only grow');
  }
  const before = progress.generation;
  const step = before === undefined ? opening.generation : opening.generation - before;
  if (step !== 0 && (before === undefined || step !== 1)) {
    return order('the first generation is 0, each next one the same or one more');
  }
  progress.epoch = opening.epoch;
  progress.generation = opening.generation;
  return undefined;
}

function order(message: string): Fault {
  return fault('epoch-order', message);
}
function missing(): Fault {
  return fault('genesis-missing', 'index 0 is not a genesis');
}
