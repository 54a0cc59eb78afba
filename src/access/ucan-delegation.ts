/**
 * UCAN 1.0 delegations: reading and minting one token. Whether a chain of them grants anything is
 * `ucan-chain.ts`.
 *
 *   byte 0     82           list of 2
 *   byte 1     58 40        byte string of 64
 *   byte 3     signature    Ed25519 by `iss` over every byte from 67 on
 *   byte 67    a2           map of 2, the signed part:
 *                "h"                   34 01 ed01 ed01 13 71, the varsig header of Ed25519 on dag-cbor
 *                "ucan/dlg@1.0.0"      the payload: aud cmd exp iss [nbf] pol sub [meta] nonce
 *
 * The tag `ucan/dlg@1.0.0-rc.1` is read too and never written. DIDs are did:key of Ed25519 without a
 * fragment. Times are whole seconds; `exp` may be null (never). `meta` carries no authority.
 * Specification: ucan-wg/spec 1.0.0, ucan-wg/delegation, varsig 1.0.
 */
import { base32 } from 'multiformats/bases/base32';
import { concat, equal } from '../bytes.ts';
import type { Hasher, Signer } from '../crypto.ts';
import { fault, type Code } from '../errors.ts';
import { didFromKey, parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asSignature, type Did, type Signature } from '../types.ts';
import { decodeUcan, encodeUcan, isUcanMap, type UcanMap, type UcanValue } from './ucan-cbor.ts';
import { isCommand } from './ucan-command.ts';
import { parsePolicy, policyValue, type Policy } from './ucan-policy.ts';

export type UcanRelease = '1.0.0' | '1.0.0-rc.1';

/** What a delegation says, without who issued and signed it. */
export interface DelegationTerms {
  readonly audience: Did;
  /** Whose powers these are; null (any of the issuer's) is read, but never granted anything. */
  readonly subject: Did | null;
  readonly command: string;
  readonly policy: Policy;
  readonly nonce: Uint8Array;
  /** Seconds since 1970; absent: valid from the beginning. */
  readonly notBefore?: number;
  /** Seconds since 1970; null: never expires. */
  readonly expires: number | null;
  readonly meta?: UcanMap;
}

export interface Delegation extends DelegationTerms {
  readonly issuer: Did;
  readonly release: UcanRelease;
  readonly signature: Signature;
  /** The bytes that were signed: a view into the token. */
  readonly signed: Uint8Array;
}

const tagPrefix = 'ucan/dlg@';
const header = Uint8Array.of(0x34, 0x01, 0xed, 0x01, 0xed, 0x01, 0x13, 0x71);
const signedFrom = 67;
const cidPrefix = Uint8Array.of(0x01, 0x71, 0x12, 0x20);
const required = ['aud', 'cmd', 'exp', 'iss', 'pol', 'sub', 'nonce'];
const known = new Set([...required, 'nbf', 'meta']);

/**
 * Reads one token strictly; the signature is not checked here. Codes: `ucan-over-limit`,
 * `ucan-encoding`, `ucan-version` (another tag), `ucan-header`, `ucan-field`, `ucan-command`,
 * `ucan-operator`, `ucan-selector`; `place.pointer` names the field.
 */
export function decodeDelegation(token: Uint8Array): Result<Delegation> {
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
  const release = releaseOf(tag);
  if (tag === undefined || release === undefined || Object.keys(body).length !== 2) {
    return refuse('ucan-version', `not a delegation of a known version: ${JSON.stringify(tag)}`);
  }
  const found = body['h'];
  if (!(found instanceof Uint8Array) || !equal(found, header)) {
    return refuse('ucan-header', 'the varsig header is not that of Ed25519 over dag-cbor');
  }
  const payload = readPayload(body[tag]);
  if (!payload.ok) return payload;
  return ok({
    ...payload.value,
    release,
    signature: asSignature(signature),
    signed: token.subarray(signedFrom),
  });
}

function releaseOf(tag: string | undefined): UcanRelease | undefined {
  if (tag === `${tagPrefix}1.0.0`) return '1.0.0';
  return tag === `${tagPrefix}1.0.0-rc.1` ? '1.0.0-rc.1' : undefined;
}

function readPayload(map: UcanValue | undefined): Result<DelegationTerms & { issuer: Did }> {
  if (!isUcanMap(map)) return refuse('ucan-field', 'the payload is not a map');
  const unknown = Object.keys(map).find((key) => !known.has(key));
  if (unknown !== undefined) return refuse('ucan-field', 'unknown field', unknown);
  const absent = required.find((key) => !Object.hasOwn(map, key));
  if (absent !== undefined) return refuse('ucan-field', 'missing field', absent);
  const issuer = readDid(map['iss'], 'iss');
  if (!issuer.ok) return issuer;
  const audience = readDid(map['aud'], 'aud');
  if (!audience.ok) return audience;
  const subject = map['sub'] === null ? ok(null) : readDid(map['sub'], 'sub');
  if (!subject.ok) return subject;
  const { cmd: command, nonce, nbf, exp, meta } = map;
  if (typeof command !== 'string') return refuse('ucan-field', 'a command is text', 'cmd');
  if (!isCommand(command)) return refuse('ucan-command', 'not a command', 'cmd');
  const policy = parsePolicy(map['pol']);
  if (!policy.ok) return policy;
  if (!(nonce instanceof Uint8Array)) return refuse('ucan-field', 'a nonce is bytes', 'nonce');
  if (nbf !== undefined && typeof nbf !== 'number') {
    return refuse('ucan-field', 'not a time in seconds', 'nbf');
  }
  if (exp === undefined || (exp !== null && typeof exp !== 'number')) {
    return refuse('ucan-field', 'not a time in seconds', 'exp');
  }
  if (meta !== undefined && !isUcanMap(meta)) return refuse('ucan-field', 'not a map', 'meta');
  return ok({
    issuer: issuer.value,
    audience: audience.value,
    subject: subject.value,
    command,
    policy: policy.value,
    nonce,
    ...(nbf === undefined ? {} : { notBefore: nbf }),
    expires: exp,
    ...(meta === undefined ? {} : { meta }),
  });
}

function readDid(value: UcanValue | undefined, pointer: string): Result<Did> {
  const did = typeof value === 'string' ? parseDid(value) : undefined;
  if (did?.ok === true) return did;
  return refuse('ucan-field', 'not the did:key of an Ed25519 key', pointer);
}

/**
 * Signs a delegation from the signer's did:key and returns the token. Throws on terms that
 * `decodeDelegation` would refuse: they are ours. `release` is for vectors only.
 */
export function mintDelegation(
  signer: Signer,
  terms: DelegationTerms,
  release: UcanRelease = '1.0.0',
): Uint8Array {
  const payload: Record<string, UcanValue> = {
    iss: didFromKey(signer.publicKey),
    aud: terms.audience,
    sub: terms.subject,
    cmd: terms.command,
    pol: policyValue(terms.policy),
    nonce: terms.nonce,
    exp: terms.expires,
  };
  if (terms.notBefore !== undefined) payload['nbf'] = terms.notBefore;
  if (terms.meta !== undefined) payload['meta'] = terms.meta;
  const signed = encodeUcan({ h: header, [`${tagPrefix}${release}`]: payload });
  const token = concat(Uint8Array.of(0x82, 0x58, 0x40), signer.sign(signed), signed);
  const again = decodeDelegation(token);
  if (!again.ok) throw new RangeError(`cannot mint: ${again.error.message}`);
  return token;
}

/** The CID of a token (v1, dag-cbor, SHA-256) in base32. */
export function tokenCid(hasher: Hasher, token: Uint8Array): string {
  return base32.encode(concat(cidPrefix, hasher.sha256(token)));
}

function refuse(code: Code, message: string, pointer?: string): Result<never> {
  const text = pointer === undefined ? message : `${message} (${pointer})`;
  return err(fault(code, text, pointer === undefined ? undefined : { pointer }));
}
