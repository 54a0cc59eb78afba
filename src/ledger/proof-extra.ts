/**
 * The `extra` line of a proof of ours (ledger.md "Proofs"): dag-cbor of a map
 *
 *   leaf             the entry's leaf
 *   keyChain         [genesis leaf, [index, newWriterKey 32, sigOld 64, sigNew 64], …]: just the
 *                    rotations that are in force at the checkpoint's size (index + 2 < size)
 *   attributes       with attributesSalt 32: what opens the attributes commitment
 *   data             with kind 0..3 and dataSalt 32: what opens the data commitment
 *   body             with eventKey 32: of a sealed event its ciphertext and tag, and the single-use
 *                    key that opens this one (sealed-body.ts)
 *
 * Attributes and data are disclosed or not, each by itself, or in their place the body. Nothing here is signed: the leaf is proved by
 * its hash in the tree, the genesis by the log's id, a rotation by its signatures, the rest by the
 * commitments in the leaf. One content has one encoding: of a rotation nothing travels that its
 * signatures do not cover, such as its recorded time.
 */
import { decodeCborMap, encodeCbor, type CborValue } from '../cbor.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asLogIndex,
  asPublicKey,
  asSignature,
  type DataKind,
  type EventBytes,
  type LogIndex,
  type TreeSize,
} from '../types.ts';
import { isKind } from './body.ts';
import { parseControl, type Rotate } from './control.ts';
import { FieldReader } from './fields.ts';
import type { KeyEntry } from './key-chain.ts';
import { decodeLeaf, leafKind } from './leaf.ts';

/** What of an event is shown, with the salts that open its commitments. */
export interface Disclosure {
  readonly attributes?: {
    /** RFC 8785 canonical JSON. */
    readonly bytes: Uint8Array;
    /** 32 bytes, as below. */
    readonly salt: Uint8Array;
  };
  readonly data?: {
    readonly kind: DataKind;
    readonly bytes: Uint8Array;
    readonly salt: Uint8Array;
  };
  /** A sealed event as it is stored, and its own key. */
  readonly sealed?: SealedDisclosure;
}

export interface SealedDisclosure {
  /** Ciphertext and tag. */
  readonly body: Uint8Array;
  /** 32 bytes: opens this event and no other. */
  readonly key: Uint8Array;
}

/** A rotation without the time at which it was recorded. */
export interface ProofRotation extends Omit<Rotate, 'type'> {
  readonly index: LogIndex;
}

export interface ProofKeyChain {
  readonly genesisLeaf: Uint8Array;
  readonly rotations: readonly ProofRotation[];
}

export interface ProofExtra {
  readonly leaf: Uint8Array;
  readonly keyChain: ProofKeyChain;
  readonly disclosed: Disclosure;
}

/** All or a part of an event; `salts` are its 64 bytes, attributes salt first. */
export function discloseEvent(
  event: EventBytes,
  salts: Uint8Array,
  parts: { readonly attributes: boolean; readonly data: boolean },
): Disclosure {
  const { attributes, kind, data } = event;
  return {
    ...(parts.attributes ? { attributes: { bytes: attributes, salt: salts.slice(0, 32) } } : {}),
    ...(parts.data ? { data: { kind, bytes: data, salt: salts.slice(32, 64) } } : {}),
  };
}

/**
 * What a proof at this size carries of a log's control entries: the genesis, which is the first, and
 * the rotations in force. Nothing of them is verified. Code block-log (no genesis).
 */
export function proofKeyChain(entries: readonly KeyEntry[], size: TreeSize): Result<ProofKeyChain> {
  const [first, ...rest] = entries;
  if (first?.index !== 0) return err(fault('block-log', 'the first entry is not the genesis'));
  const rotations: ProofRotation[] = [];
  for (const { index, leaf } of rest) {
    const rotate = index + 2 < size ? rotationIn(leaf) : undefined;
    if (rotate === undefined) continue;
    const { newWriterKey, sigOld, sigNew } = rotate;
    rotations.push({ index, newWriterKey, sigOld, sigNew });
  }
  return ok({ genesisLeaf: first.leaf, rotations });
}

/** Of a log's control entries the rotations. */
export function rotationsOf(entries: readonly KeyEntry[]): readonly KeyEntry[] {
  return entries.filter(({ leaf }) => rotationIn(leaf) !== undefined);
}

/** The rotation in a leaf, if it is a sound one. */
export function rotationIn(leaf: Uint8Array): Rotate | undefined {
  if (leaf[0] !== leafKind.control) return undefined;
  const decoded = decodeLeaf(leaf);
  if (!decoded.ok || decoded.value.kind !== leafKind.control) return undefined;
  const control = parseControl(decoded.value.map);
  return control.ok && control.value.type === 'rotate' ? control.value : undefined;
}

export function encodeExtra(extra: ProofExtra): Uint8Array {
  const { attributes, data, sealed } = extra.disclosed;
  return encodeCbor({
    leaf: extra.leaf,
    keyChain: keyChainItems(extra.keyChain),
    ...(attributes === undefined
      ? {}
      : { attributes: attributes.bytes, attributesSalt: attributes.salt }),
    ...(data === undefined ? {} : { data: data.bytes, kind: data.kind, dataSalt: data.salt }),
    ...(sealed === undefined ? {} : { body: sealed.body, eventKey: sealed.key }),
  });
}

function keyChainItems({ genesisLeaf, rotations }: ProofKeyChain): readonly CborValue[] {
  return [genesisLeaf, ...rotations.map((r) => [r.index, r.newWriterKey, r.sigOld, r.sigNew])];
}

/** A key chain by itself, as dag-cbor: {keyChain}. */
export function encodeKeyChain(chain: ProofKeyChain): Uint8Array {
  return encodeCbor({ keyChain: keyChainItems(chain) });
}

/** Code proof-extra. */
export function decodeKeyChain(bytes: Uint8Array): Result<ProofKeyChain> {
  const map = decodeCborMap(bytes);
  if (!map.ok) return err(fault('proof-extra', map.error.message));
  const fields = new FieldReader(map.value, 'proof-extra');
  const chain = readKeys(fields);
  const wrong = fields.end();
  return wrong === undefined ? ok(chain) : err(wrong);
}

/** Code proof-extra. What the bytes mean is not judged here. */
export function decodeExtra(bytes: Uint8Array): Result<ProofExtra> {
  const map = decodeCborMap(bytes);
  if (!map.ok) return err(fault('proof-extra', map.error.message));
  const fields = new FieldReader(map.value, 'proof-extra');
  const leaf = fields.blob('leaf');
  const keyChain = readKeys(fields);
  const disclosed = readDisclosed(fields);
  const wrong = fields.end();
  return wrong === undefined ? ok({ leaf, keyChain, disclosed }) : err(wrong);
}

function readKeys(fields: FieldReader): ProofKeyChain {
  const [genesisLeaf, ...items] = fields.list('keyChain');
  const rotations: ProofRotation[] = [];
  for (const item of items) {
    const rotation = readRotation(item);
    if (rotation === undefined) fields.refuse('an item of keyChain is no rotation');
    else rotations.push(rotation);
  }
  if (genesisLeaf instanceof Uint8Array) return { genesisLeaf, rotations };
  fields.refuse('keyChain does not begin with the genesis leaf');
  return { genesisLeaf: new Uint8Array(0), rotations };
}

function readRotation(item: CborValue): ProofRotation | undefined {
  if (!Array.isArray(item) || item.length !== 4) return undefined;
  const [index, key, sigOld, sigNew] = item;
  if (typeof index !== 'number' || index < 0 || !isBytes(key, 32)) return undefined;
  if (!isBytes(sigOld, 64) || !isBytes(sigNew, 64)) return undefined;
  return {
    index: asLogIndex(index),
    newWriterKey: asPublicKey(key),
    sigOld: asSignature(sigOld),
    sigNew: asSignature(sigNew),
  };
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

function readDisclosed(fields: FieldReader): Disclosure {
  const clear = { ...readAttributes(fields), ...readData(fields) };
  if (!fields.has('body') && !fields.has('eventKey')) return clear;
  const sealed = { body: fields.blob('body'), key: fields.bytes('eventKey', 32) };
  if (Object.keys(clear).length > 0) fields.refuse('the content is disclosed twice');
  return { sealed };
}

function readAttributes(fields: FieldReader): Pick<Disclosure, 'attributes'> {
  if (!fields.has('attributes') && !fields.has('attributesSalt')) return {};
  const bytes = fields.blob('attributes');
  return { attributes: { bytes, salt: fields.bytes('attributesSalt', 32) } };
}

function readData(fields: FieldReader): Pick<Disclosure, 'data'> {
  if (!['data', 'kind', 'dataSalt'].some((name) => fields.has(name))) return {};
  const bytes = fields.blob('data');
  const kind = fields.uint('kind', 3);
  const salt = fields.bytes('dataSalt', 32);
  return isKind(kind) ? { data: { kind, bytes, salt } } : {};
}
