/**
 * The parts of the network's Ed25519 rule that libraries leave out: canonical encodings and small
 * order (ledger.md "Keys, rotation, recovery"). Points and scalars are little-endian.
 */

/** The y coordinates, below p, of the eight points of small order (order 1, 2, 4, 8). */
const smallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map((text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));

const prime = littleEndian(2n ** 255n - 19n);
const order = littleEndian(2n ** 252n + 27742317777372353535851937790883648493n);

function littleEndian(n: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 255n));
}

/** Compares 32 little-endian bytes at `at`, the top bit masked off where `mask` is 0x7f. */
function below(bytes: Uint8Array, at: number, bound: Uint8Array, mask: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const byte = (bytes[at + i] ?? 0) & (i === 31 ? mask : 0xff);
    const limit = bound[i] ?? 0;
    if (byte !== limit) return byte < limit;
  }
  return false;
}

/** The first 32 bytes encode a y below p and not a point of small order. */
export function canonicalPoint(bytes: Uint8Array): boolean {
  if (!below(bytes, 0, prime, 0x7f)) return false;
  return !smallOrder.some((y) =>
    y.every((byte, i) => byte === ((bytes[i] ?? 0) & (i === 31 ? 0x7f : 0xff))),
  );
}

/** Bytes 32..63 encode S below the group order. */
export function canonicalScalar(signature: Uint8Array): boolean {
  return below(signature, 32, order, 0xff);
}
