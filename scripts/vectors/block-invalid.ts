/** Blocks that a log must refuse: those with a changed byte, and those a bad writer signed. */
import { concat, toHex } from '../../src/bytes.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import type { Code } from '../../src/errors.ts';
import { encodeFullBlock, type EntryParts } from '../../src/ledger/block-encode.ts';
import { hashLeaves, writeEventHead } from '../../src/ledger/block-leaves.ts';
import { LeafTable, type VerifiedBlock } from '../../src/ledger/block.ts';
import { bodyLength, decodeBody } from '../../src/ledger/body.ts';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { commitInto, saltsAt } from '../../src/ledger/commitment.ts';
import {
  decodeLeaf,
  encodeLeaf,
  leafAt,
  noParents,
  type Leaf,
  type SealLeaf,
} from '../../src/ledger/leaf.ts';
import type { LogState } from '../../src/ledger/log-state.ts';
import { appendLeaves, rootOf } from '../../src/ledger/tree.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import { offlineEnv } from '../../src/verify.ts';
import { asBlockNumber, asHash, asLogIndex, asTimeMs, asTreeSize } from '../../src/types.ts';
import type { GoldenLog } from './block.ts';
import { labelled, labelledSigner, refused, type Json } from './format.ts';

const env = offlineEnv(h);

/** What a forger may vary; all else is made to fit, so that only the stated fault is there. */
interface Forgery {
  readonly entries: readonly EntryParts[];
  readonly seed: Uint8Array | null;
  readonly firstIndex: number;
  readonly sizeOff?: number;
  readonly root?: Uint8Array;
}

function forge(state: LogState, signer: Signer, forgery: Forgery): Uint8Array {
  const { entries, seed } = forgery;
  const leaves = new LeafTable(
    entries.map((entry) => entry.leaf?.length ?? leafAt.eventParents + entry.parentsLength),
  );
  for (const [i, { leaf, event, time, parents }] of entries.entries()) {
    const start = leaves.start(i);
    if (leaf !== undefined) leaves.bytes.set(leaf, start);
    if (event === undefined) continue;
    writeEventHead(leaves.bytes, start, time, bodyLength(event));
    const salts = saltsAt(h, seed ?? new Uint8Array(32), i);
    commitInto(h, salts, event, leaves.bytes, start + leafAt.attributesCommitment);
    leaves.bytes.set(parents, start + leafAt.eventParents);
  }
  const tree = appendLeaves(h, state.frontier, state.size, hashLeaves(h, leaves));
  const size = asTreeSize(tree.size + (forgery.sizeOff ?? 0));
  const root = asHash(forgery.root ?? rootOf(h, tree.frontier));
  const { log, frontier } = state;
  const checkpoint = signCheckpoint(h, signer, state.logId, size, root);
  const firstIndex = asLogIndex(forgery.firstIndex);
  return encodeFullBlock({ log, firstIndex, frontier, seed, entries, checkpoint }).wire;
}

/** The parts from which a sound block was made. */
function partsOf(block: VerifiedBlock): EntryParts[] {
  return block.block.entries.map((entry, i) => {
    const bytes = block.wire.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyLength);
    const body = entry.kind === 0 ? decodeBody(bytes) : undefined;
    const leaf = block.leaves.leaf(i);
    return {
      kind: entry.kind,
      time: entry.time,
      leaf: entry.kind === 0 ? undefined : leaf,
      parents: entry.kind === 0 ? leaf.subarray(leafAt.eventParents) : noParents,
      parentsLength: entry.parentsLength > 0 ? entry.parentsLength : 0,
      event: body?.ok === true ? body.value : undefined,
      sealed: entry.kind === 1 ? bytes : undefined,
      control: entry.control,
    };
  });
}

function withLeaf(parts: EntryParts, leaf: Leaf): EntryParts {
  return { ...parts, leaf: encodeLeaf(leaf), time: leaf.time };
}

/** Cases for block 1 of a log, held against the state after block 0. */
export function invalidBlocks(log: GoldenLog): Json[] {
  const [first, block] = log.blocks;
  if (first === undefined || block === undefined) throw new RangeError('two blocks are needed');
  const { state } = first;
  const cases = [...signedFaults(log, state, block), ...changedBytes(block, first)];
  return cases.map(([how, wire, code]) => ({
    log: log.name,
    after: 1,
    how,
    wire: toHex(wire),
    code: refused(verifyBlock(env, state, wire, { form: 'gossip' }), code, how),
  }));
}

type Case = readonly [string, Uint8Array, Code];

function signedFaults(log: GoldenLog, state: LogState, block: VerifiedBlock): readonly Case[] {
  const signer = labelledSigner(`writer/${log.name}`);
  const entries = partsOf(block);
  const seed = block.block.seed;
  const same = { entries, seed, firstIndex: state.size };
  const last = entries.at(-1);
  const seal = last?.leaf === undefined ? undefined : decodeLeaf(last.leaf);
  if (last === undefined || seal?.ok !== true || seal.value.kind !== 2) throw new Error('no seal');
  const sound: SealLeaf = seal.value;
  const sealAs = (change: Partial<SealLeaf>): Uint8Array =>
    forge(state, signer, {
      ...same,
      entries: [...entries.slice(0, -1), withLeaf(last, { ...sound, ...change })],
    });
  return [
    ['signed by another key', forge(state, labelledSigner('thief'), same), 'checkpoint-key-id'],
    ['signed size one more', forge(state, signer, { ...same, sizeOff: 1 }), 'checkpoint-size'],
    [
      'signed root of others',
      forge(state, signer, { ...same, root: labelled('x') }),
      'root-mismatch',
    ],
    ['seed changed', otherSeed(state, signer, same), seed === null ? 'seed' : 'root-mismatch'],
    ['no seal', forge(state, signer, { ...same, entries: entries.slice(0, -1) }), 'seal-place'],
    ['two seals', forge(state, signer, { ...same, entries: [...entries, last] }), 'seal-place'],
    ['seal counts one more', sealAs({ entries: entries.length + 1 }), 'seal-entries'],
    ['seal of another number', sealAs({ blockNumber: asBlockNumber(2) }), 'seal-number'],
    ['seal names another', sealAs({ previousSeal: labelled('x') }), 'seal-previous'],
    ['seal of another epoch', sealAs({ epoch: 9 }), 'epoch-mismatch'],
    ['lowest index ahead', sealAs({ lowest: asLogIndex(99) }), 'seal-lowest'],
    ['time back', sealAs({ time: asTimeMs(state.time - 1) }), 'time-back'],
    ['a gap', forge(state, signer, { ...same, firstIndex: state.size + 4 }), 'block-index'],
  ];
}

/** Signed leaves and another seed beside them; a sealed block has none at all. */
function otherSeed(state: LogState, signer: Signer, same: Forgery): Uint8Array {
  const { seed } = same;
  if (seed === null) return forge(state, signer, { ...same, seed: labelled('x') });
  const wire = forge(state, signer, same);
  const at = wire.findIndex((_, i) => seed.every((byte, n) => wire[i + n] === byte));
  return concat(wire.subarray(0, at), labelled('x'), wire.subarray(at + 32));
}

function changedBytes(block: VerifiedBlock, first: VerifiedBlock): readonly Case[] {
  const { wire } = block;
  return [
    ['the block before again', first.wire, 'block-index'],
    ['version 3', wire.with(1, 3), 'block-version'],
    ['version 2', wire.with(1, 2), 'block-form'],
    ['another log', wire.with(4, (wire[4] ?? 0) ^ 1), 'block-log'],
    ['list of six', wire.with(0, 0x86), 'block-shape'],
    ['cut', wire.subarray(0, -1), 'block-encoding'],
    ['a byte too many', concat(wire, Uint8Array.of(0)), 'block-encoding'],
    ['version in two bytes', concat(Uint8Array.of(0x87, 0x18), wire.subarray(1)), 'block-encoding'],
    ['empty', new Uint8Array(0), 'block-encoding'],
    ['signature cut', wire.with(-2 + wire.length, 0x20), 'note-malformed'],
  ];
}
