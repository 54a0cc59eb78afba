/**
 * Who has had what, in memory and in the table `usage`. Rows say what the journal says up to a place in
 * it, and that place stands in a row of its own, written in one batch with them; so what a crash left
 * between the journal and the rows is read again from the journal, once.
 *
 *   position row   name `position`, value dag-cbor {log, next}: entries of the journal below are in
 */
import { utf8 } from '../../bytes.ts';
import { decodeCborMap, encodeCbor } from '../../cbor.ts';
import type { Hasher } from '../../crypto.ts';
import { fault, HeadwaterError, type Fault } from '../../errors.ts';
import type { DeliveryWay } from '../../gossip/usage-port.ts';
import { keyspace } from '../../keyspace.ts';
import type { TableRow, TableRows } from '../../ledger/table-rows.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type EventBytes, type LogId, type LogIndex } from '../../types.ts';
import { Account, decodeRow, encodeRow, nameOf, rowName, type About } from './account.ts';
import { readDelivery } from './delivery-entry.ts';
import type { Piece } from './pieces.ts';

export interface UsageLimits {
  readonly maxUsageRows: number;
  readonly maxDeliveryPieces: number;
}

/** A log to be read; the ledger's, narrowed. */
export interface JournalReader {
  log(logId: LogId): { readonly size: number } | undefined;
  batches(
    logId: LogId,
    from: LogIndex,
  ): AsyncIterable<{
    readonly from: LogIndex;
    readonly to: LogIndex;
    event(index: number): EventBytes | undefined;
  }>;
}

const positionName = utf8('position');

export class UsageBook {
  readonly #rows: TableRows;
  readonly #hasher: Hasher;
  readonly #limits: UsageLimits;
  readonly #accounts = new Map<string, Account>();
  readonly #byLog = new Map<LogId, Set<Account>>();
  readonly #byGrant = new Map<string, Set<Account>>();

  constructor(rows: TableRows, hasher: Hasher, limits: UsageLimits) {
    this.#rows = rows;
    this.#hasher = hasher;
    this.#limits = limits;
  }

  /**
   * Reads the table, and what the journal has beyond it. What could not be read is returned: totals
   * are too low by it. Codes: those of the store.
   */
  async load(journal: LogId | undefined, reader: JournalReader): Promise<Result<readonly Fault[]>> {
    const rows = await this.#rows.all(keyspace.usage);
    if (!rows.ok) return rows;
    let position: Position | undefined;
    let unread = 0;
    for (const { name, value } of rows.value) {
      if (name.length === positionName.length) position = readPosition(value);
      else {
        const account = decodeRow(value, this.#limits.maxDeliveryPieces);
        if (account === undefined) unread += 1;
        else this.#put(account);
      }
    }
    const problems = unread === 0 ? [] : [fault('store-corrupt', `${unread} rows of deliveries`)];
    if (journal === undefined) return ok(problems);
    const read = await this.#catchUp(journal, position, reader);
    return ok(read.ok ? problems : [...problems, read.error]);
  }

  all(): IterableIterator<Account> {
    return this.#accounts.values();
  }
  ofLog(logId: LogId): Iterable<Account> {
    return this.#byLog.get(logId) ?? [];
  }
  ofGrant(grant: string): Iterable<Account> {
    return this.#byGrant.get(grant) ?? [];
  }
  get size(): number {
    return this.#accounts.size;
  }
  /** What was delivered, journaled or not. */
  pieces(account: Account): readonly Piece[] {
    return account.all(this.#limits.maxDeliveryPieces);
  }

  /** The account of this, made where there is none; one for all others where there is no room. */
  account(about: About): Account {
    const known = this.#accounts.get(nameOf(about));
    if (known !== undefined) return known;
    const { organisation } = about;
    if (organisation !== undefined && this.#accounts.size >= this.#limits.maxUsageRows) {
      return this.account(withoutReader(about));
    }
    const account = new Account(about, this.#limits.maxDeliveryPieces);
    this.#put(account);
    return account;
  }

  /** Writes accounts as they are journaled, and how far the journal is in them: one batch. */
  save(accounts: Iterable<Account>, log: LogId, next: number): Promise<Result<void>> {
    const rows: TableRow[] = [
      { name: positionName, value: encodeCbor({ log, next }) },
      ...[...accounts].map((account) => ({
        name: rowName(this.#hasher, account.about),
        value: encodeRow(account),
      })),
    ];
    return this.#rows.putAll(keyspace.usage, rows);
  }

  async #catchUp(
    journal: LogId,
    position: Position | undefined,
    reader: JournalReader,
  ): Promise<Result<void>> {
    const size = reader.log(journal)?.size ?? 0;
    // A home that never counted has nothing in its journal.
    if (position === undefined) return this.save([], journal, size);
    const from = position.log === journal ? position.next : 0;
    const changed = new Set<Account>();
    if (from >= size) return ok(undefined);
    try {
      for await (const batch of reader.batches(journal, asLogIndex(from))) {
        for (let index: number = batch.from; index < batch.to; index++) {
          const event = batch.event(index);
          const found = event === undefined ? undefined : readDelivery(event);
          if (found === undefined) continue;
          const account = this.account(found.about);
          account.kept.add(found.piece);
          changed.add(account);
        }
      }
    } catch (cause) {
      if (cause instanceof HeadwaterError) return err(cause.fault);
      throw cause;
    }
    return this.save(changed, journal, size);
  }

  #put(account: Account): void {
    const { about } = account;
    this.#accounts.set(nameOf(about), account);
    const log = this.#byLog.get(about.logId) ?? new Set();
    this.#byLog.set(about.logId, log.add(account));
    if (about.grant === undefined) return;
    const grant = this.#byGrant.get(about.grant) ?? new Set();
    this.#byGrant.set(about.grant, grant.add(account));
  }
}

interface Position {
  readonly log: string;
  readonly next: number;
}

function readPosition(value: Uint8Array): Position | undefined {
  const row = decodeCborMap(value);
  if (!row.ok) return undefined;
  const { log, next } = row.value;
  return typeof log === 'string' && typeof next === 'number' ? { log, next } : undefined;
}

function withoutReader({ logId, owner, stream, way }: About): About {
  return { logId, owner, stream, way };
}

/** Ways on which content leaves. */
export function isContent(way: DeliveryWay): boolean {
  return way !== 'proof' && way !== 'keys';
}
