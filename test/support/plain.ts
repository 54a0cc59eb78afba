/** The suites write a byte string in a map as {"bytes": hex}; everything else is itself. */
import { toHex } from '../../src/bytes.ts';
import { isCborMap, type CborMap, type CborValue } from '../../src/cbor.ts';
import { hex } from './vectors.ts';

export function fromPlain(value: unknown): CborValue {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    const [first] = entries;
    if (entries.length === 1 && first?.[0] === 'bytes') return hex(String(first[1]));
    return Object.fromEntries(entries.map(([key, inner]) => [key, fromPlain(inner)]));
  }
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (typeof value === 'boolean' || value === null) return value;
  throw new TypeError('not a value of the suites');
}

export function mapFromPlain(value: unknown): CborMap {
  const map = fromPlain(value);
  if (!isCborMap(map)) throw new TypeError('not a map');
  return map;
}

export function toPlain(value: CborValue): unknown {
  if (value instanceof Uint8Array) return { bytes: toHex(value) };
  if (Array.isArray(value)) return value.map(toPlain);
  if (isCborMap(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toPlain(inner)]));
  }
  return value;
}
