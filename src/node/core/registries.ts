/**
 * The materialised view of all registries that this peer holds: who is who, and which streams there
 * are. Rebuilt from the registry logs at start and fed block by block afterwards, so it is never a
 * second source of truth. Names are resolved here (ledger.md "Identity").
 */
import { fault } from '../../errors.ts';
import { parseLogId, parseDid } from '../../ids.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import {
  asStreamName,
  isStreamName,
  type Attributes,
  type Did,
  type EventBytes,
  type LogId,
  type StreamName,
} from '../../types.ts';
import { logsOf, readRegistryEntry, type Profile, type StreamCard } from './cards.ts';

interface Registry {
  readonly logId: LogId;
  profile?: Profile;
  readonly streams: Map<StreamName, StreamCard>;
  /** All logs that a card of the stream has named, the present ones included. */
  readonly listed: Map<StreamName, Set<LogId>>;
}

/** A stream as named by someone; the card is absent for one that no registry lists. */
export interface StreamKey {
  readonly owner: Did;
  readonly name: StreamName;
}

export class Registries {
  readonly #byOwner = new Map<Did, Registry>();
  /** Organisations by the name that they give themselves. */
  readonly #byName = new Map<string, Set<Did>>();
  readonly #byLog = new Map<LogId, { owner: Did; name: StreamName }>();
  /** Cards of direct streams, which came with grants. */
  readonly #direct = new Map<string, StreamCard>();
  #aliases: ReadonlyMap<string, Did>;
  #revoked: (owner: Did, token: Uint8Array) => void = () => undefined;
  readonly #self: Did;

  constructor(self: Did, aliases: ReadonlyMap<string, Did>) {
    this.#self = self;
    this.#aliases = aliases;
  }

  /** Starts the view of an owner's registry; false if another registry log already counts. */
  open(owner: Did, logId: LogId): boolean {
    const known = this.#byOwner.get(owner);
    if (known !== undefined) return known.logId === logId;
    if (this.#byOwner.size >= limits.maxRegistries) return false;
    this.#byOwner.set(owner, { logId, streams: new Map(), listed: new Map() });
    return true;
  }

  /**
   * The owner's own word, by the delegation of one of its peers, on which log is its registry. True if
   * that replaces another: what the other said is forgotten and the log must be read from its start.
   */
  name(owner: Did, logId: LogId): boolean {
    const known = this.#byOwner.get(owner);
    if (known === undefined || known.logId === logId) return false;
    this.forget(owner, logId);
    return true;
  }

  /** Forgets what an owner's registry said; it is read again, or `logId` in its place. */
  forget(owner: Did, logId: LogId): void {
    const known = this.#byOwner.get(owner);
    if (known === undefined) return;
    for (const card of known.streams.values()) {
      for (const log of logsOf(card)) this.#byLog.delete(log);
    }
    this.#rename(owner, known.profile?.name, undefined);
    this.#byOwner.set(owner, { logId, streams: new Map(), listed: new Map() });
  }

  /** Takes the next event of a registry in order; a malformed one is returned and changes nothing. */
  take(owner: Did, context: Attributes, event: EventBytes): Result<StreamCard | undefined> {
    const registry = this.#byOwner.get(owner);
    if (registry === undefined) return ok(undefined);
    const entry = readRegistryEntry(owner, context, event);
    if (!entry.ok) return entry;
    switch (entry.value.kind) {
      case 'profile':
        this.#rename(owner, registry.profile?.name, entry.value.profile.name);
        registry.profile = entry.value.profile;
        return ok(undefined);
      case 'stream':
        return ok(this.#put(registry, entry.value.card));
      case 'closed':
        registry.streams.delete(entry.value.name);
        return ok(undefined);
      case 'revoked':
        this.#revoked(owner, entry.value.token);
        return ok(undefined);
      case 'unknown':
        return ok(undefined);
    }
  }

  #rename(owner: Did, from: string | undefined, to: string | undefined): void {
    if (from !== undefined) this.#byName.get(from)?.delete(owner);
    if (from !== undefined && this.#byName.get(from)?.size === 0) this.#byName.delete(from);
    if (to === undefined) return;
    const owners = this.#byName.get(to);
    if (owners === undefined) this.#byName.set(to, new Set([owner]));
    else owners.add(owner);
  }

  #put(registry: Registry, card: StreamCard): StreamCard | undefined {
    if (registry.streams.size >= limits.maxStreamsPerRegistry) return undefined;
    registry.streams.set(card.name, card);
    const listed = registry.listed.get(card.name) ?? new Set();
    registry.listed.set(card.name, listed);
    for (const log of logsOf(card)) {
      this.#byLog.set(log, { owner: card.owner, name: card.name });
      if (listed.size < limits.maxLogsPerCard) listed.add(log);
    }
    return card;
  }

  /** Takes the card of a direct stream; what a registry lists under the name goes before it. */
  putDirect(card: StreamCard): void {
    this.#direct.set(`${card.owner}/${card.name}`, card);
    for (const log of logsOf(card)) this.#byLog.set(log, { owner: card.owner, name: card.name });
  }

  /** Is told of revocations as registries have them; one listener. */
  onRevoked(listener: (owner: Did, token: Uint8Array) => void): void {
    this.#revoked = listener;
  }

  profile(owner: Did): Profile | undefined {
    return this.#byOwner.get(owner)?.profile;
  }
  card({ owner, name }: StreamKey): StreamCard | undefined {
    const listed = this.#byOwner.get(owner)?.streams.get(name);
    return listed ?? this.#direct.get(`${owner}/${name}`);
  }
  /** True where a card of the stream, present or earlier, names the log. */
  lists({ owner, name }: StreamKey, logId: LogId): boolean {
    const registry = this.#byOwner.get(owner);
    const card = this.card({ owner, name });
    const now = card !== undefined && logsOf(card).includes(logId);
    return now || (registry?.listed.get(name)?.has(logId) ?? false);
  }
  /** The stream that a registry says this log belongs to: anyone may claim that of any log. */
  ofLog(logId: LogId): StreamKey | undefined {
    return this.#byLog.get(logId);
  }
  *cards(): IterableIterator<StreamCard> {
    for (const registry of this.#byOwner.values()) yield* registry.streams.values();
    yield* this.#direct.values();
  }
  /** Is a registry of this organisation known here? */
  has(owner: Did): boolean {
    return this.#byOwner.has(owner);
  }

  *owners(): IterableIterator<Did> {
    yield* this.#byOwner.keys();
  }

  /** Others from now on. */
  setAliases(aliases: ReadonlyMap<string, Did>): void {
    this.#aliases = aliases;
  }

  /** How people here call an organisation: alias, else its own name, else undefined. */
  nameOf(owner: Did): string | undefined {
    for (const [alias, did] of this.#aliases) if (did === owner) return alias;
    return this.profile(owner)?.name;
  }

  /**
   * The DID behind what a user wrote: a DID, a local alias, or a registry name that exactly one known
   * organisation has (`name-ambiguous` lists the DIDs otherwise).
   */
  organisation(text: string): Result<Did> {
    if (text.startsWith('did:')) return parseDid(text);
    const alias = this.#aliases.get(text);
    if (alias !== undefined) return ok(alias);
    const [first, ...others] = this.#byName.get(text) ?? [];
    if (first === undefined) {
      return err(
        fault('stream-unknown', `no known organisation is called ${JSON.stringify(text)}`),
      );
    }
    if (others.length === 0) return ok(first);
    const dids = [first, ...others].join(', ');
    return err(fault('name-ambiguous', `${JSON.stringify(text)} may be any of ${dids}`));
  }

  /** STREAM as a user writes it: `name`, `alias/name`, `did:key:…/name` or `hw:<logId>`. */
  parse(text: string): Result<StreamKey> {
    if (text.startsWith('hw:')) {
      const logId = parseLogId(text.slice(3));
      if (!logId.ok) return logId;
      const key = this.ofLog(logId.value);
      return key === undefined ? err(unknown(text)) : ok(key);
    }
    const slash = text.lastIndexOf('/');
    const name = text.slice(slash + 1);
    if (!isStreamName(name)) return err(fault('bad-name', `${JSON.stringify(name)} is not a name`));
    const owner = slash < 0 ? ok(this.#self) : this.organisation(text.slice(0, slash));
    return owner.ok ? ok({ owner: owner.value, name: asStreamName(name) }) : owner;
  }
}

export function unknown(text: string): ReturnType<typeof fault> {
  return fault('stream-unknown', `no stream ${JSON.stringify(text)} is known here`);
}
