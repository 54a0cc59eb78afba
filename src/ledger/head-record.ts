/**
 * The head of a log as it is stored with every block, in the block's own batch:
 *
 *   checksum 16 ‖ dag-cbor [1, log state bytes, checkpoint text, [slice …]]
 *   slice = [number, first index, rows, capacity, begun ms]
 */
import { equal } from '../bytes.ts';
import { CborReader, CborWriter } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import { asTimeMs } from '../types.ts';
import type { Slice } from './id-slices.ts';
import { decodeLogState, encodeLogState, type LogState } from './log-state.ts';

/** A log after one of its blocks. */
export interface LogHead {
  readonly state: LogState;
  /** The signed note of the newest block. */
  readonly checkpoint: string;
  /** Where the rows of the id index go, and which of them count for duplicates. */
  readonly slices: readonly Slice[];
}

const version = 1;

export function encodeHead(h: Hasher, head: LogHead): Uint8Array {
  const state = encodeLogState(head.state);
  const writer = new CborWriter(state.length + head.checkpoint.length + 64);
  writer.list(4).uint(version).bytes(state).text(head.checkpoint).list(head.slices.length);
  for (const slice of head.slices) {
    writer.list(5).uint(slice.number).uint(slice.firstIndex).uint(slice.rows);
    writer.uint(slice.capacity).uint(slice.begun);
  }
  const body = writer.finish();
  const bytes = new Uint8Array(16 + body.length);
  bytes.set(h.sha256(body).subarray(0, 16));
  bytes.set(body, 16);
  return bytes;
}

/** Code: store-corrupt. */
export function decodeHead(h: Hasher, bytes: Uint8Array): Result<LogHead> {
  const damaged = err(fault('store-corrupt', 'the stored head of a log is damaged'));
  const body = bytes.subarray(16);
  if (!equal(h.sha256(body).subarray(0, 16), bytes.subarray(0, 16))) return damaged;
  const reader = new CborReader(body);
  if (reader.list() !== 4 || reader.uint() !== version) return damaged;
  const stateBytes = reader.bytes();
  const checkpoint = reader.text();
  const slices: Slice[] = [];
  for (let left = reader.list(); left > 0 && reader.failed === undefined; left--) {
    if (reader.list() !== 5) return damaged;
    const [number, firstIndex, rows] = [reader.uint(), reader.uint(), reader.uint()];
    slices.push({
      number,
      firstIndex,
      rows,
      capacity: reader.uint(),
      begun: asTime(reader.uint()),
    });
  }
  reader.end();
  const state = decodeLogState(h, stateBytes);
  if (reader.failed !== undefined || !state.ok) return damaged;
  return ok({ state: state.value, checkpoint, slices });
}

function asTime(ms: number): Slice['begun'] {
  return asTimeMs(Math.min(ms, 2 ** 48 - 1));
}
