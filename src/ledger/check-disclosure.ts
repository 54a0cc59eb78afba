/** What a proof or bundle shows of an event, held against the commitments in its leaf. */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { dataKind, type Attributes, type EventBytes } from '../types.ts';
import { bodyLength } from './body.ts';
import { attributesCommitment, dataCommitment } from './commitment.ts';
import type { BlockEnv } from './judges.ts';
import { leafAt, type Leaf } from './leaf.ts';
import type { Disclosure } from './proof-extra.ts';

/** A sealed body is longer than a public one by two salts of 34 encoded bytes and a tag of 16. */
const sealedOverhead = 84;

/**
 * Opens the commitments with what is disclosed and judges it as a replica does; returns the
 * attributes if they are there. Codes: proof-extra (something disclosed of an entry that is no
 * event), attributes-commitment, data-commitment, body-kind, body-length, event-invalid.
 */
export function checkDisclosure(
  env: BlockEnv,
  entry: Leaf,
  leaf: Uint8Array,
  disclosed: Disclosure,
): Result<Attributes | undefined> {
  const { attributes, data } = disclosed;
  if (attributes === undefined && data === undefined) return ok(undefined);
  if (entry.kind > 1) return err(fault('proof-extra', 'only events have something to disclose'));
  const closed = openCommitments(env, leaf, disclosed);
  if (closed !== undefined) return err(closed);
  if (attributes === undefined) return ok(undefined);
  // Without its data an event is judged as if that were binary, which fits every content type.
  const event: EventBytes = {
    attributes: attributes.bytes,
    kind: data?.kind ?? dataKind.binary,
    data: data?.bytes ?? new Uint8Array(0),
  };
  if (data !== undefined && 'bodyLength' in entry) {
    const length = bodyLength(event) + (entry.kind === 1 ? sealedOverhead : 0);
    if (length !== entry.bodyLength) {
      return err(fault('body-length', 'the body is not as long as the leaf says'));
    }
  }
  return env.judges.event(event);
}

function openCommitments(
  { crypto }: BlockEnv,
  leaf: Uint8Array,
  { attributes, data }: Disclosure,
): Fault | undefined {
  const { attributesCommitment: first, dataCommitment: second } = leafAt;
  if (attributes !== undefined) {
    const made = attributesCommitment(crypto, attributes.salt, attributes.bytes);
    if (!equal(made, leaf.subarray(first, first + 32))) {
      return fault('attributes-commitment', 'the attributes do not open their commitment');
    }
  }
  if (data === undefined) return undefined;
  const made = dataCommitment(crypto, data.salt, data.kind, data.bytes);
  if (!equal(made, leaf.subarray(second, second + 32))) {
    return fault('data-commitment', 'kind and data do not open their commitment');
  }
  if (data.kind !== dataKind.none || data.bytes.length === 0) return undefined;
  return fault('body-kind', 'kind none with data');
}
