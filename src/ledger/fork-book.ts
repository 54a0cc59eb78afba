/**
 * The fork proofs that a home holds, one a log: the first valid one, for good. Rows lie by the log's
 * id, not by its number, because a proof may come before the log is followed. dag-cbor:
 *
 *   [1, learned (ms), proof bytes]
 *
 * What a proof says in short stays in memory; the proofs are read when asked for.
 */
import { CborReader, CborWriter } from '../cbor.ts';
import { fault } from '../errors.ts';
import { logIdFromHash, logIdHash } from '../ids.ts';
import { keyOf, keyspace, prefixRange } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asTimeMs, type Hash, type LogId, type TimeMs, type TreeSize } from '../types.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { eachRow } from './each-row.ts';
import { decodeForkProof } from './fork-proof.ts';
import type { Store, StoreWrite } from './store.ts';

/** A log of which two histories are proved. */
export interface KnownFork {
  readonly logId: LogId;
  /** The two signed checkpoints; A is not larger than B. */
  readonly a: ForkHead;
  readonly b: ForkHead;
  /** The root of B's history at the size of A: not A's. */
  readonly rootAtA: Hash;
  /** When this home learned of it. */
  readonly learned: TimeMs;
}

export interface ForkHead {
  readonly size: TreeSize;
  readonly root: Hash;
  /** The checkpoint's text, with one signature line. */
  readonly note: string;
}

/** How a proof came here: `own` was made here, `peer` was asked for, the rest says itself. */
export type ForkVia = 'own' | 'gossip' | 'peer' | 'operator';

export interface ForkFound {
  readonly fork: KnownFork;
  readonly proof: Uint8Array;
  readonly via: ForkVia;
}

export class ForkBook {
  readonly #store: Store;
  readonly #known = new Map<LogId, KnownFork>();
  readonly #listeners = new Set<(found: ForkFound) => void>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads what is stored. Codes: store-corrupt, those of the store. */
  load(): Promise<Result<void>> {
    const range = prefixRange(Uint8Array.of(keyspace.forkProofs.prefix));
    return eachRow(this.#store, range, 16, ({ key, value }) => {
      const row = key.length === 33 ? decodeForkRow(value) : corrupt();
      if (!row.ok) return row;
      const fork = inShort(logIdFromHash(asHash(key.slice(1))), row.value);
      if (!fork.ok) return fork;
      this.#known.set(fork.value.logId, fork.value);
      return ok(undefined);
    });
  }

  get size(): number {
    return this.#known.size;
  }

  get(logId: LogId): KnownFork | undefined {
    return this.#known.get(logId);
  }

  list(): readonly KnownFork[] {
    return [...this.#known.values()];
  }

  /** Undefined where no fork of the log is known. Codes: store-corrupt, those of the store. */
  async proof(logId: LogId): Promise<Result<Uint8Array | undefined>> {
    if (!this.#known.has(logId)) return ok(undefined);
    const value = await this.#store.get(keyOf(keyspace.forkProofs, logIdHash(logId)));
    if (!value.ok) return value;
    if (value.value === undefined) return corrupt();
    const row = decodeForkRow(value.value);
    return row.ok ? ok(row.value.proof) : row;
  }

  /** Enters it in memory and gives the write that makes it durable. */
  enter(fork: KnownFork, proof: Uint8Array): StoreWrite {
    this.#known.set(fork.logId, fork);
    const key = keyOf(keyspace.forkProofs, logIdHash(fork.logId));
    return { key, value: encodeForkRow({ learned: fork.learned, proof }) };
  }

  tell(found: ForkFound): void {
    for (const listener of this.#listeners) listener(found);
  }

  listen(listener: (found: ForkFound) => void): Disposable {
    const own = (found: ForkFound): void => listener(found);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }
}

export interface ForkRow {
  readonly learned: TimeMs;
  readonly proof: Uint8Array;
}

export function encodeForkRow({ learned, proof }: ForkRow): Uint8Array {
  const writer = new CborWriter(proof.length + 32);
  return writer.list(3).uint(1).uint(learned).bytes(proof).finish();
}

/** Code: store-corrupt. */
export function decodeForkRow(value: Uint8Array): Result<ForkRow> {
  const reader = new CborReader(value);
  if (reader.list() !== 3 || reader.uint() !== 1) return corrupt();
  const learned = asTimeMs(reader.uint());
  const proof = reader.bytes().slice();
  reader.end();
  return reader.failed === undefined ? ok({ learned, proof }) : corrupt();
}

/** What was verified before it was stored is only read again. */
function inShort(logId: LogId, { learned, proof }: ForkRow): Result<KnownFork> {
  const decoded = decodeForkProof(proof);
  if (!decoded.ok) return corrupt();
  const a = parseCheckpoint(decoded.value.a.checkpoint);
  const b = parseCheckpoint(decoded.value.b.checkpoint);
  if (!a.ok || !b.ok) return corrupt();
  const heads = {
    a: { size: a.value.size, root: a.value.root, note: decoded.value.a.checkpoint },
    b: { size: b.value.size, root: b.value.root, note: decoded.value.b.checkpoint },
  };
  return ok({ logId, ...heads, rootAtA: decoded.value.rootAtA, learned });
}

function corrupt(): Result<never> {
  return err(fault('store-corrupt', 'a stored fork proof is damaged'));
}
