/**
 * Makes the next block of a log: what `verifyBlock` accepts, by the same rules (`advance`). Pure:
 * time and seed are handed in, the signer is asked for one signature.
 */
import { equal } from '../bytes.ts';
import { encodeCbor, type CborMap } from '../cbor.ts';
import type { Hasher, Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asBlockNumber,
  asHash,
  asLogIndex,
  type Hash,
  type LogIndex,
  type ParsedEvent,
  type TimeMs,
} from '../types.ts';
import { advance } from './advance.ts';
import { LeafTable, type VerifiedBlock } from './block.ts';
import { encodeFullBlock, eventEntryBytes, type EntryParts } from './block-encode.ts';
import { hashLeaves, writeEventHead } from './block-leaves.ts';
import { bodyLength } from './body.ts';
import { signCheckpoint } from './checkpoint.ts';
import { commitInto, saltsAt, seedBytes } from './commitment.ts';
import { genesisMap, openLog, type Genesis } from './genesis.ts';
import type { BlockEnv } from './judges.ts';
import {
  checkLeaf,
  checkParents,
  layOutLeaf,
  leafAt,
  leafKind,
  noParents,
  parentBytes,
  type Leaf,
  type Parent,
} from './leaf.ts';
import { isKnown, type LogState, type UnknownLog } from './log-state.ts';
import { sealedParts, type BlockSeal } from './seal-entry.ts';
import { sealedLength } from './sealed-body.ts';
import { checkGenesisProof } from './successor.ts';

/** What is to become an entry; its recorded time is that of the block unless it has its own. */
export type Draft = EventDraft | SealedDraft | ControlDraft;

export interface EventDraft {
  readonly kind: 'event';
  readonly event: ParsedEvent;
  /** The parents field as `encodeParents` makes it; none where absent. */
  readonly parents?: Uint8Array | undefined;
  readonly time?: TimeMs | undefined;
}
/** An event that was encrypted elsewhere for its index, time and epoch; only kept and checked here. */
export interface SealedDraft {
  readonly kind: 'sealed';
  readonly attributesCommitment: Hash;
  readonly dataCommitment: Hash;
  readonly epoch: number;
  /** Ciphertext and tag. */
  readonly body: Uint8Array;
  readonly parents?: readonly Parent[] | undefined;
  readonly time?: TimeMs | undefined;
}
export interface ControlDraft {
  readonly kind: 'control';
  readonly map: CborMap;
  readonly time?: TimeMs | undefined;
}

export interface BuildOptions {
  /** Recorded time of the seal and of drafts without their own; not before the last entry's. */
  readonly time: TimeMs;
  /** 32 fresh random bytes. */
  readonly seed: Uint8Array;
  /** In a sealed log: what its events are sealed with. */
  readonly seal?: BlockSeal | undefined;
  /** Lowest index whose body is still offered; unchanged where absent. */
  readonly lowest?: LogIndex | undefined;
}

/**
 * Bytes that a draft adds to the wire block, exact for public events: to cut a block at
 * `maxBlockBytes`. `sealed`: it is to become an entry of a sealed log.
 */
export function draftBytes(draft: Draft, sealed: boolean = false): number {
  switch (draft.kind) {
    case 'event': {
      const parents = draft.parents?.length ?? noParents.length;
      if (sealed) return sealedFrameBytes + parents + sealedLength(draft.event);
      return eventEntryBytes(maxTime, parents, draft.event);
    }
    case 'sealed':
      return sealedFrameBytes + 80 * (draft.parents?.length ?? 0) + draft.body.length;
    case 'control':
      return 16 + encodeCbor(draft.map).length;
  }
}
const maxTime = 2 ** 48 - 1;
/** A leaf of kind 1 without parents, and the heads around leaf and body. */
const sealedFrameBytes = 128;

/**
 * Drafts in order, then the seal, signed. The event judge is not asked: drafts hold parsed events.
 * `place.index` is a draft's position where its own bytes are wrong, else the index in the log.
 * Codes: those of `applyEntries`, of leaves (parents, control maps), writer-key, body-too-large,
 * block-too-large, genesis-proof.
 */
export function buildBlock(
  env: BlockEnv,
  state: LogState | UnknownLog,
  signer: Signer,
  drafts: readonly Draft[],
  options: BuildOptions,
): Result<VerifiedBlock> {
  if (options.seed.length !== seedBytes) throw new RangeError('the seed is not 32 bytes');
  const prepared = prepare(env, state, drafts, options);
  if (!prepared.ok) return prepared;
  const entries = prepared.value;
  entries.push(sealParts(state, drafts, options));
  const leaves = layOut(env.crypto, entries, options.seed);
  const open = entries.some(({ kind }) => kind === leafKind.event);
  const seed = open ? options.seed : null;
  const leafHashes = hashLeaves(env.crypto, leaves);
  const firstIndex = asLogIndex(isKnown(state) ? state.size : 0);
  const advanced = advance(env, state, { firstIndex, entries, leaves, leafHashes });
  if (!advanced.ok) return advanced;
  const { state: next, nodes, keyInForce } = advanced.value;
  if (!equal(signer.publicKey, keyInForce)) {
    return err(fault('writer-key', 'the signer does not hold the writer key in force'));
  }
  const proof = isKnown(state) ? ok(undefined) : checkGenesisProof(env, next.genesis);
  if (!proof.ok) return proof;
  const checkpoint = signCheckpoint(env.crypto, signer, next.logId, next.size, next.root);
  const frontier = isKnown(state) ? state.frontier : [];
  const block = encodeFullBlock({ log: next.log, firstIndex, frontier, seed, entries, checkpoint });
  const { wire } = block;
  if (wire.length > protocol.maxMessageBytes) {
    return err(fault('block-too-large', `a block of ${wire.length} bytes`));
  }
  const events = drafts.map((draft) => (draft.kind === 'event' ? draft.event : undefined));
  events.push(undefined); // the seal
  return ok({ wire, block, state: next, leaves, leafHashes, nodes, events });
}

/** The first block of a log: its genesis, further drafts if any, and the seal. */
export function buildFirstBlock(
  env: BlockEnv,
  signer: Signer,
  genesis: Genesis,
  drafts: readonly Draft[],
  options: BuildOptions,
): Result<VerifiedBlock> {
  const { logId } = openLog(env.crypto, genesis);
  const first: Draft = { kind: 'control', map: genesisMap(genesis), time: genesis.created };
  return buildBlock(env, { logId }, signer, [first, ...drafts], options);
}

function prepare(
  env: BlockEnv,
  state: LogState | UnknownLog,
  drafts: readonly Draft[],
  options: BuildOptions,
): Result<EntryParts[]> {
  const entries: EntryParts[] = [];
  for (const [index, draft] of drafts.entries()) {
    const parts =
      draft.kind === 'event'
        ? eventParts(env, state, draft, index, options)
        : leafParts(env, draft, options);
    const wrong = checkParts(parts);
    if (!wrong.ok) return err({ ...wrong.error, place: { index } });
    entries.push(parts);
  }
  return ok(entries);
}

function checkParts(parts: EntryParts): Result<unknown> {
  const length = parts.event === undefined ? parts.sealed?.length : bodyLength(parts.event);
  if (length !== undefined && length > protocol.maxBodyBytes) {
    return err(fault('body-too-large', 'a body is at most 192 KiB'));
  }
  if (parts.leaf !== undefined) return checkLeaf(parts.leaf);
  const wrong = checkParents(parts.parents, 0, parts.parentsLength);
  return wrong === undefined ? ok(undefined) : err(wrong);
}

function eventParts(
  env: BlockEnv,
  state: LogState | UnknownLog,
  draft: EventDraft,
  position: number,
  options: BuildOptions,
): EntryParts {
  const parents = draft.parents ?? noParents;
  const { seal } = options;
  if (seal !== undefined && isKnown(state)) {
    const time = draft.time ?? options.time;
    const place = { log: state.log, index: state.size + position, position, time };
    return sealedParts(env.crypto, seal, place, draft.event, parents);
  }
  return {
    kind: leafKind.event,
    time: draft.time ?? options.time,
    leaf: undefined,
    parents,
    parentsLength: parents.length,
    event: draft.event,
    sealed: undefined,
    control: undefined,
  };
}

/** An entry that travels with its leaf. */
function withLeaf(
  leaf: Leaf,
  extra: { readonly sealed?: Uint8Array; readonly control?: CborMap; readonly parents?: number },
): EntryParts {
  return {
    kind: leaf.kind,
    time: leaf.time,
    leaf: layOutLeaf(leaf),
    parents: noParents,
    parentsLength: extra.parents ?? 0,
    event: undefined,
    sealed: extra.sealed,
    control: extra.control,
  };
}

function leafParts(
  env: BlockEnv,
  draft: SealedDraft | ControlDraft,
  options: BuildOptions,
): EntryParts {
  const time = draft.time ?? options.time;
  if (draft.kind === 'control') {
    return withLeaf({ kind: leafKind.control, time, map: draft.map }, { control: draft.map });
  }
  const { attributesCommitment, dataCommitment, epoch, body } = draft;
  const parents = draft.parents ?? [];
  const leaf: Leaf = {
    kind: leafKind.sealed,
    time,
    attributesCommitment,
    dataCommitment,
    bodyLength: body.length,
    bodyHash: env.crypto.sha256(body),
    epoch,
    parents,
  };
  return withLeaf(leaf, { sealed: body, parents: 2 + parentBytes * parents.length });
}

function sealParts(
  state: LogState | UnknownLog,
  drafts: readonly Draft[],
  options: BuildOptions,
): EntryParts {
  const known = isKnown(state) ? state : undefined;
  const leaf: Leaf = {
    kind: leafKind.seal,
    blockNumber: asBlockNumber(known?.blocks ?? 0),
    previousSeal: known?.sealHash ?? zeroHash,
    entries: drafts.length + 1,
    time: options.time,
    epoch: epochAfter(known?.epoch, drafts),
    lowest: options.lowest ?? known?.lowest ?? asLogIndex(0),
  };
  return withLeaf(leaf, {});
}

/** The epoch open at the seal; whether its opening is sound, the rules say. */
function epochAfter(before: number | undefined, drafts: readonly Draft[]): number {
  let open = before ?? 0;
  for (const draft of drafts) {
    if (draft.kind !== 'control' || draft.map['type'] !== 'epoch') continue;
    const epoch = draft.map['epoch'];
    if (typeof epoch === 'number' && epoch >= 0 && epoch < 2 ** 32) open = epoch;
  }
  return open;
}

/** All leaves side by side; those of public events are made where they stand. */
function layOut(h: Hasher, entries: readonly EntryParts[], seed: Uint8Array): LeafTable {
  const lengths = entries.map(
    (entry) => entry.leaf?.length ?? leafAt.eventParents + entry.parentsLength,
  );
  const leaves = new LeafTable(lengths);
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined) continue;
    const start = leaves.start(i);
    const { leaf, event } = entry;
    if (leaf !== undefined) leaves.bytes.set(leaf, start);
    if (event === undefined) continue;
    writeEventHead(leaves.bytes, start, entry.time, bodyLength(event));
    commitInto(h, saltsAt(h, seed, i), event, leaves.bytes, start + leafAt.attributesCommitment);
    leaves.bytes.set(entry.parents, start + leafAt.eventParents);
  }
  return leaves;
}

const zeroHash = asHash(new Uint8Array(32));
