/**
 * The grants that this home has given and got, and what others have made of them, in memory and in the
 * table `grants`:
 *
 *   value   dag-cbor [side, time, [delegation, …], card text or null, more]
 *   side    0 given, 1 got, 2 through: what a holder of a given one handed on, as its reader showed it
 *   time    in ms, when it came here; the chain root first
 *   card    of a grant that was got: the logs of its stream, as the owner told them last
 *   more    {ended: time in ms when its end was written to the journal}; {} before, absent in old rows
 */
import { scopeOf, orderGrant, type Grant, type GrantScope } from '../../access/grant.ts';
import { decodeCbor, encodeCbor, type CborValue } from '../../cbor.ts';
import { toHex } from '../../bytes.ts';
import type { Hasher } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import { keyspace } from '../../keyspace.ts';
import type { TableRows } from '../../ledger/table-rows.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTimeMs, type TimeMs } from '../../types.ts';

export const grantSides = ['given', 'got', 'through'] as const;
export type GrantSide = (typeof grantSides)[number];

export interface KeptGrant {
  readonly side: GrantSide;
  readonly since: TimeMs;
  readonly tokens: readonly Uint8Array[];
  readonly scope: GrantScope;
  readonly card?: string;
  /** When its end was told. */
  readonly ended?: TimeMs;
}

export class GrantBook {
  readonly #rows: TableRows;
  readonly #hasher: Hasher;
  readonly #max: number;
  readonly #grants = new Map<string, KeptGrant>();
  readonly #got = new Map<string, KeptGrant>();
  /** First links are the same in thousands of grants: one copy is kept. */
  readonly #shared = new Map<string, Uint8Array>();

  constructor(rows: TableRows, hasher: Hasher, max: number) {
    this.#rows = rows;
    this.#hasher = hasher;
    this.#max = max;
  }

  /** Reads the table; what cannot be read is returned and left alone. */
  async load(): Promise<Result<readonly Fault[]>> {
    const rows = await this.#rows.all(keyspace.grants);
    if (!rows.ok) return rows;
    const problems: Fault[] = [];
    const found: KeptGrant[] = [];
    for (const { value } of rows.value) {
      const kept = this.#decode(value);
      if (kept.ok) found.push(kept.value);
      else problems.push(kept.error);
    }
    // From here on the oldest comes first: pages of a list go by it.
    found.sort((a, b) => a.since - b.since || (a.scope.id < b.scope.id ? -1 : 1));
    for (const kept of found) this.#put(kept);
    return ok(problems);
  }

  all(): IterableIterator<KeptGrant> {
    return this.#grants.values();
  }
  /** Those that were made out to us: few, however many were given. */
  got(): IterableIterator<KeptGrant> {
    return this.#got.values();
  }
  get(id: string): KeptGrant | undefined {
    return this.#grants.get(id);
  }
  get size(): number {
    return this.#grants.size;
  }

  /** By id, or by an end of it that only one has. Code: `grant-unknown`. */
  find(text: string): Result<KeptGrant> {
    const exact = this.#grants.get(text);
    if (exact !== undefined) return ok(exact);
    const long = text.length >= 6;
    const found = long
      ? [...this.#grants.values()].filter(({ scope }) => scope.id.endsWith(text))
      : [];
    const [first] = found;
    if (first !== undefined && found.length === 1) return ok(first);
    const many = found.length > 1 ? `${found.length} grants end in ${text}` : undefined;
    return err(fault('grant-unknown', many ?? `there is no grant ${text}`));
  }

  /** Durable when it resolves; the same grant again only takes the new card. Code: `grant-full`. */
  async keep(
    side: GrantSide,
    grant: Grant,
    since: TimeMs,
    card?: string,
  ): Promise<Result<KeptGrant>> {
    const scope = scopeOf(grant);
    if (!scope.ok) return scope;
    const { id } = scope.value;
    if (!this.#grants.has(id) && this.#grants.size >= this.#max) {
      return err(fault('grant-full', `there are ${this.#max} grants`));
    }
    const tokens = grant.tokens.map((token, i) =>
      i + 1 < grant.tokens.length ? this.#share(token) : token,
    );
    const before = this.#grants.get(id);
    return this.#store({
      // A reader may show what was given here: that is known already.
      side: side === 'through' ? (before?.side ?? side) : side,
      since,
      tokens,
      scope: scope.value,
      ...(card === undefined ? {} : { card }),
      ...(before?.ended === undefined ? {} : { ended: before.ended }),
    });
  }

  /** Remembers that the end of a grant was told. */
  ended(kept: KeptGrant, ended: TimeMs): Promise<Result<KeptGrant>> {
    return this.#store({ ...kept, ended });
  }

  async #store(kept: KeptGrant): Promise<Result<KeptGrant>> {
    const { side, since, tokens, card = null, ended } = kept;
    const more = ended === undefined ? {} : { ended };
    const value = encodeCbor([grantSides.indexOf(side), since, [...tokens], card, more]);
    const stored = await this.#rows.put(keyspace.grants, { name: this.#name(kept), value });
    if (!stored.ok) return stored;
    this.#put(kept);
    return ok(kept);
  }

  async drop(kept: KeptGrant): Promise<Result<void>> {
    this.#grants.delete(kept.scope.id);
    this.#got.delete(kept.scope.id);
    return this.#rows.remove(keyspace.grants, this.#name(kept));
  }

  /** The chain of a kept grant, decoded. */
  open({ tokens }: KeptGrant): Result<Grant> {
    return orderGrant(this.#hasher, tokens);
  }

  #put(kept: KeptGrant): void {
    this.#grants.set(kept.scope.id, kept);
    if (kept.side === 'got') this.#got.set(kept.scope.id, kept);
  }

  #name({ tokens }: Pick<KeptGrant, 'tokens'>): Uint8Array {
    return this.#hasher.sha256(tokens.at(-1) ?? new Uint8Array(0));
  }

  #share(token: Uint8Array): Uint8Array {
    const name = toHex(this.#hasher.sha256(token));
    const known = this.#shared.get(name) ?? token;
    this.#shared.set(name, known);
    return known;
  }

  #decode(value: Uint8Array): Result<KeptGrant> {
    const decoded = decodeCbor(value);
    const row: readonly CborValue[] =
      decoded.ok && Array.isArray(decoded.value) ? decoded.value : [];
    const [number, since, list, card, more] = row;
    const side = typeof number === 'number' ? grantSides[number] : undefined;
    if (side === undefined || typeof since !== 'number' || !Array.isArray(list)) return damaged;
    const ended = more === undefined ? undefined : endedOf(more);
    const tokens = list.filter((token) => token instanceof Uint8Array);
    const grant = orderGrant(this.#hasher, tokens);
    if (!grant.ok) return grant;
    const scope = scopeOf(grant.value);
    if (!scope.ok) return scope;
    const links = grant.value.tokens;
    return ok({
      side,
      since: asTimeMs(since),
      tokens: links.map((token, i) => (i + 1 < links.length ? this.#share(token) : token)),
      scope: scope.value,
      ...(typeof card === 'string' ? { card } : {}),
      ...(ended === undefined ? {} : { ended }),
    });
  }
}

function endedOf(more: CborValue): TimeMs | undefined {
  if (typeof more !== 'object' || more === null || !('ended' in more)) return undefined;
  return typeof more.ended === 'number' ? asTimeMs(more.ended) : undefined;
}

const damaged = err(fault('store-corrupt', 'a grant in the store cannot be read'));
