/** A single entry of an audit bundle: its leaf, its place, and its body against the leaf. */
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type Attributes, type EventBytes } from '../types.ts';
import { checkSealedBody } from './block-leaves.ts';
import { decodeBody } from './body.ts';
import type { KeyParts } from './bundle-keys.ts';
import type { EntryLine } from './bundle-lines.ts';
import { bytesOf } from './bundle-values.ts';
import { checkOpening, saltsBytes } from './commitment.ts';
import type { BlockEnv } from './judges.ts';
import { leafAt, type EventLeaf, type Leaf, type SealedLeaf } from './leaf.ts';
import { checkEntryPlace } from './proof-keys.ts';

export interface BundleEntry {
  readonly index: number;
  readonly leafBytes: Uint8Array;
  readonly leaf: Leaf;
  /** Of kind 0 whose body is there. */
  readonly event?: EventBytes;
  readonly context?: Attributes;
  /** An event without its body. */
  readonly gone: boolean;
}

/**
 * Checks all but the way to the root. Codes: bundle-line, those of `checkEntryPlace` and of bodies,
 * salts, body-unexpected, attributes-commitment, data-commitment, body-length, sealed-body-hash,
 * and the event judge's.
 */
export function checkBundleEntry(
  env: BlockEnv,
  keys: KeyParts,
  line: EntryLine,
): Result<BundleEntry> {
  const { index } = line;
  const bytes = bytesOf(line.leaf);
  if (!bytes.ok) return bytes;
  const { logId, chain, proofChain } = keys;
  const leaf = checkEntryPlace(logId, chain.genesis, proofChain, asLogIndex(index), bytes.value);
  if (!leaf.ok) return leaf;
  const base = { index, leafBytes: bytes.value, leaf: leaf.value };
  if (leaf.value.kind > 1 || line.body === null) {
    if (line.salts !== null) return err(fault('salts', 'salts without a public body'));
    if (line.body !== null) return err(fault('body-unexpected', 'only events have a body'));
    return ok({ ...base, gone: leaf.value.kind <= 1 });
  }
  const body = bytesOf(line.body);
  if (!body.ok) return body;
  if (leaf.value.kind === 1) {
    const wrong = checkSealed(env, line, bytes.value, body.value);
    return wrong === undefined ? ok({ ...base, gone: false }) : err(wrong);
  }
  const opened = openBody(env, line, bytes.value, body.value);
  return opened.ok ? ok({ ...base, ...opened.value, gone: false }) : opened;
}

function checkSealed(
  env: BlockEnv,
  { salts }: EntryLine,
  leaf: Uint8Array,
  body: Uint8Array,
): Fault | undefined {
  if (salts !== null) return fault('salts', 'a sealed event has its salts inside');
  return checkSealedBody(env.crypto, leaf, body);
}

function openBody(
  { crypto, judges }: BlockEnv,
  line: EntryLine,
  leaf: Uint8Array,
  body: Uint8Array,
): Result<{ readonly event: EventBytes; readonly context: Attributes }> {
  const salts = bytesOf(line.salts ?? '');
  if (!salts.ok) return salts;
  if (salts.value.length !== saltsBytes) return err(fault('salts', 'salts are 64 bytes'));
  const event = decodeBody(body);
  if (!event.ok) return event;
  const wrong = checkOpening(crypto, salts.value, event.value, leaf, leafAt.attributesCommitment);
  if (wrong !== undefined) return err(wrong);
  const length = new DataView(leaf.buffer, leaf.byteOffset).getUint32(leafAt.bodyLength);
  if (length !== body.length) {
    return err(fault('body-length', 'the body is not as long as the leaf says'));
  }
  const context = judges.event(event.value);
  return context.ok ? ok({ event: event.value, context: context.value }) : context;
}

/** Of an event its parents, of anything else none. */
export function parentsOf(leaf: Leaf): (EventLeaf | SealedLeaf)['parents'] {
  return leaf.kind === 0 || leaf.kind === 1 ? leaf.parents : [];
}
