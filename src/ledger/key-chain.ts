/**
 * Who may sign (ledger.md "Keys, rotation, recovery"; FACTS.md sections 5 and 8). Each signature is
 * over a prefix in ASCII and:
 *
 *   headwater/rotate/1     logId 32 ‖ uint64 index of the rotation ‖ newWriterKey 32
 *   headwater/recovery/1   logId 32 ‖ uint64 index of the entry ‖ newRecoveryHash 32
 *
 * A rotation at index i is alone in its block; the checkpoint of size i + 2 is still signed by the
 * old key, every later one by the new key.
 */
import { concat, equal, utf8, writeUint64 } from '../bytes.ts';
import type { Crypto, Signer } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { err, never, ok, type Result } from '../result.ts';
import type { Hash, LogIndex, PublicKey, TreeSize } from '../types.ts';
import { parseControl, type Control, type Recovery, type Rotate } from './control.ts';
import type { Genesis } from './genesis.ts';
import { decodeLeaf } from './leaf.ts';
import { leafHash } from './tree.ts';

const rotatePrefix = utf8('headwater/rotate/1');
const recoveryPrefix = utf8('headwater/recovery/1');

function placed(prefix: Uint8Array, log: Hash, index: LogIndex, value: Uint8Array): Uint8Array {
  const number = new Uint8Array(8);
  writeUint64(number, 0, index);
  return concat(prefix, log, number, value);
}

/** What both keys sign in a rotation. */
export function rotationMessage(log: Hash, index: LogIndex, newWriterKey: PublicKey): Uint8Array {
  return placed(rotatePrefix, log, index, newWriterKey);
}

/** What the recovery key signs to name the hash of the next one. */
export function recoveryMessage(log: Hash, index: LogIndex, newRecoveryHash: Hash): Uint8Array {
  return placed(recoveryPrefix, log, index, newRecoveryHash);
}

/** A rotation for the entry at `index`. */
export function makeRotation(
  log: Hash,
  index: LogIndex,
  oldSigner: Signer,
  newSigner: Signer,
): Rotate {
  const newWriterKey = newSigner.publicKey;
  const message = rotationMessage(log, index, newWriterKey);
  const sigOld = oldSigner.sign(message);
  return { type: 'rotate', newWriterKey, sigOld, sigNew: newSigner.sign(message) };
}

/** Names the next recovery hash in the entry at `index`; `signer` holds the current recovery key. */
export function makeRecovery(
  log: Hash,
  index: LogIndex,
  signer: Signer,
  newRecoveryHash: Hash,
): Recovery {
  const sig = signer.sign(recoveryMessage(log, index, newRecoveryHash));
  return { type: 'recovery', recoveryKey: signer.publicKey, newRecoveryHash, sig };
}

/** Codes: rotation-same-key, rotation-old-signature, rotation-new-signature. */
export function checkRotation(
  c: Crypto,
  log: Hash,
  index: LogIndex,
  keyInForce: PublicKey,
  rotate: Rotate,
): Fault | undefined {
  const message = rotationMessage(log, index, rotate.newWriterKey);
  if (equal(rotate.newWriterKey, keyInForce)) {
    return fault('rotation-same-key', 'the new key is the key in force', { index });
  }
  if (!c.verify(keyInForce, message, rotate.sigOld)) {
    return fault('rotation-old-signature', 'not signed by the key in force', { index });
  }
  if (!c.verify(rotate.newWriterKey, message, rotate.sigNew)) {
    return fault('rotation-new-signature', 'not signed by the new key', { index });
  }
  return undefined;
}

/** Codes: recovery-key, recovery-signature. */
export function checkRecovery(
  c: Crypto,
  log: Hash,
  index: LogIndex,
  recoveryHashInForce: Hash,
  recovery: Recovery,
): Fault | undefined {
  if (!equal(c.sha256(recovery.recoveryKey), recoveryHashInForce)) {
    return fault('recovery-key', 'the revealed key does not match the recovery hash', { index });
  }
  const message = recoveryMessage(log, index, recovery.newRecoveryHash);
  if (!c.verify(recovery.recoveryKey, message, recovery.sig)) {
    return fault('recovery-signature', 'not signed by the recovery key', { index });
  }
  return undefined;
}

/** One control entry of a log, as `/headwater/1/keys` and fork proofs carry it. */
export interface KeyEntry {
  readonly index: LogIndex;
  readonly leaf: Uint8Array;
}

/** The keys of a log over its whole length, as far as its control entries are known. */
export interface KeyChain {
  readonly genesis: Genesis;
  readonly rotations: readonly { readonly index: LogIndex; readonly key: PublicKey }[];
  readonly recoveries: readonly { readonly index: LogIndex; readonly hash: Hash }[];
}

/**
 * Reads genesis and control entries in order of their index, checking every signature. Entries of
 * other types are passed over. That no entry was left out is for inclusion paths or a replica to
 * show. Codes: block-log (the first is not this log's genesis), genesis-missing, block-order, those
 * of leaves, of `parseControl`, `checkRotation` and `checkRecovery`.
 */
export function readKeyChain(c: Crypto, log: Hash, entries: readonly KeyEntry[]): Result<KeyChain> {
  const [first, ...rest] = entries;
  if (first === undefined || first.index !== 0 || !equal(leafHash(c, first.leaf), log)) {
    return err(fault('block-log', 'the first entry is not the genesis of this log'));
  }
  const opening = readControl(first);
  if (!opening.ok) return opening;
  if (opening.value.type !== 'genesis') {
    return err(fault('genesis-missing', 'the first entry is not a genesis'));
  }
  const chain: Chain = { genesis: opening.value, rotations: [], recoveries: [] };
  let last: number = first.index;
  for (const entry of rest) {
    if (entry.index <= last) return err(fault('block-order', 'entries are not in order'));
    last = entry.index;
    const control = readControl(entry);
    if (!control.ok) return control;
    const wrong = extend(c, log, chain, entry.index, control.value);
    if (wrong !== undefined) return err(wrong);
  }
  return ok(chain);
}

interface Chain extends KeyChain {
  readonly rotations: { readonly index: LogIndex; readonly key: PublicKey }[];
  readonly recoveries: { readonly index: LogIndex; readonly hash: Hash }[];
}

function readControl(entry: KeyEntry): Result<Control> {
  const leaf = decodeLeaf(entry.leaf);
  if (!leaf.ok) return leaf;
  if (leaf.value.kind === 3) return parseControl(leaf.value.map);
  return err(fault('leaf-kind', 'not a control entry', { index: entry.index }));
}

function extend(
  c: Crypto,
  log: Hash,
  chain: Chain,
  index: LogIndex,
  control: Control,
): Fault | undefined {
  switch (control.type) {
    case 'rotate': {
      const key = chain.rotations.at(-1)?.key ?? chain.genesis.writerKey;
      const wrong = checkRotation(c, log, index, key, control);
      if (wrong === undefined) chain.rotations.push({ index, key: control.newWriterKey });
      return wrong;
    }
    case 'recovery': {
      const hash = chain.recoveries.at(-1)?.hash ?? chain.genesis.recoveryHash;
      const wrong = checkRecovery(c, log, index, hash, control);
      if (wrong === undefined) chain.recoveries.push({ index, hash: control.newRecoveryHash });
      return wrong;
    }
    case 'genesis':
      return fault('genesis-place', 'a genesis stands at index 0 and only there', { index });
    case 'epoch':
    case 'redact':
    case 'other':
      return undefined;
    default:
      return never(control);
  }
}

/** The key that signs the checkpoint of this size: of the last rotation with index + 2 < size. */
export function writerKeyAt(chain: KeyChain, size: TreeSize): PublicKey {
  const before = chain.rotations.findLast((rotation) => rotation.index + 2 < size);
  return before?.key ?? chain.genesis.writerKey;
}

/** The recovery hash after all entries of a tree of this size. */
export function recoveryHashAt(chain: KeyChain, size: TreeSize): Hash {
  const before = chain.recoveries.findLast((recovery) => recovery.index < size);
  return before?.hash ?? chain.genesis.recoveryHash;
}
