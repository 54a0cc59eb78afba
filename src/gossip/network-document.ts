/**
 * The network document: what a network is and who belongs to it (network.md "Membership").
 *
 *   signed bytes   "headwater/network/1" ‖ dag-cbor map, the terms:
 *     name         text, [a-z0-9][a-z0-9._-]{0,62}
 *     version      1, 2, …
 *     founder      did:key of the organisation that signs every version
 *     created      when this version was made, ms
 *     membership   "open" or "listed"
 *     members      did:keys, sorted bytewise, each once; empty where open
 *     bootstrap    multiaddrs, at most 16 of 256 characters
 *     witnesses    C2SP verifier keys, at most 16 of 256 characters
 *     network      32 bytes, the id; absent in version 1 and only there
 *
 *   version 1      dag-cbor [terms, signature 64]
 *   later ones     dag-cbor [terms, signature 64, terms of version 1]
 *
 * where both terms are byte strings of the map without the prefix. The id of the network is SHA-256
 * of version 1's signed bytes; its text form is 64 lower-case hex digits. A later version carries the
 * first one because only that is bound to the id: so a newcomer who knows nothing but the id can tell
 * the true founder from somebody who signs "version 9" himself. The signature is Ed25519 by the
 * founder's key.
 */
import { compare, concat, equal, fromHex, toHex, utf8 } from '../bytes.ts';
import { decodeCbor, decodeCborMap, encodeCbor, type CborMap, type CborValue } from '../cbor.ts';
import type { Crypto, Hasher, Signer } from '../crypto.ts';
import { fault, type Code } from '../errors.ts';
import { didFromKey, didKey, parseDid } from '../ids.ts';
import { parseVkey } from '../ledger/note.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asHash, asSignature, asTimeMs, type Did, type Hash, type TimeMs } from '../types.ts';

/** What the founder decides; the order of `members` does not matter, in an open network they are dropped. */
export interface NetworkTerms {
  readonly name: string;
  readonly created: TimeMs;
  readonly membership: 'open' | 'listed';
  /** The founder always belongs and need not be listed. */
  readonly members: readonly Did[];
  readonly bootstrap: readonly string[];
  /** C2SP verifier keys. */
  readonly witnesses: readonly string[];
}

export interface NetworkDocument extends NetworkTerms {
  readonly id: Hash;
  readonly version: number;
  readonly founder: Did;
  /** The document as it travels. */
  readonly wire: Uint8Array;
  /** Terms of version 1, which the next version carries. */
  readonly founding: Uint8Array;
}

const prefix = utf8('headwater/network/1');
const fields = [
  'name',
  'created',
  'founder',
  'members',
  'version',
  'bootstrap',
  'witnesses',
  'membership',
];
const textLimit = 256;

/** 64 lower-case hex digits: the id in topic names, files and commands. */
export function networkIdText(id: Hash): string {
  return toHex(id);
}

/** `network-document` unless the text is the id of a network. */
export function parseNetworkId(text: string): Result<Hash> {
  const bytes = fromHex(text);
  if (bytes.ok && bytes.value.length === 32) return ok(asHash(bytes.value));
  return refuse('network-document', 'a network id is 64 lower-case hex digits');
}

/** Version 1, signed by its founder; `network-document` where the terms do not fit. */
export function foundNetwork(
  crypto: Crypto,
  signer: Signer,
  terms: NetworkTerms,
): Result<NetworkDocument> {
  const map = encodeTerms(signer, terms, 1);
  return readNetworkDocument(crypto, encodeCbor([map, signTerms(signer, map)]));
}

/**
 * The next version; what is not in `changes` stays. `network-document` where the terms do not fit,
 * `network-document-signature` where the signer is not the founder.
 */
export function reviseNetwork(
  crypto: Crypto,
  signer: Signer,
  current: NetworkDocument,
  changes: Partial<NetworkTerms> & { readonly created: TimeMs },
): Result<NetworkDocument> {
  if (didFromKey(signer.publicKey) !== current.founder) {
    return refuse('network-document-signature', 'only the founder can change the network');
  }
  const map = encodeTerms(signer, { ...current, ...changes }, current.version + 1, current.id);
  const wire = encodeCbor([map, signTerms(signer, map), current.founding]);
  return readNetworkDocument(crypto, wire);
}

function encodeTerms(signer: Signer, terms: NetworkTerms, version: number, id?: Hash): Uint8Array {
  const { name, created, membership, bootstrap, witnesses } = terms;
  return encodeCbor({
    name,
    version,
    founder: didFromKey(signer.publicKey),
    created,
    membership,
    members: membership === 'open' ? [] : [...new Set(terms.members)].sort(),
    bootstrap,
    witnesses,
    ...(id === undefined ? {} : { network: id }),
  });
}

function signTerms(signer: Signer, map: Uint8Array): Uint8Array {
  return signer.sign(concat(prefix, map));
}

/**
 * Reads a document of any version and checks its founder's signature. Codes: `network-document`,
 * `network-document-signature`.
 */
export function readNetworkDocument(crypto: Crypto, wire: Uint8Array): Result<NetworkDocument> {
  const parts = readParts(wire);
  if (!parts.ok) return parts;
  const { terms, signature, founding } = parts.value;
  const current = readTerms(crypto, terms);
  if (!current.ok) return current;
  const first = readTerms(crypto, founding);
  if (!first.ok) return first;
  if (founding.length > protocol.maxNetworkFoundingBytes) {
    return refuse('network-document', 'its founding terms are too long');
  }
  const { founder, version, network, ...rest } = current.value;
  if (first.value.version !== 1) return refuse('network-document', 'it carries no version 1');
  if ((founding === terms) !== (version === 1)) {
    return refuse('network-document', 'every version but the first carries the first');
  }
  const id = foundingId(crypto, founding);
  if (network !== undefined && !equal(network, id)) {
    return refuse('network-document', 'it carries the founding terms of another network');
  }
  if (first.value.founder !== founder) return refuse('network-document', 'its founder differs');
  if (!crypto.verify(didKey(founder), concat(prefix, terms), asSignature(signature))) {
    return refuse('network-document-signature', 'the founder did not sign this document');
  }
  return ok({ ...rest, id, version, founder, wire: wire.slice(), founding });
}

function foundingId(hasher: Hasher, founding: Uint8Array): Hash {
  return hasher.sha256(concat(prefix, founding));
}

interface Parts {
  readonly terms: Uint8Array;
  readonly signature: Uint8Array;
  /** The same array as `terms` where the document carries no other. */
  readonly founding: Uint8Array;
}

function readParts(wire: Uint8Array): Result<Parts> {
  if (wire.length > protocol.maxNetworkDocumentBytes) {
    return refuse('network-document', 'it is too long');
  }
  const decoded = decodeCbor(wire);
  if (!decoded.ok) return refuse('network-document', decoded.error.message);
  const list: readonly CborValue[] = Array.isArray(decoded.value) ? decoded.value : [];
  const [terms, signature, founding = terms] = list;
  if (
    (list.length !== 2 && list.length !== 3) ||
    !(terms instanceof Uint8Array) ||
    !(founding instanceof Uint8Array) ||
    !(signature instanceof Uint8Array) ||
    signature.length !== 64
  ) {
    return refuse('network-document', 'it is not a list of terms, signature and founding terms');
  }
  return ok({ terms, signature, founding });
}

interface Terms extends NetworkTerms {
  readonly version: number;
  readonly founder: Did;
  readonly network?: Uint8Array;
}

function readTerms(hasher: Hasher, bytes: Uint8Array): Result<Terms> {
  const map = decodeCborMap(bytes);
  if (!map.ok) return refuse('network-document', map.error.message);
  const { name, version, created, membership, network } = map.value;
  if (typeof version !== 'number' || version < 1) return malformed('version');
  const names = version === 1 ? fields : [...fields, 'network'];
  if (!hasExactly(map.value, names)) {
    return refuse('network-document', 'it has other fields than a network document');
  }
  if (version > 1 && !(network instanceof Uint8Array && network.length === 32)) {
    return malformed('network');
  }
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) {
    return malformed('name');
  }
  if (typeof created !== 'number' || created < 0 || created >= 2 ** 48) return malformed('created');
  if (membership !== 'open' && membership !== 'listed') return malformed('membership');
  const founder = readDid(map.value['founder']);
  if (founder === undefined) return malformed('founder');
  const members = readMembers(map.value['members']);
  if (members === undefined) return malformed('members');
  if (membership === 'open' && members.length > 0) return malformed('members');
  const bootstrap = readTexts(map.value['bootstrap'], isMultiaddr);
  if (bootstrap === undefined) return malformed('bootstrap');
  const witnesses = readTexts(map.value['witnesses'], (text) => parseVkey(hasher, text).ok);
  if (witnesses === undefined) return malformed('witnesses');
  return ok({
    name,
    version,
    founder,
    created: asTimeMs(created),
    membership,
    members,
    bootstrap,
    witnesses,
    ...(network instanceof Uint8Array ? { network } : {}),
  });
}

function hasExactly(map: CborMap, names: readonly string[]): boolean {
  return Object.keys(map).length === names.length && names.every((n) => Object.hasOwn(map, n));
}

function readDid(value: CborValue | undefined): Did | undefined {
  const did = typeof value === 'string' ? parseDid(value) : undefined;
  return did?.ok === true ? did.value : undefined;
}

/** Sorted and without repeats, so that one membership has one encoding. */
function readMembers(value: CborValue | undefined): readonly Did[] | undefined {
  if (!Array.isArray(value) || value.length > protocol.maxNetworkMembers) return undefined;
  const members: Did[] = [];
  for (const item of value) {
    const did = readDid(item);
    const before = members.at(-1);
    if (did === undefined) return undefined;
    if (before !== undefined && compare(utf8(before), utf8(did)) >= 0) return undefined;
    members.push(did);
  }
  return members;
}

/** Whether a text has the form of a multiaddr; what it means is the transport's to judge. */
export function isMultiaddr(text: string): boolean {
  return /^(?:\/[A-Za-z0-9._:~%-]+)+$/.test(text);
}

function readTexts(
  value: CborValue | undefined,
  fits: (text: string) => boolean,
): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > protocol.maxNetworkAddresses) return undefined;
  const texts: string[] = [];
  for (const item of value) {
    if (typeof item !== 'string' || item.length > textLimit || !fits(item)) return undefined;
    texts.push(item);
  }
  return texts;
}

function malformed(field: string): Result<never> {
  return err(fault('network-document', `its ${field} is malformed`, { pointer: field }));
}

function refuse(code: Code, message: string): Result<never> {
  return err(fault(code, message));
}

/**
 * A network as one peer knows it: the id, and the newest document it has seen. A newcomer knows the
 * id alone (from an invite) and is at version 0.
 */
export class KnownNetwork {
  readonly id: Hash;
  /** As in `networkIdText`. */
  readonly text: string;
  readonly #crypto: Crypto;
  #document: NetworkDocument | undefined;
  #members: ReadonlySet<Did> = new Set();

  /** Every DID of an organisation: it stays a member under a new one. The node sets it. */
  also: (organisation: Did) => readonly Did[] = (organisation) => [organisation];

  constructor(crypto: Crypto, id: Hash) {
    this.#crypto = crypto;
    this.id = id;
    this.text = networkIdText(id);
  }

  get current(): NetworkDocument | undefined {
    return this.#document;
  }

  version(): number {
    return this.#document?.version ?? 0;
  }

  document(): Uint8Array | undefined {
    return this.#document?.wire;
  }

  /** Whether an organisation's peers belong here; at version 0 nobody is judged yet. */
  admits(organisation: Did): boolean {
    const known = this.#document;
    if (known === undefined || known.membership === 'open') return true;
    return this.also(organisation).some((did) => did === known.founder || this.#members.has(did));
  }

  /**
   * Takes a document where it is newer than the one we have: true then, false where it is the same.
   * Codes: those of `readNetworkDocument`, `network-mismatch` (another network),
   * `network-document-old` (lower version), `network-document-conflict` (other bytes of our version:
   * the first one seen stays).
   */
  offer(wire: Uint8Array): Result<boolean> {
    const known = this.#document;
    if (known !== undefined && equal(known.wire, wire)) return ok(false);
    const read = readNetworkDocument(this.#crypto, wire);
    if (!read.ok) return read;
    const { id, version } = read.value;
    if (!equal(id, this.id)) return refuse('network-mismatch', `it is of network ${toHex(id)}`);
    if (version < this.version()) {
      return refuse('network-document-old', `version ${version}, known is ${this.version()}`);
    }
    if (version === this.version()) {
      return refuse('network-document-conflict', `another document of version ${version}`);
    }
    this.#document = read.value;
    this.#members = new Set(read.value.members);
    return ok(true);
  }
}
