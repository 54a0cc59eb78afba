/**
 * Two histories of one log. A block for a place that we have filled already is a repeat, or else the
 * writer signed two: then the fork proof is made, the log frozen, and the block kept beside ours.
 * forks.ts is the face of this.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdHash, logIdFromHash } from '../ids.ts';
import { hashKey, keyOf, keyspace, logKey, prefixRange } from '../keyspace.ts';
import { caught, err, ok, type Result, type Verdict } from '../result.ts';
import { asLogIndex, asTreeSize, type PublicKey, type TreeSize } from '../types.ts';
import type { DecodedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { BranchNodes } from './branch-nodes.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { controlsOf } from './controls.ts';
import { eachRow } from './each-row.ts';
import type { ForkVia, KnownFork } from './fork-book.ts';
import {
  encodeForkProof,
  makeForkProof,
  verifyForkProof,
  type ForkSide,
  type ProvenFork,
} from './fork-proof.ts';
import type { OtherHead } from './forks.ts';
import { readKeyChain, writerKeyAt, type KeyEntry } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { encodeLogRow } from './log-row.ts';
import { rotationsOf } from './proof-extra.ts';
import { recordAt } from './read-block.ts';
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
  return judgeOther(env, handle, block);
}

/** Judges a block that is not ours, by the keys of our history. */
export async function judgeOther(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
): Promise<Verdict> {
  const controls = await controlsOf(env, handle);
  if (!controls.ok) return { kind: 'ignore', reason: controls.error };
  const judged = await judgeBranch(env, handle, block, controls.value);
  if (judged.ok) return { kind: 'ignore', reason: forkReason(block.firstIndex) };
  if (judged.error.code === 'fork-none') return { kind: 'ignore', reason: judged.error };
  return blockVerdict(judged.error);
}

/**
 * Proves by a block of another history that there are two; the block is kept. Codes: branch-key
 * (not signed by a key of these control entries), those of `checkSelfConsistent`, fork-none (it is
 * of our own history after all), block-ahead.
 */
export async function judgeBranch(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
  controls: readonly KeyEntry[],
): Promise<Result<KnownFork | undefined>> {
  const { crypto } = env.options;
  const size = asTreeSize(block.firstIndex + block.entries.length);
  const key = keyAt(env, handle, controls, size);
  if (!key.ok) return key;
  const sound = checkSelfConsistent(crypto, handle, key.value, block);
  if (!sound.ok) return err(branchFault(sound.error));
  if (block.firstIndex > handle.size) {
    return err(fault('block-ahead', 'the block begins beyond our history'));
  }
  const tree = new BranchNodes(
    crypto,
    block.frontier,
    asTreeSize(block.firstIndex),
    sound.value.leafHashes,
  );
  const made = await prove(env, handle, { controls, checkpoint: block.checkpoint, tree });
  if (!made.ok && made.error.code === 'fork-none') return made;
  if (!made.ok) await freezeUnproved(env, handle, forkReason(block.firstIndex));
  const kept = await putEvidence(env, handle, block.wire);
  return kept.ok && made.ok ? made : kept.ok ? ok(undefined) : kept;
}

/** `Forks.contradict`, of a log that is held here. */
export async function contradicting(
  env: LedgerEnv,
  handle: LogHandle,
  head: OtherHead,
): Promise<Result<KnownFork | undefined>> {
  const parsed = parseCheckpoint(head.checkpoint);
  if (!parsed.ok) return parsed;
  if (parsed.value.logId !== handle.logId) return err(fault('checkpoint-origin', 'of another log'));
  if (handle.size === 0 || parsed.value.size === 0) return ok(undefined);
  if (parsed.value.size > handle.size && head.link === undefined) return ok(undefined);
  const ours = await controlsOf(env, handle);
  if (!ours.ok) return ours;
  const controls = head.controls ?? ours.value;
  const key = keyAt(env, handle, controls, parsed.value.size);
  if (!key.ok) return key;
  const side = { controls, checkpoint: head.checkpoint };
  const proven = await prove(env, handle, side, head.link);
  if (proven.ok) return proven;
  return proven.error.code === 'fork-none' ? ok(undefined) : err(branchFault(proven.error));
}

/** Makes the proof against our head, keeps it, freezes the log. */
async function prove(
  env: LedgerEnv,
  handle: LogHandle,
  theirs: ForkSide,
  link?: OtherHead['link'],
): Promise<Result<KnownFork>> {
  const head = handle.stored;
  const ours = await controlsOf(env, handle);
  const tree = await handle.tiles(env);
  if (!ours.ok) return ours;
  if (!tree.ok) return tree;
  if (head === undefined) return err(fault('log-not-synced', 'nothing of the log is held'));
  const { genesisLeaf } = head.state;
  const side = { controls: ours.value, checkpoint: head.checkpoint, tree: tree.value };
  const { crypto, judges } = env.options;
  return caught(async () => {
    const made =
      link === undefined
        ? await makeForkProof({ crypto, judges }, genesisLeaf, side, theirs)
        : ok(linked(genesisLeaf, side, theirs, head.state.size, link));
    if (!made.ok) return made;
    const proven = verifyForkProof({ crypto, judges }, made.value);
    return proven.ok ? await takeProof(env, proven.value, made.value, 'own') : proven;
  });
}

function linked(
  genesisLeaf: Uint8Array,
  ours: ForkSide,
  theirs: ForkSide,
  size: TreeSize,
  link: NonNullable<OtherHead['link']>,
): Uint8Array {
  const a = { rotations: rotationsOf(ours.controls), checkpoint: ours.checkpoint };
  const b = { rotations: rotationsOf(theirs.controls), checkpoint: theirs.checkpoint };
  a.rotations = a.rotations.filter(({ index }) => index + 2 < size);
  return encodeForkProof({
    genesisLeaf,
    a,
    b,
    rootAtA: link.root,
    consistency: link.consistency,
  });
}

/** The first proof of a log: stored, the log frozen, listeners told. Codes: those of the store. */
export async function takeProof(
  env: LedgerEnv,
  proven: ProvenFork,
  proof: Uint8Array,
  via: ForkVia,
): Promise<Result<KnownFork>> {
  const { logId, a, b, rootAtA } = proven;
  const before = env.forks.get(logId);
  if (before !== undefined) return ok(before);
  const fork: KnownFork = {
    logId,
    a: { size: a.size, root: a.root, note: a.note },
    b: { size: b.size, root: b.root, note: b.note },
    rootAtA,
    learned: env.options.host.clock.now(),
  };
  const writes: StoreWrite[] = [env.forks.enter(fork, proof)];
  const handle = env.logs.get(logId);
  if (handle !== undefined && markFrozen(env, handle, fork)) writes.push(rowWrite(handle));
  const stored = await env.options.store.batch(writes, { sync: true });
  // It counts in memory even where the store fails now: peers have it, and it is asked for again.
  env.forks.tell({ fork, proof, via });
  return stored.ok ? ok(fork) : stored;
}

/** Freezes a handle in memory if a fork of it is known; true where its row has to be written. */
export function markFrozen(env: LedgerEnv, handle: LogHandle, fork: KnownFork): boolean {
  const { standing, reason } = handle.row;
  if (standing === 'closed' || standing === 'damaged') return false;
  if (standing !== 'frozen') env.counters.forks += 1;
  else if (reason?.message === forkMessage(fork)) return false;
  handle.setStanding('frozen', fault('fork', forkMessage(fork)));
  return true;
}

function forkMessage({ a, b }: KnownFork): string {
  return `the writer signed two histories: their checkpoints of ${a.size} and ${b.size} entries contradict each other`;
}

/** Why nothing is taken any more: what a publisher, an operator and the API are told. */
export function frozenFault(reason: Fault | undefined): Fault {
  return fault('log-frozen', reason?.message ?? 'two histories of the log are known');
}

/** Where the proof cannot be made now (the store fails) the log is frozen all the same. */
async function freezeUnproved(env: LedgerEnv, handle: LogHandle, reason: Fault): Promise<void> {
  if (handle.row.standing === 'frozen') return;
  env.counters.forks += 1;
  handle.setStanding('frozen', reason);
  // A store that fails now is found by the next write; the log is frozen in memory all the same.
  await env.options.store.batch([rowWrite(handle)], { sync: true });
}

/** `Forks.keep`. */
export async function keepEvidence(
  env: LedgerEnv,
  wire: Uint8Array,
  controls: readonly KeyEntry[],
): Promise<Result<boolean>> {
  const decoded = decodeBlock(wire, { reduced: true });
  if (!decoded.ok) return decoded;
  const block = decoded.value;
  const handle = env.logs.get(logIdFromHash(block.log));
  if (handle === undefined) return err(fault('log-unknown', 'a block of a log not held here'));
  if (env.forks.get(handle.logId) === undefined) return err(fault('fork-none', 'no fork is known'));
  const size = asTreeSize(block.firstIndex + block.entries.length);
  const key = keyAt(env, handle, controls, size);
  if (!key.ok) return key;
  const sound = checkSelfConsistent(env.options.crypto, handle, key.value, block);
  if (!sound.ok) return err(branchFault(sound.error));
  if (block.firstIndex < handle.size) {
    const own = await recordAt(env, handle, block.firstIndex);
    if (!own.ok) return own;
    const ours = decodeBlock(own.value.wire, { reduced: true });
    if (ours.ok && ours.value.checkpoint === block.checkpoint) return ok(false);
  }
  return putEvidence(env, handle, block.wire);
}

/** True where it was added: there is room and it was not there. */
async function putEvidence(
  env: LedgerEnv,
  handle: LogHandle,
  wire: Uint8Array,
): Promise<Result<boolean>> {
  const kept = await forkEvidence(env, handle);
  if (!kept.ok) return kept;
  if (kept.value.length >= env.options.limits.maxForkEvidence) return ok(false);
  if (kept.value.some((one) => equal(one, wire))) return ok(false);
  const hash = env.options.crypto.sha256(wire);
  const key = hashKey(keyspace.forks, handle.row.number, hash);
  const stored = await env.options.store.batch([{ key, value: wire }], { sync: true });
  return stored.ok ? ok(true) : stored;
}

/** The kept blocks that contradict ours. */
export async function forkEvidence(
  env: LedgerEnv,
  handle: LogHandle,
): Promise<Result<readonly Uint8Array[]>> {
  const range = prefixRange(logKey(keyspace.forks, handle.row.number));
  const wires: Uint8Array[] = [];
  const read = await eachRow(env.options.store, range, 16, ({ value }) => void wires.push(value));
  return read.ok ? ok(wires) : read;
}

/** The key that signs the checkpoint of this size, by these control entries. Code: branch-key. */
function keyAt(
  env: LedgerEnv,
  handle: LogHandle,
  controls: readonly KeyEntry[],
  size: TreeSize,
): Result<PublicKey> {
  const chain = readKeyChain(env.options.crypto, logIdHash(handle.logId), controls);
  if (chain.ok) return ok(writerKeyAt(chain.value, size));
  return err(fault('fork-keys', chain.error.message));
}

/** A key that is not ours may be the other history's, after a rotation there: no fault of a sender. */
function branchFault(reason: Fault): Fault {
  if (reason.code !== 'checkpoint-key-id') return reason;
  return fault('branch-key', 'signed by a key that this history of the log does not know');
}

function forkReason(index: number): Fault {
  const message = 'the writer signed another block for this place';
  return fault('fork', message, { index: asLogIndex(index) });
}

/** The write that makes the handle's row durable. */
export function rowWrite(handle: LogHandle): StoreWrite {
  return { key: keyOf(keyspace.logs, handle.log), value: encodeLogRow(handle.row) };
}

function known(): Verdict {
  return { kind: 'ignore', reason: fault('block-known', 'the block is stored already') };
}
