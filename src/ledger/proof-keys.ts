/**
 * Whose signature counts, from a key chain that travels with a proof: the genesis is proved by the
 * log's id, a rotation by its signatures (FACTS.md section 8), so no inclusion paths are needed.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { err, never, ok, type Result } from '../result.ts';
import type { LogId, LogIndex, PublicKey, TreeSize } from '../types.ts';
import { parseControl } from './control.ts';
import type { Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';
import { checkRotation } from './key-chain.ts';
import { decodeLeaf, leafTime, type Leaf } from './leaf.ts';
import { readGenesis } from './log-state.ts';
import { rotationIn, type ProofKeyChain } from './proof-extra.ts';
import { checkGenesisProof, checkOwnSuccession } from './successor.ts';
import { leafHash } from './tree.ts';

export interface ProofKeys {
  readonly genesis: Genesis;
  /** In force at the size. */
  readonly signer: PublicKey;
}

/**
 * The key in force at a size. The chain is the genesis and just the rotations with index + 2 < size.
 * Codes: block-log (not the genesis of this log), genesis-missing, those of its leaf, genesis-fields,
 * genesis-proof, recovery-signature, proof-keys (order and size), those of `checkRotation`.
 */
export function readProofKeys(
  env: BlockEnv,
  logId: LogId,
  chain: ProofKeyChain,
  size: TreeSize,
): Result<ProofKeys> {
  const { crypto } = env;
  const { genesisLeaf, rotations } = chain;
  const log = logIdHash(logId);
  if (!equal(leafHash(crypto, genesisLeaf), log)) {
    return err(fault('block-log', 'the key chain does not begin with the genesis of this log'));
  }
  const genesis = readGenesis(genesisLeaf);
  if (!genesis.ok) return genesis;
  const opened = checkOpening(env, genesis.value, genesisLeaf);
  if (!opened.ok) return opened;
  let signer = genesis.value.writerKey;
  let last = 0;
  for (const rotation of rotations) {
    const { index, newWriterKey } = rotation;
    if (index <= last || index + 2 >= size) {
      const message = 'rotations in order, that are in force at the size of the checkpoint';
      return err(fault('proof-keys', message, { index }));
    }
    const wrong = checkRotation(crypto, log, index, signer, { type: 'rotate', ...rotation });
    if (wrong !== undefined) return err(wrong);
    signer = newWriterKey;
    last = index;
  }
  return ok({ genesis: genesis.value, signer });
}

/**
 * What a replica also asks of a genesis: its time, its owner's word, and that a successor is signed.
 * Codes: genesis-fields, recovery-signature, genesis-proof.
 */
export function checkOpening(env: BlockEnv, genesis: Genesis, leaf: Uint8Array): Result<void> {
  if (leafTime(leaf) !== genesis.created) {
    return err(fault('genesis-fields', 'created differs from the recorded time'));
  }
  const unsigned = checkOwnSuccession(env.crypto, genesis);
  return unsigned === undefined ? checkGenesisProof(env, genesis) : err(unsigned);
}

/**
 * Can this leaf be the entry at this index of the log? As far as one entry by itself shows. Codes:
 * those of leaves and control records, proof-place, genesis-place, leaf-visibility, parent-range,
 * time-back.
 */
export function checkEntryPlace(
  logId: LogId,
  genesis: Genesis,
  chain: ProofKeyChain,
  index: LogIndex,
  leaf: Uint8Array,
): Result<Leaf> {
  const decoded = decodeLeaf(leaf);
  if (!decoded.ok) return decoded;
  if (!fitsChain(chain, index, leaf)) {
    return err(fault('proof-place', 'the key chain has another entry at this index'));
  }
  if (leafTime(leaf) < genesis.created) {
    return err(fault('time-back', 'recorded before the log was opened'));
  }
  const wrong = checkKind(logId, genesis, index, decoded.value);
  return wrong === undefined ? decoded : err(wrong);
}

/** Where the chain knows the entry at this index, is it this one? */
function fitsChain(chain: ProofKeyChain, index: LogIndex, leaf: Uint8Array): boolean {
  if (index === 0) return equal(chain.genesisLeaf, leaf);
  const known = chain.rotations.find((rotation) => rotation.index === index);
  return known === undefined || equal(rotationIn(leaf)?.newWriterKey ?? leaf, known.newWriterKey);
}

function checkKind(
  logId: LogId,
  genesis: Genesis,
  index: LogIndex,
  entry: Leaf,
): Fault | undefined {
  switch (entry.kind) {
    case 0:
    case 1: {
      if ((genesis.visibility === 'sealed') !== (entry.kind === 1)) {
        return fault('leaf-visibility', `not an entry of a ${genesis.visibility} log`);
      }
      const log = logIdHash(logId);
      const late = entry.parents.some((parent) => equal(parent.log, log) && parent.to > index);
      return late ? fault('parent-range', 'cites entries that come after it') : undefined;
    }
    case 2:
      return index >= entry.entries - 1 && index >= entry.lowest
        ? undefined
        : fault('proof-place', 'a seal of more entries than stand before it');
    case 3: {
      const control = parseControl(entry.map);
      if (!control.ok) return control.error;
      if ((control.value.type === 'genesis') === (index === 0)) return undefined;
      return fault('genesis-place', 'a genesis stands at index 0 and only there');
    }
    default:
      return never(entry);
  }
}
