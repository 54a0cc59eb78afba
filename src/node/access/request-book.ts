/**
 * Requests for grants: ours to others and those of others to us, in memory and in the table
 * `grantRequests`, so that a restart loses none. A row is a JSON-like dag-cbor map.
 */
import { concat } from '../../bytes.ts';
import { decodeCborMap, encodeCbor } from '../../cbor.ts';
import { fault } from '../../errors.ts';
import {
  idBytes,
  requestStates,
  type RequestId,
  type RequestState,
} from '../../gossip/access-codec.ts';
import { parseDid } from '../../ids.ts';
import { keyspace } from '../../keyspace.ts';
import type { TableRows } from '../../ledger/table-rows.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTimeMs, type Did, type TimeMs } from '../../types.ts';

export interface KeptRequest {
  readonly side: 'out' | 'in';
  readonly id: RequestId;
  /** Of the stream. */
  readonly owner: Did;
  readonly stream: string;
  readonly purpose: string;
  /** 0: without end. */
  readonly seconds: number;
  /** Whose organisation asks, and for whom. */
  readonly organisation: Did;
  readonly audience: Did;
  readonly since: TimeMs;
  readonly state: RequestState;
  /** Of a rejected one. */
  readonly reason: string;
  /** Container; of an accepted one. */
  readonly grant: string;
  /** Id of that grant. */
  readonly grantId: string;
  /** Id of the grant whose place it is to take; '' for a first one. */
  readonly renews: string;
}

export class RequestBook {
  readonly #rows: TableRows;
  readonly #requests = new Map<string, KeptRequest>();

  constructor(rows: TableRows) {
    this.#rows = rows;
  }

  /** Reads the table; what is older than `oldest` is forgotten. */
  async load(oldest: TimeMs): Promise<Result<void>> {
    const rows = await this.#rows.all(keyspace.grantRequests);
    if (!rows.ok) return rows;
    for (const { value } of rows.value) {
      const request = decode(value);
      if (request !== undefined) this.#requests.set(keyOf(request), request);
    }
    return this.forget(oldest);
  }

  async forget(oldest: TimeMs): Promise<Result<void>> {
    for (const request of this.#requests.values()) {
      if (request.since >= oldest) continue;
      this.#requests.delete(keyOf(request));
      const gone = await this.#rows.remove(keyspace.grantRequests, nameOf(request));
      if (!gone.ok) return gone;
    }
    return ok(undefined);
  }

  all(side: KeptRequest['side']): readonly KeptRequest[] {
    return [...this.#requests.values()].filter((request) => request.side === side);
  }
  get(side: KeptRequest['side'], id: RequestId): KeptRequest | undefined {
    return this.#requests.get(`${side} ${id}`);
  }

  /** By id, or by a beginning of it that only one has. Code: `request-unknown`. */
  find(side: KeptRequest['side'], text: string): Result<KeptRequest> {
    const found = this.all(side).filter(({ id }) => text.length >= 4 && id.startsWith(text));
    const [first] = found;
    if (first !== undefined && found.length === 1) return ok(first);
    const many = found.length > 1 ? `${found.length} requests begin with ${text}` : undefined;
    return err(fault('request-unknown', many ?? `there is no request ${text}`));
  }

  /** Durable when it resolves. */
  async put(request: KeptRequest): Promise<Result<KeptRequest>> {
    const value = encodeCbor({ ...request, side: request.side === 'out' ? 0 : 1 });
    const stored = await this.#rows.put(keyspace.grantRequests, { name: nameOf(request), value });
    if (!stored.ok) return stored;
    this.#requests.set(keyOf(request), request);
    return ok(request);
  }
}

function keyOf({ side, id }: KeptRequest): string {
  return `${side} ${id}`;
}

function nameOf({ side, id }: KeptRequest): Uint8Array {
  return concat(Uint8Array.of(side === 'out' ? 0 : 1), idBytes(id));
}

/** Undefined where the row is not one of ours. */
function decode(value: Uint8Array): KeptRequest | undefined {
  const row = decodeCborMap(value);
  if (!row.ok) return undefined;
  const map = row.value;
  const text = (name: string): string => {
    const found = map[name];
    return typeof found === 'string' ? found : '';
  };
  const owner = parseDid(text('owner'));
  const organisation = parseDid(text('organisation'));
  const audience = parseDid(text('audience'));
  const state = requestStates.find((one) => one === text('state'));
  const { since, seconds } = map;
  if (!owner.ok || !organisation.ok || !audience.ok || state === undefined) return undefined;
  if (typeof since !== 'number' || typeof seconds !== 'number') return undefined;
  return {
    side: map['side'] === 0 ? 'out' : 'in',
    id: text('id'),
    owner: owner.value,
    stream: text('stream'),
    purpose: text('purpose'),
    seconds,
    organisation: organisation.value,
    audience: audience.value,
    since: asTimeMs(since),
    state,
    reason: text('reason'),
    grant: text('grant'),
    grantId: text('grantId'),
    renews: text('renews'),
  };
}
