/**
 * `headwater/verify`: everything a stranger needs to check what a Headwater log says, offline. Pure
 * functions over bytes: no store, network, clock or randomness, and nothing of Node. Hashes and
 * signatures are handed in as a `Crypto`; `nobleCrypto` runs anywhere, a browser included.
 *
 *   const env = offlineEnv(nobleCrypto);
 *   const state = verifyLog(env, logId, wireBlocks);
 */
import { checkWriteProof } from './access/write-proof.ts';
import type { Opener } from './cipher.ts';
import type { Crypto } from './crypto.ts';
import { judgeEvent } from './event/judge.ts';
import type { BlockEnv } from './ledger/judges.ts';
import { isKnown, type LogState, type UnknownLog } from './ledger/log-state.ts';
import { verifyBlock } from './ledger/verify-block.ts';
import { err, ok, type Result } from './result.ts';
import { at, fault } from './errors.ts';
import type { LogId } from './types.ts';

export { checkWriteProof } from './access/write-proof.ts';
export { nobleCrypto } from './crypto-noble.ts';
export type { Opener } from './cipher.ts';
export { webOpener, type WebSubtle } from './cipher-web.ts';
export type { Crypto, Hasher } from './crypto.ts';
export type { Code, Fault, Place } from './errors.ts';
export { judgeEvent } from './event/judge.ts';
export { formatReference, logIdFromHash, logIdHash, parseDid, parseLogId } from './ids.ts';
export type { BlockEntry, DecodedBlock, VerifiedBlock } from './ledger/block.ts';
export { bodyBytes, LeafTable, parentsBytes } from './ledger/block.ts';
export { decodeBlock } from './ledger/block-codec.ts';
export { checkSealedBody, makeLeaves } from './ledger/block-leaves.ts';
export { decodeBody } from './ledger/body.ts';
export type { ProvenCosignature } from './ledger/checkpoint-lines.ts';
export { parseCheckpoint, verifyCheckpoint, type Checkpoint } from './ledger/checkpoint.ts';
export {
  addLines,
  parseCosigner,
  readCosignatures,
  selfNamedCosigner,
} from './ledger/cosignature.ts';
export { attributesCommitment, dataCommitment, saltsAt } from './ledger/commitment.ts';
export { parseControl, type Control } from './ledger/control.ts';
export {
  makeEventProof,
  prepareEventProof,
  verifyEventProof,
  type EventProofInput,
  type ProofVerdict,
  type ProvenEntry,
} from './ledger/event-proof.ts';
export {
  decodeForkProof,
  encodeForkProof,
  makeForkProof,
  verifyForkProof,
  type ForkBranch,
  type ForkProof,
  type ForkSide,
  type ProvenBranch,
  type ProvenFork,
} from './ledger/fork-proof.ts';
export { BranchNodes } from './ledger/branch-nodes.ts';
export { parseGenesis, type Genesis } from './ledger/genesis.ts';
export type { BlockEnv, Judges } from './ledger/judges.ts';
export {
  readKeyChain,
  recoveryHashAt,
  writerKeyAt,
  type KeyChain,
  type KeyEntry,
} from './ledger/key-chain.ts';
export { decodeLeaf, decodeParents, encodeLeaf, type Leaf, type Parent } from './ledger/leaf.ts';
export { isKnown, type LogState, type UnknownLog } from './ledger/log-state.ts';
export { openNote, parseVkey, type NoteKey, type OpenedNote } from './ledger/note.ts';
export { parsePolicyFile, type PolicyFile } from './ledger/policy-file.ts';
export { verifyConsistency, verifyInclusion } from './ledger/proof.ts';
export type { Attested, ProvenVerdict } from './ledger/proven.ts';
export {
  makeRangeFile,
  parseRangeFile,
  verifyRangeFile,
  type ProvenRange,
  type RangeProofFile,
  type RangeVerdict,
} from './ledger/range-file.ts';
export { verifyRangeMember } from './ledger/range-member.ts';
export { verifyBundle, type VerifyBundleOptions } from './ledger/verify-bundle.ts';
export type { Inflate } from './ledger/bundle-gzip.ts';
export type {
  BundleCheckpoint,
  BundleLogReport,
  BundleReport,
  BundleVerdict,
  SeenEntry,
} from './ledger/bundle-report.ts';
export { streamInflate } from './ledger/stream-inflate.ts';
export {
  discloseEvent,
  proofKeyChain,
  rotationsOf,
  type Disclosure,
} from './ledger/proof-extra.ts';
export { alignedSubtrees, rangeRoot, verifyRange } from './ledger/range.ts';
export { checkSuccessor, isSuccessorFork, type ClosedLog } from './ledger/successor.ts';
export {
  formatTlogProof,
  parseTlogProof,
  verifyTlogProof,
  type TlogProof,
  type VerifiedTlogProof,
} from './ledger/tlog-proof.ts';
export { leafHash, nodeHash, rootOf, type Frontier } from './ledger/tree.ts';
export {
  isStated,
  quorumMet,
  statedPolicy,
  streamPolicy,
  witnessesMap,
  type Quorum,
  type StatedTrust,
  type TrustPolicy,
} from './ledger/trust-policy.ts';
export { blockVerdict, isForkEvidence } from './ledger/verdict.ts';
export { checkSelfConsistent, verifyBlock, verifyDecoded } from './ledger/verify-block.ts';
export {
  decideCheckpoint,
  formatAddCheckpoint,
  parseAddCheckpoint,
  parseConflict,
  refuseMalformed,
  type AddCheckpoint,
  type Witness,
  type WitnessAnswer,
  type Witnessed,
  type WitnessedOrigin,
} from './ledger/witness.ts';
export type { Result, Verdict } from './result.ts';
export type { Attributes, EventBytes, Hash, LogId, ParsedEvent, PublicKey } from './types.ts';

/**
 * Events and genesis proofs judged as a peer judges them. `opener` is for what is disclosed by the key
 * of a sealed event: `webOpener(crypto.subtle)` in a browser.
 */
export function offlineEnv(crypto: Crypto, opener?: Opener): BlockEnv {
  return {
    crypto,
    ...(opener === undefined ? {} : { opener }),
    judges: { event: judgeEvent, writeProof: (input) => checkWriteProof(crypto, input) },
  };
}

/**
 * Verifies a log from its genesis: wire blocks in order, full or reduced. The log's state after the
 * last one, or the first fault with the block's number as `place.pointer` (`/blocks/<n>`). No blocks:
 * genesis-missing. That nothing was left out at the end, only a newer checkpoint can show.
 */
export function verifyLog(
  env: BlockEnv,
  logId: LogId,
  wires: Iterable<Uint8Array>,
): Result<LogState> {
  let state: LogState | UnknownLog = { logId };
  let number = 0;
  for (const wire of wires) {
    const verified = verifyBlock(env, state, wire, { form: 'any' });
    if (!verified.ok) return err(at(verified.error, { pointer: `/blocks/${number}` }));
    state = verified.value.state;
    number += 1;
  }
  if (isKnown(state)) return ok(state);
  return err(fault('genesis-missing', 'no block of this log'));
}
