/**
 * Who signed a log of an audit bundle: its key chain from the genesis to the key in force, each entry
 * with its way to the signed root, then its checkpoints with every line, and what the policies make
 * of them. Redactions and the newest seal say why bodies are gone.
 */
import { equal } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { protocol } from '../limits.ts';
import type { Result } from '../result.ts';
import { asHash, asLogIndex, asTreeSize, type Hash, type LogId } from '../types.ts';
import type { ControlLine, CosignedLine, LeftOut, SealLine } from './bundle-lines.ts';
import type { BundleCheckpoint } from './bundle-report.ts';
import { bytesOf, hashesOf } from './bundle-values.ts';
import {
  attestedTime,
  checkLines,
  type CheckedLines,
  type SignedLines,
} from './checkpoint-lines.ts';
import { parseCheckpoint, type ParsedCheckpoint } from './checkpoint.ts';
import { parseControl, type EpochOpening } from './control.ts';
import type { BlockEnv } from './judges.ts';
import { readKeyChain, writerKeyAt, type KeyChain, type KeyEntry } from './key-chain.ts';
import { decodeLeaf } from './leaf.ts';
import { checkEntryPlace, checkOpening } from './proof-keys.ts';
import { proofKeyChain, type ProofKeyChain } from './proof-extra.ts';
import { verifyConsistency, verifyInclusion } from './proof.ts';
import { leafHash } from './tree.ts';
import type { TrustPolicy } from './trust-policy.ts';

/** A log's keys once its seal was read. */
export interface KeyParts {
  readonly logId: LogId;
  readonly log: Hash;
  readonly genesisLeaf: Uint8Array;
  readonly chain: KeyChain;
  /** As event proofs have it. */
  readonly proofChain: ProofKeyChain;
  readonly epochs: readonly (EpochOpening & { readonly index: number })[];
}

interface SignedCheckpoint extends SignedLines {
  readonly lines: CheckedLines;
}

export class BundleKeys {
  readonly #env: BlockEnv;
  readonly #policy: TrustPolicy;
  readonly #checkpoint: ParsedCheckpoint;
  readonly #note: string;
  readonly #controls: KeyEntry[] = [];
  readonly #epochs: (EpochOpening & { readonly index: number })[] = [];
  readonly #redacted = new Set<number>();
  #lowest = 0;
  #older: { readonly checkpoint: ParsedCheckpoint; readonly note: string } | undefined;
  #parts: KeyParts | undefined;
  #signed: readonly SignedCheckpoint[] = [];

  constructor(env: BlockEnv, policy: TrustPolicy, checkpoint: ParsedCheckpoint, note: string) {
    this.#env = env;
    this.#policy = policy;
    this.#checkpoint = checkpoint;
    this.#note = note;
  }

  cosigned(line: CosignedLine): Fault | undefined {
    const older = parseCheckpoint(line.checkpoint);
    if (!older.ok) return older.error;
    const { logId, size, root } = this.#checkpoint;
    if (older.value.logId !== logId) return fault('block-log', 'a checkpoint of another log');
    const proof = hashesOf(line.proof);
    if (!proof.ok) return proof.error;
    if (older.value.size === 0 || older.value.size >= size) {
      return fault('bundle-order', "the older checkpoint is not older than the log's");
    }
    const { crypto } = this.#env;
    const [from, before] = [older.value.size, older.value.root];
    const goesOn = verifyConsistency(crypto, from, size, proof.value, before, root);
    if (!goesOn.ok) return goesOn.error;
    this.#older = { checkpoint: older.value, note: line.checkpoint };
    return undefined;
  }

  control(line: ControlLine): Fault | undefined {
    const { index } = line;
    if (index <= (this.#controls.at(-1)?.index ?? -1)) {
      return fault('bundle-order', 'control entries are not in ascending order', { index });
    }
    if (this.#controls.length >= protocol.maxBundleControls) {
      return fault('bundle-too-large', `more than ${protocol.maxBundleControls} control entries`);
    }
    const leaf = this.#included(line.leaf, index, line.path);
    if (!leaf.ok) return at(leaf.error, { index });
    const decoded = decodeLeaf(leaf.value);
    if (!decoded.ok) return at(decoded.error, { index });
    if (decoded.value.kind !== 3) return fault('leaf-kind', 'not a control entry', { index });
    const control = parseControl(decoded.value.map);
    if (!control.ok) return at(control.error, { index });
    const { value } = control;
    if (value.type === 'other') {
      return fault('bundle-unasked', 'a control entry that says nothing of keys or bodies');
    }
    if (value.type === 'epoch') this.#epochs.push({ ...value, index });
    if (value.type === 'redact') this.#redacted.add(value.index);
    this.#controls.push({ index: asLogIndex(index), leaf: leaf.value });
    return undefined;
  }

  /** The last entry of the tree; after it the keys are known and every signature is looked at. */
  seal(line: SealLine): Fault | undefined {
    const { logId, size } = this.#checkpoint;
    const index = asLogIndex(Math.max(0, size - 1));
    const leaf = this.#included(line.leaf, index, line.path);
    if (!leaf.ok) return at(leaf.error, { index });
    const { crypto } = this.#env;
    const log = logIdHash(logId);
    const chain = readKeyChain(crypto, log, this.#controls);
    if (!chain.ok) return chain.error;
    const proofChain = proofKeyChain(this.#controls, size);
    if (!proofChain.ok) return proofChain.error;
    const { genesisLeaf } = proofChain.value;
    const opened = checkOpening(this.#env, chain.value.genesis, genesisLeaf);
    if (!opened.ok) return opened.error;
    const { genesis } = chain.value;
    const seal = checkEntryPlace(logId, genesis, proofChain.value, index, leaf.value);
    if (!seal.ok) return at(seal.error, { index });
    if (seal.value.kind !== 2) return fault('seal-place', 'the tree does not end with a seal');
    this.#lowest = seal.value.lowest;
    const rest = { chain: chain.value, proofChain: proofChain.value, epochs: this.#epochs };
    this.#parts = { logId, log, genesisLeaf, ...rest };
    return this.#signatures(this.#parts);
  }

  #signatures({ chain }: KeyParts): Fault | undefined {
    const own = { checkpoint: this.#checkpoint, note: this.#note };
    const signed: SignedCheckpoint[] = [];
    for (const { checkpoint, note } of this.#older === undefined ? [own] : [own, this.#older]) {
      const signer = writerKeyAt(chain, asTreeSize(checkpoint.size));
      const shown = { checkpoint, signer, genesis: chain.genesis };
      const lines = checkLines(this.#env.crypto, note, shown, this.#policy);
      if (!lines.ok) return lines.error;
      signed.push({ ...shown, lines: lines.value });
    }
    this.#signed = signed;
    return undefined;
  }

  /** Throws RangeError before the seal. */
  parts(): KeyParts {
    if (this.#parts === undefined) throw new RangeError('the keys are not known yet');
    return this.#parts;
  }

  /** Why the body of this entry is not offered any more. */
  whyGone(index: number): keyof LeftOut {
    if (this.#redacted.has(index)) return 'redacted';
    return index < this.#lowest ? 'retention' : 'withheld';
  }

  /** Checkpoints, and what the policies miss where entries below `end` are relied on. */
  judged(end: number): {
    readonly checkpoints: readonly BundleCheckpoint[];
    readonly reasons: readonly Fault[];
  } {
    const checkpoints = this.#signed.map(({ checkpoint, signer, lines }): BundleCheckpoint => {
      const { size, root } = checkpoint;
      const by = attestedTime(lines.asked, lines.cosignatures);
      const attested = by === undefined ? {} : { attestedBy: by };
      return { size, root, signer, cosignatures: lines.cosignatures, ...attested };
    });
    const [own, older] = this.#signed;
    const reasons = [...(own?.lines.reasons ?? [])];
    if (older === undefined) return { checkpoints, reasons };
    // What the older one's witnesses vouch for need not be vouched for again.
    const covers = older.checkpoint.size >= end && !older.lines.reasons.some(isQuorum);
    const kept = covers ? reasons.filter((reason) => !isQuorum(reason)) : reasons;
    const more = older.lines.reasons.filter(
      (reason) => !isQuorum(reason) && !includes(kept, reason),
    );
    return { checkpoints, reasons: [...kept, ...more] };
  }

  /** A leaf that is in the tree. */
  #included(text: string, index: number, path: readonly string[]): Result<Uint8Array> {
    const leaf = bytesOf(text);
    if (!leaf.ok) return leaf;
    const hashes = hashesOf(path);
    if (!hashes.ok) return hashes;
    const { size, root } = this.#checkpoint;
    const { crypto } = this.#env;
    const hash = leafHash(crypto, leaf.value);
    // The genesis is what the log's id names: a wrong one is another log's.
    if (index === 0 && !equal(hash, logIdHash(this.#checkpoint.logId))) {
      return { ok: false, error: fault('block-log', 'the genesis is not that of the log') };
    }
    const included = verifyInclusion(crypto, hash, index, size, hashes.value, asHash(root));
    return included.ok ? leaf : included;
  }
}

function isQuorum({ code }: Fault): boolean {
  return code === 'quorum-missing';
}
function includes(list: readonly Fault[], one: Fault): boolean {
  return list.some(({ code, message }) => code === one.code && message === one.message);
}
