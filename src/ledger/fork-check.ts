/**
 * A block for a place that we have filled already. The same block is a repeat; another one that the
 * writer signed is evidence of a fork: it is kept beside ours and the log is frozen.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { hashKey, keyOf, keyspace, logKey, prefixRange } from '../keyspace.ts';
import { err, ok, type Result, type Verdict } from '../result.ts';
import { asLogIndex, asTreeSize, type PublicKey, type TreeSize } from '../types.ts';
import type { DecodedBlock } from './block.ts';
import { readKeyChain, writerKeyAt } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { encodeLogRow } from './log-row.ts';
import { keyChainOf } from './prover.ts';
import { recordAt } from './read-block.ts';
import { decodeBlock } from './block-codec.ts';
import type { StoreWrite } from './store.ts';
import { blockVerdict } from './verdict.ts';
import { checkSelfConsistent } from './verify-block.ts';

/** Judges a block that begins before the end of the log. */
export async function judgeOld(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
): Promise<Verdict> {
  if (block.firstIndex >= handle.size) return known(); // It is just being written.
  const record = await recordAt(env, handle, block.firstIndex);
  if (!record.ok) return { kind: 'ignore', reason: record.error };
  if (equal(record.value.wire, block.wire)) return known();
  const own = decodeBlock(record.value.wire, { reduced: true });
  // The reduced form of the same block has its checkpoint.
  if (own.ok && own.value.checkpoint === block.checkpoint) return known();
  const size = asTreeSize(block.firstIndex + block.entries.length);
  const key = await keyAt(env, handle, size);
  if (!key.ok) return { kind: 'ignore', reason: key.error };
  const sound = checkSelfConsistent(env.options.crypto, handle, key.value, block);
  if (!sound.ok) return blockVerdict(sound.error);
  const reason = fault('fork', 'the writer signed another block for this place', {
    index: block.firstIndex,
  });
  await freeze(env, handle, block.wire, reason);
  return { kind: 'ignore', reason };
}

/** The key that signs the checkpoint of this size, by our own control entries. */
async function keyAt(
  env: LedgerEnv,
  handle: LogHandle,
  size: TreeSize,
): Promise<Result<PublicKey>> {
  const page = await keyChainOf(env, handle, asLogIndex(0), Number.MAX_SAFE_INTEGER);
  if (!page.ok) return page;
  const chain = readKeyChain(env.options.crypto, handle.log, page.value.entries);
  return chain.ok ? ok(writerKeyAt(chain.value, size)) : err(chain.error);
}

/** Keeps the foreign block (up to `maxForkEvidence`) and freezes the log for good. */
export async function freeze(
  env: LedgerEnv,
  handle: LogHandle,
  wire: Uint8Array,
  reason: Fault,
): Promise<void> {
  env.counters.forks += 1;
  const first = handle.row.standing !== 'frozen';
  handle.setStanding('frozen', reason);
  const kept = await forkEvidence(env, handle);
  const writes: StoreWrite[] = [rowWrite(handle)];
  if (kept.ok && kept.value.length < env.options.limits.maxForkEvidence) {
    const hash = env.options.crypto.sha256(wire);
    writes.push({ key: hashKey(keyspace.forks, handle.row.number, hash), value: wire });
  } else if (!first) return;
  // A store that fails now is found by the next write; the log is frozen in memory all the same.
  await env.options.store.batch(writes, { sync: true });
}

/** The kept blocks that contradict ours. */
export async function forkEvidence(
  env: LedgerEnv,
  handle: LogHandle,
): Promise<Result<readonly Uint8Array[]>> {
  const range = prefixRange(logKey(keyspace.forks, handle.row.number));
  await using scan = env.options.store.scan(range);
  const wires: Uint8Array[] = [];
  for (;;) {
    const page = await scan.next(16);
    if (!page.ok) return page;
    if (page.value.length === 0) return ok(wires);
    wires.push(...page.value.map((entry) => entry.value));
  }
}

/** The write that makes the handle's row durable. */
export function rowWrite(handle: LogHandle): StoreWrite {
  return { key: keyOf(keyspace.logs, handle.log), value: encodeLogRow(handle.row) };
}

function known(): Verdict {
  return { kind: 'ignore', reason: fault('block-known', 'the block is stored already') };
}
