/**
 * `/headwater/1/hello`: the first exchange of a connection.
 *
 *   → hello     [1, network id 32, document version, now, [delegation…], [role…], software,
 *                [address…], [[peer id, [address…]]…], document or null]
 *   ← hello     the same of the other side, or a refusal (`wrong-network`, `not-a-member`,
 *                `peer-barred`, …) after which both hang up
 *   → document  [2, document]      where the answerer's version is lower than the asker's
 *   ← accepted  [3]                after it, or a refusal
 *
 * The delegations (UCAN, root first) let this connection's peer key act for the first one's issuer,
 * the organisation. addresses: where the sender can be dialled; the pairs are some peers it knows, so that a
 * newcomer finds more than its bootstrap. document: the sender's network document, sent only by the
 * answerer and only where the asker's version is lower (a newcomer's is 0).
 */
import { CborWriter } from '../cbor.ts';
import type { Result } from '../result.ts';
import type { Hash, PeerId, TimeMs } from '../types.ts';
import { decodeMessage, type Fields } from './message.ts';

export const helloLimits = {
  delegations: 8,
  delegationBytes: 8192,
  roles: 16,
  addresses: 16,
  addressText: 256,
  peers: 16,
  documentBytes: 262_144,
} as const;

export interface KnownPeer {
  readonly peer: PeerId;
  readonly addresses: readonly string[];
}

export interface Hello {
  readonly kind: 'hello';
  readonly network: Hash;
  readonly documentVersion: number;
  readonly now: TimeMs;
  readonly delegations: readonly Uint8Array[];
  readonly roles: readonly string[];
  /** Name and version of the sender's software. */
  readonly software: string;
  readonly addresses: readonly string[];
  readonly peers: readonly KnownPeer[];
  readonly document?: Uint8Array;
}

export type HelloMessage =
  | Hello
  | { readonly kind: 'document'; readonly document: Uint8Array }
  | { readonly kind: 'accepted' };

export function decodeHello(frame: Uint8Array): Result<HelloMessage> {
  return decodeMessage<HelloMessage>(
    frame,
    [1, 10, readHello],
    [2, 2, (f) => ({ kind: 'document', document: f.bytes(helloLimits.documentBytes).slice() })],
    [3, 1, () => ({ kind: 'accepted' })],
  );
}

export function encodeHello(message: HelloMessage): Uint8Array {
  const writer = new CborWriter(1024);
  if (message.kind === 'document') return writer.list(2).uint(2).bytes(message.document).finish();
  if (message.kind === 'accepted') return writer.list(1).uint(3).finish();
  writer.list(10).uint(1).bytes(message.network).uint(message.documentVersion).uint(message.now);
  writer.list(message.delegations.length);
  for (const delegation of message.delegations) writer.bytes(delegation);
  writeTexts(writer, message.roles);
  writer.text(message.software);
  writeTexts(writer, message.addresses);
  writer.list(message.peers.length);
  for (const known of message.peers) writeTexts(writer.list(2).text(known.peer), known.addresses);
  return (message.document === undefined ? writer.null() : writer.bytes(message.document)).finish();
}

function readHello(fields: Fields): Hello {
  const hello = {
    kind: 'hello' as const,
    network: fields.hash(),
    documentVersion: fields.uint(),
    now: fields.time(),
    delegations: fields.each(helloLimits.delegations, (f) =>
      f.bytes(helloLimits.delegationBytes).slice(),
    ),
    roles: fields.each(helloLimits.roles, (f) => f.text(32)),
    software: fields.text(64),
    addresses: fields.each(helloLimits.addresses, readAddress),
    peers: fields.each(helloLimits.peers, readKnownPeer),
  };
  const document = fields.optional((f) => f.bytes(helloLimits.documentBytes).slice());
  return document === undefined ? hello : { ...hello, document };
}

function readKnownPeer(fields: Fields): KnownPeer {
  fields.tuple(2);
  return { peer: fields.peerId(), addresses: fields.each(helloLimits.addresses, readAddress) };
}

function readAddress(fields: Fields): string {
  const text = fields.text(helloLimits.addressText);
  if (!/^(?:\/[A-Za-z0-9._:~%-]+)+$/.test(text)) fields.refuse('not a multiaddr');
  return text;
}

function writeTexts(writer: CborWriter, texts: readonly string[]): void {
  writer.list(texts.length);
  for (const text of texts) writer.text(text);
}
