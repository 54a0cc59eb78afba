/**
 * Revocations that this home knows: a grow-only set, in memory for `may` and in the table
 * `revocations`. Valid on sight: one counts as soon as it is verified, and is then written down.
 */
import type { Crypto } from '../../crypto.ts';
import { keyspace } from '../../keyspace.ts';
import type { TableRows } from '../../ledger/table-rows.ts';
import { readRevocation, Revocations, type Revocation } from '../../access/ucan-revocations.ts';
import { ok, type Result } from '../../result.ts';

export class RevocationBook {
  readonly set: Revocations;
  readonly #rows: TableRows;
  readonly #crypto: Crypto;
  readonly #known = new Set<string>();
  readonly #listeners = new Set<() => void>();

  constructor(rows: TableRows, crypto: Crypto, max: number) {
    this.set = new Revocations(max);
    this.#rows = rows;
    this.#crypto = crypto;
  }

  /** Reads the table; codes of the store, `revocations-full`. */
  async load(): Promise<Result<void>> {
    const rows = await this.#rows.all(keyspace.revocations);
    if (!rows.ok) return rows;
    for (const { value } of rows.value) {
      const read = readRevocation(this.#crypto, value);
      if (!read.ok) continue;
      const added = this.set.add(read.value);
      if (!added.ok) return added;
      this.#known.add(keyOf(read.value));
    }
    return ok(undefined);
  }

  /** Is this word of this revoker on this delegation known? */
  knows(revocation: Revocation): boolean {
    return this.#known.has(keyOf(revocation));
  }

  /** In force at once; durable when it resolves. True where it is news. */
  async take(token: Uint8Array, revocation: Revocation): Promise<Result<boolean>> {
    const added = this.set.add(revocation);
    if (!added.ok || !added.value) return added;
    this.#known.add(keyOf(revocation));
    for (const listener of this.#listeners) listener();
    const name = this.#crypto.sha256(token);
    const stored = await this.#rows.put(keyspace.revocations, { name, value: token.slice() });
    return stored.ok ? ok(true) : stored;
  }

  onTaken(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

function keyOf({ ucan, revoker }: Revocation): string {
  return `${ucan} ${revoker}`;
}
