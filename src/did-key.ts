/**
 * The key in a did:key of Ed25519: `did:key:z` and base58btc of ed 01 and the 32 bytes. Such a key
 * has 47 digits always, of which the first is not zero; so this need not be base58 of any length.
 */

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const begin = 'did:key:z';
const end = begin.length + 47;

/** Value of each digit by its code, -1 for every other code below 128. */
const values = Int32Array.from({ length: 128 }, (_, code) =>
  alphabet.indexOf(String.fromCharCode(code)),
);

/** The number so far, 24 bits each, the lowest first: 12 for 34 bytes. In use during a call only. */
const limbs = new Float64Array(12);
const limbSize = 0x1000000;

/** The 32 bytes of the key; undefined where the text is not one, without saying why. */
export function keyOfDid(text: string): Uint8Array | undefined {
  if (text.length !== end || !text.startsWith(begin)) return undefined;
  // Three digits, and then four at a time: 58^4 is below 2^24, so that every sum is below 2^48, which
  // is exact, and each group needs one limb more at most.
  let invalid = 0;
  let used = 0;
  for (let at = begin.length - 1; at < end; at += 4) {
    const a = used === 0 ? 0 : digit(text, at);
    const b = digit(text, at + 1);
    const c = digit(text, at + 2);
    const d = digit(text, at + 3);
    invalid |= a | b | c | d;
    let carry = ((a * 58 + b) * 58 + c) * 58 + d;
    for (let limb = 0; limb < used; limb++) {
      const sum = (limbs[limb] ?? 0) * 11_316_496 + carry;
      carry = Math.floor(sum / limbSize);
      limbs[limb] = sum - carry * limbSize;
    }
    limbs[used++] = carry;
  }
  return invalid < 0 ? undefined : keyIn(limbs);
}

function digit(text: string, at: number): number {
  return values[text.charCodeAt(at)] ?? -1;
}

/** Behind ed 01, which must be there and leave nothing above. */
function keyIn(number: Float64Array): Uint8Array | undefined {
  const next = number[10] ?? 0;
  if (number[11] !== 0xed || next >>> 16 !== 0x01) return undefined;
  const key = new Uint8Array(32);
  key[0] = next >>> 8;
  key[1] = next;
  for (let limb = 9, at = 2; limb >= 0; limb--, at += 3) {
    const value = number[limb] ?? 0;
    key[at] = value >>> 16;
    key[at + 1] = value >>> 8;
    key[at + 2] = value;
  }
  return key;
}
