/** Opening the successor of a log with its recovery key (ledger.md "Keys, rotation, recovery"). */
import type { Signer } from '../crypto.ts';
import { equal } from '../bytes.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdHash } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';
import { asTreeSize, type Did, type Hash, type LogId, type TreeSize } from '../types.ts';
import { successorWrite } from './closing.ts';
import { controlsOf } from './controls.ts';
import { createWith } from './create-log.ts';
import { rowWrite } from './fork-check.ts';
import type { Genesis } from './genesis.ts';
import { readKeyChain, recoveryHashAt } from './key-chain.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { readRangeRoot } from './range.ts';
import { blocksUpTo } from './set-aside.ts';
import type { StoreWrite } from './store.ts';
import { checkSuccessor, signSuccessor } from './successor.ts';
import { recordedTime } from './writer-clock.ts';

/** How a log is to go on. */
export interface SuccessorPlan {
  /** Where the predecessor ends: the end of one of its blocks; its head where absent. */
  readonly size?: TreeSize;
  /** Of another owner it is who has the recovery key; the predecessor's where absent. */
  readonly owner?: Did;
  /** SHA-256 of the public key that can recover the successor. */
  readonly recoveryHash: Hash;
  /** As of a new log: from the owner to the writer key. */
  readonly proof: readonly Uint8Array[];
}

/**
 * Makes the successor and closes the predecessor in one batch; entries behind `size` are then set aside by
 * `Successors`. The caller holds both signers. Codes:
 * log-closed (it has one already), log-not-synced, index-over-head, successor-predecessor (no block ends
 * there), recovery-key, clock-untrusted, genesis-proof, those of store and guard.
 */
export async function makeSuccessor(
  env: LedgerEnv,
  handle: LogHandle,
  plan: SuccessorPlan,
  recovery: Signer,
  writer: Signer,
  settled: () => Promise<void>,
): Promise<Result<LogHandle>> {
  const refused = await refusal(env, handle, plan.size, recovery);
  if (refused !== undefined) return err(refused);
  const time = recordedTime(env, undefined);
  if (!time.ok) return time;
  const before = handle.row;
  // Nothing is signed from here on: what the predecessor ends with must not move.
  handle.setStanding('closed', undefined);
  await settled();
  const made = await closeAndOpen(env, handle, plan, recovery, writer, time.value);
  if (!made.ok && handle.closing === undefined) handle.row = before;
  return made;
}

async function closeAndOpen(
  env: LedgerEnv,
  handle: LogHandle,
  plan: SuccessorPlan,
  recovery: Signer,
  writer: Signer,
  created: Genesis['created'],
): Promise<Result<LogHandle>> {
  const { crypto, judges, host } = env.options;
  const state = handle.stored?.state;
  if (state === undefined) return err(nothingHere());
  const size = plan.size ?? state.size;
  const root = await rootAt(env, handle, size);
  if (!root.ok) return root;
  const { owner, name, partition, partitions, visibility, retention, ...rest } = state.genesis;
  const { contentType, schema, witnesses } = rest;
  const genesis = signSuccessor(
    {
      type: 'genesis',
      owner: plan.owner ?? owner,
      name,
      partition,
      partitions,
      visibility,
      retention,
      created,
      writerKey: writer.publicKey,
      recoveryHash: plan.recoveryHash,
      random: host.random.bytes(16),
      proof: plan.proof,
      stream: rest.stream ?? handle.log,
      ...(contentType === undefined ? {} : { contentType }),
      ...(schema === undefined ? {} : { schema }),
      ...(witnesses === undefined ? {} : { witnesses }),
      predecessor: { log: handle.log, size, root: root.value },
    },
    recovery,
  );
  const recoveryHash = crypto.sha256(recovery.publicKey);
  const closed = { log: handle.log, genesis: state.genesis, recoveryHash };
  const sound = checkSuccessor({ crypto, judges }, closed, genesis);
  if (!sound.ok) return sound;
  const close = (logId: LogId, leaf: Uint8Array): readonly StoreWrite[] => {
    handle.closing = { size, root: root.value, next: logId };
    return [rowWrite(handle), successorWrite(handle, 0, leaf, logIdHash(logId))];
  };
  const epochs = await env.epochs.policy(handle.logId);
  const made = await createWith(env, genesis, writer, close, epochs.ok ? epochs.value : undefined);
  if (!made.ok) handle.closing = undefined;
  return made;
}

async function refusal(
  env: LedgerEnv,
  handle: LogHandle,
  size: TreeSize | undefined,
  recovery: Signer,
): Promise<Fault | undefined> {
  const state = handle.stored?.state;
  if (env.storeFailure !== undefined) return env.storeFailure;
  if (handle.closing !== undefined) {
    return fault('log-closed', `the log has a successor, ${handle.closing.next}`);
  }
  if (state === undefined) return nothingHere();
  if (size !== undefined && (size < 1 || size > state.size)) {
    return fault('index-over-head', `the log has ${state.size} entries`, { index: size });
  }
  if (size !== undefined) {
    const ends = await blocksUpTo(env, handle, size);
    if (!ends.ok) return ends.error;
  }
  const controls = await controlsOf(env, handle);
  const { crypto } = env.options;
  const chain = controls.ok ? readKeyChain(crypto, handle.log, controls.value) : controls;
  if (!chain.ok) return chain.error;
  const hash = recoveryHashAt(chain.value, size ?? state.size);
  if (equal(crypto.sha256(recovery.publicKey), hash)) return undefined;
  return fault('recovery-key', 'this is not the recovery key that the log names');
}

async function rootAt(env: LedgerEnv, handle: LogHandle, size: TreeSize): Promise<Result<Hash>> {
  const state = handle.stored?.state;
  if (state?.size === size) return ok(state.root);
  const tiles = await handle.tiles(env);
  if (!tiles.ok) return tiles;
  return ok(await readRangeRoot(env.options.crypto, tiles.value, 0, asTreeSize(size)));
}

function nothingHere(): Fault {
  return fault('log-not-synced', 'nothing of this log is here');
}
