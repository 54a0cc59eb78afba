/**
 * Raw Snappy, read only (google/snappy format_description.txt): the length as a varint, then
 * literals and copies. LevelDB packs the index of a table file with it.
 */

/** Undefined where the bytes are not whole or the result would be longer than `most`. */
export function unsnappy(packed: Uint8Array, most: number): Uint8Array | undefined {
  const [length, start] = readVarint(packed, 0);
  if (length === undefined || length > most) return undefined;
  const out = new Uint8Array(length);
  let [at, to] = [start, 0];
  while (at < packed.length) {
    const tag = packed[at++] ?? 0;
    if ((tag & 3) === 0) {
      const extra = Math.max(0, (tag >> 2) - 59);
      const size = (extra === 0 ? tag >> 2 : littleEndian(packed, at, extra)) + 1;
      at += extra;
      if (at + size > packed.length || to + size > length) return undefined;
      out.set(packed.subarray(at, at + size), to);
      at += size;
      to += size;
      continue;
    }
    const wide = [0, 1, 2, 4][tag & 3] ?? 0;
    const low = littleEndian(packed, at, wide);
    const offset = wide === 1 ? ((tag >> 5) << 8) | low : low;
    const size = wide === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    at += wide;
    if (offset === 0 || offset > to || to + size > length || at > packed.length) return undefined;
    // Byte by byte: a copy may overlap what it makes.
    for (let i = 0; i < size; i++, to++) out[to] = out[to - offset] ?? 0;
  }
  return to === length ? out : undefined;
}

/** A little-endian base-128 number below 2^53 and where it ends; undefined where it is cut. */
export function readVarint(
  bytes: Uint8Array,
  at: number,
): readonly [value: number | undefined, end: number] {
  let value = 0;
  for (let i = 0; i < 7; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return [undefined, at];
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [value, at + i + 1];
  }
  return [undefined, at];
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value += (bytes[at + i] ?? 0) * 2 ** (8 * i);
  return value;
}
