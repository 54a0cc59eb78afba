/** The entries of one stored block, read where they lie. */
import type { CborMap } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import { HeadwaterError, fault, type Fault } from '../errors.ts';
import { never } from '../result.ts';
import {
  asLogIndex,
  type BlockNumber,
  type EventBytes,
  type LogId,
  type LogIndex,
  type TimeMs,
} from '../types.ts';
import type { DecodedBlock, LeafTable } from './block.ts';
import { decodeBlock } from './block-codec.ts';
import { makeLeaf, makeLeaves } from './block-leaves.ts';
import type { BlockRecord } from './block-record.ts';
import { decodeBody } from './body.ts';
import { leafKind } from './leaf.ts';
import type { EntryBatch, LedgerEntry, SealedEntry } from './ledger-types.ts';

/** Why bodies of a reduced block are missing. */
export interface MissingBodies {
  /** Lowest index whose body is still offered. */
  readonly lowest: number;
  /** Indexes that a control entry redacted. */
  readonly redacted: ReadonlySet<number>;
  /** Bodies may go once a later event has their subject. */
  readonly compact: boolean;
}

interface Opened {
  readonly leaves: LeafTable;
  readonly controls: readonly (CborMap | undefined)[];
}

export class RecordBatch implements EntryBatch {
  readonly logId: LogId;
  readonly from: LogIndex;
  readonly to: LogIndex;
  readonly #h: Hasher;
  readonly #record: BlockRecord;
  readonly #first: number;
  readonly #missing: MissingBodies;
  #block: DecodedBlock | undefined;
  #opened: Opened | undefined;

  constructor(
    h: Hasher,
    logId: LogId,
    record: BlockRecord,
    range: { readonly from: number; readonly to: number },
    missing: MissingBodies,
  ) {
    this.logId = logId;
    this.#h = h;
    this.#record = record;
    this.#first = record.firstIndex;
    this.#missing = missing;
    this.from = asLogIndex(Math.max(range.from, record.firstIndex));
    this.to = asLogIndex(Math.min(range.to, record.size));
  }

  get block(): BlockNumber {
    return this.#record.number;
  }
  get next(): LogIndex {
    return asLogIndex(this.#record.size);
  }
  kind(index: number): LedgerEntry['kind'] {
    const kind = this.#record.kind(index - this.#first);
    switch (kind) {
      case 0:
        return 'event';
      case 1:
        return 'sealed';
      case 2:
        return 'seal';
      case 3:
        return 'control';
      default:
        return never(kind);
    }
  }
  recordedTime(index: number): TimeMs {
    return this.#record.time(index - this.#first);
  }
  body(index: number): Uint8Array | undefined {
    return this.#record.body(index - this.#first);
  }

  event(index: number): EventBytes | undefined {
    const position = index - this.#first;
    const body = this.#record.kind(position) === 0 ? this.#record.body(position) : undefined;
    if (body === undefined) return undefined;
    const event = decodeBody(body);
    if (event.ok) return event.value;
    throw new HeadwaterError(fault('store-corrupt', event.error.message, { index }));
  }

  sealed(index: number): SealedEntry | undefined {
    const position = index - this.#first;
    if (this.#record.kind(position) !== leafKind.sealed) return undefined;
    const body = this.#record.body(position);
    const { wire, entries } = this.#decoded();
    const { leafOffset = 0, leafLength = 0 } = entries[position] ?? {};
    // It travels as it was signed: there is nothing to make.
    return body && { leaf: wire.slice(leafOffset, leafOffset + leafLength), body };
  }

  entry(index: number): LedgerEntry {
    const kind = this.kind(index);
    const base = {
      logId: this.logId,
      index: asLogIndex(index),
      kind,
      recordedTime: this.recordedTime(index),
      leaf: () =>
        this.#open()
          .leaves.leaf(index - this.#first)
          .slice(),
    };
    if (kind === 'seal') return base;
    if (kind === 'control') {
      const control = this.#open().controls[index - this.#first];
      return control === undefined ? base : { ...base, control };
    }
    const body = this.body(index);
    if (body === undefined) return { ...base, bodyMissing: this.#why(index) };
    if (kind === 'sealed') return { ...base, sealedBody: body };
    const event = this.event(index);
    return event === undefined ? base : { ...base, event };
  }

  /** As `entry(index).leaf()`, without making the other leaves of the block. */
  leafAt(index: number): Uint8Array {
    const leaf = makeLeaf(this.#h, this.#decoded(), index - this.#first);
    if (leaf.ok) return leaf.value;
    throw new HeadwaterError(fault('store-corrupt', leaf.error.message, { index }));
  }

  #decoded(): DecodedBlock {
    if (this.#block !== undefined) return this.#block;
    const block = decodeBlock(this.#record.wire, { reduced: true });
    if (!block.ok) throw new HeadwaterError(undecodable(this.#first));
    this.#block = block.value;
    return block.value;
  }

  #why(index: number): NonNullable<LedgerEntry['bodyMissing']> {
    const { lowest, redacted, compact } = this.#missing;
    if (redacted.has(index)) return 'redacted';
    return index < lowest || compact ? 'retention' : 'withheld';
  }

  /** Decodes the wire block and makes its leaves, once. */
  #open(): Opened {
    if (this.#opened !== undefined) return this.#opened;
    const block = this.#decoded();
    const made = makeLeaves(this.#h, block);
    if (!made.ok) throw new HeadwaterError(undecodable(this.#first));
    const controls = block.entries.map((entry) => entry.control);
    this.#opened = { leaves: made.value.leaves, controls };
    return this.#opened;
  }
}

function undecodable(index: number): Fault {
  return fault('store-corrupt', 'a stored block does not decode', { index });
}
