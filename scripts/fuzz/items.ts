/** The items of a CBOR text with their places, for editing it; and heads of any kind, also wrong ones. */
import { concat } from '../../src/bytes.ts';

export interface Item {
  readonly start: number;
  /** Where its content begins. */
  readonly body: number;
  readonly end: number;
  readonly major: number;
  readonly argument: number;
  /** The list or map that it is in; -1 for the outermost. */
  readonly parent: number;
  /** In a map: keys have even, values odd places. */
  readonly place: number;
}

/** All items of canonical bytes, outer before inner. */
export function itemsOf(bytes: Uint8Array): readonly Item[] {
  const items: Item[] = [];
  walk(bytes, 0, -1, 0, items);
  return items;
}

function walk(
  bytes: Uint8Array,
  start: number,
  parent: number,
  place: number,
  items: Item[],
): number {
  const first = bytes[start] ?? 0;
  const [major, info] = [first >> 5, first & 31];
  const width = info < 24 ? 0 : 2 ** (info - 24);
  let argument = info < 24 ? info : 0;
  for (let i = 1; i <= width; i++) argument = argument * 256 + (bytes[start + i] ?? 0);
  const body = start + 1 + width;
  const own = items.length;
  items.push({ start, body, end: body, major, argument, parent, place });
  let end = body;
  if (major === 2 || major === 3) end += argument;
  const children = major === 4 ? argument : major === 5 ? argument * 2 : major === 6 ? 1 : 0;
  for (let i = 0; i < children; i++) end = walk(bytes, end, own, i, items);
  items[own] = { start, body, end, major, argument, parent, place };
  return end;
}

/** A head; `width` bytes of argument, where absent as few as it takes. */
export function head(major: number, argument: bigint, width?: number): Uint8Array {
  const least =
    argument < 24n ? 0 : argument < 256n ? 1 : argument < 65536n ? 2 : argument < 2n ** 32n ? 4 : 8;
  const used = Math.max(width ?? least, least);
  const bytes = new Uint8Array(1 + used);
  bytes[0] =
    (major << 5) |
    (used === 0 ? Number(argument) : used === 1 ? 24 : used === 2 ? 25 : used === 4 ? 26 : 27);
  for (let i = used, rest = argument; i > 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}

export function text(value: string): Uint8Array {
  const content = new Uint8Array(Buffer.from(value));
  return concat(head(3, BigInt(content.length)), content);
}

/** The bytes with [from, to) replaced. */
export function splice(bytes: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  return concat(bytes.subarray(0, from), by, bytes.subarray(to));
}
