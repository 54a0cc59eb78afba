/** What a proof shows of an event, held against the commitments in its leaf. */
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { dataKind, type Attributes, type EventBytes, type Hash, type LogIndex } from '../types.ts';
import { checkSealedBody } from './block-leaves.ts';
import { bodyLength } from './body.ts';
import { attributesCommitment, dataCommitment } from './commitment.ts';
import type { BlockEnv } from './judges.ts';
import { leafAt, type Leaf } from './leaf.ts';
import { discloseEvent, type Disclosure, type SealedDisclosure } from './proof-extra.ts';
import { openBodyWith, type SealedPlace } from './sealed-body.ts';

/** A sealed body is longer than a public one by two salts of 34 encoded bytes and a tag of 16. */
const sealedOverhead = 84;

/** Where the event stands of which something is disclosed. */
export interface DisclosedPlace extends SealedPlace {
  readonly log: Hash;
  readonly index: LogIndex;
  /** The leaf taken apart. */
  readonly entry: Leaf;
}

export interface CheckedDisclosure {
  /** What was disclosed; where a key opened the body with what it holds. */
  readonly disclosed: Disclosure;
  /** The attributes read, where they are there. */
  readonly context?: Attributes;
  /** There is a key, and nobody here to open the body with it. */
  readonly unopened?: true;
}

/**
 * Opens the commitments with what is disclosed and judges it as a replica does. Codes: proof-extra
 * (something disclosed of an entry that is no event, a key of one that is not sealed),
 * attributes-commitment, data-commitment, body-kind, body-length, event-invalid, and those of
 * `openBodyWith`.
 */
export function checkDisclosure(
  env: BlockEnv,
  place: DisclosedPlace,
  disclosed: Disclosure,
): Result<CheckedDisclosure> {
  if (disclosed.sealed !== undefined) return openWithKey(env, place, disclosed.sealed);
  const context = openClear(env, place, disclosed);
  if (!context.ok) return context;
  return ok({ disclosed, ...(context.value === undefined ? {} : { context: context.value }) });
}

function openWithKey(
  { crypto, judges, opener }: BlockEnv,
  place: DisclosedPlace,
  sealed: SealedDisclosure,
): Result<CheckedDisclosure> {
  if (place.entry.kind !== 1) {
    return err(fault('proof-extra', 'only a sealed event is disclosed by its key'));
  }
  if (opener === undefined) {
    const wrong = checkSealedBody(crypto, place.leaf, sealed.body);
    return wrong === undefined ? ok({ disclosed: { sealed }, unopened: true }) : err(wrong);
  }
  const opened = openBodyWith(opener, crypto, place, sealed.key, sealed.body);
  if (!opened.ok) return opened;
  const { event, salts } = opened.value;
  const context = judges.event(event);
  if (!context.ok) return context;
  const shown = discloseEvent(event, salts, { attributes: true, data: true });
  return ok({ disclosed: { ...shown, sealed }, context: context.value });
}

function openClear(
  env: BlockEnv,
  { entry, leaf }: DisclosedPlace,
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
