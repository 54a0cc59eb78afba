/**
 * What a store holds, seen from its rows as they pass by in order: the logs and their heads, and of
 * each log enough of its tail that opening it can judge it. Memory grows with the number of logs only.
 */
import { compare, readUint32, toHex } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import type { Host } from '../../host.ts';
import { keyspace } from '../../keyspace.ts';
import { MemoryGuard, type GuardMark } from '../../ledger/guard.ts';
import { Ledger } from '../../ledger/ledger.ts';
import { MemoryStore } from '../../ledger/memory-store.ts';
import type { StoreEntry } from '../../ledger/store.ts';
import { decodeHead } from '../../ledger/head-record.ts';
import { decodeLogRow } from '../../ledger/log-row.ts';
import { logIdFromHash, logIdHash, parseLogId } from '../../ids.ts';
import { limits, protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asHash, type LogId } from '../../types.ts';
import { nodeJudges } from '../judges.ts';
import type { SealedLog } from './epoch-keys.ts';
import type { BackedUpLog } from './manifest.ts';
import { damaged, type RowsTrailer } from './rows-codec.ts';

/** As many as opening a log looks at. */
const tailBlocks = 64;
const schemaName = 'schema';

interface Tail {
  readonly keys: Uint8Array[];
  last: StoreEntry | undefined;
}

export class Survey {
  readonly #small: StoreEntry[] = [];
  readonly #tails = new Map<number, Tail>();
  readonly #logs = new Map<number, { readonly logId: LogId; readonly role: string }>();
  readonly #heads: BackedUpLog[] = [];
  readonly #sealed: SealedLog[] = [];
  #before: Uint8Array | undefined;
  #rows = 0;
  #bytes = 0;
  schema = 0;

  /** Code: backup-damaged. */
  add(rows: readonly StoreEntry[]): Result<void> {
    for (const entry of rows) {
      const { key, value } = entry;
      if (this.#before !== undefined && compare(this.#before, key) >= 0) {
        return err(damaged('the rows are not in order'));
      }
      this.#before = key;
      this.#rows += 1;
      this.#bytes += key.length + value.length;
      const taken = this.#take(entry);
      if (!taken.ok) return taken;
    }
    return ok(undefined);
  }

  /** Heads of own and followed logs, in the order of their numbers. */
  logs(): readonly BackedUpLog[] {
    return this.#heads;
  }

  /** Own logs whose content only their epoch keys open. */
  sealed(): readonly SealedLog[] {
    return this.#sealed;
  }

  /**
   * Opens what was kept as a ledger, which compares the newest block of each log with its head, and
   * the guard's marks with the heads. Code: backup-damaged.
   */
  async judge(trailer: RowsTrailer, host: Host): Promise<Result<void>> {
    if (trailer.rows !== this.#rows || trailer.bytes !== this.#bytes) {
      return err(damaged(`${this.#rows} rows, where the trailer says ${trailer.rows}`));
    }
    const store = new MemoryStore();
    const tails = [...this.#tails.values()].flatMap(({ keys, last }) => [
      ...keys.map((key) => ({ key, value: new Uint8Array(0) })),
      ...(last === undefined ? [] : [last]),
    ]);
    await store.batch([...this.#small, ...tails], { sync: true });
    const marks = this.#marks(trailer.marks);
    if (!marks.ok) return marks;
    const opened = await Ledger.open({
      store,
      guard: new MemoryGuard(marks.value),
      host,
      crypto: nodeCrypto,
      judges: nodeJudges,
      limits: { ...protocol, ...limits },
      nodeSecret: new Uint8Array(32),
    });
    if (!opened.ok) return err(damaged(opened.error.message));
    await using ledger = opened.value;
    for (const { logId, state, reason } of ledger.logs()) {
      if (state === 'damaged') return err(damaged(`log ${logId}: ${reason?.message ?? state}`));
    }
    return ok(undefined);
  }

  #take(entry: StoreEntry): Result<void> {
    const { key, value } = entry;
    const table = key[0];
    if (table === keyspace.meta.prefix) {
      if (Buffer.from(key.subarray(1)).toString() === schemaName && value.length === 4) {
        this.schema = readUint32(value, 0);
      }
      this.#small.push(entry);
    } else if (table === keyspace.logs.prefix) return this.#log(entry);
    else if (table === keyspace.heads.prefix) return this.#head(entry);
    else if (table === keyspace.blocks.prefix) this.#block(entry);
    // A closed log opens only with what goes on from it.
    else if (table === keyspace.successors.prefix) this.#small.push(entry);
    return ok(undefined);
  }

  #log(entry: StoreEntry): Result<void> {
    const row = decodeLogRow(entry.value);
    if (!row.ok || entry.key.length !== 33) return err(damaged('the row of a log is damaged'));
    const { number, role } = row.value;
    this.#logs.set(number, { logId: logIdFromHash(asHash(entry.key.slice(1))), role });
    this.#small.push(entry);
    return ok(undefined);
  }

  #head(entry: StoreEntry): Result<void> {
    const number = entry.key.length === 5 ? readUint32(entry.key, 1) : 0;
    const log = this.#logs.get(number);
    const head = decodeHead(nodeCrypto, entry.value);
    if (!head.ok) return err(damaged(`the head of ${log?.logId ?? 'a log'} is damaged`));
    this.#small.push(entry);
    if (log === undefined || log.role === 'unfollowed') return ok(undefined);
    const { size, root, genesis, generation } = head.value.state;
    const role = log.role === 'writer' ? 'writer' : 'replica';
    const stream = genesis.partitions > 1 ? `${genesis.name}/${genesis.partition}` : genesis.name;
    this.#heads.push({ log: log.logId, stream, role, size, root: toHex(root) });
    if (role === 'writer' && generation !== undefined) {
      this.#sealed.push({ log: log.logId, stream, generation });
    }
    return ok(undefined);
  }

  #block(entry: StoreEntry): void {
    const number = readUint32(entry.key, 1);
    const tail = this.#tails.get(number) ?? { keys: [], last: undefined };
    this.#tails.set(number, tail);
    if (tail.last !== undefined) tail.keys.push(tail.last.key);
    if (tail.keys.length >= tailBlocks) tail.keys.shift();
    tail.last = entry;
  }

  /** Of own logs the marks at their heads: tiles, to compare earlier ones, are not kept here. */
  #marks(given: readonly GuardMark[]): Result<readonly GuardMark[]> {
    const marks: GuardMark[] = given.filter(({ kind }) => kind !== 0);
    for (const { log, role, size, root } of this.#heads) {
      if (role !== 'writer') continue;
      const logId = parseLogId(log);
      if (!logId.ok) return logId;
      const id = logIdHash(logId.value);
      const mark = given.find((one) => one.kind === 0 && toHex(one.id) === toHex(id));
      if (mark !== undefined && mark.size === size && toHex(mark.root) !== root) {
        return err(damaged(`another root was signed for size ${size} of ${log}`));
      }
      if (mark !== undefined && mark.size > size) marks.push(mark);
      else marks.push({ kind: 0, id, size, root: asHash(Buffer.from(root, 'hex')) });
    }
    return ok(marks);
  }
}
