/**
 * Fork proof (ledger.md "Witnesses and forks"; FACTS.md section 8): two checkpoints of one log, each
 * signed by the key in force at its size on its branch, of which the larger does not extend the
 * smaller. dag-cbor:
 *
 *   [1, genesis leaf, rotations of A, checkpoint A, rotations of B, checkpoint B, root at A, proof]
 *
 *   rotations     [[index, leaf], …] in order; each is signed by the key before it
 *   checkpoint    text in the one-signature form of a block; 1 <= size A <= size B
 *   root at A     root of B's tree at the size of A: not A's
 *   proof         consistency proof from there to B's root; empty where the sizes are equal
 *
 * The genesis is proved by the log's id, so anyone can check this with nothing else. A rotation
 * counts from size index + 3 on; the recorded time in its leaf is bound by nothing here, and shown
 * to nobody. A stolen key that was rotated out can still make a fork: that is seen all the same, and
 * the owner goes on in a successor log.
 */
import { equal } from '../bytes.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import type { Crypto } from '../crypto.ts';
import { fault, type Code, type Fault } from '../errors.ts';
import { logIdFromHash, logIdHash } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asHash,
  asLogIndex,
  type Hash,
  type LogId,
  type PublicKey,
  type TreeSize,
} from '../types.ts';
import { parseCheckpoint, verifyCheckpoint, type Checkpoint } from './checkpoint.ts';
import type { Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';
import { readKeyChain, writerKeyAt, type KeyEntry } from './key-chain.ts';
import { readGenesis } from './log-state.ts';
import { consistencyProof, verifyConsistency } from './proof.ts';
import { checkOpening } from './proof-keys.ts';
import { rotationIn, rotationsOf } from './proof-extra.ts';
import { readRangeRoot } from './range.ts';
import { leafHash, type NodeReader } from './tree.ts';

const version = 1;

/** One of the two histories. */
export interface ForkBranch {
  readonly rotations: readonly KeyEntry[];
  /** One signature line, by the writer key in force at its size. */
  readonly checkpoint: string;
}

export interface ForkProof {
  readonly genesisLeaf: Uint8Array;
  /** The smaller one. */
  readonly a: ForkBranch;
  readonly b: ForkBranch;
  readonly rootAtA: Hash;
  readonly consistency: readonly Hash[];
}

/** What a sound fork proof shows. */
export interface ProvenFork {
  readonly logId: LogId;
  readonly genesis: Genesis;
  readonly genesisLeaf: Uint8Array;
  readonly a: ProvenBranch;
  readonly b: ProvenBranch;
  /** The root of B's history at the size of A. */
  readonly rootAtA: Hash;
}

export interface ProvenBranch extends Checkpoint {
  readonly note: string;
  /** The writer key that signed it. */
  readonly signer: PublicKey;
}

/** The bytes above. */
export function encodeForkProof(proof: ForkProof): Uint8Array {
  const writer = new CborWriter(2048).list(8).uint(version).bytes(proof.genesisLeaf);
  for (const { rotations, checkpoint } of [proof.a, proof.b]) {
    writer.list(rotations.length);
    for (const { index, leaf } of rotations) writer.list(2).uint(index).bytes(leaf);
    writer.text(checkpoint);
  }
  writer.bytes(proof.rootAtA).list(proof.consistency.length);
  for (const hash of proof.consistency) writer.bytes(hash);
  return writer.finish();
}

/** Takes the bytes apart, into copies. Codes: proof-too-large, fork-encoding, fork-shape. */
export function decodeForkProof(bytes: Uint8Array): Result<ForkProof> {
  if (bytes.length > protocol.maxForkProofBytes) {
    return refuse('proof-too-large', `a fork proof of ${bytes.length} bytes`);
  }
  const reader = new CborReader(bytes.slice());
  if (reader.list() !== 8 || reader.uint() !== version) return refused(reader);
  const genesisLeaf = reader.bytes();
  const a = readBranch(reader);
  const b = readBranch(reader);
  const rootAtA = reader.bytes();
  const consistency: Uint8Array[] = [];
  for (let left = reader.list(); left > 0; left--) consistency.push(reader.bytes());
  reader.end();
  if (reader.failed !== undefined || a === undefined || b === undefined) return refused(reader);
  if ([rootAtA, ...consistency].some((hash) => hash.length !== 32)) return refused(reader);
  const hashes = consistency.map(asHash);
  return ok({ genesisLeaf, a, b, rootAtA: asHash(rootAtA), consistency: hashes });
}

function readBranch(reader: CborReader): ForkBranch | undefined {
  const rotations: KeyEntry[] = [];
  for (let left = reader.list(); left > 0 && reader.failed === undefined; left--) {
    if (reader.list() !== 2) return undefined;
    const index = asLogIndex(reader.uint());
    rotations.push({ index, leaf: reader.bytes() });
  }
  return { rotations, checkpoint: reader.text() };
}

function refused(reader: CborReader): Result<never> {
  const inner = reader.failed;
  if (inner === undefined || inner.code === 'cbor-shape') {
    return refuse('fork-shape', inner?.message ?? 'not a version 1 fork proof of eight items');
  }
  return refuse('fork-encoding', inner.message);
}

/**
 * Do these bytes prove a fork? Codes: those of `decodeForkProof`; genesis-missing and those of the
 * genesis leaf, genesis-fields, genesis-proof, recovery-signature; fork-keys; those of
 * `verifyCheckpoint`; fork-sizes; consistency-fails; fork-none.
 */
export function verifyForkProof(env: BlockEnv, bytes: Uint8Array): Result<ProvenFork> {
  const decoded = decodeForkProof(bytes);
  return decoded.ok ? verifyDecodedFork(env, decoded.value) : decoded;
}

function verifyDecodedFork(env: BlockEnv, proof: ForkProof): Result<ProvenFork> {
  const { crypto } = env;
  const { genesisLeaf, rootAtA, consistency } = proof;
  const genesis = readGenesis(genesisLeaf);
  if (!genesis.ok) return genesis;
  const opened = checkOpening(env, genesis.value, genesisLeaf);
  if (!opened.ok) return opened;
  const logId = logIdFromHash(leafHash(crypto, genesisLeaf));
  const a = verifyBranch(crypto, logId, genesisLeaf, proof.a);
  if (!a.ok) return a;
  const b = verifyBranch(crypto, logId, genesisLeaf, proof.b);
  if (!b.ok) return b;
  const [sizeA, sizeB] = [a.value.size, b.value.size];
  if (sizeA < 1 || sizeA > sizeB) return refuse('fork-sizes', 'the sizes are not 1 <= A <= B');
  const leads = verifyConsistency(crypto, sizeA, sizeB, consistency, rootAtA, b.value.root);
  if (!leads.ok) return refuse('consistency-fails', leads.error.message);
  if (equal(rootAtA, a.value.root)) {
    return refuse('fork-none', 'the two checkpoints are consistent');
  }
  const shown = { logId, genesis: genesis.value, genesisLeaf, rootAtA };
  return ok({ ...shown, a: a.value, b: b.value });
}

/** Codes: fork-keys, those of `parseCheckpoint` and `verifyCheckpoint`. */
function verifyBranch(
  crypto: Crypto,
  logId: LogId,
  genesisLeaf: Uint8Array,
  { rotations, checkpoint }: ForkBranch,
): Result<ProvenBranch> {
  if (!rotations.every(({ leaf }) => rotationIn(leaf) !== undefined)) {
    return refuse('fork-keys', 'an entry of the key chain is no rotation');
  }
  const entries = [{ index: asLogIndex(0), leaf: genesisLeaf }, ...rotations];
  const chain = readKeyChain(crypto, logIdHash(logId), entries);
  if (!chain.ok) return refuse('fork-keys', chain.error.message);
  const parsed = parseCheckpoint(checkpoint);
  if (!parsed.ok) return parsed;
  const signer = writerKeyAt(chain.value, parsed.value.size);
  const verified = verifyCheckpoint(crypto, checkpoint, logId, signer);
  if (!verified.ok) return verified;
  return ok({ ...verified.value, note: checkpoint, signer });
}

/** A branch that a proof is made from. */
export interface ForkSide {
  /** The control entries of this branch, at least its rotations, in order. */
  readonly controls: readonly KeyEntry[];
  /** One signature line, by the writer. */
  readonly checkpoint: string;
  /** Its tree, asked only of the larger branch: our tiles, or the `BranchNodes` of a block. */
  readonly tree?: NodeReader;
}

/**
 * Makes the proof from two checkpoints of a log, in either order, and verifies it. Codes: those of
 * `verifyForkProof`, so fork-none where one extends the other; proof-too-large. Throws a RangeError
 * where the larger branch has no tree or its tree lacks the nodes, and whatever the tree throws.
 */
export async function makeForkProof(
  env: BlockEnv,
  genesisLeaf: Uint8Array,
  first: ForkSide,
  second: ForkSide,
): Promise<Result<Uint8Array>> {
  const one = parseCheckpoint(first.checkpoint);
  if (!one.ok) return one;
  const two = parseCheckpoint(second.checkpoint);
  if (!two.ok) return two;
  const inOrder = one.value.size <= two.value.size;
  const [a, b] = inOrder ? [first, second] : [second, first];
  const [small, large] = inOrder ? [one.value, two.value] : [two.value, one.value];
  if (small.size < 1) return refuse('fork-sizes', 'everything extends the empty tree');
  const link = await linkTo(env.crypto, small.size, large, b.tree);
  const proof = { genesisLeaf, a: branchOf(a, small.size), b: branchOf(b, large.size), ...link };
  const bytes = encodeForkProof(proof);
  const verified = verifyForkProof(env, bytes);
  return verified.ok ? ok(bytes) : verified;
}

/** Only the rotations that count at its size. */
function branchOf({ controls, checkpoint }: ForkSide, size: TreeSize): ForkBranch {
  const rotations = rotationsOf(controls).filter(({ index }) => index + 2 < size);
  return { rotations, checkpoint };
}

/** The larger branch at the size of the smaller one. */
async function linkTo(
  crypto: Crypto,
  size: TreeSize,
  large: Checkpoint,
  tree: NodeReader | undefined,
): Promise<Pick<ForkProof, 'rootAtA' | 'consistency'>> {
  if (size === large.size) return { rootAtA: large.root, consistency: [] };
  if (tree === undefined) throw new RangeError('the larger branch needs its tree');
  const rootAtA = await readRangeRoot(crypto, tree, 0, size);
  return { rootAtA, consistency: await consistencyProof(crypto, tree, size, large.size) };
}

function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
