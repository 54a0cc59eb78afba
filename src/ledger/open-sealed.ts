/**
 * What an own sealed log says, for its indexes: rows of ids and subjects are made from events, and only
 * who holds the keys can make or mend them. What cannot be opened (a shredded epoch, keys that are not
 * here) is passed over: its rows stay as they are. Copies of others' sealed logs have no such rows.
 */
import { readUint32 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asLogIndex, type LogIndex, type ParsedEvent } from '../types.ts';
import { bodyBytes, type DecodedBlock, type LeafTable, type VerifiedBlock } from './block.ts';
import type { BlockLeaves } from './block-leaves.ts';
import { parseControl } from './control.ts';
import { openingOf } from './epochs.ts';
import { leafAt, leafKind } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { batchAt } from './replay.ts';
import { openBody } from './sealed-body.ts';
import type { OpenedEpoch } from './sealing.ts';

type Events = readonly (ParsedEvent | undefined)[];

/** A block with its events in the place of sealed ones, where their log is our own. */
export async function withEvents(
  env: LedgerEnv,
  handle: LogHandle,
  verified: VerifiedBlock,
): Promise<VerifiedBlock> {
  if (!isOwnSealed(handle, verified.state.genesis.visibility)) return verified;
  return { ...verified, events: await openAll(env, handle, verified.block, verified.leaves) };
}

/** The events of a stored block, parallel to its entries, as far as they can be read here. */
export async function eventsOf(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
  { leaves, bodies }: Pick<BlockLeaves, 'leaves' | 'bodies'>,
): Promise<Events> {
  const visibility = handle.stored?.state.genesis.visibility;
  if (isOwnSealed(handle, visibility)) return openAll(env, handle, block, leaves);
  return bodies.map((body) => {
    const judged = body === undefined ? undefined : env.options.judges.event(body);
    if (body === undefined || judged?.ok !== true) return undefined;
    return { ...body, context: judged.value };
  });
}

/** One event of any log here. Codes: those of reading, event-unknown. */
export async function eventAt(
  env: LedgerEnv,
  handle: LogHandle,
  index: LogIndex,
): Promise<Result<ParsedEvent>> {
  const batch = await batchAt(env, handle, index);
  if (!batch.ok) return batch;
  const { judges } = env.options;
  const body = batch.value.kind(index) === 'sealed' ? batch.value.body(index) : undefined;
  const event =
    body === undefined
      ? batch.value.event(index)
      : await openOne(env, handle, index, batch.value.leafAt(index), body);
  const judged = event === undefined ? undefined : judges.event(event);
  if (event !== undefined && judged?.ok === true) return ok({ ...event, context: judged.value });
  return err(fault('event-unknown', `entry ${index} cannot be read here`, { index }));
}

function isOwnSealed(handle: LogHandle, visibility: string | undefined): boolean {
  return visibility === 'sealed' && handle.row.role === 'writer';
}

async function openOne(
  env: LedgerEnv,
  handle: LogHandle,
  index: number,
  leaf: Uint8Array,
  body: Uint8Array,
): Promise<OpenedEvent | undefined> {
  const epochs = await env.epochs.of(handle.logId);
  return epochs.ok ? open(env, handle, epochs.value, index, leaf, body) : undefined;
}

type OpenedEvent = Omit<ParsedEvent, 'context'>;

async function openAll(
  env: LedgerEnv,
  handle: LogHandle,
  block: DecodedBlock,
  leaves: LeafTable,
): Promise<Events> {
  const stored = await env.epochs.of(handle.logId);
  // A block that is being taken in may hold openings that are not stored yet.
  const epochs = [...(stored.ok ? stored.value : []), ...openedIn(block)];
  return block.entries.map((entry, i) => {
    const body = entry.kind === leafKind.sealed ? bodyBytes(block, entry) : undefined;
    if (body === undefined) return undefined;
    const leaf = leaves.leaf(i).slice();
    const event = open(env, handle, epochs, block.firstIndex + i, leaf, body);
    const judged = event === undefined ? undefined : env.options.judges.event(event);
    if (event === undefined || judged?.ok !== true) return undefined;
    return { ...event, context: judged.value };
  });
}

function open(
  env: LedgerEnv,
  handle: LogHandle,
  epochs: readonly OpenedEpoch[],
  index: number,
  leaf: Uint8Array,
  body: Uint8Array,
): OpenedEvent | undefined {
  const { sealing, crypto } = env.options;
  const number = readUint32(leaf, leafAt.sealedEpoch);
  const opening = openingOf(epochs, number) ?? epochs.find(({ epoch }) => epoch === number);
  const key = opening && sealing?.keyFor(handle.logId, opening);
  if (sealing === undefined || key === undefined) return undefined;
  const opened = openBody(sealing.cipher, crypto, { log: handle.log, index, leaf }, key, body);
  return opened.ok ? opened.value.event : undefined;
}

function openedIn(block: DecodedBlock): readonly OpenedEpoch[] {
  return block.entries.flatMap(({ control, time }, i) => {
    const parsed = control?.['type'] === 'epoch' ? parseControl(control) : undefined;
    if (parsed?.ok !== true || parsed.value.type !== 'epoch') return [];
    const { epoch, generation, check } = parsed.value;
    return [{ epoch, generation, check, time, index: asLogIndex(block.firstIndex + i) }];
  });
}
