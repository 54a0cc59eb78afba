/**
 * The one batch of a block: record, indexes, tiles and head together (CONVENTIONS section 2.8), the
 * same for a block that we made and one that we received.
 */
import { writeUint48 } from '../bytes.ts';
import { hashKey, keyspace, logKey, numberKey, pairKey } from '../keyspace.ts';
import { asBlockNumber, type BlockNumber, type LogIndex, type ParsedEvent } from '../types.ts';
import type { VerifiedBlock } from './block.ts';
import { encodeRecord } from './block-record.ts';
import { encodeHead, type LogHead } from './head-record.ts';
import { idRow, maxIdRowBytes } from './id-rows.ts';
import { nextSlices, type Slice } from './id-slices.ts';
import { subjectKeyBytes } from './id-keys.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { AppendedBlock } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import { leafKind } from './leaf.ts';
import { lineageRows } from './lineage-rows.ts';
import type { LogTiles } from './log-tiles.ts';
import { RowRoom } from './row-room.ts';
import type { StoreWrite } from './store.ts';

/** A block that is ready to be written. */
export interface Append {
  readonly number: BlockNumber;
  readonly block: VerifiedBlock;
  readonly head: LogHead;
  readonly writes: readonly StoreWrite[];
  /** The block as it is stored. */
  readonly record: Uint8Array;
  /** Id keys of its events in order. */
  readonly idKeys: readonly Uint8Array[];
  /** Names of the tiles that it filled, for `LogTiles.written`. */
  readonly tiles: readonly string[];
}

/** Keys of an event that the caller has already; else they are made here. */
export interface EventKeys {
  readonly idKey: Uint8Array;
  readonly contentHash: Uint8Array | undefined;
}

/**
 * Makes the batch and moves the handle's tip and tiles on. `keys` gives the keys of the event at a
 * position of the block.
 */
export function prepareAppend(
  env: LedgerEnv,
  handle: LogHandle,
  tiles: LogTiles,
  block: VerifiedBlock,
  keys: (position: number, event: ParsedEvent) => EventKeys,
): Append {
  const { crypto, limits } = env.options;
  const log = handle.row.number;
  const { state, wire } = block;
  const { firstIndex, entries, form } = block.block;
  const number = asBlockNumber(state.blocks - 1);
  const rows = block.events.reduce((sum, event) => sum + (event === undefined ? 0 : 1), 0);
  const at = { firstIndex, time: state.time, rows };
  const slices = nextSlices(limits, handle.tip?.slices ?? [], at);
  const head = { state, checkpoint: block.block.checkpoint, slices };
  const { leafHashes } = block;
  const input = { number, firstIndex, form, entries, leafHashes, root: state.root, wire };
  const record = encodeRecord(crypto, input);
  const filled = tiles.append(block);
  const writes: StoreWrite[] = [
    { key: numberKey(keyspace.blocks, log, number), value: record },
    { key: numberKey(keyspace.starts, log, firstIndex), value: uint48(number) },
    { key: pairKey(keyspace.times, log, state.time, number), value: uint48(firstIndex) },
    { key: logKey(keyspace.heads, log), value: encodeHead(crypto, head) },
    ...filled.writes,
  ];
  const idKeys = indexEntries(env, log, block, slices, keys, writes);
  lineageRows(log, block.block, writes);
  handle.tip = head;
  return { number, block, head, writes, record, idKeys, tiles: filled.names };
}

/** Adds the rows of ids, subjects and control entries; returns the id keys. */
function indexEntries(
  env: LedgerEnv,
  log: number,
  block: VerifiedBlock,
  slices: readonly Slice[],
  keys: (position: number, event: ParsedEvent) => EventKeys,
  writes: StoreWrite[],
): readonly Uint8Array[] {
  const { firstIndex, entries } = block.block;
  const slice = slices.at(-1)?.number ?? 0;
  const idKeys: Uint8Array[] = [];
  const room = new RowRoom(block.events.length * (maxIdRowBytes + subjectRowBytes));
  for (const [i, event] of block.events.entries()) {
    if (event !== undefined) {
      const { idKey, contentHash } = keys(i, event);
      idKeys.push(idKey);
      writes.push(idRow(log, slice, idKey, firstIndex + i, contentHash, room));
      const subject = event.context['subject'];
      if (typeof subject === 'string') {
        const subjectKey = env.ids.subjectKey(subject);
        const key = subjectRowKey(log, subjectKey, firstIndex + i, room.take(subjectRowBytes));
        writes.push({ key, value: nothing });
      }
    } else if (entries[i]?.kind === leafKind.control) {
      const key = numberKey(keyspace.controls, log, firstIndex + i);
      writes.push({ key, value: uint48(block.state.blocks - 1) });
    }
  }
  return idKeys;
}

/** The keys of an event, for blocks of others: no content hash, they are not judged for conflicts. */
export function keysOf(env: LedgerEnv, event: ParsedEvent): EventKeys {
  const { source, id } = event.context;
  return { idKey: env.ids.idKey(String(source), String(id)), contentHash: undefined };
}

const subjectRowBytes = 5 + subjectKeyBytes + 6;

/** Written to `key`. */
export function subjectRowKey(
  log: number,
  subjectKey: Uint8Array,
  index: number,
  key: Uint8Array = new Uint8Array(subjectRowBytes),
): Uint8Array {
  hashKey(keyspace.subjects, log, subjectKey, key);
  writeUint48(key, 5 + subjectKeyBytes, index);
  return key;
}

/** What listeners are told of a stored block. */
export function appended(handle: LogHandle, block: VerifiedBlock, local: boolean): AppendedBlock {
  const { state, wire } = block;
  const firstIndex: LogIndex = block.block.firstIndex;
  return {
    logId: handle.logId,
    number: asBlockNumber(state.blocks - 1),
    firstIndex,
    size: state.size,
    root: state.root,
    wire,
    local,
    time: state.time,
    controls: block.block.entries.some(({ kind }) => kind === leafKind.control),
  };
}

function uint48(value: number): Uint8Array {
  const bytes = new Uint8Array(6);
  writeUint48(bytes, 0, value);
  return bytes;
}

const nothing = new Uint8Array(0);
