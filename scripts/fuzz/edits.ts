/** Mutations: of bytes anywhere, and of the structure of a CBOR text. */
import { concat } from '../../src/bytes.ts';
import type { Dice } from '../../test/sim/dice.ts';
import { head, itemsOf, splice, text, type Item } from './items.ts';

const small = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
const limits: readonly bigint[] = [...small.map(BigInt), 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
const widths = [0, 1, 2, 4, 8];

/** Values that parsers get wrong: floats, undefined, break, indefinite lengths, tags, bad UTF-8, … */
const oddHex =
  'f90000 f93c00 f97e00 fa3f800000 fb7ff0000000000000 fb8000000000000000 f4 f5 f6 f7 f0 f8ff ff ' +
  '9fff bfff 5f40ff 7f60ff 1c 1f 40 4100 60 62c328 63eda080 6100 80 a0 a10102 a16001 8180 c000 ' +
  'c11a00000000 c24101 d82a00 d82a40 d82a6100 d82a4100 d9d9f700 483401ed01ed011371 ' +
  `483401ed01ed011271 5840${'00'.repeat(64)} d82a58250001711220${'00'.repeat(32)} ` +
  `d82a5823001220${'11'.repeat(32)}`;
const oddTexts = [
  ...'__proto__ constructor toString h iss aud sub pol exp hw / /flow /flow/read'.split(' '),
  ...'/ucan/revoke ucan/dlg@1.0.0 ucan/inv@1.0.0 == like and or not all any . .a[0]?'.split(' '),
  'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
  '*'.repeat(300),
  'x'.repeat(9000),
];
const oddValues: readonly Uint8Array[] = [
  ...oddHex.split(' ').map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  ...oddTexts.map(text),
];

/** 1 to 4 edits of bytes: flips, limits, cuts, repeats, pieces of another seed. */
export function editBytes(dice: Dice, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let changed: Uint8Array = bytes.slice();
  for (let n = dice.between(1, 4); n > 0; n--) {
    const at = dice.below(changed.length + 1);
    const length = dice.below(dice.chance(0.5) ? 8 : 80);
    switch (dice.below(7)) {
      case 0:
        changed = changed.slice(0, at);
        break;
      case 1:
        changed = splice(changed, at, at + length, new Uint8Array(0));
        break;
      case 2:
        changed = splice(changed, at, at, changed.subarray(at, at + length));
        break;
      case 3: {
        const from = dice.below(other.length + 1);
        const until = dice.chance(0.5) ? at : at + length;
        changed = splice(changed, at, until, other.subarray(from, from + length));
        break;
      }
      case 4:
        changed = splice(
          changed,
          at,
          at + 1,
          Uint8Array.of(dice.pick([0, 1, 0x7f, 0x80, 0xff]) ?? 0),
        );
        break;
      default:
        if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << dice.below(8));
    }
  }
  return changed;
}

/** One edit of the structure; lengths of the lists and maps around it stay true, or are the edit. */
export class StructureEditor {
  readonly #known = new Map<Uint8Array, readonly Item[]>();

  edit(dice: Dice, bytes: Uint8Array, other: Uint8Array): Uint8Array {
    const items = this.#items(bytes);
    const index = dice.below(items.length);
    const item = items[index];
    if (item === undefined) return bytes;
    const { start, body, end } = item;
    switch (dice.below(10)) {
      case 0:
        return splice(bytes, start, body, head(item.major, pick(dice, limits)));
      case 1:
        return splice(bytes, start, body, head(dice.below(8), BigInt(item.argument)));
      case 2:
        return splice(
          bytes,
          start,
          body,
          head(item.major, BigInt(item.argument), pick(dice, widths)),
        );
      case 3: {
        const found = dice.pick(this.#items(other));
        const piece = other.subarray(found?.start ?? 0, found?.end ?? 0);
        return splice(bytes, start, end, piece);
      }
      case 4:
        return splice(bytes, start, end, head(dice.below(2), pick(dice, limits)));
      case 5: {
        const around = concat(...Array.from({ length: dice.between(1, 40) }, () => wrapper(dice)));
        return splice(bytes, start, start, around);
      }
      case 6:
        return repeat(dice, bytes, items, item);
      case 7:
        return exchange(dice, bytes, items, item);
      case 8:
        return splice(bytes, start, end, ownBytes(dice, bytes, item));
      default:
        return splice(bytes, start, end, pick(dice, oddValues));
    }
  }

  #items(bytes: Uint8Array): readonly Item[] {
    let items = this.#known.get(bytes);
    if (items === undefined) this.#known.set(bytes, (items = itemsOf(bytes)));
    return items;
  }
}

function pick<T>(dice: Dice, items: readonly T[]): T {
  const found = dice.pick(items);
  if (found === undefined) throw new RangeError('nothing to pick from');
  return found;
}

const wrappers = [Uint8Array.of(0x81), Uint8Array.of(0xd8, 42), Uint8Array.of(0xa1, 0x60)];
function wrapper(dice: Dice): Uint8Array {
  return dice.chance(0.8) ? (wrappers[0] ?? wrapper(dice)) : pick(dice, wrappers);
}

/** The content of a string with one byte changed: still well formed. */
function ownBytes(dice: Dice, bytes: Uint8Array, { start, body, end, major }: Item): Uint8Array {
  const own = bytes.slice(start, end);
  if ((major === 2 || major === 3) && end > body) {
    own[body - start + dice.below(end - body)] =
      major === 3 ? dice.between(32, 126) : dice.below(256);
  }
  return own;
}

/** The unit that an item belongs to in its list or map: itself, or a key with its value. */
function unitOf(items: readonly Item[], item: Item): readonly [number, number] {
  if (items[item.parent]?.major !== 5) return [item.start, item.end];
  const twin = item.place % 2 === 0 ? item.place + 1 : item.place - 1;
  const other = items.find((one) => one.parent === item.parent && one.place === twin) ?? item;
  return [Math.min(item.start, other.start), Math.max(item.end, other.end)];
}

/** Drops an item (a pair of a map) or has it several times; the count around it is adapted. */
function repeat(dice: Dice, bytes: Uint8Array, items: readonly Item[], item: Item): Uint8Array {
  const parent = items[item.parent];
  if (parent === undefined) return bytes;
  const [start, end] = unitOf(items, item);
  const times = pick(dice, [0, 0, 2, 2, 3, 20]);
  const unit = bytes.subarray(start, end);
  const units = concat(...Array.from({ length: times }, () => unit));
  const count = BigInt(parent.argument + times - 1);
  const counted = parent.major === 4 || parent.major === 5;
  const around = counted ? head(parent.major, count) : bytes.subarray(parent.start, parent.body);
  const before = bytes.subarray(0, parent.start);
  return concat(before, around, bytes.subarray(parent.body, start), units, bytes.subarray(end));
}

/** Two items of one list, or two pairs of one map, change places. */
function exchange(dice: Dice, bytes: Uint8Array, items: readonly Item[], item: Item): Uint8Array {
  const mates = items.filter((one) => one.parent === item.parent);
  const [a, b] = [unitOf(items, item), unitOf(items, pick(dice, mates))];
  const [first, second] = a[0] < b[0] ? [a, b] : [b, a];
  if (first[1] > second[0]) return bytes;
  return concat(
    bytes.subarray(0, first[0]),
    bytes.subarray(...second),
    bytes.subarray(first[1], second[0]),
    bytes.subarray(...first),
    bytes.subarray(second[1]),
  );
}
