/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), as LevelDB guards its blocks. Eight bytes a step. */

const polynomial = 0x82f6_3b78;
const tables = makeTables();

function makeTables(): Uint32Array {
  const made = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    made[byte] = crc;
  }
  for (let i = 256; i < made.length; i++) {
    const before = made[i - 256] ?? 0;
    made[i] = (before >>> 8) ^ (made[before & 0xff] ?? 0);
  }
  return made;
}

/** Of all bytes, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  const t = tables;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let crc = 0xffff_ffff;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    const low = crc ^ view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    crc =
      (t[0x700 | (low & 0xff)] ?? 0) ^
      (t[0x600 | ((low >>> 8) & 0xff)] ?? 0) ^
      (t[0x500 | ((low >>> 16) & 0xff)] ?? 0) ^
      (t[0x400 | (low >>> 24)] ?? 0) ^
      (t[0x300 | (high & 0xff)] ?? 0) ^
      (t[0x200 | ((high >>> 8) & 0xff)] ?? 0) ^
      (t[0x100 | ((high >>> 16) & 0xff)] ?? 0) ^
      (t[high >>> 24] ?? 0);
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (t[(crc ^ view.getUint8(at)) & 0xff] ?? 0);
  return ~crc >>> 0;
}
