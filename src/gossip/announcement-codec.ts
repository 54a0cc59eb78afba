/**
 * What travels on the topics `registry` and `alerts`; blocks travel on theirs as they are.
 *
 *   registry   [1, checkpoint text, peer id, [address…]]   a registry's newest signed checkpoint and
 *                                                          a peer that serves it
 *   alerts     [1, document]                               a newer network document
 *
 * The logId, size and root are those of the checkpoint. Its signature can be judged by who knows the
 * log's keys; for others it is a hint.
 */
import { CborWriter } from '../cbor.ts';
import type { Result } from '../result.ts';
import { helloLimits, type KnownPeer } from './hello-codec.ts';
import { decodeMessage } from './message.ts';

const maxCheckpointText = 2048;

export interface Announcement {
  readonly checkpoint: string;
  readonly server: KnownPeer;
}

export function decodeAnnouncement(message: Uint8Array): Result<Announcement> {
  return decodeMessage<Announcement>(message, [
    1,
    4,
    (f) => ({
      checkpoint: f.text(maxCheckpointText),
      server: {
        peer: f.peerId(),
        addresses: f.each(helloLimits.addresses, (field) => field.text(helloLimits.addressText)),
      },
    }),
  ]);
}

export function encodeAnnouncement({ checkpoint, server }: Announcement): Uint8Array {
  const writer = new CborWriter(512).list(4).uint(1).text(checkpoint).text(server.peer);
  writer.list(server.addresses.length);
  for (const address of server.addresses) writer.text(address);
  return writer.finish();
}

/** The network document of an alert, a copy. */
export function decodeAlert(message: Uint8Array): Result<Uint8Array> {
  return decodeMessage(message, [1, 2, (f) => f.bytes(helloLimits.documentBytes).slice()]);
}

export function encodeAlert(document: Uint8Array): Uint8Array {
  return new CborWriter(document.length + 16).list(2).uint(1).bytes(document).finish();
}
