/**
 * A log that is not kept here, read from peers for a moment and believed in nothing: its keys from
 * its id, then one signed head, and everything else under that head.
 *
 *   keys     genesis (its leaf hash is the log's id), its owner's permission, rotations by signature
 *   head     checkpoint signed by the key in force; a later one must go on from the one before
 *   blocks   signed, frontier and leaves give the signed root, each goes on from the one before, and
 *            a consistency proof ties the last of them to the head
 *   ranges   a range proof to the head's root gives the range root: O(log n) hashes, however long
 *
 * So a step that was fetched is as sure as one that is kept. Blocks stay in memory while they are
 * used, nothing is stored.
 */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import type { ProofAnswer, ProofRequest } from '../proof-request.ts';
import { err, ok, type Result } from '../result.ts';
import { asBlockNumber, asHash, asLogIndex, asTreeSize } from '../types.ts';
import type { Hash, LogId, LogIndex, TreeSize } from '../types.ts';
import { decodeBlock } from './block-codec.ts';
import { BlockRecord, encodeRecord } from './block-record.ts';
import { checkLines } from './checkpoint-lines.ts';
import { parseCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { RecordBatch } from './entry-batch.ts';
import type { BlockEnv } from './judges.ts';
import { lowestOf, redactedBy } from './foreign-missing.ts';
import type { ForeignBudget, ForeignHead, ForeignSource } from './foreign-port.ts';
import { readKeyChain, writerKeyAt, type KeyChain, type KeyEntry } from './key-chain.ts';
import { decodeLeaf } from './leaf.ts';
import type { TracedEntry } from './lineage-reader.ts';
import { checkOpening } from './proof-keys.ts';
import { verifyConsistency, verifyInclusion } from './proof.ts';
import { verifyRange } from './range.ts';
import { appendLeaves, leafHash, rootOf } from './tree.ts';
import { noPolicy } from './trust-policy.ts';
import { checkSelfConsistent } from './verify-block.ts';

/** A verified block, and its wire form for who passes it on. */
export interface ForeignBlock {
  readonly batch: RecordBatch;
  readonly wire: Uint8Array;
  readonly first: number;
  readonly end: number;
  /** Root of the tree behind it. */
  readonly root: Hash;
}

/** A checkpoint that cosigners signed too. */
export interface CosignedNote {
  readonly size: TreeSize;
  readonly note: string;
}

/** Asked for at once where a longer stretch is wanted. */
const runBytes = 1_048_576;

export class ForeignLog {
  readonly logId: LogId;
  readonly #env: BlockEnv;
  readonly #source: ForeignSource;
  readonly #budget: ForeignBudget;
  readonly #signal: AbortSignal;
  #controls: readonly KeyEntry[] = [];
  #chain: KeyChain | undefined;
  #redacted: ReadonlySet<number> = new Set();
  #head: ForeignHead | undefined;
  /** By first index. */
  readonly #blocks = new Map<number, ForeignBlock>();
  /** Stretches that were announced: their blocks are fetched many at a time. */
  #wanted: readonly { readonly from: number; readonly to: number }[] = [];

  constructor(
    env: BlockEnv,
    logId: LogId,
    source: ForeignSource,
    budget: ForeignBudget,
    signal: AbortSignal,
  ) {
    this.#env = env;
    this.logId = logId;
    this.#source = source;
    this.#budget = budget;
    this.#signal = signal;
  }

  /** Undefined before `reach` has succeeded once. */
  get head(): ForeignHead | undefined {
    return this.#head;
  }
  get chain(): KeyChain | undefined {
    return this.#chain;
  }
  /** Genesis and control entries as the peers gave them. */
  get controls(): readonly KeyEntry[] {
    return this.#controls;
  }

  /**
   * Keys and a signed head of at least this size. Codes: those of the source, of key chains,
   * `verifyCheckpoint` and `verifyConsistency`; index-over-head; lineage-limit.
   */
  async reach(size: number): Promise<Result<ForeignHead>> {
    if (this.#head !== undefined && this.#head.size >= size) return ok(this.#head);
    const spent = this.#budget.spent();
    if (spent !== undefined) return err(spent);
    if (this.#chain === undefined) {
      const keys = await this.#fetchKeys();
      if (!keys.ok) return keys;
    }
    const from = this.#head?.size ?? asTreeSize(1);
    const request = { kind: 'consistency', logId: this.logId, from, size: asTreeSize(0) } as const;
    const head = await this.#prove(request, async (answer): Promise<Result<ForeignHead>> => {
      let signed = this.#signed(answer);
      // A rotation since the keys were fetched: the new key is in the chain of now.
      if (!signed.ok) {
        const keys = await this.#fetchKeys();
        if (!keys.ok) return keys;
        signed = this.#signed(answer);
      }
      if (!signed.ok) return signed;
      if (signed.value.size >= size) return signed;
      return err(fault('index-over-head', `the log has ${signed.value.size} entries`));
    });
    if (head.ok) this.#head = head.value;
    return head;
  }

  /** Says that these entries will be read: they are fetched together. */
  announce(from: number, to: number): void {
    this.#wanted = [...this.#wanted.slice(-63), { from, to }];
  }

  /** One entry, verified under the head. Codes: those of `block`, of leaves. */
  async entry(index: LogIndex): Promise<Result<TracedEntry>> {
    const block = await this.block(index);
    if (!block.ok) return block;
    const { batch } = block.value;
    const entry = batch.entry(index);
    const bytes = batch.leafAt(index);
    const leaf = decodeLeaf(bytes);
    if (!leaf.ok) return leaf;
    const judged = entry.event === undefined ? undefined : this.#env.judges.event(entry.event);
    const problem = judged?.ok === false ? judged.error : undefined;
    const parents = leaf.value.kind === 0 || leaf.value.kind === 1 ? leaf.value.parents : [];
    const hash = leafHash(this.#env.crypto, bytes);
    return ok({ entry, leafHash: hash, parents, problem, fetched: true });
  }

  /** Root of [from, to) under the head, from a range proof. Codes: of `reach`, `verifyRange`. */
  async rangeRoot(from: LogIndex, to: LogIndex): Promise<Result<Hash>> {
    const range = await this.range(from, to);
    return range.ok ? ok(range.value.root) : range;
  }

  /** A range proof to the head, and the range root that it gives. */
  async range(
    from: LogIndex,
    to: LogIndex,
  ): Promise<Result<{ readonly hashes: readonly Hash[]; readonly root: Hash }>> {
    const head = await this.reach(to);
    if (!head.ok) return head;
    const { size, root } = head.value;
    const request = { kind: 'range', logId: this.logId, from, to, size } as const;
    return this.#prove(request, ({ hashes }) => {
      const found = verifyRange(this.#env.crypto, from, to, size, hashes, root);
      return Promise.resolve(found.ok ? ok({ hashes, root: found.value }) : found);
    });
  }

  /** The way of an entry to the head's root. */
  async inclusion(index: LogIndex): Promise<Result<readonly Hash[]>> {
    const leaf = await this.#leaf(index);
    if (!leaf.ok) return leaf;
    const head = await this.reach(index + 1);
    if (!head.ok) return head;
    const { size, root } = head.value;
    const { crypto } = this.#env;
    const hash = leafHash(crypto, leaf.value);
    const request = { kind: 'inclusion', logId: this.logId, index, size } as const;
    return this.#prove(request, ({ hashes }) => {
      const sound = verifyInclusion(crypto, hash, index, size, hashes, root);
      return Promise.resolve(sound.ok ? ok(hashes) : sound);
    });
  }

  /** Control entries came with the keys. */
  async #leaf(index: LogIndex): Promise<Result<Uint8Array>> {
    const control = this.#controls.find((one) => one.index === index);
    if (control !== undefined) return ok(control.leaf);
    const block = await this.block(index);
    return block.ok ? ok(block.value.batch.leafAt(index)) : block;
  }

  /** That the head goes on from a block which was fetched; `from` is where that block ends. */
  async consistency(from: TreeSize): Promise<Result<readonly Hash[]>> {
    const block = await this.block(asLogIndex(from - 1));
    if (!block.ok) return block;
    return this.#tie(block.value.end, block.value.root);
  }

  /** The checkpoint under the head that a peer has with cosignatures that hold; none is no fault. */
  async cosigned(): Promise<CosignedNote | undefined> {
    const [head, chain] = [this.#head, this.#chain];
    if (head === undefined || chain === undefined) return undefined;
    const take = async (note: string): Promise<Result<CosignedNote>> => {
      const parsed = parseCheckpoint(note);
      if (!parsed.ok) return parsed;
      const { logId, size, root } = parsed.value;
      if (logId !== this.logId || size === 0 || size > head.size) {
        return err(fault('checkpoint-origin', 'a checkpoint that was not asked for'));
      }
      const signer = writerKeyAt(chain, size);
      const shown = { checkpoint: parsed.value, signer, genesis: chain.genesis };
      const lines = checkLines(this.#env.crypto, note, shown, noPolicy);
      if (!lines.ok) return lines;
      if (lines.value.cosignatures.length === 0) {
        return err(fault('note-unverified', 'no cosigner of it is known'));
      }
      const tied = await this.#tie(size, root);
      return tied.ok ? ok({ size, note }) : tied;
    };
    const last = asLogIndex(head.size - 1);
    const found = await this.#source.cosigned(this.logId, last, take, this.#signal);
    return found.ok ? found.value : undefined;
  }

  /**
   * The verified block that holds an index. Codes: of `reach`, of blocks and checkpoints (the last
   * answer's), no-holder, lineage-limit.
   */
  async block(index: LogIndex): Promise<Result<ForeignBlock>> {
    for (const block of this.#blocks.values()) {
      if (index >= block.first && index < block.end) return ok(block);
    }
    const head = await this.reach(index + 1);
    if (!head.ok) return head;
    const spent = this.#budget.spent();
    if (spent !== undefined) return err(spent);
    const wanted = this.#wanted.findLast(({ from, to }) => from <= index && index < to);
    const end = Math.min(wanted?.to ?? index + 1, head.value.size);
    return this.#fetch(index, end);
  }

  async #fetch(index: LogIndex, end: number): Promise<Result<ForeignBlock>> {
    const run: ForeignBlock[] = [];
    let problem: Fault | undefined;
    let bytes = 0;
    const take = async (wire: Uint8Array): Promise<'more' | 'done' | 'next'> => {
      this.#budget.took(wire.length);
      bytes += wire.length;
      const block = this.#verified(wire.slice(), run.at(-1)?.end ?? index, run.at(-1)?.root);
      if (!block.ok) {
        problem = block.error;
        run.length = 0;
        return 'next';
      }
      run.push(block.value);
      if (block.value.end < end && bytes < runBytes) return 'more';
      const tied = await this.#tie(block.value.end, block.value.root);
      if (tied.ok) return 'done';
      problem = tied.error;
      run.length = 0;
      return 'next';
    };
    const maxBytes = end === index + 1 ? 1 : runBytes;
    const asked = await this.#source.blocks(this.logId, index, maxBytes, take, this.#signal);
    const first = run[0];
    if (first === undefined || !asked.ok) {
      const none = fault('no-holder', 'no connected peer gave the block');
      return err(problem ?? (asked.ok ? none : asked.error));
    }
    for (const block of run) {
      this.#blocks.set(block.first, block);
      this.#budget.keep(block.wire.length, () => this.#blocks.delete(block.first));
    }
    return ok(first);
  }

  /** A block by itself: signed by the key in force, holding `index`, behind the root before. */
  #verified(wire: Uint8Array, index: number, before: Hash | undefined): Result<ForeignBlock> {
    const { crypto } = this.#env;
    const decoded = decodeBlock(wire, { reduced: true });
    if (!decoded.ok) return decoded;
    const block = decoded.value;
    const [first, end] = [block.firstIndex, block.firstIndex + block.entries.length];
    if (index < first || index >= end || this.#chain === undefined) {
      return err(fault('block-index', `the block begins at ${first}`, { index }));
    }
    const size = asTreeSize(end);
    const log = { logId: this.logId };
    const sound = checkSelfConsistent(crypto, log, writerKeyAt(this.#chain, size), block);
    if (!sound.ok) return sound;
    const frontier = block.frontier;
    if (before !== undefined && !equal(rootOf(crypto, frontier), before)) {
      return err(fault('root-mismatch', 'the block does not go on from the one before'));
    }
    const { leafHashes } = sound.value;
    const after = appendLeaves(crypto, frontier, asTreeSize(first), leafHashes);
    const root = rootOf(crypto, after.frontier);
    const { form, entries } = block;
    const made = { number: asBlockNumber(0), firstIndex: block.firstIndex, form, entries };
    const bytes = encodeRecord(crypto, { ...made, leafHashes, root, wire });
    const record = BlockRecord.read(crypto, bytes);
    if (!record.ok) return record;
    const range = { from: first, to: end };
    const missing = { lowest: lowestOf(wire, block), redacted: this.#redacted, compact: false };
    const batch = new RecordBatch(crypto, this.logId, record.value, range, missing);
    return ok({ batch, wire, first, end, root });
  }

  /** Proof that the head goes on from this root. */
  async #tie(end: number, root: Hash): Promise<Result<readonly Hash[]>> {
    const head = await this.reach(end);
    if (!head.ok) return head;
    const from = asTreeSize(end);
    const { size } = head.value;
    if (end === size) {
      return equal(root, head.value.root) ? ok([]) : err(twoHistories());
    }
    const request = { kind: 'consistency', logId: this.logId, from, size } as const;
    return this.#prove(request, ({ hashes }) => {
      const { crypto } = this.#env;
      const sound = verifyConsistency(crypto, from, size, hashes, root, head.value.root);
      return Promise.resolve(sound.ok ? ok(hashes) : err(twoHistories()));
    });
  }

  async #fetchKeys(): Promise<Result<void>> {
    const { crypto } = this.#env;
    return this.#source.keys(
      this.logId,
      (controls): Promise<Result<void>> => {
        const chain = readKeyChain(crypto, logIdHash(this.logId), controls);
        if (!chain.ok) return Promise.resolve(chain);
        const opened = checkOpening(this.#env, chain.value.genesis, controls[0]?.leaf ?? none);
        if (!opened.ok) return Promise.resolve(opened);
        this.#chain = chain.value;
        this.#controls = controls;
        this.#redacted = redactedBy(controls);
        return Promise.resolve(ok(undefined));
      },
      this.#signal,
    );
  }

  #signed({ size, root, checkpoint, hashes }: ProofAnswer): Result<ForeignHead> {
    if (this.#chain === undefined) return err(fault('genesis-missing', 'the keys are not known'));
    const { crypto } = this.#env;
    const key = writerKeyAt(this.#chain, size);
    const signed = verifyCheckpoint(crypto, checkpoint, this.logId, key);
    if (!signed.ok) return signed;
    if (signed.value.size !== size || !equal(signed.value.root, root)) {
      return err(fault('root-mismatch', 'the answer is not about the checkpoint that it shows'));
    }
    const before = this.#head;
    if (before !== undefined && before.size !== size) {
      const on = verifyConsistency(crypto, before.size, size, hashes, before.root, root);
      if (!on.ok) return err(twoHistories());
    }
    return ok({ size, root, checkpoint });
  }

  #prove<T>(
    request: ProofRequest,
    take: (answer: ProofAnswer) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    return this.#source.prove(request, take, this.#signal);
  }
}

function twoHistories(): Fault {
  return fault('root-mismatch', 'the peers do not show one history of this log');
}

const none: Hash = asHash(new Uint8Array(32));
