/** The first block of an own log, and the rows that a log has beside its blocks. */
import type { Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { keyOf, keyspace, logKey, prefixRange, type Table } from '../keyspace.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId, TimeMs } from '../types.ts';
import { keysOf, prepareAppend, appended } from './append-batch.ts';
import { buildFirstBlock, type Draft } from './build-block.ts';
import {
  checkEpochPolicy,
  defaultEpochs,
  epochsControl,
  type EpochPolicy,
} from './epoch-policy.ts';
import { rowWrite } from './fork-check.ts';
import { openLog as openGenesis, type Genesis } from './genesis.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { NewLog } from './ledger-types.ts';
import { LogHandle } from './log-handle.ts';
import type { LogRole } from './log-row.ts';
import { childOf } from './lineage-rows.ts';
import { freshRow } from './retention-row.ts';
import type { Store, StoreWrite } from './store.ts';
import { recordedTime } from './writer-clock.ts';

const randomBytes = 16;
const deletePage = 2000;

/** Codes: clock-untrusted, those of `buildBlock`, of store and guard. */
export async function createLog(
  env: LedgerEnv,
  log: NewLog,
  signer: Signer,
): Promise<Result<LogHandle>> {
  if (env.storeFailure !== undefined) return err(env.storeFailure);
  const time = recordedTime(env, undefined);
  if (!time.ok) return time;
  const genesis = genesisOf(env, log, signer, time.value);
  return createWith(env, genesis, signer, () => [], log.epochs);
}

/**
 * The same of a given genesis, whose recorded time is now; `beside` adds writes to its batch, `epochs` is for
 * a sealed log. Codes as `createLog`, but clock-untrusted.
 */
export async function createWith(
  env: LedgerEnv,
  genesis: Genesis,
  signer: Signer,
  beside: (logId: LogId, genesisLeaf: Uint8Array) => readonly StoreWrite[],
  epochs: EpochPolicy = defaultEpochs,
): Promise<Result<LogHandle>> {
  const { crypto, judges, host, store, guard } = env.options;
  const options = { time: genesis.created, seed: host.random.bytes(32) };
  const policy = checkEpochPolicy(epochs);
  if (!policy.ok) return policy;
  const sealed = genesis.visibility === 'sealed';
  const drafts: Draft[] = sealed ? [{ kind: 'control', map: epochsControl(epochs) }] : [];
  const built = buildFirstBlock({ crypto, judges }, signer, genesis, drafts, options);
  if (!built.ok) return built;
  const { logId, leaf } = openGenesis(crypto, genesis);
  const handle = newHandle(env, logId, 'writer');
  const tiles = await handle.tiles(env);
  if (!tiles.ok) return tiles;
  const append = prepareAppend(env, handle, tiles.value, built.value, (_, event) =>
    keysOf(env, event),
  );
  const writes = [rowWrite(handle), ...append.writes, ...beside(logId, leaf)];
  const stored = await store.batch(writes, { sync: true });
  if (!stored.ok) return stored;
  const { size, root } = append.head.state;
  const guarded = await guard.advance([{ kind: 0, id: handle.log, size, root }]);
  if (!guarded.ok) return guarded;
  handle.stored = append.head;
  tiles.value.written(append.tiles);
  env.logs.set(logId, handle);
  env.counters.publishedBlocks += 1;
  env.announce(appended(handle, built.value, true));
  return ok(handle);
}

function genesisOf(env: LedgerEnv, log: NewLog, signer: Signer, created: TimeMs): Genesis {
  const { owner, name, partition, partitions, recoveryHash, visibility, retention, proof } = log;
  const base = { owner, name, partition, partitions, recoveryHash, visibility, retention, proof };
  return {
    type: 'genesis',
    ...base,
    created,
    writerKey: signer.publicKey,
    random: env.options.host.random.bytes(randomBytes),
    ...(log.stream === undefined ? {} : { stream: logIdHash(log.stream) }),
    ...(log.contentType === undefined ? {} : { contentType: log.contentType }),
    ...(log.schema === undefined ? {} : { schema: log.schema }),
    ...(log.witnesses === undefined ? {} : { witnesses: log.witnesses }),
  };
}

/** A handle with a number that no log of this home has. */
export function newHandle(env: LedgerEnv, logId: LogId, role: LogRole): LogHandle {
  const number = env.nextLogNumber;
  env.nextLogNumber += 1;
  const standing = 'open';
  return new LogHandle(
    logId,
    { number, role, standing, reason: undefined, clockAhead: false },
    undefined,
  );
}

/** Changes the role durably; where the store fails it stays what it was. */
export async function storeRole(
  env: LedgerEnv,
  handle: LogHandle,
  role: LogRole,
): Promise<Result<void>> {
  const { row } = handle;
  handle.row = { ...row, role };
  const stored = await env.options.store.batch([rowWrite(handle)], { sync: true });
  if (!stored.ok) handle.row = row;
  return stored;
}

const logTables: readonly Table[] = [
  keyspace.heads,
  keyspace.blocks,
  keyspace.starts,
  keyspace.tiles,
  keyspace.times,
  keyspace.ids,
  keyspace.subjects,
  keyspace.forks,
  keyspace.filters,
  keyspace.controls,
  keyspace.successors,
  keyspace.setAside,
  keyspace.cosigned,
  keyspace.retention,
];

/** Deletes all that is stored of a log; its row goes last, so that a crash leaves a known log. */
export async function purgeLog(
  env: LedgerEnv,
  handle: LogHandle,
  options: { readonly keepRow: boolean },
): Promise<Result<void>> {
  const { store } = env.options;
  env.recent.drop(handle.row.number);
  handle.kept = freshRow;
  handle.lookedAt = 0;
  for (const table of logTables) {
    await using scan = store.scan({
      ...prefixRange(logKey(table, handle.row.number)),
      keysOnly: true,
    });
    for (;;) {
      const rows = await scan.next(deletePage);
      if (!rows.ok) return rows;
      if (rows.value.length === 0) break;
      const writes: StoreWrite[] = rows.value.map(({ key }) => ({ key }));
      const deleted = await store.batch(writes, { sync: false });
      if (!deleted.ok) return deleted;
    }
  }
  const forgotten = await purgeLineage(store, handle.row.number);
  if (!forgotten.ok) return forgotten;
  const row = options.keepRow ? rowWrite(handle) : { key: keyOf(keyspace.logs, handle.log) };
  return store.batch([row], { sync: true });
}

/** Rows of the reverse index lie by the log that is cited, so all of them are looked through. */
async function purgeLineage(store: Store, number: number): Promise<Result<void>> {
  const table = prefixRange(Uint8Array.of(keyspace.lineage.prefix));
  await using scan = store.scan({ ...table, keysOnly: true });
  for (;;) {
    const rows = await scan.next(deletePage);
    if (!rows.ok) return rows;
    if (rows.value.length === 0) return ok(undefined);
    const own = rows.value.filter(({ key }) => childOf(key).log === number);
    const writes: StoreWrite[] = own.map(({ key }) => ({ key }));
    const deleted =
      writes.length === 0 ? ok(undefined) : await store.batch(writes, { sync: false });
    if (!deleted.ok) return deleted;
  }
}

/** For calls that name a log which this home does not have. */
export function unknownLog(logId: LogId): ReturnType<typeof fault> {
  return fault('log-unknown', `${logId} is not in this home`);
}
