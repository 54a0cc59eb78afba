/**
 * Recovery (ledger.md "Keys, rotation, recovery"; FACTS.md section 5.5): a log is never rewound; a
 * successor log goes on from it. Its genesis names the predecessor and is signed by the
 * predecessor's recovery key over
 *
 *   headwater/successor/1 ‖ dag-cbor of the whole genesis map without `recovery`
 */
import { concat, equal, utf8 } from '../bytes.ts';
import { encodeCbor } from '../cbor.ts';
import type { Crypto, Signer } from '../crypto.ts';
import { fault, type Code, type Fault } from '../errors.ts';
import { err, type Result } from '../result.ts';
import type { Hash } from '../types.ts';
import { genesisMap, successionBytes, type Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';

const successorPrefix = utf8('headwater/successor/1');

/** What the predecessor's recovery key signs in a successor's genesis. */
export function successorMessage(genesis: Genesis): Uint8Array {
  return concat(successorPrefix, successionBytes(genesis));
}

/** Signs a successor's genesis, given without `recovery`, by the predecessor's recovery key. */
export function signSuccessor(genesis: Omit<Genesis, 'recovery'>, signer: Signer): Genesis {
  const sig = signer.sign(successorMessage(genesis));
  return { ...genesis, recovery: { key: signer.publicKey, sig } };
}

/** What can be judged of a successor without its predecessor; code recovery-signature. */
export function checkOwnSuccession(c: Crypto, genesis: Genesis): Fault | undefined {
  if (genesis.recovery === undefined) return undefined;
  if (c.verify(genesis.recovery.key, successorMessage(genesis), genesis.recovery.sig)) {
    return undefined;
  }
  return fault('recovery-signature', 'the recovery key did not sign this genesis');
}

/** The log that a successor claims to go on from, as we know it. */
export interface ClosedLog {
  readonly log: Hash;
  readonly genesis: Genesis;
  /** In force at the size that the successor names. */
  readonly recoveryHash: Hash;
}

/**
 * Is this a sound successor of that log? Codes: successor-predecessor, successor-differs,
 * recovery-key, recovery-signature, genesis-proof. Whether size and root are on the predecessor's
 * tree is for whoever holds it.
 */
export function checkSuccessor(
  env: BlockEnv,
  predecessor: ClosedLog,
  genesis: Genesis,
): Result<void> {
  const { predecessor: named, recovery } = genesis;
  if (named === undefined || recovery === undefined || !equal(named.log, predecessor.log)) {
    return refuse('successor-predecessor', 'names another predecessor');
  }
  const differs = difference(predecessor, genesis);
  if (differs !== undefined) {
    return refuse('successor-differs', `${differs} differs from the predecessor's`);
  }
  if (!equal(env.crypto.sha256(recovery.key), predecessor.recoveryHash)) {
    return refuse('recovery-key', 'the revealed key does not match the recovery hash');
  }
  const unsigned = checkOwnSuccession(env.crypto, genesis);
  if (unsigned !== undefined) return err(unsigned);
  return checkGenesisProof(env, genesis);
}

function difference(predecessor: ClosedLog, genesis: Genesis): string | undefined {
  const before = predecessor.genesis;
  const stream = before.stream ?? predecessor.log;
  if (genesis.stream === undefined || !equal(genesis.stream, stream)) return 'stream';
  if (genesis.name !== before.name) return 'name';
  if (genesis.partition !== before.partition) return 'partition';
  if (genesis.partitions !== before.partitions) return 'partitions';
  return genesis.visibility === before.visibility ? undefined : 'visibility';
}

/** The owner let this key write, as of the recorded time; code genesis-proof. */
export function checkGenesisProof(env: BlockEnv, genesis: Genesis): Result<void> {
  const { owner, name, partition, writerKey, created, proof } = genesis;
  return env.judges.writeProof({ owner, name, partition, writerKey, timeMs: created, proof });
}

/** Two sound successors of one predecessor are a fork, whatever their sizes. */
export function isSuccessorFork(
  env: BlockEnv,
  predecessor: ClosedLog,
  first: Genesis,
  second: Genesis,
): boolean {
  if (!checkSuccessor(env, predecessor, first).ok) return false;
  if (!checkSuccessor(env, predecessor, second).ok) return false;
  return !equal(encodeCbor(genesisMap(first)), encodeCbor(genesisMap(second)));
}

function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
