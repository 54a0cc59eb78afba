/**
 * The materialised view of all registries that this peer holds: who is who, and which streams there
 * are. Rebuilt from the registry logs at start and fed block by block afterwards, so it is never a
 * second source of truth. Names are resolved here (ledger.md "Identity").
 */
import { fromBase64url } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import { Identities } from '../../identities.ts';
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
import {
  logsOf,
  readRegistryEntry,
  type Profile,
  type RegistryEntry,
  type StreamCard,
} from './cards.ts';
import { namesRegistry, registryKnown, RegistryPins } from './registry-pins.ts';
import type { Successions } from './successions.ts';

/** Where in the registry an entry stands. */
export interface EntryPlace {
  readonly log: LogId;
  readonly index: number;
}

/** The freshness key that a registry names, and since which of its entries. */
export interface NamedFreshness {
  readonly key: Did;
  readonly since: EntryPlace;
}

/** What a registry says of delegations that were taken back. */
export type Revoked = Extract<RegistryEntry, { kind: 'revoked' | 'writerRevoked' }>;

/** Who goes by which DID, and which log is whose registry. */
export type Owners = Pick<Successions, 'identities' | 'pins' | 'succeeded'>;

interface Registry {
  readonly logId: LogId;
  /** The DID in the genesis of its first log, whatever the organisation is called now. */
  readonly root: Did;
  profile?: Profile;
  freshness?: NamedFreshness | undefined;
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
  #revoked: (owner: Did, revoked: Revoked) => void = () => undefined;
  readonly #self: Did;
  readonly #owners: Owners;

  constructor(self: Did, aliases: ReadonlyMap<string, Did>, owners: Owners = nobodySucceeded()) {
    this.#self = self;
    this.#aliases = aliases;
    this.#owners = owners;
    owners.identities.onChange(() => this.#rekey());
  }

  /** Starts the view of an owner's registry; false if another registry log already counts. */
  open(owner: Did, logId: LogId): boolean {
    const known = this.#of(owner);
    if (known !== undefined) return known.logId === logId;
    const { pins } = this.#owners;
    const root = this.#root(owner);
    if ((pins.of(root)?.logId ?? logId) !== logId) return false;
    if (this.#byOwner.size >= limits.maxRegistries) return false;
    this.#byOwner.set(this.now(owner), { logId, root, streams: new Map(), listed: new Map() });
    if (pins.of(root) === undefined) pins.set(root, { logId, named: false });
    return true;
  }

  /**
   * The owner's own word, by the delegation of one of its peers, on which log is its registry. `changed`
   * if that replaces one that we were told of by others: what that said is forgotten and the log must be
   * read from its start. Once named, a registry stays: `registry-known`.
   */
  name(owner: Did, logId: LogId): 'same' | 'changed' | Fault {
    const { pins } = this.#owners;
    const root = this.#root(owner);
    const pin = pins.of(root);
    if (pin?.named === true && pin.logId !== logId) return registryKnown(owner, pin.logId, logId);
    pins.set(root, { logId, named: true });
    const known = this.#of(owner);
    if (known === undefined || known.logId === logId) return 'same';
    this.forget(owner, logId);
    return 'changed';
  }

  /** Forgets what an owner's registry said; it is read again, or `logId` in its place. */
  forget(owner: Did, logId: LogId): void {
    const known = this.#of(owner);
    if (known === undefined) return;
    for (const card of known.streams.values()) {
      for (const log of logsOf(card)) this.#byLog.delete(log);
    }
    const { root } = known;
    this.#rename(this.now(owner), known.profile?.name, undefined);
    this.#byOwner.set(this.now(owner), { logId, root, streams: new Map(), listed: new Map() });
  }

  /** Who goes by another DID than before. */
  get identities(): Identities {
    return this.#owners.identities;
  }
  /** A registry that the organisation's own word is in needs no peer of it to be known as the one. */
  #namesItself({ root, logId }: Registry, { delegation }: Profile): void {
    if (delegation === undefined || this.#owners.pins.of(root)?.named === true) return;
    const token = fromBase64url(delegation);
    if (!token.ok || namesRegistry(token.value, logId) !== root) return;
    this.#owners.pins.set(root, { logId, named: true });
  }

  /** The DID that an organisation has now. */
  now(owner: Did): Did {
    return this.#owners.identities.now(owner);
  }
  #root(owner: Did): Did {
    return this.#owners.identities.all(owner).at(-1) ?? owner;
  }
  #of(owner: Did): Registry | undefined {
    return this.#byOwner.get(this.now(owner));
  }

  /** An organisation has another DID now: all that its registry said is said by that. */
  #rekey(): void {
    // A new DID is set at the end of the map and met again there, as it should be.
    for (const [owner, registry] of this.#byOwner) {
      const now = this.now(registry.root);
      if (now === owner || this.#byOwner.has(now)) continue;
      this.#byOwner.delete(owner);
      this.#byOwner.set(now, registry);
      const { profile, streams } = registry;
      this.#rename(owner, profile?.name, undefined);
      this.#rename(now, undefined, profile?.name);
      if (profile !== undefined) registry.profile = { ...profile, owner: now };
      for (const card of streams.values()) this.#put(registry, { ...card, owner: now });
    }
    const direct = [...this.#direct.values()];
    this.#direct.clear();
    for (const card of direct) this.putDirect(card);
  }

  /** Takes the next event of a registry in order; a malformed one is returned and changes nothing. */
  take(
    owner: Did,
    context: Attributes,
    event: EventBytes,
    at?: EntryPlace,
  ): Result<StreamCard | undefined> {
    const registry = this.#of(owner);
    if (registry === undefined) return ok(undefined);
    const entry = readRegistryEntry(this.now(owner), context, event);
    if (!entry.ok) return entry;
    switch (entry.value.kind) {
      case 'profile':
        this.#rename(this.now(owner), registry.profile?.name, entry.value.profile.name);
        registry.profile = entry.value.profile;
        this.#namesItself(registry, entry.value.profile);
        registry.freshness = namedFreshness(registry.freshness, entry.value.profile, at);
        return ok(undefined);
      case 'stream':
        return ok(this.#put(registry, entry.value.card));
      case 'closed':
        registry.streams.delete(entry.value.name);
        return ok(undefined);
      case 'revoked':
      case 'writerRevoked':
        this.#revoked(owner, entry.value);
        return ok(undefined);
      case 'succeeded':
        return this.#owners.succeeded(entry.value, at) ?? ok(undefined);
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
  putDirect(told: StreamCard): void {
    const card = { ...told, owner: this.now(told.owner) };
    this.#direct.set(`${card.owner}/${card.name}`, card);
    for (const log of logsOf(card)) this.#byLog.set(log, { owner: card.owner, name: card.name });
  }

  /** Is told of revocations as registries have them; one listener. */
  onRevoked(listener: (owner: Did, revoked: Revoked) => void): void {
    this.#revoked = listener;
  }

  /** The freshness key that the owner's registry names now. */
  freshness(owner: Did): NamedFreshness | undefined {
    return this.#of(owner)?.freshness;
  }
  /** The first log of the owner's registry. */
  registryOf(owner: Did): LogId | undefined {
    return this.#of(owner)?.logId;
  }

  profile(owner: Did): Profile | undefined {
    return this.#of(owner)?.profile;
  }
  card({ owner, name }: StreamKey): StreamCard | undefined {
    const listed = this.#of(owner)?.streams.get(name);
    return listed ?? this.#direct.get(`${this.now(owner)}/${name}`);
  }
  /** True where a card of the stream, present or earlier, names the log. */
  lists({ owner, name }: StreamKey, logId: LogId): boolean {
    const registry = this.#of(owner);
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
    return this.#of(owner) !== undefined;
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
    const now = this.now(owner);
    for (const [alias, did] of this.#aliases) if (this.now(did) === now) return alias;
    return this.profile(owner)?.name;
  }

  /**
   * The DID behind what a user wrote: a DID, a local alias, or a registry name that exactly one known
   * organisation has (`name-ambiguous` lists the DIDs otherwise).
   */
  organisation(text: string): Result<Did> {
    if (text.startsWith('did:')) {
      const did = parseDid(text);
      return did.ok ? ok(this.now(did.value)) : did;
    }
    const alias = this.#aliases.get(text);
    if (alias !== undefined) return ok(this.now(alias));
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
    const owner = slash < 0 ? ok(this.now(this.#self)) : this.organisation(text.slice(0, slash));
    return owner.ok ? ok({ owner: owner.value, name: asStreamName(name) }) : owner;
  }
}

export function unknown(text: string): ReturnType<typeof fault> {
  return fault('stream-unknown', `no stream ${JSON.stringify(text)} is known here`);
}

/** A key that goes on counts since it came; another one since this entry. */
function namedFreshness(
  before: NamedFreshness | undefined,
  { freshness: key }: Profile,
  since: EntryPlace | undefined,
): NamedFreshness | undefined {
  if (key === undefined || since === undefined) return undefined;
  return before?.key === key ? before : { key, since };
}

/** Where no successions are looked at. */
function nobodySucceeded(): Owners {
  return {
    identities: new Identities(),
    pins: new RegistryPins(),
    succeeded: () => undefined,
  };
}
