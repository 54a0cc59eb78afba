/**
 * Writing a stream as a static tree (static-tree.ts), or completing one. Of a log first what is new:
 * full tiles and bundles, the partial ones of the new size, blocks; then its checkpoint, so that no
 * reader ever finds a checkpoint without its files; then partial tiles go whose full tile is there.
 * headwater.json is the last file. Cut off at any place, what lies there is a sound tree of the old
 * size, and the next run completes it. Nothing is written over what it contradicts.
 */
import { equal, fromUtf8, utf8 } from '../bytes.ts';
import type { Crypto } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { parseCheckpoint, type ParsedCheckpoint } from '../ledger/checkpoint.ts';
import { decodeLeaf } from '../ledger/leaf.ts';
import { blockPath, decodeBundle, fullTiles, partialTiles } from '../ledger/static-tree.ts';
import { formatTilePath, tileSpan, tileWidth } from '../ledger/tile.ts';
import { VerifiedTiles } from '../ledger/verified-tiles.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import { indexName, indexText, parseIndex, type StaticIndex } from './static-index.ts';
import type { TreeFolder } from './tree-folder.ts';

/** Where the files of logs come from: the store of a stopped node, or a node that runs. */
export interface LogSource {
  /** The exact bytes of `checkpoint`, `tile/…` or `block/…`. */
  read(log: LogId, path: string): Promise<Result<Uint8Array>>;
  /** False while none of its blocks can have lost a body. */
  mayBeReduced(log: LogId): Promise<Result<boolean>>;
}

export interface ExportParts {
  readonly source: LogSource;
  readonly folder: TreeFolder;
  readonly crypto: Crypto;
  readonly signal: AbortSignal;
  /** After each file: of how many entries all is there. */
  readonly onProgress?: (entries: number, of: number) => void;
}

export interface ExportReport {
  readonly logs: readonly { readonly log: LogId; readonly from: number; readonly size: number }[];
  /** Files that were written, and their bytes. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Codes: export-conflict (the folder holds another stream, another history or more than is here),
 * disk-full, file-unwritable, file-unreadable, interrupted, those of reading the log.
 */
export async function exportTree(
  parts: ExportParts,
  index: StaticIndex,
): Promise<Result<ExportReport>> {
  const run = new Export(parts);
  const before = await parts.folder.read(indexName);
  if (!before.ok) return before;
  const foreign = before.value === undefined ? undefined : otherStream(before.value, index);
  if (foreign !== undefined) return err(foreign);
  const logs: ExportReport['logs'][number][] = [];
  for (const [i, { log, partition }] of index.logs.entries()) {
    // Logs of one partition stand in the order of their chain.
    const closed = index.logs[i + 1]?.partition === partition;
    const done = await run.log(log, closed);
    if (!done.ok) return done;
    logs.push({ log, ...done.value });
  }
  const text = utf8(indexText(index));
  if (before.value === undefined || !equal(before.value, text)) {
    const written = await run.write(indexName, text);
    if (!written.ok) return written;
  }
  const settled = await parts.folder.settle();
  return settled.ok ? ok({ logs, files: run.files, bytes: run.bytes }) : settled;
}

function otherStream(bytes: Uint8Array, { stream }: StaticIndex): Fault | undefined {
  const found = parseIndex(bytes);
  if (found.ok && found.value.stream === stream) return undefined;
  const other = found.ok ? `the stream hw:${found.value.stream}` : `another ${indexName}`;
  return fault('export-conflict', `the folder holds ${other}`);
}

class Export {
  readonly #parts: ExportParts;
  files = 0;
  bytes = 0;

  constructor(parts: ExportParts) {
    this.#parts = parts;
  }

  async log(
    log: LogId,
    closed: boolean,
  ): Promise<Result<{ readonly from: number; readonly size: number }>> {
    const { source, folder } = this.#parts;
    const note = await source.read(log, 'checkpoint');
    if (!note.ok) return note;
    const now = readNote(note.value);
    if (!now.ok) return now;
    const stored = await folder.read(`${log}/checkpoint`);
    if (!stored.ok) return stored;
    const before = stored.value === undefined ? ok(undefined) : readNote(stored.value);
    const { size } = now.value;
    if (closed && before.ok && before.value !== undefined && before.value.size > size) {
      return this.#closed(log, before.value, now.value);
    }
    const from = await this.#goesOn(log, before.ok ? before.value : 'unreadable', now.value);
    if (!from.ok) return from;
    const done = await this.#content(log, from.value, size);
    if (!done.ok) return done;
    const attested = await this.#cosigned(log, size);
    if (!attested.ok) return attested;
    if (stored.value === undefined || !equal(stored.value, note.value)) {
      const settled = await folder.settle();
      if (!settled.ok) return settled;
      const written = await this.write(`${log}/checkpoint`, note.value);
      if (!written.ok) return written;
    }
    const cleared = await this.#dropPartials(log, from.value, size);
    return cleared.ok ? ok({ from: from.value, size }) : cleared;
  }

  async write(path: string, bytes: Uint8Array): Promise<Result<void>> {
    if (this.#parts.signal.aborted) return err(fault('interrupted', 'interrupted'));
    this.files += 1;
    this.bytes += bytes.length;
    return this.#parts.folder.write(path, bytes);
  }

  /** The size that lies there, of which the log must be a continuation. */
  async #goesOn(
    log: LogId,
    before: ParsedCheckpoint | 'unreadable' | undefined,
    now: ParsedCheckpoint,
  ): Promise<Result<number>> {
    if (before === undefined) return ok(0);
    if (before === 'unreadable' || before.logId !== log) {
      return conflict(`${log}/checkpoint is not a checkpoint of that log`);
    }
    if (before.size > now.size) {
      return conflict(`it holds ${before.size} entries of ${log}, this home ${now.size}`);
    }
    if (before.size === 0) return ok(0);
    const { crypto, source } = this.#parts;
    const tiles = await VerifiedTiles.open(crypto, now, (path) =>
      source.read(log, formatTilePath(path)),
    );
    const root = tiles.ok ? await tiles.value.rootAt(before.size) : tiles;
    if (!root.ok) return root;
    if (equal(root.value, before.root)) return ok(before.size);
    return conflict(`it holds another history of ${log}`);
  }

  /**
   * The log was closed at an earlier place than lies there. Its tree stays, as evidence: whoever
   * follows closes it where its successor says.
   */
  async #closed(
    log: LogId,
    before: ParsedCheckpoint,
    now: ParsedCheckpoint,
  ): Promise<Result<{ readonly from: number; readonly size: number }>> {
    if (before.logId !== log) return conflict(`${log}/checkpoint is not a checkpoint of that log`);
    const { crypto, folder, source } = this.#parts;
    const tiles = await VerifiedTiles.open(crypto, before, async (path) => {
      const file = `${log}/${formatTilePath(path)}`;
      const bytes = await folder.read(file);
      if (!bytes.ok) return bytes;
      return bytes.value === undefined ? conflict(`${file} is not there`) : ok(bytes.value);
    });
    const root = tiles.ok ? await tiles.value.rootAt(now.size) : tiles;
    if (!root.ok) return root;
    if (!equal(root.value, now.root)) return conflict(`it holds another history of ${log}`);
    const reduced = await source.mayBeReduced(log);
    if (!reduced.ok) return reduced;
    const end = await this.#blocksAt(log, now.size);
    if (!end.ok) return end;
    const done = await this.#blocks(log, reduced.value ? 0 : end.value, end.value);
    return done.ok ? ok({ from: now.size, size: now.size }) : done;
  }

  async #content(log: LogId, from: number, size: number): Promise<Result<void>> {
    const tiles = [...partialTiles(size)];
    const first = await this.#each(tiles, (tile) => this.#copy(log, formatTilePath(tile)));
    if (!first.ok) return first;
    const full = await this.#each(fullTiles(from, size), (tile) => {
      if (tile.level === 'entries') this.#progress((tile.index + 1) * tileWidth, size);
      return this.#copy(log, formatTilePath(tile));
    });
    if (!full.ok) return full;
    const [start, end] = [await this.#blocksAt(log, from), await this.#blocksAt(log, size)];
    if (!start.ok) return start;
    if (!end.ok) return end;
    const reduced = await this.#parts.source.mayBeReduced(log);
    if (!reduced.ok) return reduced;
    return this.#blocks(log, reduced.value ? 0 : start.value, end.value);
  }

  #blocks(log: LogId, from: number, to: number): Promise<Result<void>> {
    return this.#each(range(from, to), (number) => this.#block(log, blockPath(number)));
  }

  /** The newest cosigned checkpoint, if it is of a size that lies there. */
  async #cosigned(log: LogId, size: number): Promise<Result<void>> {
    const path = `${log}/cosigned`;
    const bytes = await this.#parts.source.read(log, 'cosigned');
    if (!bytes.ok) return bytes.error.code === 'cosigned-unknown' ? ok(undefined) : bytes;
    const note = readNote(bytes.value);
    const stored = note.ok ? await this.#parts.folder.read(path) : note;
    if (!note.ok || !stored.ok) return note.ok ? ok(undefined) : note;
    const known = stored.value !== undefined && equal(stored.value, bytes.value);
    return known || note.value.size > size ? ok(undefined) : this.write(path, bytes.value);
  }

  /** A file that never changes. */
  async #copy(log: LogId, path: string): Promise<Result<void>> {
    const to = `${log}/${path}`;
    if (await this.#parts.folder.has(to)) return ok(undefined);
    const bytes = await this.#parts.source.read(log, path);
    return bytes.ok ? this.write(to, bytes.value) : bytes;
  }

  /** A file that changes where bodies are dropped. */
  async #block(log: LogId, path: string): Promise<Result<void>> {
    const bytes = await this.#parts.source.read(log, path);
    const stored = bytes.ok ? await this.#parts.folder.read(`${log}/${path}`) : bytes;
    if (!stored.ok) return stored;
    if (!bytes.ok || (stored.value !== undefined && equal(stored.value, bytes.value))) {
      return bytes.ok ? ok(undefined) : bytes;
    }
    return this.write(`${log}/${path}`, bytes.value);
  }

  /** How many blocks the first `size` entries are: the last of them is a seal, which says so. */
  async #blocksAt(log: LogId, size: number): Promise<Result<number>> {
    if (size === 0) return ok(0);
    const { full, partialWidth } = tileSpan(0, size);
    const index = partialWidth > 0 ? full : full - 1;
    const width = partialWidth > 0 ? partialWidth : tileWidth;
    const path = formatTilePath({ level: 'entries', index, width });
    const bundle = await this.#parts.source.read(log, path);
    const leaves = bundle.ok ? decodeBundle(bundle.value, width) : bundle;
    const leaf = leaves.ok ? leaves.value.at(-1) : undefined;
    const seal = leaf === undefined ? undefined : decodeLeaf(leaf);
    if (seal?.ok === true && seal.value.kind === 2) return ok(seal.value.blockNumber + 1);
    if (!leaves.ok) return leaves;
    return err(fault('store-corrupt', `entry ${size - 1} is no seal`, { index: size - 1 }));
  }

  /** C2SP tlog-tiles: a partial tile may go once its full one is there. */
  async #dropPartials(log: LogId, from: number, size: number): Promise<Result<void>> {
    return this.#each(fullTiles(from, size), (tile) =>
      this.#parts.folder.drop(`${log}/${formatTilePath(tile)}.p`),
    );
  }

  #progress(entries: number, of: number): void {
    this.#parts.onProgress?.(entries, of);
  }

  /** Runs some at once; begins none after the first failure. */
  async #each<T>(
    items: Iterable<T>,
    run: (item: T) => Promise<Result<void>>,
  ): Promise<Result<void>> {
    const iterator = items[Symbol.iterator]();
    let failed: Fault | undefined;
    const work = async (): Promise<void> => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        const done = failed === undefined ? await run(next.value) : ok(undefined);
        if (!done.ok) failed ??= done.error;
        if (failed !== undefined) return;
      }
    };
    await Promise.all(Array.from({ length: limits.exportWritesAtOnce }, work));
    return failed === undefined ? ok(undefined) : err(failed);
  }
}

function* range(from: number, to: number): Generator<number> {
  for (let number = from; number < to; number++) yield number;
}

function readNote(bytes: Uint8Array): Result<ParsedCheckpoint> {
  const text = fromUtf8(bytes);
  return text.ok ? parseCheckpoint(text.value) : text;
}

function conflict(message: string): Result<never> {
  return err(fault('export-conflict', message));
}
