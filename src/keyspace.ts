/**
 * Every table of the store: its prefix byte, the shape of its keys and values, and the room that
 * owns it. Keys are binary and of fixed width (names apart), integers big-endian, so that the order
 * of keys is the order of what they count. `log` is the home's own uint32 number of a log, given
 * when the log is first known: 4 bytes in place of 32 in millions of rows.
 *
 * A prefix is never given to another table; one that is no longer used stays listed as retired.
 * docs/reference/keyspace.md is generated from this table.
 */
import { writeUint16, writeUint32, writeUint48 } from './bytes.ts';

export interface Table {
  readonly prefix: number;
  readonly key: string;
  readonly value: string;
  readonly room: 'ledger' | 'gossip' | 'node' | 'access' | 'market' | 'flow';
  /** Values of 4 KiB and more are compressed by the store itself. */
  readonly packed?: true;
  readonly state?: 'planned' | 'retired';
}

export type TableName =
  | 'meta'
  | 'logs'
  | 'heads'
  | 'blocks'
  | 'starts'
  | 'tiles'
  | 'times'
  | 'ids'
  | 'subjects'
  | 'cursors'
  | 'forks'
  | 'filters'
  | 'controls'
  | 'lineage'
  | 'pending'
  | 'retention'
  | 'cosigned'
  | 'witnessed'
  | 'acknowledged'
  | 'peers'
  | 'node'
  | 'subscriptions'
  | 'grants'
  | 'revocations'
  | 'grantRequests'
  | 'usage'
  | 'leases'
  | 'keys'
  | 'market'
  | 'flows'
  | 'successors'
  | 'setAside'
  | 'registries'
  | 'forkProofs';

export const keyspace: Readonly<Record<TableName, Table>> = {
  meta: { prefix: 0x00, key: 'name, text', value: 'by name: `schema` uint32', room: 'ledger' },
  logs: {
    prefix: 0x01,
    key: 'logId 32',
    value: 'dag-cbor row: number, role, state, reason',
    room: 'ledger',
  },
  heads: {
    prefix: 0x02,
    key: 'log uint32',
    value: 'state after the newest block, its checkpoint, the dedupe slices; checksum',
    room: 'ledger',
  },
  blocks: {
    prefix: 0x03,
    key: 'log uint32 ‖ block number uint48',
    value: 'block record: checksum, columns (kind, time, leaf check, body place), wire block',
    room: 'ledger',
    packed: true,
  },
  starts: {
    prefix: 0x04,
    key: 'log uint32 ‖ index of the first entry uint48',
    value: 'block number uint48',
    room: 'ledger',
  },
  tiles: {
    prefix: 0x05,
    key: 'log uint32 ‖ tile level uint8 ‖ tile index uint48',
    value: 'full tile: the rows of its nodes that are not made again in passing',
    room: 'ledger',
  },
  times: {
    prefix: 0x06,
    key: 'log uint32 ‖ time of the seal uint48 ‖ block number uint48',
    value: 'index of the first entry uint48',
    room: 'ledger',
  },
  ids: {
    prefix: 0x07,
    key: 'log uint32 ‖ slice uint16 ‖ keyed hash of source and id, first 10 bytes',
    value: 'of an own log keyed content hash, first 6 bytes; index in 1 to 6 bytes',
    room: 'ledger',
  },
  subjects: {
    prefix: 0x08,
    key: 'log uint32 ‖ keyed hash of the subject 8 ‖ index uint48',
    value: 'empty',
    room: 'ledger',
  },
  cursors: { prefix: 0x09, key: 'name, text', value: 'dag-cbor position', room: 'ledger' },
  forks: {
    prefix: 0x0a,
    key: 'log uint32 ‖ SHA-256 of the block 32',
    value: 'a wire block that contradicts ours, as received',
    room: 'ledger',
    packed: true,
  },
  filters: {
    prefix: 0x0b,
    key: 'log uint32 ‖ slice uint16 ‖ part uint16',
    value: 'part of a Bloom filter over the ids of the slice; checksum in part 0',
    room: 'ledger',
  },
  controls: {
    prefix: 0x0c,
    key: 'log uint32 ‖ index uint48',
    value: 'block number uint48: where genesis and control entries are',
    room: 'ledger',
  },
  lineage: {
    prefix: 0x0d,
    key: 'parent log 32 ‖ level uint8 ‖ node uint48 ‖ child log uint32 ‖ index uint48',
    value: 'empty: reverse lineage',
    room: 'ledger',
  },
  pending: {
    prefix: 0x0e,
    key: 'log uint32 ‖ first index uint48',
    value: 'blocks that wait for the gap before them; they are in memory',
    room: 'gossip',
    state: 'retired',
  },
  cosigned: {
    prefix: 0x0f,
    key: 'log uint32 ‖ size uint48',
    value: 'checkpoint of that size with cosignature lines, text; the newest few',
    room: 'ledger',
  },
  witnessed: {
    prefix: 0x2a,
    key: 'SHA-256 of the origin 32',
    value: 'dag-cbor row: size, root, checkpoint and line that we cosigned last as a witness',
    room: 'ledger',
  },
  retention: {
    prefix: 0x1b,
    key: 'log uint32',
    value: 'dag-cbor: how far bodies were dropped, the policy in force, bytes by index',
    room: 'ledger',
  },
  acknowledged: {
    prefix: 0x22,
    key: 'log uint32',
    value: 'uint48 size of an own log when another peer or a witness was first seen to have it',
    room: 'ledger',
  },
  peers: {
    prefix: 0x10,
    key: 'peer id, text',
    value: 'dag-cbor row; peers are in a store of libp2p',
    room: 'gossip',
    state: 'retired',
  },
  node: {
    prefix: 0x11,
    key: 'name, text',
    value: 'dag-cbor, by name; the state of a node is in control.json',
    room: 'node',
    state: 'retired',
  },
  subscriptions: { prefix: 0x12, key: 'id', value: 'dag-cbor', room: 'node', state: 'planned' },
  grants: {
    prefix: 0x13,
    key: 'SHA-256 of the last delegation 32',
    value: 'dag-cbor [side, time, chain of delegations, card, more]: given, got, handed on',
    room: 'access',
  },
  revocations: {
    prefix: 0x14,
    key: 'SHA-256 of the token 32',
    value: 'the token, an invocation of /ucan/revoke',
    room: 'access',
  },
  grantRequests: {
    prefix: 0x23,
    key: 'side uint8 (0 ours, 1 of others) ‖ request id 16',
    value: 'dag-cbor: who asks for which stream, and what became of it',
    room: 'access',
  },
  usage: {
    prefix: 0x2c,
    key: 'SHA-256 of what the row is about 32, or the text `position`',
    value: 'dag-cbor: what one consumer was given of one log; how far the journal is in the table',
    room: 'node',
  },
  leases: {
    prefix: 0x2d,
    key: 'logId 32',
    value:
      'dag-cbor [due, [[time ms, epoch], …]]: epoch keys of an own log that are out for a time, and whether a new generation is due',
    room: 'access',
  },
  keys: {
    prefix: 0x15,
    key: 'stream, epoch',
    value: 'wrapped key',
    room: 'access',
    state: 'planned',
  },
  market: { prefix: 0x16, key: 'by kind', value: 'dag-cbor', room: 'market', state: 'planned' },
  flows: { prefix: 0x17, key: 'by flow', value: 'state', room: 'flow', state: 'planned' },
  successors: {
    prefix: 0x20,
    key: "log uint32 ‖ leaf hash of the successor's genesis 32",
    value: 'dag-cbor: number, the genesis leaf; 0 is the one that goes on',
    room: 'ledger',
  },
  setAside: {
    prefix: 0x21,
    key: 'log uint32 ‖ block number uint48 ‖ first 8 bytes of the SHA-256 of the record',
    value: 'block record that is no longer part of the log: its owner went on from before it',
    room: 'ledger',
    packed: true,
  },
  registries: {
    prefix: 0x28,
    key: 'SHA-256 of the DID, text, 32',
    value:
      'dag-cbor [DID, logId 32, named]: the registry that counts for it, and whether it was named by the organisation',
    room: 'node',
  },
  forkProofs: {
    prefix: 0x18,
    key: 'logId 32',
    value: 'dag-cbor: when it was learned, the first valid fork proof of the log',
    room: 'ledger',
  },
};

/** Raised when an existing store must be migrated; a store with a higher number is refused. */
export const schemaVersion = 1;

const packed: ReadonlySet<number> = new Set(
  Object.values<Table>(keyspace).flatMap((table) => (table.packed ? [table.prefix] : [])),
);

/** True for keys of the tables whose values the store compresses. */
export function isPacked(key: Uint8Array): boolean {
  return packed.has(key[0] ?? 0xff);
}

/** `prefix ‖ bytes`: keys of tables that are named by text or a hash. */
export function keyOf(table: Table, name: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + name.length);
  key[0] = table.prefix;
  key.set(name, 1);
  return key;
}

/** `prefix ‖ log`. */
export function logKey(table: Table, log: number): Uint8Array {
  const key = new Uint8Array(5);
  key[0] = table.prefix;
  writeUint32(key, 1, log);
  return key;
}

/** `prefix ‖ log ‖ uint48`: blocks, starts, controls. */
export function numberKey(table: Table, log: number, number: number): Uint8Array {
  const key = new Uint8Array(11);
  key[0] = table.prefix;
  writeUint32(key, 1, log);
  writeUint48(key, 5, number);
  return key;
}

/** `prefix ‖ log ‖ uint48 ‖ uint48`: times. */
export function pairKey(table: Table, log: number, first: number, second: number): Uint8Array {
  const key = new Uint8Array(17);
  key[0] = table.prefix;
  writeUint32(key, 1, log);
  writeUint48(key, 5, first);
  writeUint48(key, 11, second);
  return key;
}

export function tileKey(log: number, level: number, index: number): Uint8Array {
  const key = new Uint8Array(12);
  key[0] = keyspace.tiles.prefix;
  writeUint32(key, 1, log);
  key[5] = level;
  writeUint48(key, 6, index);
  return key;
}

/** `prefix ‖ log ‖ slice ‖ rest`: ids (10 bytes) and filters (part, 2 bytes). Written to `key`. */
export function sliceKey(
  table: Table,
  log: number,
  slice: number,
  rest: Uint8Array,
  key: Uint8Array = new Uint8Array(7 + rest.length),
): Uint8Array {
  key[0] = table.prefix;
  writeUint32(key, 1, log);
  writeUint16(key, 5, slice);
  // For so few bytes a loop costs less than `set` (measured).
  for (let i = 0; i < rest.length; i++) key[7 + i] = rest[i] ?? 0;
  return key;
}

/** `prefix ‖ log ‖ bytes`: forks, subjects. Written to the front of `key`. */
export function hashKey(
  table: Table,
  log: number,
  hash: Uint8Array,
  key: Uint8Array = new Uint8Array(5 + hash.length),
): Uint8Array {
  key[0] = table.prefix;
  writeUint32(key, 1, log);
  for (let i = 0; i < hash.length; i++) key[5 + i] = hash[i] ?? 0;
  return key;
}

/** The least key that is above all keys beginning with `prefix` (whose last byte may be 0xff). */
export function afterPrefix(prefix: Uint8Array): Uint8Array {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  const next = prefix.slice(0, end);
  next[end - 1] = (next[end - 1] ?? 0) + 1;
  return next;
}

/** All keys that begin with `prefix`, as a half-open range. */
export function prefixRange(prefix: Uint8Array): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: prefix, lt: afterPrefix(prefix) };
}
