/**
 * What delegations and invocations share: the signed envelope and the fields that both have.
 *
 *   byte 0     82           list of 2
 *   byte 1     58 40        byte string of 64
 *   byte 3     signature    Ed25519 by `iss` over every byte from 67 on
 *   byte 67    a2           map of 2, the signed part:
 *                "h"                   34 01 ed01 ed01 13 71, the varsig header of Ed25519 on dag-cbor
 *                "ucan/dlg@1.0.0"      the payload; "ucan/inv@1.0.0" of an invocation
 *
 * Specification: ucan-wg/spec 1.0.0, varsig 1.0.
 */
import { concat, equal, toMultibase32, utf8 } from '../bytes.ts';
import type { Hasher, Signer } from '../crypto.ts';
import { fault, type Code } from '../errors.ts';
import { parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asSignature, type Did, type Signature } from '../types.ts';
import { decodeUcan, encodeUcan, isUcanMap, type UcanMap, type UcanValue } from './ucan-cbor.ts';
import { isCommand } from './ucan-command.ts';

export type UcanRelease = '1.0.0' | '1.0.0-rc.1';
export type TokenKind = 'dlg' | 'inv';

const header = Uint8Array.of(0x34, 0x01, 0xed, 0x01, 0xed, 0x01, 0x13, 0x71);
const signedFrom = 67;
const cidPrefix = Uint8Array.of(0x01, 0x71, 0x12, 0x20);

export interface OpenToken {
  readonly release: UcanRelease;
  readonly payload: UcanMap;
  readonly signature: Signature;
  /** The bytes that were signed: a view into the token. */
  readonly signed: Uint8Array;
}

/** Where the tag begins: signature, map, `h` with the header of 8 bytes, head of the text. */
const tagFrom = signedFrom + 1 + 2 + 9 + 1;
const invocationTag = utf8('ucan/inv@');

/** Does it say that it is an invocation? Without reading the rest, which may be anything. */
export function isInvocation(token: Uint8Array): boolean {
  return equal(token.subarray(tagFrom, tagFrom + invocationTag.length), invocationTag);
}

/**
 * Reads the envelope of a token of one kind; the signature is not checked here. Codes:
 * `ucan-over-limit`, `ucan-encoding`, `ucan-version` (another tag), `ucan-header`, `ucan-signature`
 * (of another size), `ucan-field`.
 */
export function openToken(kind: TokenKind, token: Uint8Array): Result<OpenToken> {
  if (token.length > protocol.maxTokenBytes) {
    return refuse('ucan-over-limit', `a token of ${token.length} bytes`);
  }
  const decoded = decodeUcan(token);
  if (!decoded.ok) return decoded;
  const envelope: readonly UcanValue[] = Array.isArray(decoded.value) ? decoded.value : [];
  const [signature, body] = envelope;
  if (envelope.length !== 2 || !(signature instanceof Uint8Array) || !isUcanMap(body)) {
    return refuse('ucan-encoding', 'not an envelope of signature and payload');
  }
  if (signature.length !== 64) return refuse('ucan-signature', 'not a signature of 64 bytes');
  const tag = Object.keys(body).find((key) => key !== 'h');
  const release = releaseOf(kind, tag);
  if (tag === undefined || release === undefined || Object.keys(body).length !== 2) {
    const wanted = kind === 'dlg' ? 'a delegation' : 'an invocation';
    return refuse('ucan-version', `not ${wanted} of a known version: ${JSON.stringify(tag)}`);
  }
  const found = body['h'];
  if (!(found instanceof Uint8Array) || !equal(found, header)) {
    return refuse('ucan-header', 'the varsig header is not that of Ed25519 over dag-cbor');
  }
  const payload = body[tag];
  if (!isUcanMap(payload)) return refuse('ucan-field', 'the payload is not a map');
  const signed = token.subarray(signedFrom);
  return ok({ release, payload, signature: asSignature(signature), signed });
}

/** The token of a payload, signed. */
export function sealToken(
  kind: TokenKind,
  signer: Signer,
  payload: UcanMap,
  release: UcanRelease,
): Uint8Array {
  const signed = encodeUcan({ h: header, [`ucan/${kind}@${release}`]: payload });
  return concat(Uint8Array.of(0x82, 0x58, 0x40), signer.sign(signed), signed);
}

function releaseOf(kind: TokenKind, tag: string | undefined): UcanRelease | undefined {
  if (tag === `ucan/${kind}@1.0.0`) return '1.0.0';
  return tag === `ucan/${kind}@1.0.0-rc.1` ? '1.0.0-rc.1' : undefined;
}

/** That all required fields are there and none that is not known. Code: ucan-field. */
export function checkFields(
  payload: UcanMap,
  required: readonly string[],
  optional: readonly string[],
): Result<void> {
  const keys = Object.keys(payload);
  const unknown = keys.find((key) => !required.includes(key) && !optional.includes(key));
  if (unknown !== undefined) return refuse('ucan-field', 'unknown field', unknown);
  const absent = required.find((key) => !Object.hasOwn(payload, key));
  return absent === undefined ? ok(undefined) : refuse('ucan-field', 'missing field', absent);
}

/** Code: ucan-field. */
export function readDid(value: UcanValue | undefined, pointer: string): Result<Did> {
  const did = typeof value === 'string' ? parseDid(value) : undefined;
  if (did?.ok === true) return did;
  return refuse('ucan-field', 'not the did:key of an Ed25519 key', pointer);
}

/** Codes: ucan-field, ucan-command. */
export function readCommand(value: UcanValue | undefined): Result<string> {
  if (typeof value !== 'string') return refuse('ucan-field', 'a command is text', 'cmd');
  return isCommand(value) ? ok(value) : refuse('ucan-command', 'not a command', 'cmd');
}

/** Seconds since 1970, or null: never. Code: ucan-field. */
export function readExpiry(value: UcanValue | undefined): Result<number | null> {
  if (value === null || typeof value === 'number') return ok(value);
  return refuse('ucan-field', 'not a time in seconds', 'exp');
}

/** The CID of a token (v1, dag-cbor, SHA-256) in base32. */
export function tokenCid(hasher: Hasher, token: Uint8Array): string {
  return toMultibase32(concat(cidPrefix, hasher.sha256(token)));
}

/** A refusal with the field that it is about. */
export function refuse(code: Code, message: string, pointer?: string): Result<never> {
  const text = pointer === undefined ? message : `${message} (${pointer})`;
  return err(fault(code, text, pointer === undefined ? undefined : { pointer }));
}
