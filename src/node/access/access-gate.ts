/**
 * What gossip asks of the access room: who may read our direct logs, what we show to read others',
 * and revocations as they come in. Requests for grants are handed to the desk.
 */
import {
  mintReading,
  orderGrant,
  widestArgs,
  type Grant,
  type ReadArgs,
} from '../../access/grant.ts';
import {
  may,
  stillMay,
  streamAsked,
  type AccessState,
  type Decision,
  type Permit,
  type Serving,
} from '../../access/may.ts';
import { formatContainer } from '../../access/ucan-container.ts';
import { tokenCid } from '../../access/ucan-envelope.ts';
import { Replays } from '../../access/ucan-replays.ts';
import { readRevocation } from '../../access/ucan-revocations.ts';
import { rememberingCrypto } from '../../access/verified-signatures.ts';
import { utf8 } from '../../bytes.ts';
import type { Crypto, Signer } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import {
  maxGrantsTold,
  type AccessAnswer,
  type AskKeys,
  type GrantRequest,
  type KeysAnswer,
  type RequestId,
} from '../../gossip/access-codec.ts';
import type { AccessPort, Asker, RevocationTaken } from '../../gossip/access-port.ts';
import type { FreshnessPort } from '../../gossip/freshness-port.ts';
import type { PortGenesis } from '../../gossip/ledger-port.ts';
import { peerKey } from '../../gossip/peer-id.ts';
import type { Host } from '../../host.ts';
import type { Identities } from '../../identities.ts';
import { didFromKey } from '../../ids.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { Did, LogId, PeerId, StreamName } from '../../types.ts';
import { logsOf, streamData, type StreamCard } from '../core/cards.ts';
import type { GrantBook, KeptGrant } from './grant-book.ts';
import type { RevocationBook } from './revocation-book.ts';
import { Standings } from './standings.ts';

interface Stream {
  readonly owner: Did;
  readonly name: StreamName;
}

export interface GateParts {
  readonly host: Host;
  readonly crypto: Crypto;
  /** The peer key: it answers for the organisation, and shows its grants. */
  readonly signer: Signer;
  readonly organisation: Did;
  readonly grants: GrantBook;
  readonly revocations: RevocationBook;
  readonly limits: {
    readonly maxInvocations: number;
    readonly maxVerifiedSignatures: number;
    readonly maxRevocationLagMs: number;
    readonly maxStrangeRevocations: number;
    readonly deniedJournalMs: number;
  };
  /** How fresh our view of an owner's registry is, where its revocations stand. */
  readonly freshness: FreshnessPort & { ageMs(owner: Did): number | undefined };
  /** Organisations that go by another DID; absent where nobody does. */
  readonly identities?: Identities;
  /** An organisation or a peer that this node has met or heard of. */
  readonly knows: (did: Did) => boolean;
  /** The card of a direct stream of ours. */
  readonly cardOf: (stream: StreamName) => StreamCard | undefined;
  /** Chain by which this peer reads what other peers of its organisation write; empty: there is none. */
  readonly kinship: readonly Uint8Array[];
  readonly onAllowed: (permit: Permit, asker: Asker, grant: Uint8Array) => void;
  readonly onDenied: (asker: Asker, reason: Fault, others: number) => void;
  readonly onAnswered: (grant: KeptGrant, refusal: Fault | undefined) => void;
  readonly desk: Pick<AccessPort, 'request' | 'stateOf' | 'withdraw'>;
  /** Epoch keys of our sealed logs; absent where there are none. */
  readonly keys?: (ask: AskKeys, asker: Asker) => Promise<Result<KeysAnswer>>;
}

export class AccessGate implements AccessPort {
  readonly freshness: FreshnessPort;
  readonly standings: Standings;
  readonly #parts: GateParts;
  readonly #court: AccessState['court'];
  /** Logs that are followed by a grant, as their owner's card names them. */
  readonly #followed = new Map<LogId, Stream>();
  readonly #opened = new Map<string, Grant>();
  readonly #cids = new WeakMap<Uint8Array, string>();
  #strange = 0;
  #denied = 0;
  #deniedToldMs = -Infinity;

  constructor(parts: GateParts) {
    this.#parts = parts;
    this.freshness = parts.freshness;
    this.standings = new Standings(parts.crypto, parts.revocations.set, parts.organisation);
    const { host, crypto, limits, signer, revocations } = parts;
    // What was issued in the second of the start may have been used before it.
    const startedAt = Math.ceil(host.clock.now() / 1000);
    this.#court = {
      crypto: rememberingCrypto(crypto, limits.maxVerifiedSignatures),
      self: didFromKey(signer.publicKey),
      replays: new Replays(startedAt, limits.maxInvocations),
      revocations: revocations.set,
      ...(parts.identities === undefined ? {} : { identities: parts.identities }),
    };
  }

  may(
    genesis: PortGenesis,
    grant: Uint8Array | undefined,
    asker: Asker,
    as: Serving = 'blocks',
  ): Decision {
    const { owner, name, visibility } = genesis;
    const { organisation } = asker;
    const wanted = { owner, stream: name, visibility };
    const closed = visibility === 'direct' || as === 'keys';
    const key = closed ? peerKey(asker.peer) : undefined;
    if (closed && key === undefined) {
      return { kind: 'deny', reason: noKey, told: false };
    }
    const peer = key === undefined ? organisation : didFromKey(key);
    const request = { wanted, grant, peer, organisation, as };
    const decision = may(request, this.#state());
    if (decision.kind === 'deny') this.#tellDenied(asker, decision.reason);
    else if (decision.permit !== undefined && grant !== undefined) {
      this.#parts.onAllowed(decision.permit, asker, grant);
    }
    return decision;
  }

  ended(permit: Permit): Fault | undefined {
    return stillMay(permit, this.#state());
  }

  revokedStanding(peer: PeerId, shown: readonly Uint8Array[]): Fault | undefined {
    return this.standings.revoked(peer, shown);
  }

  onChange(listener: () => void): Disposable {
    const taken = this.#parts.revocations.onTaken(listener);
    const renamed = this.#parts.identities?.onChange(listener);
    return {
      [Symbol.dispose]: () => {
        taken[Symbol.dispose]();
        renamed?.[Symbol.dispose]();
      },
    };
  }

  /** From now on the logs of this card are read by grant. */
  follow(card: StreamCard): void {
    for (const log of logsOf(card)) this.followLog(log, card);
  }

  followLog(log: LogId, { owner, name }: Stream): void {
    this.#followed.set(log, { owner, name });
  }

  ownerOf(logId: LogId): Did | undefined {
    const owner = this.#followed.get(logId)?.owner;
    return owner && this.#now(owner);
  }

  show(logId: LogId, peer: PeerId): Result<Uint8Array> {
    const stream = this.#followed.get(logId);
    return stream === undefined ? err(noGrant) : this.showFor(stream, peer);
  }

  /** As `show`, by the stream. Codes: `grant-none`, those of a grant that cannot be opened. */
  showFor(stream: Stream, peer: PeerId): Result<Uint8Array> {
    const key = peerKey(peer);
    if (key === undefined) return err(noGrant);
    const held = this.#heldFor(stream);
    if (!held.ok) return held;
    const { grant, args } = held.value;
    const { host, signer } = this.#parts;
    const now = host.clock.now();
    const reading = { owner: stream.owner, audience: didFromKey(key), args, now };
    return ok(utf8(mintReading(signer, host.random, grant, reading)));
  }

  /** One of the grants that we hold, used to all that it allows. Codes: `grant-none`, those of a grant that cannot be opened. */
  showKept(kept: KeptGrant, peer: PeerId): Result<Uint8Array> {
    const key = peerKey(peer);
    if (key === undefined) return err(noGrant);
    const grant = this.open(kept);
    if (!grant.ok) return grant;
    const { host, signer } = this.#parts;
    const [audience, now] = [didFromKey(key), host.clock.now()];
    const reading = { owner: kept.scope.owner, audience, args: widestArgs(kept.scope), now };
    return ok(utf8(mintReading(signer, host.random, grant.value, reading)));
  }

  /** What opens a stream for us, and all that it opens. */
  #heldFor(stream: Stream): Result<{ readonly grant: Grant; readonly args: ReadArgs }> {
    const { organisation, kinship, crypto } = this.#parts;
    if (stream.owner === organisation && kinship.length > 0) {
      const grant = orderGrant(crypto, kinship);
      const args = { stream: stream.name, from: 0, fields: 'data' };
      return grant.ok ? ok({ grant: grant.value, args }) : grant;
    }
    const kept = this.best(stream);
    if (kept === undefined) return err(noGrant);
    const grant = this.open(kept);
    return grant.ok ? ok({ grant: grant.value, args: widestArgs(kept.scope) }) : grant;
  }

  /** Of the grants for a stream that can be used now the one that reaches furthest. */
  best({ owner, name }: Stream): KeptGrant | undefined {
    let best: KeptGrant | undefined;
    const seconds = this.#parts.host.clock.now() / 1000;
    for (const kept of this.#parts.grants.got()) {
      const { scope } = kept;
      if (this.#now(scope.owner) !== this.#now(owner) || scope.stream !== name) continue;
      if (scope.expires !== undefined && scope.expires < seconds) continue;
      if (this.isRevoked(kept)) continue;
      if (best === undefined || isBetter(kept, best)) best = kept;
    }
    return best;
  }

  isRevoked(kept: KeptGrant): boolean {
    const { set } = this.#parts.revocations;
    if (set.size === 0 || !kept.tokens.some((token) => set.mentions(this.#cidOf(token)))) {
      return false;
    }
    const grant = this.open(kept);
    return grant.ok && set.first(grant.value) !== undefined;
  }

  /** Is this delegation a link of the grant? */
  mentions(kept: KeptGrant, ucan: string): boolean {
    return kept.scope.id === ucan || kept.tokens.some((token) => this.#cidOf(token) === ucan);
  }

  #cidOf(token: Uint8Array): string {
    const known = this.#cids.get(token) ?? tokenCid(this.#parts.crypto, token);
    this.#cids.set(token, known);
    return known;
  }

  open(kept: KeptGrant): Result<Grant> {
    const { id } = kept.scope;
    const known = this.#opened.get(id);
    if (known !== undefined) return ok(known);
    const grant = this.#parts.grants.open(kept);
    if (grant.ok && kept.side === 'got') this.#opened.set(id, grant.value);
    return grant;
  }

  answered(logId: LogId, refusal: Fault | undefined): void {
    const stream = this.#followed.get(logId);
    if (stream === undefined) return;
    // The one that was shown may have ended meanwhile.
    const kept = this.best(stream) ?? this.#any(stream);
    if (kept !== undefined) this.#parts.onAnswered(kept, refusal);
  }

  /** `recorded`: it stands in the owner's registry, and not only on a stranger's word. */
  async takeRevocation(token: Uint8Array, recorded = false): Promise<Result<RevocationTaken>> {
    const { crypto, revocations, knows, limits } = this.#parts;
    const read = readRevocation(crypto, token);
    if (!read.ok) return read;
    if (revocations.knows(read.value)) return ok('known');
    // A thief of a key could take back what still counts of it.
    const stolen = this.#parts.identities?.void(read.value.revoker, undefined);
    if (stolen !== undefined && !recorded) return ok('unrelated');
    // Anybody can revoke something with a key that he has just made.
    if (!knows(read.value.revoker)) {
      if (this.#strange >= limits.maxStrangeRevocations) return ok('unrelated');
      this.#strange += 1;
    }
    const taken = await revocations.take(token, read.value);
    return taken.ok ? ok(taken.value ? 'new' : 'known') : taken;
  }

  request(request: GrantRequest, asker: Asker): Promise<Result<AccessAnswer>> {
    return this.#parts.desk.request(request, asker);
  }
  stateOf(id: RequestId, asker: Asker): Promise<Result<AccessAnswer>> {
    return this.#parts.desk.stateOf(id, asker);
  }
  withdraw(id: RequestId, asker: Asker): Promise<Result<AccessAnswer>> {
    return this.#parts.desk.withdraw(id, asker);
  }

  keys(ask: AskKeys, asker: Asker): Promise<Result<KeysAnswer>> {
    return this.#parts.keys?.(ask, asker) ?? Promise.resolve(err(unknownLog));
  }

  card(grant: Uint8Array, asker: Asker): Result<string> {
    const stream = streamAsked(grant);
    if (stream === undefined) return err(unknownLog);
    const owner = this.#parts.organisation;
    const wanted = { owner, name: stream, visibility: 'direct' } as const;
    const decision = this.may(wanted, grant, asker, 'proofs');
    if (decision.kind === 'deny') return err(decision.told ? decision.reason : unknownLog);
    const card = this.#parts.cardOf(stream);
    return card === undefined ? err(unknownLog) : ok(new TextDecoder().decode(streamData(card)));
  }

  handed({ peer }: Asker): readonly string[] {
    const key = peerKey(peer);
    if (key === undefined) return [];
    const holder = didFromKey(key);
    const seconds = this.#parts.host.clock.now() / 1000;
    const own: KeptGrant[] = [];
    for (const kept of this.#parts.grants.all()) {
      const { side, scope } = kept;
      if (side !== 'given' || scope.holder !== holder || this.isRevoked(kept)) continue;
      if (scope.expires === undefined || scope.expires > seconds) own.push(kept);
    }
    const texts = own.slice(-maxGrantsTold).map(({ tokens }) => formatContainer(tokens));
    let room = protocol.maxMessageBytes - 4096;
    return texts.toReversed().filter(({ length }) => (room -= length + 8) >= 0);
  }

  /** One organisation, by any of its DIDs? */
  isSame(a: Did, b: Did): boolean {
    return this.#now(a) === this.#now(b);
  }

  #now(did: Did): Did {
    return this.#parts.identities?.now(did) ?? did;
  }

  #any({ owner, name }: Stream): KeptGrant | undefined {
    for (const kept of this.#parts.grants.got()) {
      const same = this.#now(kept.scope.owner) === this.#now(owner);
      if (same && kept.scope.stream === name) return kept;
    }
    return undefined;
  }

  #state(): AccessState {
    const { organisation, host, limits, freshness } = this.#parts;
    return {
      court: this.#court,
      organisation: this.#now(organisation),
      now: host.clock.now(),
      viewAgeMs: (owner) => freshness.ageMs(owner),
      maxRevocationLagMs: limits.maxRevocationLagMs,
    };
  }

  /** At most one report each `deniedJournalMs`; the rest is counted in the next. */
  #tellDenied(asker: Asker, reason: Fault): void {
    const nowMs = this.#parts.host.clock.monotonic();
    if (nowMs - this.#deniedToldMs < this.#parts.limits.deniedJournalMs) {
      this.#denied += 1;
      return;
    }
    this.#deniedToldMs = nowMs;
    this.#parts.onDenied(asker, reason, this.#denied);
    this.#denied = 0;
  }
}

/** One with data goes before one for attributes alone, whatever their ends. */
function isBetter(one: KeptGrant, other: KeptGrant): boolean {
  const [a, b] = [one, other].map(({ scope }) => (scope.fields === undefined ? 1 : 0));
  return a === b ? reach(one) > reach(other) : (a ?? 0) > (b ?? 0);
}

/** First by the end of what it covers, then by its expiry. */
function reach({ scope }: KeptGrant): number {
  const to = scope.to ?? 2 ** 48;
  const expires = scope.expires ?? 2 ** 40;
  return Math.min(to / 1000, expires);
}

const noKey = fault('grant-holder', 'a peer without an Ed25519 key');
const noGrant = fault('grant-none', 'there is no grant for this stream that can be used now');
const unknownLog = fault('log-unknown', 'this log is not served here');
