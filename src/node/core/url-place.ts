/**
 * A static tree at a URL, brought into the ledger. Nothing there is believed: the tiles must give
 * the root of the checkpoint before anything is stored, and every block goes the way of all blocks,
 * `Ledger.apply`. What the ledger then holds must be what the checkpoint says.
 */
import { equal, fromUtf8, utf8 } from '../../bytes.ts';
import type { Crypto } from '../../crypto.ts';
import { at, fault, type Fault } from '../../errors.ts';
import { logIdFromHash } from '../../ids.ts';
import {
  checkpointOrigin,
  parseCheckpoint,
  type ParsedCheckpoint,
} from '../../ledger/checkpoint.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { Judges } from '../../ledger/judges.ts';
import type { ApplyOutcome, LogSummary, StoredBlock } from '../../ledger/ledger-types.ts';
import { noteAlgorithm, noteKey, openNote } from '../../ledger/note.ts';
import { blockPath } from '../../ledger/static-tree.ts';
import { formatTilePath, servedTileBytes, tileSpan } from '../../ledger/tile.ts';
import { VerifiedTiles } from '../../ledger/verified-tiles.ts';
import { verifyBlock } from '../../ledger/verify-block.ts';
import { limits, protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type Hash, type LogId, type LogIndex, type PublicKey } from '../../types.ts';
import { indexName, logIdInUrl, parseIndex } from '../static-index.ts';
import type { StaticSource } from '../static-source.ts';

/** What a place needs of the ledger; `Ledger` has it. */
export interface PlaceLedger {
  log(logId: LogId): LogSummary | undefined;
  apply(wire: Uint8Array, via: 'sync'): Promise<ApplyOutcome>;
  blocks(logId: LogId, from: LogIndex): AsyncIterable<StoredBlock>;
  readonly cosigned: {
    witnesses(logId: LogId): readonly unknown[];
    add(logId: LogId, note: string): Promise<Result<unknown>>;
  };
  readonly proofs: {
    rangeRoot(logId: LogId, from: LogIndex, to: LogIndex): Promise<Result<Hash>>;
  };
}

export interface PlaceParts {
  readonly source: StaticSource;
  readonly url: URL;
  readonly ledger: PlaceLedger;
  readonly crypto: Crypto;
  readonly judges: Judges;
  /** Makes the ledger follow the log. */
  readonly keep: (logId: LogId) => Promise<Result<void>>;
  /** Resolves when the next request may be sent. */
  readonly pace: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** A log there, and the folder that holds its files. */
interface Found {
  readonly log: LogId;
  readonly prefix: string;
}
export interface Listing {
  readonly stream: LogId;
  readonly genesis: Genesis;
  readonly logs: readonly Found[];
}

export class UrlPlace {
  readonly #parts: PlaceParts;

  constructor(parts: PlaceParts) {
    this.#parts = parts;
  }

  /** The logs that lie there, of one stream whose first genesis verifies. Stores nothing. */
  async list(): Promise<Result<Listing>> {
    const single = logIdInUrl(this.#parts.url);
    if (single !== undefined) {
      const genesis = await this.#genesis({ log: single, prefix: '' });
      if (!genesis.ok) return genesis;
      const stream = streamOf(genesis.value, single);
      return ok({ stream, genesis: genesis.value, logs: [{ log: single, prefix: '' }] });
    }
    const bytes = await this.#read(indexName, limits.maxUrlIndexBytes);
    if (!bytes.ok) return bytes;
    if (bytes.value === undefined) return err(fault('url-missing', `there is no ${indexName}`));
    const index = parseIndex(bytes.value);
    if (!index.ok) return index;
    const { stream } = index.value;
    const logs = index.value.logs.map(({ log }) => ({ log, prefix: `${log}/` }));
    const first = logs.find(({ log }) => log === stream);
    if (first === undefined) return refuse(`${indexName} leaves out the log of its stream`);
    const genesis = await this.#genesis(first);
    return genesis.ok ? ok({ stream, genesis: genesis.value, logs }) : genesis;
  }

  /** Brings every log of the stream up to its checkpoint there; the first fault, after all were tried. */
  async sync(stream: LogId): Promise<Result<void>> {
    const listing = await this.list();
    if (!listing.ok) return listing;
    if (listing.value.stream !== stream) {
      return refuse(`another stream lies there now, hw:${listing.value.stream}`);
    }
    let problem: Fault | undefined;
    for (const found of listing.value.logs) {
      if (this.#parts.signal.aborted) return err(fault('interrupted', 'interrupted'));
      // A log that is closed ends where its successor says, whatever lies there.
      if (this.#parts.ledger.log(found.log)?.state === 'closed') continue;
      const done = await this.#log(listing.value, found);
      if (!done.ok) problem ??= done.error;
      else await this.#attested(found);
    }
    return problem === undefined ? ok(undefined) : err(problem);
  }

  async #log(listing: Listing, found: Found): Promise<Result<void>> {
    const { ledger, keep } = this.#parts;
    const note = await this.#checkpoint(found);
    if (!note.ok) return note;
    if (note.value === undefined || note.value.checkpoint.size === 0) return ok(undefined);
    const genesis = await this.#genesis(found);
    if (!genesis.ok) return genesis;
    const foreign = checkMember(listing, found, genesis.value);
    if (foreign !== undefined) return err(foreign);
    const { checkpoint } = note.value;
    const known = ledger.log(found.log);
    const key = known?.writerKey ?? genesis.value.writerKey;
    const signed = this.#checkSignature(note.value, key);
    if (!signed.ok) return signed;
    if (known !== undefined && known.size >= checkpoint.size) {
      return this.#compare(found, known, checkpoint);
    }
    const tiles = await this.#tiles(found, checkpoint);
    if (!tiles.ok) return tiles;
    const size = known?.size ?? 0;
    if (known !== undefined && size > 0) {
      const before = await tiles.value.rootAt(known.size);
      if (!before.ok) return before;
      if (!equal(before.value, known.root)) return this.#contradicted(found, known.blocks);
    }
    const kept = await keep(found.log);
    if (!kept.ok) return kept;
    const fetched = await this.#fetch(found, tiles.value, checkpoint);
    return fetched.ok ? this.#agree(found, note.value) : fetched;
  }

  /** Cosignatures of witnesses that count here; the ledger takes nothing that does not verify. */
  async #attested({ log, prefix }: Found): Promise<void> {
    const { cosigned } = this.#parts.ledger;
    if (cosigned.witnesses(log).length === 0) return;
    for (const name of ['cosigned', 'checkpoint']) {
      const bytes = await this.#read(`${prefix}${name}`, protocol.maxNoteBytes);
      const text = bytes.ok && bytes.value !== undefined ? fromUtf8(bytes.value) : undefined;
      if (text?.ok === true) await cosigned.add(log, text.value);
    }
  }

  /** Blocks from our head up to the checkpoint, each under tiles that are verified before. */
  async #fetch(
    found: Found,
    tiles: VerifiedTiles,
    { size }: ParsedCheckpoint,
  ): Promise<Result<void>> {
    const { ledger, signal } = this.#parts;
    const full = tileSpan(0, size).full;
    const ahead = new Map<number, Promise<Result<Uint8Array>>>();
    for (let number = ledger.log(found.log)?.blocks ?? 0; ; number++) {
      const have = ledger.log(found.log)?.size ?? 0;
      if (have >= size) return ok(undefined);
      if (signal.aborted) return err(fault('interrupted', 'interrupted'));
      // No block has more than 256 entries, so these are all there.
      const sure = Math.ceil((size - have) / protocol.maxBlockEvents);
      for (let i = number; i < number + Math.min(sure, limits.urlFetchesAhead); i++) {
        if (!ahead.has(i)) ahead.set(i, this.#block(found, i));
      }
      for (const index of [Math.floor(have / 256), Math.floor(have / 256) + 1]) {
        const tile = index < full ? await tiles.full(0, index) : ok(undefined);
        if (!tile.ok) return tile;
      }
      const wire = await (ahead.get(number) ?? this.#block(found, number));
      ahead.delete(number);
      const applied = wire.ok ? await this.#apply(found.log, wire.value, number) : wire;
      if (!applied.ok) return applied;
    }
  }

  /** Ok where the block is in the log afterwards. */
  async #apply(logId: LogId, wire: Uint8Array, number: number): Promise<Result<void>> {
    const { ledger } = this.#parts;
    const before = ledger.log(logId)?.size ?? 0;
    const { verdict, applied, gapFrom, logId: of } = await ledger.apply(wire, 'sync');
    const file = blockPath(number);
    if (verdict.kind === 'reject') return err(at(verdict.reason, { file }));
    if (gapFrom !== undefined || (of !== undefined && of !== logId)) {
      return refuse(`${file} is not the block of that number of this log`);
    }
    // Gossip may have been faster.
    const isKnown = verdict.kind === 'ignore' && verdict.reason.code === 'block-known';
    const size = ledger.log(logId)?.size ?? 0;
    if (applied === true || isKnown || size > before) return ok(undefined);
    return verdict.kind === 'ignore' ? err(verdict.reason) : ok(undefined);
  }

  /** The place has no more than we: what it has must be ours. */
  async #compare(
    found: Found,
    known: LogSummary,
    checkpoint: ParsedCheckpoint,
  ): Promise<Result<void>> {
    const { ledger } = this.#parts;
    const end = asLogIndex(checkpoint.size);
    const ours =
      known.size === checkpoint.size
        ? ok(known.root)
        : await ledger.proofs.rangeRoot(found.log, asLogIndex(0), end);
    if (!ours.ok || equal(ours.value, checkpoint.root)) return ours.ok ? ok(undefined) : ours;
    for await (const block of ledger.blocks(found.log, asLogIndex(checkpoint.size - 1))) {
      return this.#contradicted(found, block.number);
    }
    return refuse('the checkpoint there contradicts what is here');
  }

  /**
   * Another history than ours: the ledger judges a block of it, and keeps the evidence. It shows in
   * the block of this number, or in the last one there where those blocks are fewer.
   */
  async #contradicted(found: Found, number: number): Promise<Result<void>> {
    let [last, absent] = [0, number + 1];
    let wire = await this.#block(found, number);
    if (wire.ok) last = number;
    while (absent - last > 1) {
      const middle = Math.floor((last + absent) / 2);
      const tried = await this.#block(found, middle);
      if (tried.ok) [last, wire] = [middle, tried];
      else if (tried.error.code === 'url-missing') absent = middle;
      else return tried;
    }
    if (!wire.ok) return wire;
    const judged = await this.#apply(found.log, wire.value, last);
    return judged.ok ? refuse('the checkpoint there contradicts what is here') : judged;
  }

  /** After the last block: the same root, and the very line that the writer signed. */
  #agree(found: Found, { checkpoint, text }: Noted): Result<void> {
    const log = this.#parts.ledger.log(found.log);
    if (log === undefined || log.size !== checkpoint.size) return ok(undefined);
    if (!equal(log.root, checkpoint.root)) {
      return err(fault('root-mismatch', 'the blocks there do not give the root of the checkpoint'));
    }
    const line = log.checkpoint.slice(log.checkpoint.lastIndexOf('\n\n') + 2);
    if (text.includes(line)) return ok(undefined);
    return err(
      fault('bad-signature', 'the checkpoint there is not the one that the writer signed'),
    );
  }

  /** A line by this key must be right; a key that is passed on later is judged after the blocks. */
  #checkSignature({ checkpoint, text }: Noted, key: PublicKey): Result<void> {
    const { crypto } = this.#parts;
    const origin = checkpointOrigin(checkpoint.logId);
    const writer = noteKey(crypto, origin, noteAlgorithm.ed25519, key);
    const opened = openNote(crypto, utf8(text), [writer]);
    return opened.ok || opened.error.code === 'note-unverified' ? ok(undefined) : opened;
  }

  async #checkpoint({ log, prefix }: Found): Promise<Result<Noted | undefined>> {
    const bytes = await this.#read(`${prefix}checkpoint`, protocol.maxNoteBytes);
    if (!bytes.ok || bytes.value === undefined) return bytes.ok ? ok(undefined) : bytes;
    const text = fromUtf8(bytes.value);
    if (!text.ok) return text;
    const checkpoint = parseCheckpoint(text.value);
    if (!checkpoint.ok) return checkpoint;
    if (checkpoint.value.logId === log)
      return ok({ checkpoint: checkpoint.value, text: text.value });
    return err(fault('checkpoint-origin', `the checkpoint there is not that of ${log}`));
  }

  #tiles({ prefix }: Found, checkpoint: ParsedCheckpoint): Promise<Result<VerifiedTiles>> {
    const { crypto } = this.#parts;
    return VerifiedTiles.open(crypto, checkpoint, async (tile) => {
      const path = formatTilePath(tile);
      const bytes = await this.#read(`${prefix}${path}`, servedTileBytes);
      if (!bytes.ok || bytes.value !== undefined) return present(bytes, path);
      if (tile.width === 256) return err(missing(path));
      // A partial tile may go once its full one is there.
      const whole = formatTilePath({ ...tile, width: 256 });
      const more = await this.#read(`${prefix}${whole}`, servedTileBytes);
      const found = present(more, path);
      return found.ok ? ok(found.value.subarray(0, 32 * tile.width)) : found;
    });
  }

  async #block({ prefix }: Found, number: number): Promise<Result<Uint8Array>> {
    const path = blockPath(number);
    return present(await this.#read(`${prefix}${path}`, protocol.maxFrameBytes), path);
  }

  /** As the ledger has it, else from the first block there, which must verify by itself. */
  async #genesis(found: Found): Promise<Result<Genesis>> {
    const { ledger, crypto, judges } = this.#parts;
    const known = ledger.log(found.log)?.genesis;
    if (known !== undefined) return ok(known);
    const wire = await this.#block(found, 0);
    if (!wire.ok) return wire;
    const unknown = { logId: found.log };
    const block = verifyBlock({ crypto, judges }, unknown, wire.value, { form: 'any' });
    return block.ok ? ok(block.value.state.genesis) : err(at(block.error, { file: blockPath(0) }));
  }

  async #read(path: string, maxBytes: number): Promise<Result<Uint8Array | undefined>> {
    await this.#parts.pace();
    return this.#parts.source.read(path, maxBytes, this.#parts.signal);
  }
}

interface Noted {
  readonly checkpoint: ParsedCheckpoint;
  readonly text: string;
}

function checkMember(listing: Listing, { log }: Found, genesis: Genesis): Fault | undefined {
  const { owner, name, visibility } = genesis;
  // A successor may have another owner: whose recovery key said so is judged when it is here.
  const heir = genesis.predecessor !== undefined || listing.genesis.predecessor !== undefined;
  const same = name === listing.genesis.name && (heir || owner === listing.genesis.owner);
  if (!same || streamOf(genesis, log) !== listing.stream) {
    return fault('url-content', `the log ${log} there is of another stream`);
  }
  if (visibility !== 'direct') return undefined;
  return fault('url-content', 'a direct stream is not published');
}

/** The log of partition 0 that a genesis names; the first log of partition 0 names none. */
function streamOf({ stream }: Genesis, log: LogId): LogId {
  return stream === undefined ? log : logIdFromHash(stream);
}

function present(bytes: Result<Uint8Array | undefined>, path: string): Result<Uint8Array> {
  if (!bytes.ok) return bytes;
  return bytes.value === undefined ? err(missing(path)) : ok(bytes.value);
}

function missing(path: string): Fault {
  return fault('url-missing', `${path} is not there`);
}

function refuse(message: string): Result<never> {
  return err(fault('url-content', message));
}
