/**
 * Takes bodies out of a stored block: its record becomes the reduced form, in which null stands in
 * the place of each body that goes, and the salts of those that stay in the place of the seed
 * (ledger.md "Leaves"). Root and leaves stay, so every proof still holds. Subject rows go with their
 * events; a redaction takes the content hash out of the id row too. Lineage stays: it is made from
 * leaves. Dropping what is gone changes nothing.
 */
import { keyspace, numberKey } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import { fault } from '../errors.ts';
import type { BlockNumber, ParsedEvent } from '../types.ts';
import { subjectRowKey } from './append-batch.ts';
import { isEvent } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { reduceBlock } from './block-encode.ts';
import { makeLeaves } from './block-leaves.ts';
import { BlockRecord, encodeRecord } from './block-record.ts';
import { idRowsOf } from './id-rows.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { eventsOf } from './open-sealed.ts';
import { recordOf } from './read-block.ts';
import type { StoreWrite } from './store.ts';

export interface Dropped {
  /** One batch, atomic. Empty where nothing was there to drop. */
  readonly writes: readonly StoreWrite[];
  readonly bodies: number;
  readonly firstIndex: number;
  readonly size: number;
}

/**
 * What must be written so that the bodies for which `goes` says yes are no longer in a block. With
 * `forget` the hashes of their content go too. Codes: store-corrupt, those of the store.
 */
export async function dropBodies(
  env: LedgerEnv,
  handle: LogHandle,
  number: BlockNumber,
  goes: (index: number) => boolean,
  forget: boolean = false,
): Promise<Result<Dropped>> {
  const read = await recordOf(env, handle, number);
  if (!read.ok) return read;
  const record = read.value;
  const { firstIndex, size, count } = record;
  const gone = (position: number): boolean =>
    goes(firstIndex + position) && record.body(position) !== undefined;
  const positions = Array.from({ length: count }, (_, i) => i).filter(gone);
  if (positions.length === 0) return ok({ writes: [], bodies: 0, firstIndex, size });
  const reduced = await reduceRecord(env, handle, record, (position) => !gone(position));
  if (!reduced.ok) return reduced;
  const log = handle.row.number;
  const key = numberKey(keyspace.blocks, log, number);
  const writes: StoreWrite[] = [{ key, value: reduced.value.record }];
  for (const position of positions) {
    const event = reduced.value.events[position];
    if (event === undefined) continue; // Sealed for us: no rows, or none that we could name.
    const rows = await forgottenRows(env, handle, event, firstIndex + position, forget);
    if (!rows.ok) return rows;
    writes.push(...rows.value);
  }
  return ok({ writes, bodies: positions.length, firstIndex, size });
}

/**
 * What takes an event out of the indexes: the row of its subject and, with `forget`, the hash of its
 * content. Its id stays taken. Codes: those of the store.
 */
export async function forgottenRows(
  env: LedgerEnv,
  handle: LogHandle,
  { context: { source, id, subject } }: Pick<ParsedEvent, 'context'>,
  index: number,
  forget: boolean,
): Promise<Result<readonly StoreWrite[]>> {
  const log = handle.row.number;
  const writes: StoreWrite[] = [];
  if (typeof subject === 'string') {
    writes.push({ key: subjectRowKey(log, env.ids.subjectKey(subject), index) });
  }
  if (!forget) return ok(writes);
  const idKey = env.ids.idKey(String(source), String(id));
  const rows = await idRowsOf(env.options.store, log, handle.slices, idKey, index);
  return rows.ok ? ok([...writes, ...rows.value]) : rows;
}

interface ReducedRecord {
  readonly record: Uint8Array;
  /** What the block held before, as far as it can be read here. */
  readonly events: readonly (ParsedEvent | undefined)[];
}

async function reduceRecord(
  env: LedgerEnv,
  handle: LogHandle,
  old: BlockRecord,
  keep: (position: number) => boolean,
): Promise<Result<ReducedRecord>> {
  const { crypto } = env.options;
  const { number, firstIndex, root } = old;
  const block = decodeBlock(old.wire, { reduced: true });
  if (!block.ok) return block;
  const made = makeLeaves(crypto, block.value);
  if (!made.ok) return made;
  const { leaves, leafHashes } = made.value;
  const events = await eventsOf(env, handle, block.value, made.value);
  const entries = block.value.entries;
  const stays = (position: number): boolean => {
    const entry = entries[position];
    return entry !== undefined && (!isEvent(entry) || keep(position));
  };
  const wire = reduceBlock(crypto, block.value, leaves, stays);
  const again = decodeBlock(wire, { reduced: true });
  // Our own mistake, but one that must never be written over a sound block.
  if (!again.ok) return err(fault('internal', `a reduced block: ${again.error.message}`));
  const input = { number, firstIndex, form: 'reduced', root, wire, leafHashes } as const;
  const record = encodeRecord(crypto, { ...input, entries: again.value.entries });
  return ok({ record, events });
}
