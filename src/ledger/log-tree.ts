/**
 * The files of one log's static tree (static-tree.ts), read from the store. What is given is right:
 * tiles and blocks carry checksums, and the leaves of a bundle are held against their tile.
 */
import { equal } from '../bytes.ts';
import { fault } from '../errors.ts';
import { caught, err, ok, type Result } from '../result.ts';
import { asBlockNumber, asLogIndex, type LogId } from '../types.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaves } from './block-leaves.ts';
import { controlsOf } from './controls.ts';
import { unknownLog } from './create-log.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { recordOf } from './read-block.ts';
import { blocksOf } from './replay.ts';
import { encodeBundle, isTileWithin } from './static-tree.ts';
import { formatTilePath, tileWidth, type TilePath } from './tile.ts';

export class LogTree {
  readonly #env: LedgerEnv;

  constructor(env: LedgerEnv) {
    this.#env = env;
  }

  /** Hashes or entries. Codes: log-unknown, tile-unknown, store-corrupt, those of the store. */
  async tile(logId: LogId, path: TilePath): Promise<Result<Uint8Array>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    if (!isTileWithin(path, handle.size)) {
      const message = `the log has ${handle.size} entries, which is too few for ${formatTilePath(path)}`;
      return err(fault('tile-unknown', message));
    }
    const { level } = path;
    return caught(() =>
      level === 'entries' ? this.#bundle(handle, path) : this.#hashes(handle, level, path),
    );
  }

  /** A wire block, full or reduced, as it is stored. Codes: log-unknown, block-unknown, store-corrupt. */
  async block(logId: LogId, number: number): Promise<Result<Uint8Array>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const blocks = handle.stored?.state.blocks ?? 0;
    if (number >= blocks) {
      return err(fault('block-unknown', `the log has ${blocks} blocks`));
    }
    const record = await recordOf(this.#env, handle, asBlockNumber(number));
    return record.ok ? ok(record.value.wire) : record;
  }

  /** False while no block of the log can have been reduced: by its seals and redactions. */
  async mayBeReduced(logId: LogId): Promise<Result<boolean>> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    const state = handle.stored?.state;
    if (state === undefined) return ok(false);
    if (state.lowest > 0 || state.genesis.retention['keep'] !== 'all') return ok(true);
    const controls = await controlsOf(this.#env, handle);
    if (!controls.ok) return controls;
    const harmless = new Set<unknown>(['genesis', 'rotate', 'recovery']);
    return ok(controls.value.some(({ map }) => !harmless.has(map['type'])));
  }

  async #hashes(handle: LogHandle, level: number, path: TilePath): Promise<Result<Uint8Array>> {
    const tiles = await handle.tiles(this.#env);
    if (!tiles.ok) return tiles;
    if (path.width === tileWidth) {
      const [tile] = await tiles.value.tiles([{ level, index: path.index }]);
      return tile === undefined ? err(lost(path)) : ok(tile.lowest);
    }
    const first = tileWidth * path.index;
    const refs = Array.from({ length: path.width }, (_, i) => ({
      level: 8 * level,
      index: first + i,
    }));
    const bytes = new Uint8Array(32 * path.width);
    for (const [i, hash] of (await tiles.value.nodes(refs)).entries()) bytes.set(hash, 32 * i);
    return ok(bytes);
  }

  async #bundle(handle: LogHandle, path: TilePath): Promise<Result<Uint8Array>> {
    const { crypto } = this.#env.options;
    const hashes = await this.#hashes(handle, 0, path);
    if (!hashes.ok) return hashes;
    const from = tileWidth * path.index;
    const to = from + path.width;
    const leaves: Uint8Array[] = [];
    for await (const { firstIndex, wire } of blocksOf(this.#env, handle, asLogIndex(from))) {
      const block = decodeBlock(wire, { reduced: true });
      const made = block.ok ? makeLeaves(crypto, block.value) : block;
      if (!made.ok) return err(lost(path));
      const { leaves: table, leafHashes } = made.value;
      const end = Math.min(to - firstIndex, table.count);
      for (let i = Math.max(0, from - firstIndex); i < end; i++) {
        const at = 32 * (firstIndex + i - from);
        const known = hashes.value.subarray(at, at + 32);
        if (!equal(leafHashes.subarray(32 * i, 32 * i + 32), known)) return err(lost(path));
        leaves.push(table.leaf(i));
      }
      if (leaves.length === path.width) break;
    }
    return leaves.length === path.width ? ok(encodeBundle(leaves)) : err(lost(path));
  }
}

function lost(path: TilePath): ReturnType<typeof fault> {
  return fault('store-corrupt', `blocks and tiles do not agree on ${formatTilePath(path)}`);
}
