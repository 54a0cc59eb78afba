/**
 * What travels on the topics `registry` and `alerts`; blocks travel on theirs as they are.
 *
 *   registry   [1, checkpoint text, peer id, [address…]]   a registry's newest signed checkpoint and
 *                                                          a peer that serves it
 *   alerts     [1, document]                               a newer network document
 *              [2, fork proof]                             FACTS.md section 8
 *              [3, revocation]                             an invocation of /ucan/revoke
 *
 * The logId, size and root are those of the checkpoint. Its signature can be judged by who knows the
 * log's keys; for others it is a hint.
 */
import { CborReader, CborWriter } from '../cbor.ts';
import { protocol } from '../limits.ts';
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

export type Alert =
  | { readonly kind: 'network'; readonly document: Uint8Array }
  | { readonly kind: 'fork'; readonly proof: Uint8Array }
  | { readonly kind: 'revocation'; readonly token: Uint8Array };

/** The bytes of an alert are a copy. An alert of a later version is `message-shape` too: see `isLaterAlert`. */
export function decodeAlert(message: Uint8Array): Result<Alert> {
  return decodeMessage<Alert>(
    message,
    [1, 2, (f) => ({ kind: 'network', document: f.bytes(helloLimits.documentBytes).slice() })],
    [2, 2, (f) => ({ kind: 'fork', proof: f.bytes(protocol.maxForkProofBytes).slice() })],
    [3, 2, (f) => ({ kind: 'revocation', token: f.bytes(protocol.maxTokenBytes).slice() })],
  );
}

export function encodeAlert(alert: Alert): Uint8Array {
  const [kind, bytes] = partsOf(alert);
  return new CborWriter(bytes.length + 16).list(2).uint(kind).bytes(bytes).finish();
}

function partsOf(alert: Alert): readonly [number, Uint8Array] {
  switch (alert.kind) {
    case 'network':
      return [1, alert.document];
    case 'fork':
      return [2, alert.proof];
    case 'revocation':
      return [3, alert.token];
  }
}

/** A kind of alert that we do not know yet: neither taken nor passed on, and nobody's fault. */
export function isLaterAlert(message: Uint8Array): boolean {
  const reader = new CborReader(message);
  reader.list();
  return reader.uint() > 3 && reader.failed === undefined;
}
