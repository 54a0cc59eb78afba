/**
 * A peer id is the peer's Ed25519 key in libp2p's text form: base58btc without a prefix of
 *
 *   00 24            identity multihash of 36 bytes
 *   08 01 12 20      protobuf PublicKey {Type: Ed25519, Data: 32 bytes}
 *   32 bytes         the key
 *
 * https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
 */
import { base58btc } from 'multiformats/bases/base58';
import { concat, equal } from '../bytes.ts';
import { asPeerId, asPublicKey, type PeerId, type PublicKey } from '../types.ts';

const prefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);

export function peerIdFromKey(key: PublicKey): PeerId {
  return asPeerId(base58btc.encode(concat(prefix, key)).slice(1));
}

/** The key that a peer id is; undefined for ids of other key types or malformed ones. */
export function peerKey(peer: PeerId): PublicKey | undefined {
  let bytes: Uint8Array;
  try {
    bytes = base58btc.decode(`z${peer}`);
  } catch {
    return undefined;
  }
  if (bytes.length !== prefix.length + 32) return undefined;
  if (!equal(bytes.subarray(0, prefix.length), prefix)) return undefined;
  return asPublicKey(bytes.slice(prefix.length));
}

/** Whether a text is the id of a peer with an Ed25519 key. */
export function isPeerId(text: string): boolean {
  return /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/.test(text) && peerKey(asPeerId(text)) !== undefined;
}
