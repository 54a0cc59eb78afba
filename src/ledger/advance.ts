/** One step of a log: its entries by the rules, its tree by their leaf hashes. */
import { err, ok, type Result } from '../result.ts';
import { fault } from '../errors.ts';
import { asBlockNumber, asTreeSize, type PublicKey } from '../types.ts';
import { applyEntries, type BlockContent } from './block-rules.ts';
import type { BlockEnv } from './judges.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
import { appendLeaves, rootOf, type NewNodes } from './tree.ts';

export interface Advanced {
  /** The log after the block. */
  readonly state: LogState;
  readonly nodes: NewNodes;
  /** Signs this block's checkpoint. */
  readonly keyInForce: PublicKey;
}

/** The state after a block whose entries are sound; codes as `applyEntries`. */
export function advance(
  env: BlockEnv,
  state: LogState | UnknownLog,
  block: BlockContent,
): Result<Advanced> {
  const applied = applyEntries(env, state, block);
  if (!applied.ok) return applied;
  const { log, genesis, genesisLeaf, keyInForce, nextKey, recoveryHash } = applied.value;
  const { blocks, sealHash, time, epoch, generation, lowest } = applied.value;
  if (!genesis || !keyInForce || !nextKey || !recoveryHash) {
    return err(fault('genesis-missing', 'index 0 is not a genesis'));
  }
  const frontier = isKnown(state) ? state.frontier : [];
  const size = asTreeSize(isKnown(state) ? state.size : 0);
  const tree = appendLeaves(env.crypto, frontier, size, block.leafHashes);
  return ok({
    nodes: tree.nodes,
    keyInForce,
    state: {
      logId: state.logId,
      log,
      genesis,
      genesisLeaf,
      size: tree.size,
      frontier: tree.frontier,
      root: rootOf(env.crypto, tree.frontier),
      blocks: asBlockNumber(blocks),
      sealHash,
      time,
      writerKey: nextKey,
      recoveryHash,
      epoch,
      generation,
      lowest,
    },
  });
}
