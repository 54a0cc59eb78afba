/**
 * dag-cbor of UCAN tokens: as `src/cbor.ts` reads it (canonical, ±(2^53-1), 32 levels, no floats),
 * and also links (tag 42), which a policy or `meta` may hold. The token format allows floats; the
 * policies that we accept need none, so a token with one is refused like any other unknown thing.
 */
import { encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { equal } from '../bytes.ts';
import { readItem } from '../cbor-items.ts';
import { fault } from '../errors.ts';
import { err, type Result } from '../result.ts';

export type UcanValue =
  number | string | boolean | null | Uint8Array | CID | readonly UcanValue[] | UcanMap;
export interface UcanMap {
  readonly [key: string]: UcanValue;
}

export function encodeUcan(value: UcanValue): Uint8Array {
  return new Uint8Array(encode(value)); // under Node the library may return a Buffer
}

/** Decodes exactly one canonical item; `ucan-encoding` otherwise. Byte strings are copies. */
export function decodeUcan(bytes: Uint8Array): Result<UcanValue> {
  const read = readItem<CID>(bytes, readLink);
  return read.ok ? read : err(fault('ucan-encoding', read.error));
}

/** A zero, then a CID in its one encoding. */
function readLink(content: Uint8Array): CID | undefined {
  if (content[0] !== 0) return undefined;
  const bytes = content.slice(1);
  try {
    const cid = CID.decode(bytes);
    return equal(cid.bytes, bytes) ? cid : undefined;
  } catch {
    return undefined;
  }
}

export function isUcanMap(value: UcanValue | undefined): value is UcanMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    // Not `instanceof CID`: more than one copy of multiformats is installed.
    CID.asCID(value) === null
  );
}

export function isUcanList(value: UcanValue | undefined): value is readonly UcanValue[] {
  return Array.isArray(value);
}
