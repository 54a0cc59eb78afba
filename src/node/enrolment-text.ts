/**
 * What goes to and fro when an organisation gets another peer (ADR 0029): a request of the new machine,
 * and the answer of whoever has the organisation's key. Each is one line of text:
 *
 *   scheme ‖ base64url of dag-cbor [body, signature 64]      the body is the bytes of a dag-cbor map
 *
 *   request   "hwpeer-request:", signed by the peer key over "headwater/peer-request/1" ‖ body
 *     version       1
 *     organisation  did:key, whose peer it wants to be
 *     peer          did:key of the peer key
 *     writer        did:key of the writer key
 *     name          what its operator calls the organisation
 *     encryption    "x25519:…": what is secret in the answer is sealed to it
 *
 *   answer    "hwpeer-answer:", signed by the organisation over "headwater/peer-answer/1" ‖ body
 *     version       1
 *     organisation  did:key
 *     peer          did:key of the peer it is for
 *     name          its organisation's own name for itself
 *     tokens        delegations to the peer key, one for each command
 *     recovery      32 bytes, SHA-256 of the recovery key
 *     bootstrap     multiaddrs that end in /p2p/…, at most 16
 *     network       32 bytes, absent without a network
 *     document      of that network, absent where it is not known
 *     encryption    [enc 32, ciphertext 48]: the seed of the organisation's encryption key in HPKE for
 *                   the request's key, info "headwater/peer-encryption/1", aad organisation ‖ " " ‖
 *                   peer; absent where it was not given
 *
 * Neither is secret. The signature of the request shows that the key is there and that the line is whole.
 */
import { parseEncryptionKey } from '../access/encryption-key.ts';
import type { HpkeMessage } from '../access/hpke.ts';
import { concat, fromBase64url, toBase64url, utf8 } from '../bytes.ts';
import { decodeCbor, decodeCborMap, encodeCbor, type CborMap, type CborValue } from '../cbor.ts';
import type { Crypto, Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { didFromKey, didKey, parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asSignature, type Did, type Hash } from '../types.ts';

export interface PeerRequest {
  readonly organisation: Did;
  readonly peer: Did;
  readonly writer: Did;
  readonly name: string;
  /** `x25519:…` */
  readonly encryption: string;
}

export interface PeerAnswer {
  readonly organisation: Did;
  readonly peer: Did;
  readonly name: string;
  /** dag-cbor delegations. */
  readonly tokens: readonly Uint8Array[];
  readonly recoveryHash: Hash;
  readonly bootstrap: readonly string[];
  readonly network?: Hash;
  readonly document?: Uint8Array;
  readonly encryption?: HpkeMessage;
}

type Kind = 'request' | 'answer';

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const addressPattern = /^(?:\/[A-Za-z0-9._:%-]+)+\/p2p\/[1-9A-HJ-NP-Za-km-z]+$/;
const maxItems = 16;

/** One line without an end; `signer` is the peer key of the request. */
export function formatRequest(signer: Signer, request: PeerRequest): string {
  const { organisation, peer, writer, name, encryption } = request;
  return format('request', signer, { version: 1, organisation, peer, writer, name, encryption });
}

/** One line without an end; `signer` is the organisation's. */
export function formatAnswer(signer: Signer, answer: PeerAnswer): string {
  const { organisation, peer, name, tokens, recoveryHash, bootstrap } = answer;
  const { network, document, encryption } = answer;
  return format('answer', signer, {
    version: 1,
    organisation,
    peer,
    name,
    tokens,
    recovery: recoveryHash,
    bootstrap: bootstrap.slice(0, maxItems),
    ...(network === undefined ? {} : { network }),
    ...(document === undefined ? {} : { document }),
    ...(encryption === undefined ? {} : { encryption: [encryption.enc, encryption.ciphertext] }),
  });
}

/** `enrolment-invalid` unless it is a whole request, signed by the key that it names. */
export function parseRequest(crypto: Crypto, text: string): Result<PeerRequest> {
  const opened = open('request', text);
  if (!opened.ok) return opened;
  const { map, body, signature } = opened.value;
  const [organisation, peer, writer] = ['organisation', 'peer', 'writer'].map((n) => did(map, n));
  const { name, encryption } = map;
  if (!organisation || !peer || !writer) return refuse('a DID in it is malformed');
  if (typeof name !== 'string' || !namePattern.test(name)) return refuse('its name is malformed');
  if (typeof encryption !== 'string' || parseEncryptionKey(encryption) === undefined) {
    return refuse('its encryption key is malformed');
  }
  const request = { organisation, peer, writer, name, encryption };
  return signed(crypto, 'request', peer, body, signature) ? ok(request) : refuse(unsigned);
}

/** `enrolment-invalid` unless it is a whole answer, signed by the organisation that it names. */
export function parseAnswer(crypto: Crypto, text: string): Result<PeerAnswer> {
  const opened = open('answer', text);
  if (!opened.ok) return opened;
  const { map, body, signature } = opened.value;
  const [organisation, peer] = [did(map, 'organisation'), did(map, 'peer')];
  if (!organisation || !peer) return refuse('a DID in it is malformed');
  if (!signed(crypto, 'answer', organisation, body, signature)) return refuse(unsigned);
  const { name, recovery, network, document } = map;
  const tokens = listOf(map['tokens'], isBytes);
  const bootstrap = listOf(map['bootstrap'], isAddress);
  const encryption = message(map['encryption']);
  if (typeof name !== 'string' || !namePattern.test(name)) return refuse('its name is malformed');
  if (!isHash(recovery)) return refuse('its recovery is malformed');
  if (tokens === undefined) return refuse('its tokens are malformed');
  if (bootstrap === undefined) return refuse('its bootstrap is malformed');
  if (network !== undefined && !isHash(network)) return refuse('its network is malformed');
  if (document !== undefined && !isBytes(document)) return refuse('its document is malformed');
  if (map['encryption'] !== undefined && encryption === undefined) {
    return refuse('its encryption is malformed');
  }
  return ok({
    organisation,
    peer,
    name,
    tokens,
    recoveryHash: asHash(recovery),
    bootstrap,
    ...(network === undefined ? {} : { network: asHash(network) }),
    ...(document === undefined ? {} : { document }),
    ...(encryption === undefined ? {} : { encryption }),
  });
}

const unsigned = 'it is not signed by whom it names, or was changed on its way';

function format(kind: Kind, signer: Signer, map: CborMap): string {
  const body = encodeCbor(map);
  const signature = signer.sign(concat(prefix(kind), body));
  return `hwpeer-${kind}:${toBase64url(encodeCbor([body, signature]))}`;
}

interface Opened {
  readonly map: CborMap;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

function open(kind: Kind, text: string): Result<Opened> {
  if (text.length > protocol.maxEnrolmentLength) return refuse('it is too long');
  const line = text.trim();
  const scheme = `hwpeer-${kind}:`;
  if (!line.startsWith(scheme)) {
    const other: Kind = kind === 'request' ? 'answer' : 'request';
    const what = line.startsWith(`hwpeer-${other}:`)
      ? `it is ${other === 'answer' ? 'an answer' : 'a request'}, not ${kind === 'answer' ? 'an answer' : 'a request'}`
      : `it does not begin with ${scheme}`;
    return refuse(what);
  }
  const bytes = fromBase64url(line.slice(scheme.length));
  if (!bytes.ok) return refuse(bytes.error.message);
  const pair = decodeCbor(bytes.value);
  if (!pair.ok) return refuse(pair.error.message);
  const parts = listOf(pair.value, isBytes);
  const [body, signature] = parts ?? [];
  if (parts?.length !== 2 || body === undefined || signature?.length !== 64) {
    return refuse('it is not a body and a signature');
  }
  const map = decodeCborMap(body);
  if (!map.ok) return refuse(map.error.message);
  if (map.value['version'] !== 1) return refuse('its version is not known');
  return ok({ map: map.value, body, signature });
}

function signed(
  crypto: Crypto,
  kind: Kind,
  signer: Did,
  body: Uint8Array,
  signature: Uint8Array,
): boolean {
  return crypto.verify(didKey(signer), concat(prefix(kind), body), asSignature(signature));
}

function prefix(kind: Kind): Uint8Array {
  return utf8(`headwater/peer-${kind}/1`);
}

/** Of an Ed25519 key. */
function did(map: CborMap, field: string): Did | undefined {
  const value = map[field];
  const parsed = typeof value === 'string' ? parseDid(value) : undefined;
  return parsed?.ok === true && didFromKey(didKey(parsed.value)) === parsed.value
    ? parsed.value
    : undefined;
}

function isBytes(value: CborValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array;
}

function isHash(value: CborValue | undefined): value is Uint8Array {
  return isBytes(value) && value.length === 32;
}

function isAddress(value: CborValue | undefined): value is string {
  return typeof value === 'string' && value.length <= 512 && addressPattern.test(value);
}

function message(value: CborValue | undefined): HpkeMessage | undefined {
  const [enc, ciphertext] = listOf(value, isBytes) ?? [];
  return enc?.length === 32 && ciphertext?.length === 48 ? { enc, ciphertext } : undefined;
}

function listOf<T>(
  value: CborValue | undefined,
  is: (item: CborValue | undefined) => item is T & CborValue,
): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > maxItems) return undefined;
  const items: T[] = [];
  for (const item of value) {
    if (!is(item)) return undefined;
    items.push(item);
  }
  return items;
}

function refuse(message: string): Result<never> {
  return err(fault('enrolment-invalid', `this cannot be read: ${message}`));
}
