/** Damage to the store of a stopped node, as a disk or a forger would do it. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { keyOf, keyspace, prefixRange } from '../../src/keyspace.ts';
import { BlockRecord } from '../../src/ledger/block-record.ts';
import { LevelStore, type StoreEntry } from '../../src/ledger/store.ts';

/** Which bodies may be changed: those with `holds` in them and a digit behind `before`. */
export interface BodyMark {
  readonly holds: string;
  readonly before: string;
}

export interface Forged {
  /** Index of the event that was changed. */
  readonly index: number;
  readonly before: string;
  readonly after: string;
}

/** Offset and length of the checksum in a block record (block-record.ts), and where its cover begins. */
const checksumAt = 2;
const checksumBytes = 16;
const coveredFrom = 18;

/**
 * Changes one byte of one stored body through the store itself, so that LevelDB has no cause to
 * complain: in the middle one of the events that fit, the digit behind `before`. With `resealed` the checksum of the block record is made to fit as well, as a forger would.
 */
export async function forgeBody(
  store: string,
  mark: BodyMark,
  { resealed }: { readonly resealed: boolean },
): Promise<Forged> {
  const opened = await LevelStore.open(store);
  if (!opened.ok) throw new Error(opened.error.message);
  await using level = opened.value;
  const rows = await blockRows(level);
  const places = rows.flatMap((row) => placesOf(row, mark));
  const place = places[Math.floor(places.length / 2)];
  if (place === undefined) throw new Error(`no stored body holds ${mark.holds}`);
  const { row, index, at } = place;
  const before = row.value[at] ?? 0;
  // Another digit: the event stays valid JSON and says something else.
  const after = before === 0x39 ? 0x31 : before + 1;
  row.value[at] = after;
  if (resealed) {
    const checksum = nodeCrypto.sha256(row.value.subarray(coveredFrom)).subarray(0, checksumBytes);
    row.value.set(checksum, checksumAt);
  }
  const written = await level.batch([row], { sync: true });
  if (!written.ok) throw new Error(written.error.message);
  return { index, before: String.fromCharCode(before), after: String.fromCharCode(after) };
}

async function blockRows(level: LevelStore): Promise<readonly StoreEntry[]> {
  const rows: StoreEntry[] = [];
  await using scan = level.scan(prefixRange(keyOf(keyspace.blocks, new Uint8Array(0))));
  for (;;) {
    const part = await scan.next(64);
    if (!part.ok) throw new Error(part.error.message);
    if (part.value.length === 0) return rows;
    rows.push(...part.value);
  }
}

interface Place {
  readonly row: StoreEntry;
  readonly index: number;
  /** Offset in the value. */
  readonly at: number;
}

function placesOf(row: StoreEntry, { holds, before }: BodyMark): readonly Place[] {
  const read = BlockRecord.read(nodeCrypto, row.value);
  if (!read.ok) throw new Error(read.error.message);
  const record = read.value;
  const places: Place[] = [];
  for (let position = 0; position < record.count; position++) {
    const body = record.body(position);
    if (body === undefined || !Buffer.from(body).includes(holds)) continue;
    const digit = Buffer.from(body).indexOf(before) + Buffer.byteLength(before);
    if (!/^\d$/.test(String.fromCharCode(body[digit] ?? 0))) continue;
    const at = body.byteOffset - row.value.byteOffset + digit;
    places.push({ row, index: record.firstIndex + position, at });
  }
  return places;
}

/** Paths of the store's table files, the largest first. */
export async function tableFiles(store: string): Promise<readonly string[]> {
  const names = (await readdir(store)).filter((name) => name.endsWith('.ldb'));
  const sized = await Promise.all(
    names.map(async (name) => ({
      path: join(store, name),
      size: (await stat(join(store, name))).size,
    })),
  );
  return sized.toSorted((a, b) => b.size - a.size).map(({ path }) => path);
}

/** Flips one bit of the byte at that share (0 to 1) of a file. Returns its offset. */
export async function flipByte(path: string, share: number): Promise<number> {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  const at = Math.min(size - 1, Math.floor(size * share));
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await file.write(byte, 0, 1, at);
  return at;
}

/** Opens and closes a store, so that what lies in LevelDB's log is moved to a table file. */
export async function settleStore(store: string): Promise<void> {
  const opened = await LevelStore.open(store);
  if (!opened.ok) throw new Error(opened.error.message);
  await opened.value.close();
}
