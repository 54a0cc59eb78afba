/**
 * UCAN 1.0 invocations: reading and minting one token. Whether it may do what it asks for is
 * `ucan-judge.ts`.
 *
 *   payload    [aud] cmd exp [iat] iss prf sub args [meta] [cause] nonce, in the envelope of
 *              ucan-envelope.ts
 *
 * The tag `ucan/inv@1.0.0-rc.1` is read too and never written. `prf` names the delegations by their
 * CIDs, root first. Specification: ucan-wg/invocation, ucan-wg/spec 1.0.0.
 */
import { CID } from 'multiformats/cid';
import { toMultibase32 } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { didFromKey } from '../ids.ts';
import { protocol } from '../limits.ts';
import { ok, type Result } from '../result.ts';
import type { Did, Signature } from '../types.ts';
import { isUcanList, isUcanMap, type UcanMap, type UcanValue } from './ucan-cbor.ts';
import {
  checkFields,
  openToken,
  readCommand,
  readDid,
  readExpiry,
  refuse,
  sealToken,
  type UcanRelease,
} from './ucan-envelope.ts';

/** What an invocation says, without who issued and signed it. */
export interface InvocationTerms {
  /** Whose powers are used. */
  readonly subject: Did;
  /** Who is to do it; absent: the subject. */
  readonly audience?: Did;
  readonly command: string;
  readonly args: UcanMap;
  /** CIDs of the delegations in base32, root first; none where the issuer is the subject. */
  readonly proofs: readonly string[];
  readonly nonce: Uint8Array;
  /** Seconds since 1970; null: never. */
  readonly expires: number | null;
  /** Seconds since 1970. */
  readonly issuedAt?: number;
  readonly meta?: UcanMap;
}

export interface Invocation extends InvocationTerms {
  readonly issuer: Did;
  readonly release: UcanRelease;
  readonly signature: Signature;
  /** The bytes that were signed: a view into the token. */
  readonly signed: Uint8Array;
}

const required = ['iss', 'sub', 'cmd', 'args', 'prf', 'nonce', 'exp'];
const optional = ['aud', 'iat', 'meta', 'cause'];

/**
 * Reads one token strictly; the signature is not checked here. Codes: those of `openToken`,
 * `ucan-field`, `ucan-command`; `place.pointer` names the field.
 */
export function decodeInvocation(token: Uint8Array): Result<Invocation> {
  const opened = openToken('inv', token);
  if (!opened.ok) return opened;
  const { payload, release, signature, signed } = opened.value;
  const complete = checkFields(payload, required, optional);
  if (!complete.ok) return complete;
  const principals = readPrincipals(payload);
  if (!principals.ok) return principals;
  const command = readCommand(payload['cmd']);
  if (!command.ok) return command;
  const proofs = readLinks(payload['prf']);
  if (!proofs.ok) return proofs;
  const expires = readExpiry(payload['exp']);
  if (!expires.ok) return expires;
  const { args, nonce, iat, meta, cause } = payload;
  if (!isUcanMap(args)) return refuse('ucan-field', 'not a map', 'args');
  if (!(nonce instanceof Uint8Array)) return refuse('ucan-field', 'a nonce is bytes', 'nonce');
  if (iat !== undefined && typeof iat !== 'number') {
    return refuse('ucan-field', 'not a time in seconds', 'iat');
  }
  if (meta !== undefined && !isUcanMap(meta)) return refuse('ucan-field', 'not a map', 'meta');
  if (cause !== undefined && CID.asCID(cause) === null) {
    return refuse('ucan-field', 'not a link', 'cause');
  }
  return ok({
    ...principals.value,
    command: command.value,
    args,
    proofs: proofs.value,
    nonce,
    expires: expires.value,
    ...(iat === undefined ? {} : { issuedAt: iat }),
    ...(meta === undefined ? {} : { meta }),
    release,
    signature,
    signed,
  });
}

function readPrincipals(
  payload: UcanMap,
): Result<{ readonly issuer: Did; readonly subject: Did; readonly audience?: Did }> {
  const issuer = readDid(payload['iss'], 'iss');
  if (!issuer.ok) return issuer;
  const subject = readDid(payload['sub'], 'sub');
  if (!subject.ok) return subject;
  const named = { issuer: issuer.value, subject: subject.value };
  if (payload['aud'] === undefined) return ok(named);
  const audience = readDid(payload['aud'], 'aud');
  return audience.ok ? ok({ ...named, audience: audience.value }) : audience;
}

function readLinks(value: UcanValue | undefined): Result<readonly string[]> {
  if (!isUcanList(value)) return refuse('ucan-field', 'not a list of links', 'prf');
  if (value.length > protocol.maxProofLinks) {
    return refuse('ucan-over-limit', `a chain of ${value.length} delegations`, 'prf');
  }
  const links: string[] = [];
  for (const item of value) {
    const link = CID.asCID(item);
    if (link === null) return refuse('ucan-field', 'not a link', 'prf');
    links.push(toMultibase32(link.toV1().bytes));
  }
  return ok(links);
}

/**
 * Signs an invocation from the signer's did:key and returns the token. Throws on terms that
 * `decodeInvocation` would refuse: they are ours. `release` is for vectors only.
 */
export function mintInvocation(
  signer: Signer,
  terms: InvocationTerms,
  release: UcanRelease = '1.0.0',
): Uint8Array {
  const payload: Record<string, UcanValue> = {
    iss: didFromKey(signer.publicKey),
    sub: terms.subject,
    cmd: terms.command,
    args: terms.args,
    prf: terms.proofs.map((cid) => CID.parse(cid)),
    nonce: terms.nonce,
    exp: terms.expires,
  };
  if (terms.audience !== undefined) payload['aud'] = terms.audience;
  if (terms.issuedAt !== undefined) payload['iat'] = terms.issuedAt;
  if (terms.meta !== undefined) payload['meta'] = terms.meta;
  const token = sealToken('inv', signer, payload, release);
  const again = decodeInvocation(token);
  if (!again.ok) throw new RangeError(`cannot mint: ${again.error.message}`);
  return token;
}
