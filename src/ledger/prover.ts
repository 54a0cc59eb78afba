/**
 * Proofs from the stored tiles. Each is checked against the root before it is given: the disk can
 * lie, and a wrong proof would look like a broken log.
 */
import { fault, type Fault } from '../errors.ts';
import { caught, err, ok, type Result } from '../result.ts';
import { asTreeSize, type Hash, type LogIndex, type TreeSize } from '../types.ts';
import { controlsOf } from './controls.ts';
import type { LogHead } from './head-record.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { ChainEntry, KeyChainPage } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import type { LogTiles } from './log-tiles.ts';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proof.ts';
import { rangeProof, readRangeRoot, verifyRange } from './range.ts';
import { rangeMemberProof, verifyRangeMember } from './range-member.ts';

/** Control entries that are read at once. */
const chainPage = 64;

/** Codes: index-over-head, store-corrupt, those of the store. */
export async function inclusionProofOf(
  env: LedgerEnv,
  handle: LogHandle,
  index: LogIndex,
  size: TreeSize = asTreeSize(handle.size),
): Promise<Result<readonly Hash[]>> {
  if (size > handle.size || index >= size) return err(overHead(handle, index));
  const { crypto } = env.options;
  return withTiles(env, handle, async (tiles, head) => {
    const [leaf] = await tiles.nodes([{ level: 0, index }]);
    const proof = await inclusionProof(crypto, tiles, index, size);
    const root = await rootAt(env, tiles, head, size);
    const sound = verifyInclusion(crypto, leaf ?? root, index, size, proof, root);
    return sound.ok ? ok(proof) : err(wrongTiles(sound.error));
  });
}

/** Codes: index-over-head (also where from > to), store-corrupt, those of the store. */
export async function consistencyProofOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: TreeSize,
  to: TreeSize = asTreeSize(handle.size),
): Promise<Result<readonly Hash[]>> {
  if (to > handle.size || from > to) return err(overHead(handle, from));
  const { crypto } = env.options;
  return withTiles(env, handle, async (tiles, head) => {
    const proof = await consistencyProof(crypto, tiles, from, to);
    if (from === 0) return ok(proof);
    const old = await rootAt(env, tiles, head, from);
    const root = await rootAt(env, tiles, head, to);
    const sound = verifyConsistency(crypto, from, to, proof, old, root);
    return sound.ok ? ok(proof) : err(wrongTiles(sound.error));
  });
}

/** Codes: index-over-head (also for an empty range), store-corrupt, those of the store. */
export async function rangeRootOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  to: LogIndex,
): Promise<Result<Hash>> {
  if (to > handle.size || from >= to) return err(overHead(handle, from));
  return withTiles(env, handle, async (tiles) =>
    ok(await readRangeRoot(env.options.crypto, tiles, from, to)),
  );
}

/** Range proof of [from, to) in the tree of `size` (range.ts). Codes as `rangeRootOf`. */
export async function rangeProofOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  to: LogIndex,
  size: TreeSize = asTreeSize(handle.size),
): Promise<Result<readonly Hash[]>> {
  if (size > handle.size || to > size || from >= to) return err(overHead(handle, from));
  return withTiles(env, handle, async (tiles, head) => {
    const proof = await rangeProof(tiles, from, to, size);
    const root = await rootAt(env, tiles, head, size);
    const sound = verifyRange(env.options.crypto, from, to, size, proof, root);
    return sound.ok ? ok(proof) : err(wrongTiles(sound.error));
  });
}

/** The place of one entry in a range, O(log n) hashes (range-member.ts). Codes as `rangeRootOf`. */
export async function rangeMemberOf(
  env: LedgerEnv,
  handle: LogHandle,
  index: LogIndex,
  from: LogIndex,
  to: LogIndex,
): Promise<Result<readonly Hash[]>> {
  if (to > handle.size || index < from || index >= to) return err(overHead(handle, index));
  const { crypto } = env.options;
  return withTiles(env, handle, async (tiles) => {
    const [leaf] = await tiles.nodes([{ level: 0, index }]);
    const root = await readRangeRoot(crypto, tiles, from, to);
    const proof = await rangeMemberProof(tiles, index, from, to);
    const sound = verifyRangeMember(crypto, leaf ?? root, { index, from, to }, proof, root);
    return sound.ok ? ok(proof) : err(wrongTiles(sound.error));
  });
}

/**
 * Genesis and control entries from index `from` on with their paths to the head's root; at least
 * one entry, then up to `maxBytes`. Codes: index-over-head (nothing there), store-corrupt.
 */
export async function keyChainOf(
  env: LedgerEnv,
  handle: LogHandle,
  from: LogIndex,
  maxBytes: number,
): Promise<Result<KeyChainPage>> {
  const head = handle.stored;
  if (head === undefined) return err(overHead(handle, from));
  const { size } = head.state;
  const entries: ChainEntry[] = [];
  const page = { logId: handle.logId, size, checkpoint: head.checkpoint, entries };
  let bytes = 0;
  for (let next: number = from; ;) {
    const controls = await controlsOf(env, handle, next, chainPage);
    if (!controls.ok) return controls;
    for (const { index, leaf } of controls.value) {
      const path = await inclusionProofOf(env, handle, index, size);
      if (!path.ok) return path;
      bytes += leaf.length + 32 * path.value.length + 32;
      if (entries.length > 0 && bytes > maxBytes) return ok({ ...page, next: index });
      entries.push({ index, leaf, path: path.value });
      next = index + 1;
    }
    if (controls.value.length < chainPage) return ok(page);
  }
}

/** Runs with the tiles of a log that has entries; what reading throws becomes a result. */
async function withTiles<T>(
  env: LedgerEnv,
  handle: LogHandle,
  run: (tiles: LogTiles, head: LogHead) => Promise<Result<T>>,
): Promise<Result<T>> {
  const head = handle.stored;
  const tiles = await handle.tiles(env);
  if (!tiles.ok) return tiles;
  if (head === undefined) return err(overHead(handle, 0));
  return caught(() => run(tiles.value, head));
}

/** The head's own root where that is asked for, else from the tiles. */
async function rootAt(
  env: LedgerEnv,
  tiles: LogTiles,
  head: LogHead,
  size: TreeSize,
): Promise<Hash> {
  if (size === head.state.size) return head.state.root;
  return readRangeRoot(env.options.crypto, tiles, 0, size);
}

function overHead(handle: LogHandle, index: number): Fault {
  return fault('index-over-head', `the log has ${handle.size} entries`, { index });
}

function wrongTiles(inner: Fault): Fault {
  return fault('store-corrupt', `the stored tiles do not give the root: ${inner.message}`);
}
