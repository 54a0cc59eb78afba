/**
 * The state in which a stored block finds its log, put together without what came before it: size
 * and frontier stand in the block, the seal before in its seal, keys and epoch in the control
 * entries. Nothing of it is believed: the block's signature must confirm it (`checkBlock`). So a
 * check can begin at any block, and go on behind one that is gone.
 */
import { equal } from '../bytes.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, asTimeMs, asTreeSize } from '../types.ts';
import type { DecodedBlock, VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import type { BlockRecord } from './block-record.ts';
import { parseControl, type EpochOpening } from './control.ts';
import { controlsOf } from './controls.ts';
import {
  readKeyChain,
  recoveryHashAt,
  writerKeyAt,
  type KeyChain,
  type KeyEntry,
} from './key-chain.ts';
import { decodeLeaf } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
import { storedRecord } from './read-block.ts';
import { checkFrontier, rootOf } from './tree.ts';
import { verifyDecoded } from './verify-block.ts';

/** A stored block with its record, decoded. */
export interface ReadBlock {
  readonly record: BlockRecord;
  readonly block: DecodedBlock;
}

/** Codes: block-missing, store-corrupt, those of `decodeBlock` and of the store. */
export async function readBlock(
  env: LedgerEnv,
  handle: LogHandle,
  number: number,
): Promise<Result<ReadBlock>> {
  const record = await storedRecord(env, handle, number);
  if (!record.ok) return record;
  if (record.value === undefined) return err(fault('block-missing', `block ${number} is missing`));
  const block = decodeBlock(record.value.wire, { reduced: true });
  return block.ok ? ok({ record: record.value, block: block.value }) : block;
}

/**
 * What block `number` says of the log before it, for `verifyDecoded` to judge. Codes: those of the
 * control entries' reading, frontier-size, genesis-missing.
 */
async function stateBefore(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
  number: number,
): Promise<Result<LogState | UnknownLog>> {
  if (number === 0) return ok({ logId: handle.logId });
  const times = await KeyTimes.read(env, handle, block.firstIndex);
  // Where control entries cannot be read, what the head knows may be right all the same.
  const keys = times.ok ? times.value.at(block.firstIndex) : handle.stored?.state;
  if (keys === undefined) return times.ok ? err(fault('genesis-missing', 'no genesis')) : times;
  return stateWith(env.options.crypto, handle, block, number, keys);
}

/** The same with keys that are known. Codes: frontier-size, seal-place. */
export function stateWith(
  h: Hasher,
  { logId, log }: Pick<LogHandle, 'logId' | 'log'>,
  block: DecodedBlock,
  number: number,
  { genesis, genesisLeaf, writerKey, recoveryHash, epoch, generation }: Keys,
): Result<LogState> {
  const frontier = checkFrontier(asTreeSize(block.firstIndex), block.frontier);
  if (!frontier.ok) return frontier;
  const seal = block.entries.at(-1);
  const from = seal?.leafOffset ?? 0;
  const leaf = decodeLeaf(block.wire.subarray(from, from + (seal?.leafLength ?? 0)));
  if (!leaf.ok || leaf.value.kind !== 2) return err(fault('seal-place', 'a block without a seal'));
  return ok({
    logId,
    log,
    genesis,
    genesisLeaf,
    writerKey,
    recoveryHash,
    epoch,
    generation,
    size: asTreeSize(block.firstIndex),
    frontier: frontier.value,
    root: rootOf(h, frontier.value),
    blocks: asBlockNumber(number),
    sealHash: leaf.value.previousSeal,
    time: asTimeMs(0),
    lowest: asLogIndex(0),
  });
}

/** What the control entries of a log say of its keys, at any size. */
export class KeyTimes {
  readonly #chain: KeyChain;
  readonly #genesisLeaf: Uint8Array;
  readonly #epochs: readonly { readonly index: number; readonly opening: EpochOpening }[];

  private constructor(chain: KeyChain, entries: readonly KeyEntry[]) {
    this.#chain = chain;
    this.#genesisLeaf = entries[0]?.leaf ?? new Uint8Array(0);
    this.#epochs = entries.flatMap(({ index, leaf }) => {
      const decoded = decodeLeaf(leaf);
      const isMap = decoded.ok && decoded.value.kind === 3;
      const control = isMap ? parseControl(decoded.value.map) : undefined;
      return control?.ok === true && control.value.type === 'epoch'
        ? [{ index, opening: control.value }]
        : [];
    });
  }

  /** From the entries before an index. Codes: those of reading and checking them. */
  static async read(env: LedgerEnv, handle: LogHandle, size: number): Promise<Result<KeyTimes>> {
    const entries = await entriesBefore(env, handle, size);
    if (!entries.ok) return entries;
    const chain = readKeyChain(env.options.crypto, handle.log, entries.value);
    return chain.ok ? ok(new KeyTimes(chain.value, entries.value)) : chain;
  }

  /** In force for a block that begins at this size. */
  at(size: number): Keys {
    const epoch = this.#epochs.findLast(({ index }) => index < size)?.opening;
    return {
      genesis: this.#chain.genesis,
      genesisLeaf: this.#genesisLeaf,
      // What the next block is signed with: the key in force at a size just behind this one.
      writerKey: writerKeyAt(this.#chain, asTreeSize(size + 1)),
      recoveryHash: recoveryHashAt(this.#chain, asTreeSize(size)),
      epoch: epoch?.epoch,
      generation: epoch?.generation,
    };
  }
}

type Keys = Pick<
  LogState,
  'genesis' | 'genesisLeaf' | 'writerKey' | 'recoveryHash' | 'epoch' | 'generation'
>;

/** By the index of control entries; where that gives nothing the genesis alone, from block 0. */
async function entriesBefore(
  env: LedgerEnv,
  handle: LogHandle,
  size: number,
): Promise<Result<readonly KeyEntry[]>> {
  const all = Number.MAX_SAFE_INTEGER;
  const controls = await controlsOf(env, handle, 0, all, size);
  if (controls.ok && controls.value[0]?.index === 0) return controls;
  if (handle.stored !== undefined) {
    return ok([{ index: asLogIndex(0), leaf: handle.stored.state.genesisLeaf }]);
  }
  const first = await readBlock(env, handle, 0);
  if (!first.ok) return first;
  const { wire, entries } = first.value.block;
  const from = entries[0]?.leafOffset ?? 0;
  const leaf = wire.slice(from, from + (entries[0]?.leafLength ?? 0));
  return ok([{ index: asLogIndex(0), leaf }]);
}

/**
 * Verifies a stored block against what is known before it, or against what it says itself where
 * nothing is (its signature by the key in force still counts). Codes as `verifyDecoded`.
 */
export async function checkBlock(
  env: LedgerEnv,
  handle: LogHandle,
  state: LogState | UnknownLog | undefined,
  block: DecodedBlock,
  number: number,
): Promise<Result<VerifiedBlock>> {
  const { crypto, judges } = env.options;
  const before = state === undefined ? await stateBefore(env, handle, block, number) : ok(state);
  if (!before.ok) return before;
  const verified = verifyDecoded({ crypto, judges }, before.value, block);
  const head = handle.stored?.state;
  if (verified.ok || state !== undefined || head === undefined || !isKnown(before.value)) {
    return verified;
  }
  // The control entry that passed the key on may be in what is missing: the head knows the later key.
  if (equal(before.value.writerKey, head.writerKey)) return verified;
  return verifyDecoded({ crypto, judges }, { ...before.value, writerKey: head.writerKey }, block);
}
