/**
 * The events of a registry stream (events.md "Discovery"): what an organisation says in public about
 * itself and its streams. They come from strangers, so each is checked against its schema before
 * anything is believed; `hw` never acts on an event of a type or shape that it does not know.
 */
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { fromBase64url, fromUtf8, toBase64url, utf8 } from '../../bytes.ts';
import { fault } from '../../errors.ts';
import type { SuccessionTerms } from '../../identities.ts';
import { parseDid, parseLogId } from '../../ids.ts';
import { limits, protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime, parseTime } from '../../time.ts';
import {
  asPeerId,
  asStreamName,
  isStreamName,
  type Attributes,
  type Did,
  type EventBytes,
  type LogId,
  type PeerId,
  type StreamName,
} from '../../types.ts';

const Peer = Type.Object({
  id: Type.String({ pattern: '^[1-9A-HJ-NP-Za-km-z]{1,128}$' }),
  addresses: Type.Array(Type.String({ maxLength: 256 }), { maxItems: limits.maxCardAddresses }),
});
const ProfileData = Type.Object({
  name: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{0,62}$' }),
  peers: Type.Array(Peer, { maxItems: limits.maxCardPeers }),
  freshness: Type.Optional(Type.String({ maxLength: 128 })),
  encryption: Type.Optional(Type.String({ maxLength: 128 })),
  delegation: Type.Optional(Type.String({ maxLength: 12_288 })),
});
const StreamData = Type.Object({
  name: Type.String({ maxLength: 64 }),
  visibility: Type.Union([Type.Literal('public'), Type.Literal('sealed')]),
  partitions: Type.Array(
    Type.Object({
      log: Type.String({ maxLength: 64 }),
      writer: Peer.properties.id,
      successors: Type.Optional(
        Type.Array(Type.String({ maxLength: 64 }), { maxItems: limits.maxSuccessors }),
      ),
    }),
    { minItems: 1, maxItems: protocol.maxPartitions },
  ),
  contentType: Type.Optional(Type.String({ maxLength: 256 })),
  description: Type.Optional(Type.String({ maxLength: 4096 })),
});
const RevokedData = Type.Object({
  ucan: Type.String({ maxLength: 128 }),
  token: Type.String({ maxLength: 12_288 }),
  expires: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 48 })),
});
const WriterRevokedData = Type.Object({
  ...RevokedData.properties,
  logs: Type.Array(
    Type.Object({
      log: Type.String({ maxLength: 64 }),
      last: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    }),
    { maxItems: limits.maxRevokedLogs },
  ),
});
const SucceededData = Type.Object({
  newDid: Type.String({ maxLength: 128 }),
  reason: Type.Union([Type.Literal('lost'), Type.Literal('stolen')]),
  since: Type.Optional(Type.String({ maxLength: 64 })),
  kept: Type.Optional(
    Type.Array(Type.String({ maxLength: 128 }), { maxItems: protocol.maxKeptTokens }),
  ),
});
const DirectData = Type.Object({
  ...StreamData.properties,
  visibility: Type.Literal('direct'),
});

export interface PeerCard {
  readonly id: PeerId;
  /** Multiaddrs, without any promise that they answer. */
  readonly addresses: readonly string[];
}
export interface Profile {
  readonly owner: Did;
  /** What the organisation calls itself; not unique, not verified. */
  readonly name: string;
  readonly peers: readonly PeerCard[];
  /** Key whose cosignature/v1 says that this registry is as it was then (access.md "Freshness"). */
  readonly freshness?: Did;
  /** `x25519:…`: keys for the organisation are sealed to it (access.md "Identities and keys"). */
  readonly encryption?: string;
  /** base64url of the organisation's delegation to its peer, which names this registry: see registry-pins.ts. */
  readonly delegation?: string;
}
export interface CardPartition {
  /** The first log of its chain. */
  readonly log: LogId;
  readonly writer: PeerId;
  /** The later ones in order; the last takes events. */
  readonly successors?: readonly LogId[];
}
export interface StreamCard {
  readonly owner: Did;
  readonly name: StreamName;
  /** The log of partition 0, which is the stream's identity. */
  readonly id: LogId;
  /** A direct stream is in no registry: its card comes with a grant. */
  readonly visibility: 'public' | 'sealed' | 'direct';
  readonly partitions: readonly CardPartition[];
  readonly contentType?: string;
  readonly description?: string;
}
/** A delegation that was taken back; `token` is the invocation of /ucan/revoke. */
export interface RevokedEntry {
  readonly kind: 'revoked';
  readonly token: Uint8Array;
  /** Seconds since 1970 when the delegation would have expired; absent: never, or not said. */
  readonly expires?: number;
}
/** One of `/flow/write`, with the last good entry of each log that was written by it. */
export interface WriterRevokedEntry extends Omit<RevokedEntry, 'kind'> {
  readonly kind: 'writerRevoked';
  readonly logs: readonly LastGood[];
}
export interface LastGood {
  readonly log: LogId;
  readonly last: number;
}
/** The organisation goes by another DID from here on (src/identities.ts). */
export interface SucceededEntry {
  readonly kind: 'succeeded';
  readonly newDid: Did;
  readonly terms: SuccessionTerms;
}
export type RegistryEntry =
  | { readonly kind: 'profile'; readonly profile: Profile }
  | { readonly kind: 'stream'; readonly card: StreamCard }
  | { readonly kind: 'closed'; readonly name: StreamName }
  | RevokedEntry
  | WriterRevokedEntry
  | SucceededEntry
  | { readonly kind: 'unknown' };

export const registryTypes = {
  profile: 'org.headwater.profile.updated',
  created: 'org.headwater.stream.created',
  updated: 'org.headwater.stream.updated',
  closed: 'org.headwater.stream.closed',
  revoked: 'org.headwater.grant.revoked',
  writerRevoked: 'org.headwater.writer.revoked',
  succeeded: 'org.headwater.organisation.succeeded',
} as const;

/** Reads one event of the registry of `owner`; `registry-entry` where its data is malformed. */
export function readRegistryEntry(
  owner: Did,
  context: Attributes,
  event: EventBytes,
): Result<RegistryEntry> {
  switch (context['type']) {
    case registryTypes.profile: {
      const data = parseData(ProfileData, event);
      if (!data.ok) return data;
      return readProfile(owner, data.value);
    }
    case registryTypes.created:
    case registryTypes.updated: {
      const data = parseData(StreamData, event);
      return data.ok ? readCard(owner, data.value) : data;
    }
    case registryTypes.closed: {
      const name = String(context['subject']);
      return isStreamName(name)
        ? ok({ kind: 'closed', name: asStreamName(name) })
        : malformed('subject');
    }
    case registryTypes.revoked: {
      const data = parseData(RevokedData, event);
      return data.ok ? readRevoked(data.value) : data;
    }
    case registryTypes.writerRevoked: {
      const data = parseData(WriterRevokedData, event);
      return data.ok ? readWriterRevoked(data.value) : data;
    }
    case registryTypes.succeeded: {
      const data = parseData(SucceededData, event);
      return data.ok ? readSucceeded(data.value) : data;
    }
    default:
      return ok({ kind: 'unknown' });
  }
}

/** The card of a direct stream, as its owner told it to who has a grant. Code: `registry-entry`. */
export function readDirectCard(owner: Did, text: string): Result<StreamCard> {
  const data = parseJson(DirectData, text);
  if (!data.ok) return data;
  const entry = readCard(owner, data.value);
  if (!entry.ok) return entry;
  return entry.value.kind === 'stream' ? ok(entry.value.card) : malformed('');
}

function readRevoked({ token, expires }: Static<typeof RevokedData>): Result<RevokedEntry> {
  const bytes = fromBase64url(token);
  if (!bytes.ok) return malformed('/token');
  const entry = { kind: 'revoked', token: bytes.value } as const;
  return ok(expires === undefined ? entry : { ...entry, expires });
}

function readWriterRevoked(data: Static<typeof WriterRevokedData>): Result<WriterRevokedEntry> {
  const revoked = readRevoked(data);
  if (!revoked.ok) return revoked;
  const logs: LastGood[] = [];
  for (const { log, last } of data.logs) {
    const logId = parseLogId(log);
    if (!logId.ok) return malformed('/logs');
    logs.push({ log: logId.value, last });
  }
  return ok({ ...revoked.value, kind: 'writerRevoked', logs });
}

function readSucceeded(data: Static<typeof SucceededData>): Result<SucceededEntry> {
  const { reason, kept = [] } = data;
  const newDid = parseDid(data.newDid);
  if (!newDid.ok) return malformed('/newDid');
  const since = data.since === undefined ? undefined : parseTime(data.since);
  if (since?.ok === false) return malformed('/since');
  const terms = {
    reason,
    kept: new Set(kept),
    ...(since === undefined ? {} : { since: since.value }),
  };
  return ok({ kind: 'succeeded', newDid: newDid.value, terms });
}

/** The data of the first event under a new DID. */
export function succeededData(newDid: Did, { reason, since, kept }: SuccessionTerms): Uint8Array {
  const time = since === undefined ? {} : { since: formatTime(since) };
  const named = reason === 'stolen' ? { kept: [...kept].toSorted() } : {};
  return utf8(JSON.stringify({ newDid, reason, ...time, ...named }));
}

function readProfile(owner: Did, data: Static<typeof ProfileData>): Result<RegistryEntry> {
  const { name, encryption, delegation } = data;
  const freshness = data.freshness === undefined ? undefined : parseDid(data.freshness);
  if (freshness?.ok === false) return malformed('/freshness');
  const profile = {
    owner,
    name,
    peers: peers(data.peers),
    ...(freshness === undefined ? {} : { freshness: freshness.value }),
    ...(encryption === undefined ? {} : { encryption }),
    ...(delegation === undefined ? {} : { delegation }),
  };
  return ok({ kind: 'profile', profile });
}

function readCard(
  owner: Did,
  data: Static<typeof StreamData> | Static<typeof DirectData>,
): Result<RegistryEntry> {
  if (!isStreamName(data.name) || data.name.startsWith('_')) return malformed('name');
  const partitions: CardPartition[] = [];
  for (const item of data.partitions) {
    const log = parseLogId(item.log);
    if (!log.ok) return log;
    const successors: LogId[] = [];
    for (const text of item.successors ?? []) {
      const later = parseLogId(text);
      if (!later.ok) return later;
      successors.push(later.value);
    }
    const partition = { log: log.value, writer: asPeerId(item.writer) };
    partitions.push(successors.length === 0 ? partition : { ...partition, successors });
  }
  const id = partitions[0]?.log;
  if (id === undefined) return malformed('partitions');
  const { name, partitions: _, ...rest } = data;
  return ok({ kind: 'stream', card: { ...rest, owner, name: asStreamName(name), id, partitions } });
}

/** All logs of a stream: chain by chain. */
export function logsOf({ partitions }: Pick<StreamCard, 'partitions'>): readonly LogId[] {
  return partitions.flatMap(({ log, successors = [] }) => [log, ...successors]);
}

/**
 * The data of a registry event that takes a delegation back; `token` is the invocation of /ucan/revoke,
 * `logs` those of a writer's delegation.
 */
export function revokedData(
  ucan: string,
  token: Uint8Array,
  more: { readonly expires?: number; readonly logs?: readonly LastGood[] } = {},
): Uint8Array {
  return utf8(JSON.stringify({ ucan, token: toBase64url(token), ...more }));
}

/** The data of a registry event that announces a stream. */
export function streamData(card: StreamCard): Uint8Array {
  const { owner: _owner, id: _id, ...data } = card;
  return utf8(JSON.stringify(data));
}

export function profileData({ owner: _owner, ...data }: Profile): Uint8Array {
  return utf8(JSON.stringify(data));
}

function peers(list: Static<typeof ProfileData>['peers']): readonly PeerCard[] {
  return list.map(({ id, addresses }) => ({ id: asPeerId(id), addresses }));
}

function parseData<S extends TSchema>(schema: S, event: EventBytes): Result<Static<S>> {
  const text = fromUtf8(event.data);
  return text.ok ? parseJson(schema, text.value) : text;
}

function parseJson<S extends TSchema>(schema: S, text: string): Result<Static<S>> {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return malformed('');
  }
  if (Value.Check(schema, data)) return ok(data);
  return malformed(Value.Errors(schema, data)[0]?.instancePath ?? '');
}

function malformed(pointer: string): {
  readonly ok: false;
  readonly error: ReturnType<typeof fault>;
} {
  return err(fault('registry-entry', 'a registry event that does not fit its type', { pointer }));
}
