/**
 * Revocations that this home knows: a grow-only set, in memory for `may` and in the table
 * `revocations`. Valid on sight: one counts as soon as it is verified, and is then written down. Once
 * the delegation would have expired anyway, and the owner's registry has the revocation, it is dropped.
 */
import type { Crypto } from '../../crypto.ts';
import { keyspace } from '../../keyspace.ts';
import type { TableRows } from '../../ledger/table-rows.ts';
import { readRevocation, Revocations, type Revocation } from '../../access/ucan-revocations.ts';
import { ok, type Result } from '../../result.ts';
import type { Did } from '../../types.ts';

interface Known {
  readonly revocation: Revocation;
  /** Name of its row. */
  readonly name: Uint8Array;
  /** Of a revocation of ours that is in no registry yet. */
  token?: Uint8Array | undefined;
  /** Seconds since 1970 when the delegation would have expired; undefined: never, or not known. */
  expires?: number | undefined;
  /** In the owner's registry. */
  stands: boolean;
}

export interface Unrecorded {
  readonly revocation: Revocation;
  readonly token: Uint8Array;
  readonly expires: number | undefined;
}

export class RevocationBook {
  readonly set: Revocations;
  readonly #rows: TableRows;
  readonly #crypto: Crypto;
  readonly #isOurs: (revoker: Did) => boolean;
  readonly #known = new Map<string, Known>();
  readonly #listeners = new Set<(revocation: Revocation) => void>();

  /** `isOurs`: whether it is for us to see that what this one revoked stands in the registry. */
  constructor(
    rows: TableRows,
    crypto: Crypto,
    max: number,
    isOurs: (revoker: Did) => boolean = () => false,
  ) {
    this.set = new Revocations(max);
    this.#rows = rows;
    this.#crypto = crypto;
    this.#isOurs = isOurs;
  }

  /** Reads the table; codes of the store, `revocations-full`. */
  async load(): Promise<Result<void>> {
    const rows = await this.#rows.all(keyspace.revocations);
    if (!rows.ok) return rows;
    for (const { name, value } of rows.value) {
      const read = readRevocation(this.#crypto, value);
      if (!read.ok) continue;
      const added = this.set.add(read.value);
      if (!added.ok) return added;
      this.#remember(read.value, name, value);
    }
    return ok(undefined);
  }

  /** Is this word of this revoker on this delegation known? */
  knows(revocation: Revocation): boolean {
    return this.#known.has(keyOf(revocation));
  }

  /**
   * In force at once; durable when it resolves. True where it is news. `expires`: seconds since 1970 when
   * the delegation would have expired, where that is known.
   */
  async take(
    token: Uint8Array,
    revocation: Revocation,
    expires?: number,
  ): Promise<Result<boolean>> {
    const added = this.set.add(revocation);
    if (added.ok && !added.value) return added;
    const name = this.#crypto.sha256(token);
    if (added.ok) this.#remember(revocation, name, token, expires);
    // Of one for which there is no room too: what its revoker issued has ended.
    for (const listener of this.#listeners) listener(revocation);
    if (!added.ok) return added;
    const stored = await this.#rows.put(keyspace.revocations, { name, value: token.slice() });
    return stored.ok ? ok(true) : stored;
  }

  /** The owner's registry has it; `expires` as stated there by who may say so. */
  stands(revocation: Revocation, expires: number | undefined): void {
    const known = this.#known.get(keyOf(revocation));
    if (known === undefined) return;
    known.stands = true;
    known.token = undefined;
    known.expires ??= expires;
  }

  /** Revocations of ours that no registry has. */
  unrecorded(): readonly Unrecorded[] {
    const open: Unrecorded[] = [];
    for (const { revocation, token, expires, stands } of this.#known.values()) {
      if (!stands && token !== undefined) open.push({ revocation, token, expires });
    }
    return open;
  }

  /**
   * Drops what stands in a registry and is past by `isPast`, which is told when the delegation expires by
   * the registry. Gives how many; codes of the store.
   */
  async prune(
    isPast: (revocation: Revocation, expires: number | undefined) => boolean,
  ): Promise<Result<number>> {
    let dropped = 0;
    for (const [key, { revocation, name, stands, expires }] of this.#known) {
      if (!stands || !isPast(revocation, expires)) continue;
      const removed = await this.#rows.remove(keyspace.revocations, name);
      if (!removed.ok) return removed;
      this.#known.delete(key);
      this.set.forget(revocation.ucan, revocation.revoker);
      dropped += 1;
    }
    return ok(dropped);
  }

  onTaken(listener: (revocation: Revocation) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  #remember(revocation: Revocation, name: Uint8Array, token: Uint8Array, expires?: number): void {
    const ours = this.#isOurs(revocation.revoker);
    const known: Known = {
      revocation,
      name,
      expires,
      stands: false,
      ...(ours && { token: token.slice() }),
    };
    this.#known.set(keyOf(revocation), known);
  }
}

function keyOf({ ucan, revoker }: Revocation): string {
  return `${ucan} ${revoker}`;
}
