/**
 * Identifiers and counts that must not be mixed up. This is the only file that casts to a brand:
 * everything else calls the constructors below, which check what they are given.
 */
declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** 32 bytes: a SHA-256 result, a leaf hash, a subtree root. */
export type Hash = Brand<Uint8Array, 'Hash'>;
/** 32 bytes: an Ed25519 public key (or the SHA-256 preimage of a recovery hash). */
export type PublicKey = Brand<Uint8Array, 'PublicKey'>;
/** 64 bytes: an Ed25519 signature. */
export type Signature = Brand<Uint8Array, 'Signature'>;
/** Text form of a log's identity: CIDv1, raw codec, base32 of the genesis' leaf hash (`bafkrei…`). */
export type LogId = Brand<string, 'LogId'>;
/** `did:key:z6Mk…` of an Ed25519 key. */
export type Did = Brand<string, 'Did'>;
/** Text form of a libp2p peer id (`12D3Koo…`). */
export type PeerId = Brand<string, 'PeerId'>;
/** A stream's name within its organisation, `[a-z0-9][a-z0-9._-]{0,62}` or a reserved `_name`. */
export type StreamName = Brand<string, 'StreamName'>;
/** Position of an entry in a log, from 0. */
export type LogIndex = Brand<number, 'LogIndex'>;
/** Number of entries in a log. */
export type TreeSize = Brand<number, 'TreeSize'>;
/** Number of a block in a log, from 0. */
export type BlockNumber = Brand<number, 'BlockNumber'>;
/** Milliseconds since 1970-01-01 UTC, at most 2^48-1. */
export type TimeMs = Brand<number, 'TimeMs'>;

/** What the data of an event is: 0 none, 1 JSON, 2 text, 3 binary (ledger.md "An event, in bytes"). */
export type DataKind = 0 | 1 | 2 | 3;
export const dataKind = { none: 0, json: 1, text: 2, binary: 3 } as const;

/** An event as it is kept: nothing that the producer sent is changed. */
export interface EventBytes {
  /** Context attributes as RFC 8785 canonical JSON in UTF-8, without `data`. */
  readonly attributes: Uint8Array;
  readonly kind: DataKind;
  /** The exact bytes received; empty where `kind` is none. */
  readonly data: Uint8Array;
}

export type AttributeValue = string | number | boolean;
/** Context attributes by name; integers and booleans stay what they were. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A validated event: its bytes and its decoded context attributes. */
export interface ParsedEvent extends EventBytes {
  readonly context: Attributes;
}

/** Thrown where only our own mistake can be the cause. */
function check(ok: boolean, what: string): void {
  if (!ok) throw new RangeError(`not a ${what}`);
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const namePattern =
  /^(?:[a-z0-9][a-z0-9._-]{0,62}|_registry|_journal|_deadletter\.[a-z0-9._-]{1,51})$/;

export function asHash(bytes: Uint8Array): Hash {
  check(bytes.length === 32, 'hash of 32 bytes');
  return bytes as Hash;
}
export function asPublicKey(bytes: Uint8Array): PublicKey {
  check(bytes.length === 32, 'public key of 32 bytes');
  return bytes as PublicKey;
}
export function asSignature(bytes: Uint8Array): Signature {
  check(bytes.length === 64, 'signature of 64 bytes');
  return bytes as Signature;
}
/** Only `src/ids.ts` calls these three, after it has parsed the text. */
export function asLogId(text: string): LogId {
  check(/^bafkrei[a-z2-7]{52}$/.test(text), 'log id');
  return text as LogId;
}
export function asDid(text: string): Did {
  check(text.startsWith('did:key:z6Mk'), 'did:key of an Ed25519 key');
  return text as Did;
}
export function asPeerId(text: string): PeerId {
  check(/^[1-9A-HJ-NP-Za-km-z]{1,128}$/.test(text), 'peer id');
  return text as PeerId;
}
export function isStreamName(text: string): boolean {
  return namePattern.test(text);
}
export function asStreamName(text: string): StreamName {
  check(isStreamName(text), 'stream name');
  return text as StreamName;
}
export function asLogIndex(n: number): LogIndex {
  check(isCount(n), 'log index');
  return n as LogIndex;
}
export function asTreeSize(n: number): TreeSize {
  check(isCount(n), 'tree size');
  return n as TreeSize;
}
export function asBlockNumber(n: number): BlockNumber {
  check(isCount(n), 'block number');
  return n as BlockNumber;
}
export function asTimeMs(n: number): TimeMs {
  check(isCount(n) && n < 2 ** 48, 'time in ms');
  return n as TimeMs;
}
