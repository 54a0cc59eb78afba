/**
 * The first entry of a log (ledger.md "Identity"; FACTS.md section 5):
 *
 *   type "genesis" · version 1 · owner did · name · partition · partitions 1..256 · created ms
 *   · writerKey 32 · recoveryHash 32 · visibility public|sealed|direct · retention map · random 16
 *   · proof list of bytes
 *   optional: stream 32 · contentType · schema · witnesses map
 *   · predecessor {logId 32, size, root 32} with recovery {key 32, sig 64}
 *
 * `stream` is absent in the first log of partition 0 and only there. The id of the log is the leaf
 * hash of this entry.
 */
import { encodeCbor, type CborMap, type CborValue } from '../cbor.ts';
import type { Hasher } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { logIdFromHash, parseDid } from '../ids.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asHash,
  asPublicKey,
  asSignature,
  asStreamName,
  asTimeMs,
  asTreeSize,
  isStreamName,
  type Did,
  type Hash,
  type LogId,
  type PublicKey,
  type Signature,
  type StreamName,
  type TimeMs,
  type TreeSize,
} from '../types.ts';
import { FieldReader } from './fields.ts';
import { encodeLeaf } from './leaf.ts';
import { leafHash } from './tree.ts';

export type Visibility = 'public' | 'sealed' | 'direct';

/** The log that a successor goes on from, and where it closes it. */
export interface Predecessor {
  readonly log: Hash;
  /** At least 1. */
  readonly size: TreeSize;
  readonly root: Hash;
}

export interface Genesis {
  readonly type: 'genesis';
  readonly owner: Did;
  readonly name: StreamName;
  readonly partition: number;
  readonly partitions: number;
  /** Equals the recorded time of the entry. */
  readonly created: TimeMs;
  readonly writerKey: PublicKey;
  readonly recoveryHash: Hash;
  readonly visibility: Visibility;
  readonly retention: CborMap;
  /** 16 bytes. */
  readonly random: Uint8Array;
  /** Delegations, root first; empty exactly where the writer key is the owner's. */
  readonly proof: readonly Uint8Array[];
  /** The stream's first log; absent in that one. */
  readonly stream?: Hash;
  readonly contentType?: string;
  readonly schema?: string;
  readonly witnesses?: CborMap;
  readonly predecessor?: Predecessor;
  readonly recovery?: { readonly key: PublicKey; readonly sig: Signature };
}

const genesisVersion = 1;

/** Codes: genesis-fields, bad-did, successor-predecessor. */
export function parseGenesis(map: CborMap): Result<Genesis> {
  const fields = new FieldReader(map, 'genesis-fields');
  fields.text('type');
  if (fields.uint('version') !== genesisVersion) fields.refuse('unknown genesis version');
  const owner = parseDid(fields.text('owner'));
  const name = fields.text('name');
  if (!isStreamName(name)) fields.refuse('the stream name is not allowed');
  const visibility = readVisibility(fields);
  const rest = {
    partition: fields.uint('partition', protocol.maxPartitions - 1),
    partitions: fields.uint('partitions', protocol.maxPartitions),
    created: readTime(fields),
    writerKey: asPublicKey(fields.bytes('writerKey', 32)),
    recoveryHash: asHash(fields.bytes('recoveryHash', 32)),
    retention: fields.map('retention'),
    random: fields.bytes('random', 16),
    proof: fields.bytesList('proof'),
    ...readOptions(fields),
    ...readSuccession(fields),
  };
  if (rest.partition >= rest.partitions) fields.refuse('partition outside its count');
  const first = rest.partition === 0 && rest.predecessor === undefined;
  if (first !== (rest.stream === undefined)) {
    fields.refuse('stream is absent in the first log of partition 0 and only there');
  }
  const wrong = fields.end();
  if (wrong !== undefined) return err(wrong);
  if (!owner.ok) return owner;
  if (rest.predecessor?.size === 0) {
    return err(fault('successor-predecessor', 'a predecessor has at least its genesis'));
  }
  return ok({ type: 'genesis', owner: owner.value, name: asStreamName(name), visibility, ...rest });
}

function readVisibility(fields: FieldReader): Visibility {
  const text = fields.text('visibility');
  if (text === 'public' || text === 'sealed' || text === 'direct') return text;
  fields.refuse('unknown visibility');
  return 'direct';
}

function readTime(fields: FieldReader): TimeMs {
  return asTimeMs(fields.uint('created', 2 ** 48 - 1));
}

type Options = Pick<Genesis, 'stream' | 'contentType' | 'schema' | 'witnesses'>;

function readOptions(fields: FieldReader): Options {
  return {
    ...(fields.has('stream') ? { stream: asHash(fields.bytes('stream', 32)) } : {}),
    ...(fields.has('contentType') ? { contentType: fields.text('contentType') } : {}),
    ...(fields.has('schema') ? { schema: fields.text('schema') } : {}),
    ...(fields.has('witnesses') ? { witnesses: fields.map('witnesses') } : {}),
  };
}

function readSuccession(fields: FieldReader): Pick<Genesis, 'predecessor' | 'recovery'> {
  if (!fields.has('predecessor') && !fields.has('recovery')) return {};
  const before = new FieldReader(fields.map('predecessor'), 'genesis-fields');
  const log = asHash(before.bytes('logId', 32));
  const size = asTreeSize(before.uint('size'));
  const root = asHash(before.bytes('root', 32));
  const signed = new FieldReader(fields.map('recovery'), 'genesis-fields');
  const key = asPublicKey(signed.bytes('key', 32));
  const sig = asSignature(signed.bytes('sig', 64));
  const wrong: Fault | undefined = before.end() ?? signed.end();
  if (wrong !== undefined) fields.refuse(wrong.message);
  return { predecessor: { log, size, root }, recovery: { key, sig } };
}

/** The map of the control leaf; the inverse of `parseGenesis`. */
export function genesisMap(genesis: Genesis): CborMap {
  const { predecessor, recovery, stream, contentType, schema, witnesses, ...fixed } = genesis;
  const map: Record<string, CborValue> = { ...fixed, version: genesisVersion };
  const optional: Record<string, CborValue | undefined> = {
    stream,
    contentType,
    schema,
    witnesses,
    recovery,
    predecessor:
      predecessor === undefined
        ? undefined
        : { logId: predecessor.log, size: predecessor.size, root: predecessor.root },
  };
  for (const [name, value] of Object.entries(optional)) {
    if (value !== undefined) map[name] = value;
  }
  return map;
}

/** The bytes that a successor's `recovery.sig` covers, after the prefix: all but `recovery`. */
export function successionBytes(genesis: Genesis): Uint8Array {
  const { recovery: _signature, ...unsigned } = genesis;
  return encodeCbor(genesisMap(unsigned));
}

/** Leaf and id of the log that begins with this genesis. */
export function openLog(
  h: Hasher,
  genesis: Genesis,
): { readonly leaf: Uint8Array; readonly logId: LogId } {
  const leaf = encodeLeaf({ kind: 3, time: genesis.created, map: genesisMap(genesis) });
  return { leaf, logId: logIdFromHash(leafHash(h, leaf)) };
}
