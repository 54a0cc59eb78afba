/**
 * Delivery of epoch keys to the holder of a grant (access.md "Sealed streams"):
 *
 *   payload    dag-cbor [[level, node, key 32], …]   in order, disjoint, within [from, to)
 *   sealed     HPKE base of the payload to the X25519 key in the profile of the organisation that asks;
 *              info `headwater/keys/1`, aad = logId 32 ‖ CID of the grant's last link (36 bytes)
 *   signed     Ed25519 by the producer's peer over `headwater/key-delivery/1` ‖ dag-cbor
 *              [logId 32, grant CID, generation, from, to, enc 32, ciphertext]
 *
 * One delivery is about the epochs [from, to) of one generation: what of them is not among its nodes was
 * shredded. So a delivery can be opened by nobody but the organisation, fits no other log or grant, and
 * its producer cannot deny it.
 */
import { CID } from 'multiformats/cid';
import { concat, utf8 } from '../bytes.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import type { Cipher } from '../cipher.ts';
import type { Crypto, Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Hash, PublicKey, Signature } from '../types.ts';
import type { EpochNode } from './epoch-keys.ts';
import { hpkeOpen, hpkeSeal, type HpkeContext, type KeyPair } from './hpke.ts';

/** What a delivery is about. */
export interface DeliveryPlace {
  /** The log's id as bytes. */
  readonly log: Hash;
  /** CID of the last delegation of the grant that was shown, in base32. */
  readonly grant: string;
}

export interface EpochRange {
  readonly generation: number;
  /** Epochs, half-open. */
  readonly from: number;
  readonly to: number;
}

export interface KeyDelivery extends EpochRange {
  /** Encapsulated key, 32 bytes. */
  readonly enc: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly signature: Signature;
}

const info = utf8('headwater/keys/1');
const signedPrefix = utf8('headwater/key-delivery/1');

/** Longest ciphertext: as many nodes as one delivery may have, at their longest, and the tag. */
export const maxCiphertextBytes: number = 3 + 44 * protocol.maxKeyNodes + 16;

/**
 * Nodes of one generation, in order, for the holder of the secret to `recipient`. `ikm` is 32 fresh random
 * bytes. Code: `hpke-key`. Throws on more nodes than `maxKeyNodes`.
 */
export function sealDelivery(
  ports: { readonly cipher: Cipher; readonly signer: Signer; readonly ikm: Uint8Array },
  recipient: Uint8Array,
  place: DeliveryPlace,
  range: EpochRange,
  nodes: readonly EpochNode[],
): Result<KeyDelivery> {
  if (nodes.length > protocol.maxKeyNodes) throw new RangeError('too many nodes of one delivery');
  const writer = new CborWriter(16 + 44 * nodes.length).list(nodes.length);
  for (const { level, node, key } of nodes) writer.list(3).uint(level).uint(node).bytes(key);
  const payload = writer.take();
  const { cipher, signer, ikm } = ports;
  const sealed = hpkeSeal(cipher, ikm, recipient, contextOf(place), payload);
  payload.fill(0);
  if (!sealed.ok) return sealed;
  const { generation, from, to } = range;
  const body = { generation, from, to, ...sealed.value };
  return ok({ ...body, signature: signer.sign(signedBytes(place, body)) });
}

/**
 * The nodes of a delivery by the peer whose key is `producer`, with whichever of our keys opens it. What
 * they open is not checked here. Codes: `keys-signature`, `hpke-open`, `hpke-key`, `keys-payload`.
 */
export function openDelivery(
  ports: { readonly cipher: Cipher; readonly crypto: Pick<Crypto, 'verify'> },
  own: readonly KeyPair[],
  producer: PublicKey,
  place: DeliveryPlace,
  delivery: KeyDelivery,
): Result<readonly EpochNode[]> {
  const { cipher, crypto } = ports;
  if (!crypto.verify(producer, signedBytes(place, delivery), delivery.signature)) {
    return err(fault('keys-signature', 'the delivery is not signed by the peer that sent it'));
  }
  let opened: Result<Uint8Array> = err(fault('hpke-open', 'there is no key that could open it'));
  for (const pair of own) {
    opened = hpkeOpen(cipher, pair, contextOf(place), delivery);
    if (opened.ok) break;
  }
  if (!opened.ok) return opened;
  const nodes = readPayload(opened.value, delivery);
  opened.value.fill(0);
  return nodes === undefined ? malformed : ok(nodes);
}

const malformed = err(
  fault('keys-payload', 'not [[level, node, key], …] in order within the epochs it is about'),
);

function readPayload(
  payload: Uint8Array,
  { from, to }: EpochRange,
): readonly EpochNode[] | undefined {
  const reader = new CborReader(payload);
  const length = reader.list();
  if (length > protocol.maxKeyNodes) return undefined;
  const nodes: EpochNode[] = [];
  let next = from;
  for (let i = 0; i < length; i++) {
    if (reader.list() !== 3) return undefined;
    const [level, node, key] = [reader.uint(), reader.uint(), reader.bytes()];
    if (reader.failed !== undefined || level > 32 || key.length !== 32) return undefined;
    const [first, end] = [node * 2 ** level, (node + 1) * 2 ** level];
    if (first < next || end > to) return undefined;
    nodes.push({ level, node, key: key.slice() });
    next = end;
  }
  reader.end();
  return reader.failed === undefined ? nodes : undefined;
}

function contextOf({ log, grant }: DeliveryPlace): HpkeContext {
  return { info, aad: concat(log, cidBytes(grant)) };
}

function signedBytes(
  { log, grant }: DeliveryPlace,
  { generation, from, to, enc, ciphertext }: Omit<KeyDelivery, 'signature'>,
): Uint8Array {
  const writer = new CborWriter(160 + ciphertext.length);
  writer.list(7).bytes(log).bytes(cidBytes(grant)).uint(generation).uint(from).uint(to);
  return concat(signedPrefix, writer.bytes(enc).bytes(ciphertext).take());
}

/** The binary form of a CID that one of our parsers has written as text. */
function cidBytes(text: string): Uint8Array {
  return CID.parse(text).bytes;
}
