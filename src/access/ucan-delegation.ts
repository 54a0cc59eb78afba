/**
 * UCAN 1.0 delegations: reading and minting one token. Whether a chain of them grants anything is
 * `ucan-chain.ts`.
 *
 *   payload    aud cmd exp iss [nbf] pol sub [meta] nonce, in the envelope of ucan-envelope.ts
 *
 * The tag `ucan/dlg@1.0.0-rc.1` is read too and never written. DIDs are did:key of Ed25519 without a
 * fragment. Times are whole seconds; `exp` may be null (never). `meta` carries no authority.
 * Specification: ucan-wg/spec 1.0.0, ucan-wg/delegation, varsig 1.0.
 */
import type { Signer } from '../crypto.ts';
import { didFromKey } from '../ids.ts';
import { ok, type Result } from '../result.ts';
import type { Did, Signature } from '../types.ts';
import { isUcanMap, type UcanMap, type UcanValue } from './ucan-cbor.ts';
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
import { parsePolicy, policyValue, type Policy } from './ucan-policy.ts';

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

const required = ['aud', 'cmd', 'exp', 'iss', 'pol', 'sub', 'nonce'];
const optional = ['nbf', 'meta'];

/**
 * Reads one token strictly; the signature is not checked here. Codes: `ucan-over-limit`,
 * `ucan-encoding`, `ucan-version` (another tag), `ucan-header`, `ucan-field`, `ucan-command`,
 * `ucan-operator`, `ucan-selector`; `place.pointer` names the field.
 */
export function decodeDelegation(token: Uint8Array): Result<Delegation> {
  const opened = openToken('dlg', token);
  if (!opened.ok) return opened;
  const { payload, release, signature, signed } = opened.value;
  const terms = readPayload(payload);
  return terms.ok ? ok({ ...terms.value, release, signature, signed }) : terms;
}

function readPayload(map: UcanMap): Result<DelegationTerms & { issuer: Did }> {
  const complete = checkFields(map, required, optional);
  if (!complete.ok) return complete;
  const issuer = readDid(map['iss'], 'iss');
  if (!issuer.ok) return issuer;
  const audience = readDid(map['aud'], 'aud');
  if (!audience.ok) return audience;
  const subject = map['sub'] === null ? ok(null) : readDid(map['sub'], 'sub');
  if (!subject.ok) return subject;
  const { nonce, nbf, meta } = map;
  const command = readCommand(map['cmd']);
  if (!command.ok) return command;
  const policy = parsePolicy(map['pol']);
  if (!policy.ok) return policy;
  if (!(nonce instanceof Uint8Array)) return refuse('ucan-field', 'a nonce is bytes', 'nonce');
  if (nbf !== undefined && typeof nbf !== 'number') {
    return refuse('ucan-field', 'not a time in seconds', 'nbf');
  }
  const expires = readExpiry(map['exp']);
  if (!expires.ok) return expires;
  if (meta !== undefined && !isUcanMap(meta)) return refuse('ucan-field', 'not a map', 'meta');
  return ok({
    issuer: issuer.value,
    audience: audience.value,
    subject: subject.value,
    command: command.value,
    policy: policy.value,
    nonce,
    ...(nbf === undefined ? {} : { notBefore: nbf }),
    expires: expires.value,
    ...(meta === undefined ? {} : { meta }),
  });
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
  const token = sealToken('dlg', signer, payload, release);
  const again = decodeDelegation(token);
  if (!again.ok) throw new RangeError(`cannot mint: ${again.error.message}`);
  return token;
}
