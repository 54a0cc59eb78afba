/**
 * The invite line: all that a newcomer needs to find a network (network.md "Membership").
 *
 *   "hwnet:" base64url of dag-cbor map
 *     version     1
 *     network     32 bytes, the id
 *     addresses   multiaddrs, at most 16 of 256 characters
 *     peers       libp2p peer ids (Ed25519), at most 16
 *     inviter     did:key of the organisation that invites
 *     name        its own name for itself, [a-z0-9][a-z0-9._-]{0,62}; becomes a local alias
 *     expires     ms
 *
 * A hint and not a secret: it is not signed, it lets nobody in. The network id in it is what protects
 * the newcomer, because only the founder's documents fit it.
 */
import { fromBase64url, toBase64url } from '../bytes.ts';
import { decodeCborMap, encodeCbor, type CborValue } from '../cbor.ts';
import { fault } from '../errors.ts';
import { parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asHash,
  asPeerId,
  asTimeMs,
  type Did,
  type Hash,
  type PeerId,
  type TimeMs,
} from '../types.ts';
import { isMultiaddr } from './network-document.ts';
import { peerKey } from './peer-id.ts';

export interface Invite {
  readonly network: Hash;
  readonly addresses: readonly string[];
  readonly peers: readonly PeerId[];
  readonly inviter: Did;
  readonly name: string;
  readonly expires: TimeMs;
}

const scheme = 'hwnet:';
const fields = ['name', 'peers', 'expires', 'inviter', 'network', 'version', 'addresses'];
const maxItems = 16;

/** One line without an end of line. Throws on an invite that could not be read again. */
export function formatInvite(invite: Invite): string {
  const { network, addresses, peers, inviter, name, expires } = invite;
  const map = { version: 1, network, addresses, peers, inviter, name, expires };
  const line = scheme + toBase64url(encodeCbor(map));
  const again = readInvite(line);
  if (!again.ok) throw new RangeError(`cannot make this invite: ${again.error.message}`);
  return line;
}

/**
 * Reads a line; blanks around it are passed over, as they come with pasting. Codes:
 * `invite-invalid`, `invite-expired` (`now` is past its end).
 */
export function parseInvite(text: string, now: TimeMs): Result<Invite> {
  const invite = readInvite(text);
  if (!invite.ok || now <= invite.value.expires) return invite;
  return err(fault('invite-expired', 'the invite has expired'));
}

function readInvite(text: string): Result<Invite> {
  if (text.length > protocol.maxInviteLength) return refuse('it is too long');
  const line = text.trim();
  if (!line.startsWith(scheme)) return refuse(`it does not begin with ${scheme}`);
  const bytes = fromBase64url(line.slice(scheme.length));
  if (!bytes.ok) return refuse(bytes.error.message);
  const decoded = decodeCborMap(bytes.value);
  if (!decoded.ok) return refuse(decoded.error.message);
  const map = decoded.value;
  if (map['version'] !== 1) return refuse('its version is not known');
  if (Object.keys(map).length !== fields.length || !fields.every((f) => Object.hasOwn(map, f))) {
    return refuse('it has other fields than an invite');
  }
  const { network, name, expires } = map;
  if (!(network instanceof Uint8Array) || network.length !== 32) return malformed('network');
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) {
    return malformed('name');
  }
  if (typeof expires !== 'number' || expires < 0 || expires >= 2 ** 48) return malformed('expires');
  const inviter = typeof map['inviter'] === 'string' ? parseDid(map['inviter']) : undefined;
  if (inviter?.ok !== true) return malformed('inviter');
  const addresses = readAll(map['addresses'], (item) =>
    item.length <= 256 && isMultiaddr(item) ? item : undefined,
  );
  if (addresses === undefined) return malformed('addresses');
  const peers = readAll(map['peers'], readPeer);
  if (peers === undefined) return malformed('peers');
  return ok({
    network: asHash(network),
    addresses,
    peers,
    inviter: inviter.value,
    name,
    expires: asTimeMs(expires),
  });
}

function readPeer(text: string): PeerId | undefined {
  if (!/^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/.test(text)) return undefined;
  const peer = asPeerId(text);
  return peerKey(peer) === undefined ? undefined : peer;
}

function readAll<T>(
  value: CborValue | undefined,
  read: (text: string) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > maxItems) return undefined;
  const items: T[] = [];
  for (const text of value) {
    const item = typeof text === 'string' ? read(text) : undefined;
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function malformed(field: string): Result<never> {
  return refuse(`its ${field} is malformed`);
}

function refuse(message: string): Result<never> {
  return err(fault('invite-invalid', `the invite cannot be read: ${message}`));
}
