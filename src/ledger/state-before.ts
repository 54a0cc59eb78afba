/**
 * The state in which a stored block finds its log, put together without what came before it: size
 * and frontier stand in the block, the seal before in its seal, keys and epoch in the control
 * entries. Nothing of it is believed: the block's signature must confirm it (`checkBlock`). So a
 * check can begin at any block, and go on behind one that is gone.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { keyspace, numberKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, asTimeMs, asTreeSize } from '../types.ts';
import type { DecodedBlock, VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { BlockRecord } from './block-record.ts';
import { parseControl } from './control.ts';
import { controlsOf } from './controls.ts';
import { readKeyChain, recoveryHashAt, writerKeyAt, type KeyEntry } from './key-chain.ts';
import { decodeLeaf } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
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
  const key = numberKey(keyspace.blocks, handle.row.number, number);
  const value = await env.options.store.get(key);
  if (!value.ok) return value;
  if (value.value === undefined) return err(fault('block-missing', `block ${number} is missing`));
  const record = BlockRecord.read(env.options.crypto, value.value);
  if (!record.ok) return record;
  if (record.value.number !== number) {
    return err(fault('store-corrupt', `block ${number} is stored as another one`));
  }
  const block = decodeBlock(record.value.wire, { reduced: true });
  return block.ok ? ok({ record: record.value, block: block.value }) : block;
}

/**
 * What block `number` says of the log before it, for `verifyDecoded` to judge. Codes: those of the
 * control entries' reading, frontier-size, genesis-missing.
 */
export async function stateBefore(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
  number: number,
): Promise<Result<LogState | UnknownLog>> {
  if (number === 0) return ok({ logId: handle.logId });
  const frontier = checkFrontier(asTreeSize(block.firstIndex), block.frontier);
  if (!frontier.ok) return frontier;
  const keys = await keysBefore(env, handle, block.firstIndex);
  if (!keys.ok) return keys;
  const seal = block.entries.at(-1);
  const from = seal?.leafOffset ?? 0;
  const leaf = decodeLeaf(block.wire.subarray(from, from + (seal?.leafLength ?? 0)));
  if (!leaf.ok || leaf.value.kind !== 2) return err(fault('seal-place', 'a block without a seal'));
  return ok({
    logId: handle.logId,
    log: handle.log,
    ...keys.value,
    size: asTreeSize(block.firstIndex),
    frontier: frontier.value,
    root: rootOf(env.options.crypto, frontier.value),
    blocks: asBlockNumber(number),
    sealHash: leaf.value.previousSeal,
    time: asTimeMs(0),
    lowest: asLogIndex(0),
  });
}

type Keys = Pick<
  LogState,
  'genesis' | 'genesisLeaf' | 'writerKey' | 'recoveryHash' | 'epoch' | 'generation'
>;

/** From the control entries before an index; where they cannot be read, from what the head knows. */
async function keysBefore(env: LedgerEnv, handle: LogHandle, size: number): Promise<Result<Keys>> {
  const { crypto } = env.options;
  const controls = await entriesBefore(env, handle, size);
  const known = handle.stored?.state;
  const chain = controls.ok ? readKeyChain(crypto, handle.log, controls.value) : controls;
  if (!controls.ok || !chain.ok) return known === undefined ? err(faultOf(chain)) : ok(known);
  let [epoch, generation]: (number | undefined)[] = [undefined, undefined];
  for (const { leaf } of controls.value) {
    const decoded = decodeLeaf(leaf);
    const control =
      decoded.ok && decoded.value.kind === 3 ? parseControl(decoded.value.map) : decoded;
    if (control.ok && 'type' in control.value && control.value.type === 'epoch') {
      ({ epoch, generation } = control.value);
    }
  }
  // What the next block is signed with: the key in force at a size just behind this one.
  const writerKey = writerKeyAt(chain.value, asTreeSize(size + 1));
  const recoveryHash = recoveryHashAt(chain.value, asTreeSize(size));
  const genesisLeaf = controls.value[0]?.leaf ?? new Uint8Array(0);
  const { genesis } = chain.value;
  return ok({ genesis, genesisLeaf, writerKey, recoveryHash, epoch, generation });
}

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

function faultOf(result: Result<unknown>): Fault {
  return result.ok ? fault('internal', 'no fault') : result.error;
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
