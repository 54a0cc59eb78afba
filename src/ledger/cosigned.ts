/**
 * Cosigned checkpoints of the logs that are kept here (ledger.md "Witnesses and forks"): the newest
 * few of each log, one row a size, with the writer's line and those of witnesses that count here:
 * the ones of the stream's own policy and the ones that this home is configured with.
 *
 * Nothing is kept before it is verified: the root against our own tree, the writer's line against
 * the key in force at that size, each cosignature against its key. A checkpoint above our head waits
 * in memory until the log has grown to it. One that the writer signed with another root than ours is
 * told to `onConflict`: it is half of a fork proof.
 */
import { equal, fromUtf8, readUint48, utf8 } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { keyspace, logKey, numberKey, prefixRange } from '../keyspace.ts';
import { protocol } from '../limits.ts';
import { RecentMap } from '../recent-map.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, asTreeSize, type Hash, type LogId, type TreeSize } from '../types.ts';
import { checkpointOrigin, parseCheckpoint, type ParsedCheckpoint } from './checkpoint.ts';
import { addLines, distinctKeys, keepLines } from './cosignature.ts';
import { unknownLog } from './create-log.ts';
import { eachRow } from './each-row.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { LogKeys } from './log-keys.ts';
import { noteAlgorithm, noteKey, openNote, type NoteKey, type VerifiedSignature } from './note.ts';
import { rangeRootOf } from './prover.ts';
import type { StoreWrite } from './store.ts';
import { quorumMet, streamPolicy, type TrustPolicy } from './trust-policy.ts';

export interface CosignedCheckpoint {
  readonly logId: LogId;
  readonly size: TreeSize;
  readonly root: Hash;
  /** Text, the writer's line, then cosignature lines. */
  readonly note: string;
  /** At least one, each of another key. */
  readonly cosignatures: readonly VerifiedSignature[];
}

/** The writer signed this, and our own tree has another root at that size. */
export interface CheckpointConflict {
  readonly logId: LogId;
  readonly size: TreeSize;
  /** Signed note, with the writer's line alone. */
  readonly theirs: string;
}

/** What is known of one log's cosignatures, ascending by size. */
interface Rows {
  rows: readonly CosignedCheckpoint[];
}

export class Cosigned {
  readonly #env: LedgerEnv;
  readonly #keys: LogKeys;
  readonly #loaded = new WeakMap<LogHandle, Promise<Result<Rows>>>();
  /** One change of a log at a time. */
  readonly #turns = new WeakMap<LogHandle, Promise<unknown>>();
  readonly #ahead: RecentMap<LogId, { readonly size: TreeSize; readonly note: string }>;
  readonly #kept = new Set<(checkpoint: CosignedCheckpoint) => void>();
  readonly #conflicts = new Set<(conflict: CheckpointConflict) => void>();
  #trusted: readonly NoteKey[] = [];

  constructor(env: LedgerEnv, keys: LogKeys) {
    this.#env = env;
    this.#keys = keys;
    this.#ahead = new RecentMap(env.options.limits.maxCosignedAhead);
    env.listen(({ logId, size }) => this.#grown(logId, size));
  }

  /** Witnesses that count for every log, beside those that a stream names itself. */
  trust(keys: readonly NoteKey[]): void {
    this.#trusted = distinctKeys(keys);
  }

  get trusted(): readonly NoteKey[] {
    return this.#trusted;
  }

  /** The stream's own policy. Codes: log-unknown, witness-policy. */
  policy(logId: LogId): Result<TrustPolicy | undefined> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    return streamPolicy(this.#env.options.crypto, handle.stored?.state.genesis.witnesses);
  }

  /** The witnesses whose lines are kept of this log; none for a log that is not here. */
  witnesses(logId: LogId): readonly NoteKey[] {
    const own = this.policy(logId);
    return distinctKeys([...((own.ok ? own.value : undefined)?.witnesses ?? []), ...this.#trusted]);
  }

  /**
   * Of the checkpoints kept with at least that size the newest that meets the stream's own quorum;
   * where none does, or none is asked for, the one with the most cosignatures, newest first.
   * Undefined where there is none. Codes: log-unknown, those of the store.
   */
  async newest(
    logId: LogId,
    atLeast: TreeSize = asTreeSize(0),
  ): Promise<Result<CosignedCheckpoint | undefined>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const loaded = await this.#load(handle);
    if (!loaded.ok) return loaded;
    return ok(
      this.#best(
        logId,
        // Behind the head lies only what was set aside: no longer of this log.
        loaded.value.rows.filter(({ size }) => size >= atLeast && size <= handle.size),
      ),
    );
  }

  /** All that is kept of a log, ascending by size. Codes: log-unknown, those of the store. */
  async kept(logId: LogId): Promise<Result<readonly CosignedCheckpoint[]>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const loaded = await this.#load(handle);
    return loaded.ok ? ok(loaded.value.rows.filter(({ size }) => size <= handle.size)) : loaded;
  }

  /** Has a quorum of the stream's own policy cosigned a checkpoint of at least that size? */
  async covers(logId: LogId, size: TreeSize): Promise<Result<boolean>> {
    const newest = await this.newest(logId, size);
    if (!newest.ok) return newest;
    const policy = this.policy(logId);
    if (!policy.ok) return policy;
    return ok(policy.value !== undefined && meets(policy.value, newest.value));
  }

  /**
   * Verifies a checkpoint with cosignature lines and keeps it; lines of witnesses that do not count
   * here are left out. Codes: log-unknown, block-ahead (kept until we have as much), fork, those of
   * `parseCheckpoint`, bad-signature, checkpoint-key-id, note-key-ambiguous, note-unverified (no
   * line of a witness that counts), those of the store.
   */
  async add(logId: LogId, note: string): Promise<Result<CosignedCheckpoint>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const parsed = parseCheckpoint(note);
    if (!parsed.ok) return parsed;
    if (parsed.value.logId !== logId) {
      return err(fault('checkpoint-origin', `the checkpoint is not of ${logId}`));
    }
    if (parsed.value.size > handle.size) {
      this.#ahead.set(logId, { size: parsed.value.size, note });
      return err(
        fault('block-ahead', `a checkpoint of ${parsed.value.size}, we have ${handle.size}`),
      );
    }
    const before = this.#turns.get(handle);
    const turn = (async () => {
      await before;
      return this.#add(handle, parsed.value, note);
    })();
    this.#turns.set(
      handle,
      turn.catch(() => undefined),
    );
    return turn;
  }

  /** Called with each checkpoint that gained a cosignature; must not throw and returns soon. */
  onKept(listener: (checkpoint: CosignedCheckpoint) => void): Disposable {
    return register(this.#kept, listener);
  }

  /** Called with each signed checkpoint that contradicts our own tree. */
  onConflict(listener: (conflict: CheckpointConflict) => void): Disposable {
    return register(this.#conflicts, listener);
  }

  /** For the witness of this home, who is shown signed checkpoints too. */
  conflict(found: CheckpointConflict): void {
    for (const listener of this.#conflicts) listener(found);
  }

  async #add(
    handle: LogHandle,
    parsed: ParsedCheckpoint,
    note: string,
  ): Promise<Result<CosignedCheckpoint>> {
    const opened = await this.#open(handle, parsed, note);
    if (!opened.ok) return opened;
    const loaded = await this.#load(handle);
    if (!loaded.ok) return loaded;
    const { rows } = loaded.value;
    const known = rows.find(({ size }) => size === parsed.size);
    const merged = known === undefined ? opened : merge(known, opened.value);
    if (!merged.ok || merged.value === known) return merged;
    const next = this.#bounded([...rows.filter((row) => row !== known), merged.value]);
    if (!next.includes(merged.value)) return merged;
    const { number } = handle.row;
    const writes: StoreWrite[] = [
      { key: numberKey(keyspace.cosigned, number, parsed.size), value: utf8(merged.value.note) },
      ...rows
        .filter(({ size }) => size !== parsed.size && !next.some((row) => row.size === size))
        .map(({ size }) => ({ key: numberKey(keyspace.cosigned, number, size) })),
    ];
    const stored = await this.#env.options.store.batch(writes, { sync: false });
    if (!stored.ok) return stored;
    this.#env.unsynced = true;
    loaded.value.rows = next;
    for (const listener of this.#kept) listener(merged.value);
    return merged;
  }

  /** Verifies root and lines. */
  async #open(
    handle: LogHandle,
    parsed: ParsedCheckpoint,
    note: string,
  ): Promise<Result<CosignedCheckpoint>> {
    const { logId, size, root } = parsed;
    const { crypto } = this.#env.options;
    const key = await this.#keys.keyAt(handle, size);
    if (!key.ok) return key;
    if (key.value === undefined || size === 0) return err(noLine());
    const writer = noteKey(crypto, checkpointOrigin(logId), noteAlgorithm.ed25519, key.value);
    const opened = openNote(crypto, utf8(note), [writer, ...this.witnesses(logId)]);
    if (!opened.ok) return opened;
    const { verified } = opened.value;
    if (!verified.some((line) => line.key === writer)) {
      return err(fault('checkpoint-key-id', 'not signed by the writer key in force at this size'));
    }
    const ours = await rangeRootOf(this.#env, handle, asLogIndex(0), asLogIndex(size));
    if (!ours.ok) return ours;
    if (!equal(ours.value, root)) {
      const theirs = keepLines(parsed, (line) => line.keyId === writer.keyId);
      this.conflict({ logId, size, theirs });
      return err(fault('fork', `the writer signed another root for size ${size}`));
    }
    const cosignatures = verified
      .filter(({ timestamp = 0n }) => timestamp > 0n)
      .slice(0, protocol.maxCosignatures);
    if (cosignatures.length === 0) return err(noLine());
    const lines = [...verified.filter((line) => line.key === writer), ...cosignatures];
    const text = keepLines({ text: parsed.text, signatures: lines }, () => true);
    return ok({ logId, size, root, note: text, cosignatures });
  }

  #load(handle: LogHandle): Promise<Result<Rows>> {
    const known = this.#loaded.get(handle);
    if (known !== undefined) return known;
    const loading = this.#read(handle).then((rows) => {
      if (!rows.ok) this.#loaded.delete(handle);
      return rows;
    });
    this.#loaded.set(handle, loading);
    return loading;
  }

  /** What does not verify any more (a key was taken off the list, a damaged row) is passed over. */
  async #read(handle: LogHandle): Promise<Result<Rows>> {
    const range = prefixRange(logKey(keyspace.cosigned, handle.row.number));
    const rows: CosignedCheckpoint[] = [];
    const read = await eachRow(this.#env.options.store, range, 64, async ({ key, value }) => {
      if (readUint48(key, 5) > handle.size) return;
      const note = fromUtf8(value);
      const parsed = note.ok ? parseCheckpoint(note.value) : note;
      if (!note.ok || !parsed.ok || parsed.value.logId !== handle.logId) return;
      const row = await this.#open(handle, parsed.value, note.value);
      if (row.ok) rows.push(row.value);
    });
    return read.ok ? ok({ rows }) : read;
  }

  /** Ascending by size; the oldest goes, but not the one that is the best now. */
  #bounded(rows: readonly CosignedCheckpoint[]): readonly CosignedCheckpoint[] {
    const sorted = rows.toSorted((a, b) => a.size - b.size);
    const most = this.#env.options.limits.maxCosignedPerLog;
    const [first] = sorted;
    if (sorted.length <= most || first === undefined) return sorted;
    const best = this.#best(first.logId, sorted);
    const goes = sorted.find((row) => row !== best);
    return sorted.filter((row) => row !== goes);
  }

  #best(logId: LogId, rows: readonly CosignedCheckpoint[]): CosignedCheckpoint | undefined {
    const own = this.policy(logId);
    const policy = own.ok ? own.value : undefined;
    const met = policy === undefined ? undefined : rows.findLast((row) => meets(policy, row));
    if (met !== undefined) return met;
    const most = Math.max(...rows.map(({ cosignatures }) => cosignatures.length));
    return rows.findLast(({ cosignatures }) => cosignatures.length === most);
  }

  #grown(logId: LogId, size: TreeSize): void {
    const waiting = this.#ahead.get(logId);
    if (waiting === undefined || waiting.size > size) return;
    this.#ahead.delete(logId);
    // A failing store shows elsewhere; what is lost here comes with the next exchange.
    void this.add(logId, waiting.note).catch(() => undefined);
  }
}

function meets(policy: TrustPolicy, checkpoint: CosignedCheckpoint | undefined): boolean {
  const keys = checkpoint?.cosignatures.map(({ key }) => key.publicKey) ?? [];
  return quorumMet(policy.quorum, keys);
}

/** The one that is kept with the lines of further witnesses; itself where there are none. */
function merge(known: CosignedCheckpoint, more: CosignedCheckpoint): Result<CosignedCheckpoint> {
  const fresh = more.cosignatures.filter(
    ({ key }) => !known.cosignatures.some((line) => equal(line.key.publicKey, key.publicKey)),
  );
  const room = Math.max(0, protocol.maxCosignatures - known.cosignatures.length);
  if (fresh.length === 0 || room === 0) return ok(known);
  const added = fresh.slice(0, room);
  const note = addLines(known.note, added);
  if (!note.ok) return note;
  return ok({ ...known, note: note.value, cosignatures: [...known.cosignatures, ...added] });
}

function register<T>(listeners: Set<(value: T) => void>, listener: (value: T) => void): Disposable {
  const own = (value: T): void => listener(value);
  listeners.add(own);
  return { [Symbol.dispose]: () => void listeners.delete(own) };
}

function noLine(): Fault {
  return fault('note-unverified', 'no line is of a witness that counts here');
}
