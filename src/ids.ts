/**
 * Text forms of identities (ledger.md "Identity", "Positions"; FACTS.md section 10):
 *
 *   logId      CIDv1, raw codec, sha2-256, base32: `b` base32(01 55 12 20 ‖ 32 bytes)
 *   did:key    `did:key:z` base58btc(ed 01 ‖ 32-byte Ed25519 key)
 *   reference  `hw:<logId>/<index>` or `hw:<logId>/<from>-<to>` (to exclusive), optionally
 *              `@` and 64 hex digits of the range root
 *   link       `hw:<logId>[/<index>][?peer=<multiaddr>]`
 */
import { base32 } from 'multiformats/bases/base32';
import { base58btc } from 'multiformats/bases/base58';
import { concat, fromHex, toHex, toMultibase32 } from './bytes.ts';
import { keyOfDid } from './did-key.ts';
import { fault, type Code } from './errors.ts';
import { protocol } from './limits.ts';
import { err, ok, type Result } from './result.ts';
import {
  asDid,
  asHash,
  asLogId,
  asLogIndex,
  asPublicKey,
  type Did,
  type Hash,
  type LogId,
  type LogIndex,
  type PublicKey,
} from './types.ts';

const logIdPrefix = Uint8Array.of(0x01, 0x55, 0x12, 0x20);
const didPrefix = Uint8Array.of(0xed, 0x01);

export function logIdFromHash(hash: Hash): LogId {
  return asLogId(toMultibase32(concat(logIdPrefix, hash)));
}

/** The 32 bytes that a log id names. */
export function logIdHash(logId: LogId): Hash {
  return asHash(base32.decode(logId).slice(4));
}

export function parseLogId(text: string): Result<LogId> {
  if (!text.startsWith('b')) return refuse('bad-logid', 'not base32 with the prefix b');
  if (!/^[a-z2-7]*$/.test(text)) return refuse('bad-base32', 'not lower-case base32');
  let bytes: Uint8Array;
  try {
    bytes = base32.decode(text);
  } catch {
    return refuse('bad-base32', 'not base32');
  }
  if (bytes.length !== 36 || toHex(bytes.subarray(0, 4)) !== toHex(logIdPrefix)) {
    return refuse('bad-logid', 'not a CIDv1 of 32 raw bytes');
  }
  if (toMultibase32(bytes) !== text) return refuse('bad-base32', 'unused bits are not zero');
  return ok(asLogId(text));
}

export function didFromKey(key: PublicKey): Did {
  return asDid(`did:key:${base58btc.encode(concat(didPrefix, key))}`);
}

/** The Ed25519 key that a did:key is; throws on a text that `parseDid` refuses. */
export function didKey(did: Did): PublicKey {
  const key = keyOfDid(did);
  if (key === undefined) throw new RangeError(`not a did:key: ${did}`);
  return asPublicKey(key);
}

/** Only did:key of Ed25519, without fragment. */
export function parseDid(text: string): Result<Did> {
  if (keyOfDid(text) !== undefined) return ok(asDid(text));
  if (!text.startsWith('did:key:z')) return refuse('bad-did', 'not a did:key in base58btc');
  const body = text.slice('did:key:'.length);
  if (body === 'z') return refuse('bad-base58', 'the key is empty');
  if (body.length <= 128 && !base58Pattern.test(body)) return refuse('bad-base58', 'not base58btc');
  return refuse('bad-did', 'not the did:key of a 32-byte Ed25519 key');
}

const base58Pattern = /^z[1-9A-HJ-NP-Za-km-z]+$/;

/** A half-open range of one log's entries; one entry where `to` is `from + 1`. */
export interface Reference {
  readonly logId: LogId;
  readonly from: LogIndex;
  readonly to: LogIndex;
  /** The publisher's own word for the range root. */
  readonly hash?: Hash;
}

export function formatReference(reference: Reference): string {
  const { logId, from, to, hash } = reference;
  const range = to === from + 1 ? `${from}` : `${from}-${to}`;
  return `hw:${logId}/${range}${hash === undefined ? '' : `@${toHex(hash)}`}`;
}

const referencePattern =
  /^hw:([^/@?#]+)\/(0|[1-9][0-9]*)(?:-(0|[1-9][0-9]*))?(?:@([0-9a-f]{64}))?$/;

export function parseReference(text: string): Result<Reference> {
  const match = referencePattern.exec(text);
  if (match === null) return refuse('bad-reference', `${JSON.stringify(text)} is not a reference`);
  const logId = parseLogId(match[1] ?? '');
  if (!logId.ok) return logId;
  const from = Number(match[2]);
  const to = match[3] === undefined ? from + 1 : Number(match[3]);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) {
    return refuse('integer-too-large', 'an index above 2^53-1');
  }
  if (match[3] !== undefined && to < from + 2) {
    return refuse('bad-reference', 'a range holds at least two entries; write one as an index');
  }
  const range = { logId: logId.value, from: asLogIndex(from), to: asLogIndex(to) };
  if (match[4] === undefined) return ok(range);
  const hash = fromHex(match[4]);
  return hash.ok ? ok({ ...range, hash: asHash(hash.value) }) : hash;
}

/** A list as in `hwparents`: 1 to 256 references with single spaces between. */
export function parseReferences(text: string): Result<readonly Reference[]> {
  const items = text.split(' ');
  if (items.length > protocol.maxParents) {
    return refuse('parents-over-limit', `more than ${protocol.maxParents} references`);
  }
  const references: Reference[] = [];
  for (const item of items) {
    const parsed = parseReference(item);
    if (!parsed.ok) return parsed;
    references.push(parsed.value);
  }
  return ok(references);
}

export interface Link {
  readonly logId: LogId;
  readonly index?: LogIndex;
  /** Multiaddr of a peer that serves the log. */
  readonly peer?: string;
}

const linkPattern = /^hw:([^/?#]+)(?:\/(0|[1-9][0-9]*))?(?:\?peer=((?:\/[A-Za-z0-9._:~-]+)+))?$/;

export function parseLink(text: string): Result<Link> {
  const match = linkPattern.exec(text);
  if (match === null) return refuse('bad-link', `${JSON.stringify(text)} is not a link`);
  const logId = parseLogId(match[1] ?? '');
  if (!logId.ok) return logId;
  const index = match[2] === undefined ? undefined : Number(match[2]);
  if (index !== undefined && !Number.isSafeInteger(index)) {
    return refuse('integer-too-large', 'an index above 2^53-1');
  }
  return ok({
    logId: logId.value,
    ...(index === undefined ? {} : { index: asLogIndex(index) }),
    ...(match[3] === undefined ? {} : { peer: match[3] }),
  });
}

function refuse(
  code: Code,
  message: string,
): { readonly ok: false; readonly error: ReturnType<typeof fault> } {
  return err(fault(code, message));
}
