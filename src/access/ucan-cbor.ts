/**
 * dag-cbor of UCAN tokens: as `src/cbor.ts` reads it (canonical, ±(2^53-1), 32 levels, no floats),
 * and also links (tag 42), which a policy or `meta` may hold. The token format allows floats; the
 * policies that we accept need none, so a token with one is refused like any other unknown thing.
 */
import { decode, encode } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { equal } from '../bytes.ts';
import { depthFits } from '../cbor.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';

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
  if (!depthFits(bytes, true)) {
    return refuse('nested more than 32 deep, cut short, or a type that tokens do not have');
  }
  try {
    const value: unknown = decode(bytes);
    if (!isUcanValue(value)) return refuse('a number that is not exact, or an unknown type');
    if (!equal(encode(value), bytes)) return refuse('not the canonical encoding');
    return ok(value);
  } catch (cause) {
    return refuse(cause instanceof Error ? cause.message : 'not dag-cbor');
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

function isUcanValue(value: unknown): value is UcanValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0);
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every(isUcanValue);
  if (typeof value !== 'object') return false;
  if (CID.asCID(value) !== null) return true;
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every(isUcanValue);
}

function refuse(message: string): Result<never> {
  return err(fault('ucan-encoding', message));
}
