/**
 * Whole blocks in a row, verified as a follower verifies them. Where the row does not begin at the
 * log's start, the state before it is put together from what is proved of the log (keys, epochs) and
 * from the first block itself (frontier, number, previous seal), which is all led to the log's root
 * by the consistency of the tree behind the last block.
 */
import { at, fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, asTreeSize, type Hash } from '../types.ts';
import type { DecodedBlock, VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import type { KeyParts } from './bundle-keys.ts';
import type { RangeLine } from './bundle-lines.ts';
import type { Fault } from '../errors.ts';
import type { BlockEnv } from './judges.ts';
import { recoveryHashAt, writerKeyAt } from './key-chain.ts';
import { decodeLeaf } from './leaf.ts';
import type { LogState, UnknownLog } from './log-state.ts';
import { checkFrontier, rootOf } from './tree.ts';
import { verifyDecoded } from './verify-block.ts';

export class BundleRun {
  readonly from: number;
  readonly to: number;
  readonly proof: readonly Hash[];
  readonly #env: BlockEnv;
  readonly #keys: KeyParts;
  readonly #take: (block: VerifiedBlock) => Fault | undefined;
  #state: LogState | UnknownLog | undefined;
  #next: number;

  constructor(
    env: BlockEnv,
    keys: KeyParts,
    { from, to }: RangeLine,
    proof: readonly Hash[],
    take: (block: VerifiedBlock) => Fault | undefined,
  ) {
    this.#env = env;
    this.#keys = keys;
    this.from = from;
    this.to = to;
    this.proof = proof;
    this.#take = take;
    this.#next = from;
  }

  /** Codes: those of `decodeBlock` and `verifyDecoded`, block-index, block-form, range-invalid. */
  add(
    wire: Uint8Array,
  ): Result<{ readonly first: number; readonly end: number; readonly root: Hash }> {
    const place = { index: this.#next };
    const block = decodeBlock(wire, { reduced: true });
    if (!block.ok) return err(at(block.error, place));
    const { firstIndex, form, entries } = block.value;
    if (firstIndex !== this.#next) {
      return err(fault('block-index', `the block begins at ${firstIndex}`, place));
    }
    const end = firstIndex + entries.length;
    if (end > this.to)
      return err(fault('range-invalid', 'a block over the end of its range', place));
    if (form === 'reduced' && !entries.some((one) => one.kind <= 1 && one.bodyOffset < 0)) {
      return err(fault('block-form', 'a reduced block of which nothing is gone', place));
    }
    const state = this.#state === undefined ? this.#begin(block.value) : ok(this.#state);
    if (!state.ok) return err(at(state.error, place));
    const verified = verifyDecoded(this.#env, state.value, block.value);
    if (!verified.ok) return err(at(verified.error, { ...place, ...verified.error.place }));
    const wrong = this.#take(verified.value);
    if (wrong !== undefined) return err(wrong);
    this.#state = verified.value.state;
    this.#next = end;
    return ok({ first: firstIndex, end, root: verified.value.state.root });
  }

  #begin(block: DecodedBlock): Result<LogState | UnknownLog> {
    const { logId, log, genesisLeaf, chain, epochs } = this.#keys;
    if (this.from === 0) return ok({ logId });
    const size = asTreeSize(this.from);
    const frontier = checkFrontier(size, block.frontier);
    if (!frontier.ok) return frontier;
    const last = block.entries.at(-1);
    const leaf =
      last === undefined || last.leafOffset < 0
        ? undefined
        : decodeLeaf(block.wire.subarray(last.leafOffset, last.leafOffset + last.leafLength));
    if (leaf?.ok !== true || leaf.value.kind !== 2) {
      return err(fault('seal-place', 'a block has exactly one seal, and it is last'));
    }
    const epoch = epochs.findLast(({ index }) => index < size);
    return ok({
      logId,
      log,
      genesis: chain.genesis,
      genesisLeaf,
      size,
      frontier: frontier.value,
      root: rootOf(this.#env.crypto, frontier.value),
      blocks: leaf.value.blockNumber,
      sealHash: leaf.value.previousSeal,
      time: chain.genesis.created,
      // A rotation counts from the checkpoint after its own block on.
      writerKey: writerKeyAt(chain, asTreeSize(size + 1)),
      recoveryHash: recoveryHashAt(chain, size),
      epoch: epoch?.epoch,
      generation: epoch?.generation,
      lowest: asLogIndex(0),
    });
  }
}
