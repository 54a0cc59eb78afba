/**
 * What a trace reads from the ledger (events.md "Lineage"): entries with their parents and what they
 * verify to, range roots, and who cites an entry. One reader serves one trace: it checks the
 * signature of each log's head once and keeps the blocks that it read last.
 *
 * An entry verifies when its leaf, made again from the stored body and salts, is in the tree of the
 * log's head, whose checkpoint is signed by the key in force at that size.
 */
import { equal } from '../bytes.ts';
import { at, fault, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { RecentMap } from '../recent-map.ts';
import { caught, err, ok, type Result } from '../result.ts';
import { asLogIndex, type Hash, type LogId, type LogIndex } from '../types.ts';
import { verifyCheckpoint, type Checkpoint } from './checkpoint.ts';
import { controlsOf } from './controls.ts';
import { unknownLog } from './create-log.ts';
import { readKeyChain, writerKeyAt } from './key-chain.ts';
import { decodeLeaf, type Parent } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { RecordBatch } from './entry-batch.ts';
import type { LedgerEntry } from './ledger-types.ts';
import { childOf, lineageLevels, lineageNode, lineageRange } from './lineage-rows.ts';
import type { LogHandle } from './log-handle.ts';
import { inclusionProof, verifyInclusion } from './proof.ts';
import { rangeProof, verifyRange } from './range.ts';
import { batchAt } from './replay.ts';
import { leafHash } from './tree.ts';

export interface TracedEntry {
  readonly entry: LedgerEntry;
  readonly leafHash: Hash;
  /** Of events, in the publisher's order. */
  readonly parents: readonly Parent[];
  /** What does not verify; undefined where all does. */
  readonly problem: Fault | undefined;
  /** Read from peers: the log is not kept here. */
  readonly fetched?: true;
}

export interface ChildRef {
  readonly logId: LogId;
  readonly index: LogIndex;
}

export interface Children {
  readonly children: readonly ChildRef[];
  /** There are more than were asked for. */
  readonly more: boolean;
}

const rowPage = 256;

export class LineageReader {
  readonly #env: LedgerEnv;
  readonly #heads = new Map<LogId, Promise<Result<Checkpoint>>>();
  /** Newest use last. */
  readonly #blocks: RecentMap<string, RecordBatch>;
  #byNumber: ReadonlyMap<number, LogHandle> | undefined;

  constructor(env: LedgerEnv) {
    this.#env = env;
    this.#blocks = new RecentMap(env.options.limits.maxLineageBlocks);
  }

  /** Entries of a log that are here; undefined for one that this home does not have. */
  size(logId: LogId): number | undefined {
    return this.#env.logs.get(logId)?.size;
  }

  /**
   * One entry. Codes: log-unknown, index-over-head, store-corrupt, those of the store. What is read
   * and does not verify is told in `problem`.
   */
  async entry(logId: LogId, index: LogIndex): Promise<Result<TracedEntry>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    return caught(async () => {
      const batch = await this.#block(handle, index);
      if (!batch.ok) return batch;
      const entry = batch.value.entry(index);
      const bytes = batch.value.leafAt(index);
      const leaf = decodeLeaf(bytes);
      if (!leaf.ok) return err(at(leaf.error, { index }));
      const hash = leafHash(this.#env.options.crypto, bytes);
      const event = leaf.value.kind === 0 || leaf.value.kind === 1;
      const parents = event ? leaf.value.parents : [];
      const problem = await this.#problem(handle, index, hash);
      return ok({ entry, leafHash: hash, parents, problem });
    });
  }

  /**
   * Range root of [from, to), proved to be in the signed head. Codes: log-unknown, index-over-head,
   * store-corrupt, those of `verifyCheckpoint` and of the store.
   */
  async rangeRoot(logId: LogId, from: LogIndex, to: LogIndex): Promise<Result<Hash>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const { crypto } = this.#env.options;
    return caught(async () => {
      const head = await this.#head(handle);
      if (!head.ok) return head;
      const { size, root } = head.value;
      if (to > size) return err(fault('index-over-head', `the log has ${size} entries`));
      const tiles = await handle.tiles(this.#env);
      if (!tiles.ok) return tiles;
      const proof = await rangeProof(tiles.value, from, to, size);
      return verifyRange(crypto, from, to, size, proof, root);
    });
  }

  /** Entries of logs kept here that cite this one, at most `max`. Codes: those of the store. */
  async children(logId: LogId, index: LogIndex, max: number): Promise<Result<Children>> {
    const parent = logIdHash(logId);
    const found = new Map<string, ChildRef>();
    for (let level = 0; level < lineageLevels; level++) {
      const range = lineageRange(parent, level, index);
      if (range === undefined) continue;
      await using scan = this.#env.options.store.scan({ ...range.onwards, keysOnly: true });
      let rows = await scan.next(1);
      // The first row from here on says which level has any at all.
      const next = rows.ok ? rows.value[0] : undefined;
      if (rows.ok && next === undefined) break;
      if (next !== undefined) level = Math.max(level, lineageNode(next.key).level - 1);
      while (rows.ok && rows.value.length > 0) {
        for (const { key } of rows.value) {
          if (!range.holds(key)) break;
          const child = await this.#child(key, parent, index);
          if (!child.ok) return child;
          if (child.value === undefined) continue;
          found.set(`${child.value.logId}/${child.value.index}`, child.value);
          if (found.size > max)
            return ok({ children: [...found.values()].slice(0, max), more: true });
        }
        const last = rows.value.at(-1);
        if (last === undefined || !range.holds(last.key)) break;
        rows = await scan.next(rowPage);
      }
      if (!rows.ok) return rows;
    }
    return ok({ children: [...found.values()], more: false });
  }

  /** The child that a row names, if it does cite the entry: rows may be coarse or left over. */
  async #child(
    key: Uint8Array,
    parent: Hash,
    index: LogIndex,
  ): Promise<Result<ChildRef | undefined>> {
    this.#byNumber ??= new Map([...this.#env.logs.values()].map((one) => [one.row.number, one]));
    const child = childOf(key);
    const handle = this.#byNumber.get(child.log);
    // Rows of a block are in the store before its readers may see it.
    if (handle === undefined || child.index >= handle.size) return ok(undefined);
    return caught(async () => {
      const at = asLogIndex(child.index);
      const batch = await this.#block(handle, at);
      if (!batch.ok) return batch;
      const leaf = decodeLeaf(batch.value.leafAt(at));
      if (!leaf.ok) return leaf;
      const parents = leaf.value.kind === 0 || leaf.value.kind === 1 ? leaf.value.parents : [];
      const cites = parents.some(
        ({ log, from, to }) => from <= index && index < to && equal(log, parent),
      );
      return ok(cites ? { logId: handle.logId, index: at } : undefined);
    });
  }

  async #problem(handle: LogHandle, index: LogIndex, hash: Hash): Promise<Fault | undefined> {
    const { crypto } = this.#env.options;
    const head = await this.#head(handle);
    if (!head.ok) return at(head.error, { index });
    const tiles = await handle.tiles(this.#env);
    if (!tiles.ok) return tiles.error;
    const { size, root } = head.value;
    const proof = await inclusionProof(crypto, tiles.value, index, size);
    const sound = verifyInclusion(crypto, hash, index, size, proof, root);
    return sound.ok ? undefined : at(sound.error, { index });
  }

  #head(handle: LogHandle): Promise<Result<Checkpoint>> {
    const known = this.#heads.get(handle.logId);
    if (known !== undefined) return known;
    const head = this.#checkHead(handle);
    this.#heads.set(handle.logId, head);
    return head;
  }

  async #checkHead(handle: LogHandle): Promise<Result<Checkpoint>> {
    const { crypto } = this.#env.options;
    const stored = handle.stored;
    if (stored === undefined) return err(fault('index-over-head', 'the log is empty here'));
    const controls = await controlsOf(this.#env, handle);
    if (!controls.ok) return controls;
    const chain = readKeyChain(crypto, handle.log, controls.value);
    if (!chain.ok) return chain;
    const key = writerKeyAt(chain.value, stored.state.size);
    return verifyCheckpoint(crypto, stored.checkpoint, handle.logId, key);
  }

  async #block(handle: LogHandle, index: LogIndex): Promise<Result<RecordBatch>> {
    const log = `${handle.row.number}/`;
    for (const [name, batch] of this.#blocks) {
      if (!name.startsWith(log) || index < batch.from || index >= batch.to) continue;
      this.#blocks.set(name, batch);
      return ok(batch);
    }
    const batch = await batchAt(this.#env, handle, index);
    if (!batch.ok) return batch;
    this.#blocks.set(`${log}${batch.value.block}`, batch.value);
    return batch;
  }
}
