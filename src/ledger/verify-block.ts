/**
 * Is this block the next one of this log? A pure function of the state, the bytes and the judges,
 * which writer, follower, auditor and browser all run (ledger.md "Applying"). Order of checks: size
 * and encoding, log and index, leaves, frontier, entries and seal, root and signature, events,
 * genesis proof. A block that another history of the writer signed is told apart as `fork`.
 */
import { equal } from '../bytes.ts';
import type { Crypto } from '../crypto.ts';
import { at, fault, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asTreeSize,
  type Hash,
  type ParsedEvent,
  type PublicKey,
  type TreeSize,
} from '../types.ts';
import { advance } from './advance.ts';
import type { DecodedBlock, VerifiedBlock } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaves, type BlockLeaves } from './block-leaves.ts';
import { verifyCheckpoint } from './checkpoint.ts';
import type { BlockEnv } from './judges.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
import { checkGenesisProof } from './successor.ts';
import { appendLeaves, checkFrontier, rootOf, type Frontier } from './tree.ts';

export interface VerifyOptions {
  /** `gossip` takes the full form only, `any` the reduced one too. */
  readonly form: 'gossip' | 'any';
}

/**
 * Verifies a wire block against the state of its log, or against nothing but the log's id. `wire`
 * must not change afterwards: the result holds views of it. Codes: those of `decodeBlock`,
 * `makeLeaves`, `applyEntries` and `verifyCheckpoint`, and block-log, block-index, frontier-size,
 * root-mismatch, checkpoint-size, fork, genesis-proof, and the event judge's.
 */
export function verifyBlock(
  env: BlockEnv,
  state: LogState | UnknownLog,
  wire: Uint8Array,
  options: VerifyOptions,
): Result<VerifiedBlock> {
  const decoded = decodeBlock(wire, { reduced: options.form === 'any' });
  if (!decoded.ok) return decoded;
  return verifyDecoded(env, state, decoded.value);
}

/** As `verifyBlock`, of a block that `decodeBlock` took apart. */
export function verifyDecoded(
  env: BlockEnv,
  state: LogState | UnknownLog,
  block: DecodedBlock,
): Result<VerifiedBlock> {
  const misplaced = checkPlace(state, block);
  if (misplaced !== undefined) return err(misplaced);
  const made = makeLeaves(env.crypto, block);
  if (!made.ok) return made;
  const { leaves, leafHashes, bodies } = made.value;
  if (isKnown(state) && !sameFrontier(block.frontier, state.frontier)) {
    return err(judgeOtherHistory(env.crypto, state, block, leafHashes));
  }
  const content = { firstIndex: block.firstIndex, entries: block.entries, leaves, leafHashes };
  const advanced = advance(env, state, content);
  if (!advanced.ok) return advanced;
  const { state: next, nodes, keyInForce } = advanced.value;
  const wrong = checkRoot(env.crypto, next, keyInForce, block, next.size, next.root);
  if (wrong !== undefined) return err(wrong);
  const events = judgeEvents(env, block, bodies);
  if (!events.ok) return events;
  const proof = isKnown(state) ? ok(undefined) : checkGenesisProof(env, next.genesis);
  if (!proof.ok) return proof;
  const { wire } = block;
  return ok({ wire, block, state: next, leaves, leafHashes, nodes, events: events.value });
}

function checkPlace(state: LogState | UnknownLog, block: DecodedBlock): Fault | undefined {
  const log = isKnown(state) ? state.log : logIdHash(state.logId);
  if (!equal(block.log, log)) return otherLog();
  const size = isKnown(state) ? state.size : 0;
  if (block.firstIndex !== size) {
    const message = `the block begins at ${block.firstIndex}, the log has ${size} entries`;
    return fault('block-index', message, { index: block.firstIndex });
  }
  const frontier = checkFrontier(asTreeSize(size), block.frontier);
  return frontier.ok ? undefined : frontier.error;
}

function sameFrontier(a: Frontier, b: Frontier): boolean {
  return a.length === b.length && a.every((hash, i) => equal(hash, b[i] ?? none));
}

/** A frontier that is not ours: `fork` if the key in force signed what follows from it. */
function judgeOtherHistory(
  crypto: Crypto,
  state: LogState,
  block: DecodedBlock,
  leafHashes: Uint8Array,
): Fault {
  const sound = checkSigned(crypto, state, state.writerKey, block, leafHashes);
  if (sound !== undefined) return sound;
  const place = { index: block.firstIndex };
  return fault('fork', 'sound under its own root, but not on the history that we hold', place);
}

/** Do the block's own frontier and leaves give the root that this key signed? */
function checkSigned(
  crypto: Crypto,
  log: UnknownLog,
  key: PublicKey,
  block: DecodedBlock,
  leafHashes: Uint8Array,
): Fault | undefined {
  const size = asTreeSize(block.firstIndex);
  const { frontier } = appendLeaves(crypto, block.frontier, size, leafHashes);
  const end = asTreeSize(size + block.entries.length);
  return checkRoot(crypto, log, key, block, end, rootOf(crypto, frontier));
}

function checkRoot(
  crypto: Crypto,
  log: UnknownLog,
  key: PublicKey,
  block: DecodedBlock,
  size: TreeSize,
  root: Hash,
): Fault | undefined {
  const checkpoint = verifyCheckpoint(crypto, block.checkpoint, log.logId, key);
  if (!checkpoint.ok) return checkpoint.error;
  if (checkpoint.value.size !== size) {
    return fault('checkpoint-size', 'the checkpoint size is not first index plus entries');
  }
  if (equal(checkpoint.value.root, root)) return undefined;
  return fault('root-mismatch', 'frontier and leaves do not give the signed root');
}

/**
 * Is this a block that the log's writer signed, whether or not it is the next one? For blocks ahead
 * of our head, which are kept and passed on until the gap is filled, and for evidence of a fork
 * behind it. `key` is the key in force at the block's first entry. Entries are not judged.
 */
export function checkSelfConsistent(
  crypto: Crypto,
  log: UnknownLog,
  key: PublicKey,
  block: DecodedBlock,
): Result<BlockLeaves> {
  if (!equal(block.log, logIdHash(log.logId))) return err(otherLog());
  const frontier = checkFrontier(asTreeSize(block.firstIndex), block.frontier);
  if (!frontier.ok) return frontier;
  const made = makeLeaves(crypto, block);
  if (!made.ok) return made;
  const wrong = checkSigned(crypto, log, key, block, made.value.leafHashes);
  return wrong === undefined ? made : err(wrong);
}

/** Every body of a public event must be a valid event: a producer cannot sign nonsense. */
function judgeEvents(
  env: BlockEnv,
  block: DecodedBlock,
  bodies: BlockLeaves['bodies'],
): Result<readonly (ParsedEvent | undefined)[]> {
  const events: (ParsedEvent | undefined)[] = [];
  for (const [i, body] of bodies.entries()) {
    const judged = body === undefined ? undefined : env.judges.event(body);
    if (judged?.ok === false) {
      return err(at(judged.error, { index: block.firstIndex + i }));
    }
    if (body === undefined || judged === undefined) events.push(undefined);
    else {
      const { attributes, kind, data } = body;
      events.push({ attributes, kind, data, context: judged.value });
    }
  }
  return ok(events);
}

function otherLog(): Fault {
  return fault('block-log', 'a block of another log');
}

const none = new Uint8Array(0);
