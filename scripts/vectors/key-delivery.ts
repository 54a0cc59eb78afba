/** Golden vectors of deliveries of epoch keys. */
import { deriveKeyPair } from '../../src/access/hpke.ts';
import { epochRoot, grantEpochs } from '../../src/access/epoch-keys.ts';
import { openDelivery, sealDelivery, type KeyDelivery } from '../../src/access/key-delivery.ts';
import { tokenCid } from '../../src/access/ucan-envelope.ts';
import { concat, toHex, utf8 } from '../../src/bytes.ts';
import { encodeCbor } from '../../src/cbor.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import { encodeAccess } from '../../src/gossip/access-codec.ts';
import { asSignature } from '../../src/types.ts';
import {
  accepted,
  flipped,
  labelled,
  labelledSigner,
  refused,
  type Format,
  type Json,
} from './format.ts';

const ikm = labelled('encryption/reader');
const reader = deriveKeyPair(nodeCipher, ikm);
const producer = labelledSigner('peer/producer');
const place = {
  log: labelled('log/sealed'),
  grant: tokenCid(nodeCrypto, labelled('grant/reader')),
};
const grantHash = nodeCrypto.sha256(labelled('grant/reader'));
const root = epochRoot(labelled('epochs/root'));
const ranges = [
  { generation: 0, from: 5, to: 29 },
  { generation: 1, from: 0, to: 1 },
  { generation: 4_294_967_295, from: 4_294_967_290, to: 4_294_967_296 },
  { generation: 2, from: 7, to: 8, shredded: true },
];

function deliver({ shredded = false, ...range }: (typeof ranges)[number]): {
  readonly delivery: KeyDelivery;
  readonly json: Json;
} {
  const held = accepted(grantEpochs(nodeCipher, root, range.from, range.to), 'nodes');
  const nodes = shredded ? [] : held;
  const ikmE = labelled(`ikmE/${range.generation}`);
  const ports = { cipher: nodeCipher, signer: producer, ikm: ikmE };
  const delivery = accepted(sealDelivery(ports, reader.publicKey, place, range, nodes), 'sealed');
  const { enc, ciphertext, signature } = delivery;
  const message = encodeAccess({ kind: 'keys', next: undefined, deliveries: [delivery] });
  const json = {
    ...range,
    nodes: nodes.map(({ level, node, key }) => [level, node, toHex(key)]),
    ikmE: toHex(ikmE),
    enc: toHex(enc),
    ciphertext: toHex(ciphertext),
    signature: toHex(signature),
    message: toHex(message),
  };
  return { delivery, json };
}

function open(delivery: KeyDelivery, at = place): ReturnType<typeof openDelivery> {
  const ports = { cipher: nodeCipher, crypto: nodeCrypto };
  return openDelivery(ports, [reader], producer.publicKey, at, delivery);
}

/** The delivery as its producer would sign it. */
function signed(changed: Omit<KeyDelivery, 'signature'>): KeyDelivery {
  const { generation, from, to, enc, ciphertext } = changed;
  const cid = concat(Uint8Array.of(1, 0x71, 0x12, 0x20), grantHash);
  const body = encodeCbor([place.log, cid, generation, from, to, enc, ciphertext]);
  const prefix = utf8('headwater/key-delivery/1');
  return { ...changed, signature: producer.sign(concat(prefix, body)) };
}

function wrong({ delivery }: ReturnType<typeof deliver>): Json {
  const cases: readonly (readonly [string, KeyDelivery, Code])[] = [
    [
      'signature changed',
      { ...delivery, signature: asSignature(flipped(delivery.signature)) },
      'keys-signature',
    ],
    ['generation changed', { ...delivery, generation: 1 }, 'keys-signature'],
    ['epochs widened', { ...delivery, to: 30 }, 'keys-signature'],
    ['epochs narrowed by the producer', signed({ ...delivery, to: 28 }), 'keys-payload'],
    [
      'ciphertext changed by the producer',
      signed({ ...delivery, ciphertext: flipped(delivery.ciphertext) }),
      'hpke-open',
    ],
    ['encapsulated key of zero', signed({ ...delivery, enc: new Uint8Array(32) }), 'hpke-key'],
  ];
  return cases.map(([how, changed, code]) => ({
    how,
    generation: changed.generation,
    from: changed.from,
    to: changed.to,
    enc: toHex(changed.enc),
    ciphertext: toHex(changed.ciphertext),
    signature: toHex(changed.signature),
    code: refused(open(changed), code, how),
  }));
}

async function make(): Promise<Json> {
  const made = ranges.map(deliver);
  for (const { delivery } of made) accepted(open(delivery), 'a delivery');
  const [first] = made;
  if (first === undefined) throw new Error('no vector');
  return {
    recipient: {
      ikm: toHex(ikm),
      secret: toHex(reader.secret),
      publicKey: toHex(reader.publicKey),
    },
    producer: toHex(producer.publicKey),
    log: toHex(place.log),
    grant: place.grant,
    root: toHex(root.key),
    valid: made.map(({ json }) => json),
    invalid: wrong(first),
  };
}

export const keyDelivery: Format = { name: 'key-delivery', make };
