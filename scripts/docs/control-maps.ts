/**
 * The types of control records with their fields, as one table (ledger.md "Leaves"). The bytes are
 * fixed by the parsers of src/ledger/control.ts and genesis.ts; test/docs.test.ts holds this table
 * against them: every field is needed or optional as it says, and no other one is taken.
 */
import { code, prose, table } from './markdown.ts';

/** How a value looks in dag-cbor. A number is a byte string of that length. */
export type FieldKind = number | 'text' | 'uint' | 'map' | 'bytes list';

export interface ControlField {
  readonly name: string;
  readonly kind: FieldKind;
  readonly meaning: string;
  readonly optional?: true;
  /** Fields of the map inside. */
  readonly inner?: readonly ControlField[];
}

export interface ControlType {
  readonly type: string;
  readonly meaning: string;
  /** Without `type`, which every control map has. */
  readonly fields: readonly ControlField[];
}

const genesis: readonly ControlField[] = [
  { name: 'version', kind: 'uint', meaning: '1' },
  { name: 'owner', kind: 'text', meaning: 'did:key of the organisation' },
  { name: 'name', kind: 'text', meaning: 'name of the stream' },
  { name: 'partition', kind: 'uint', meaning: 'from 0, below `partitions`' },
  { name: 'partitions', kind: 'uint', meaning: 'partitions of the stream, 1 to 256' },
  { name: 'created', kind: 'uint', meaning: 'ms since 1970, the recorded time of the entry' },
  { name: 'writerKey', kind: 32, meaning: 'Ed25519 key that signs from here on' },
  { name: 'recoveryHash', kind: 32, meaning: 'SHA-256 of the recovery public key' },
  { name: 'visibility', kind: 'text', meaning: '`public`, `sealed` or `direct`' },
  { name: 'retention', kind: 'map', meaning: 'what bodies are kept: a retention policy' },
  { name: 'random', kind: 16, meaning: 'makes the id unique' },
  {
    name: 'proof',
    kind: 'bytes list',
    meaning: 'UCAN delegations from owner to writer key, root first; empty where they are one key',
  },
  {
    name: 'stream',
    kind: 32,
    optional: true,
    meaning: "the stream's first log; absent in the first log of partition 0 and only there",
  },
  { name: 'contentType', kind: 'text', optional: true, meaning: 'content type of the data' },
  { name: 'schema', kind: 'text', optional: true, meaning: 'schema of the data' },
  { name: 'witnesses', kind: 'map', optional: true, meaning: 'witness policy' },
  {
    name: 'predecessor',
    kind: 'map',
    optional: true,
    meaning: 'the log that this one goes on from, and where it ends; with `recovery`',
    inner: [
      { name: 'logId', kind: 32, meaning: 'its id' },
      { name: 'size', kind: 'uint', meaning: 'entries that count, at least 1' },
      { name: 'root', kind: 32, meaning: 'root at that size' },
    ],
  },
  {
    name: 'recovery',
    kind: 'map',
    optional: true,
    meaning: 'allows the succession; with `predecessor`',
    inner: [
      { name: 'key', kind: 32, meaning: 'recovery public key of the predecessor' },
      { name: 'sig', kind: 64, meaning: 'its signature over the whole genesis without this field' },
    ],
  },
];

export const controlTypes: readonly ControlType[] = [
  { type: 'genesis', meaning: 'opens a log; entry 0 and only there', fields: genesis },
  {
    type: 'rotate',
    meaning: 'hands the log over to another writer key; alone in its block',
    fields: [
      { name: 'newWriterKey', kind: 32, meaning: 'signs every later checkpoint' },
      { name: 'sigOld', kind: 64, meaning: 'by the key in force' },
      { name: 'sigNew', kind: 64, meaning: 'by the new key' },
    ],
  },
  {
    type: 'recovery',
    meaning: 'reveals the recovery key and names the next one by its hash',
    fields: [
      { name: 'recoveryKey', kind: 32, meaning: 'the key whose hash is in force' },
      { name: 'newRecoveryHash', kind: 32, meaning: 'SHA-256 of the next recovery key' },
      { name: 'sig', kind: 64, meaning: 'by the revealed key' },
    ],
  },
  {
    type: 'epoch',
    meaning: 'opens a key epoch of a sealed log',
    fields: [
      { name: 'epoch', kind: 'uint', meaning: 'uint32, grows' },
      { name: 'generation', kind: 'uint', meaning: 'uint32, as before or one more' },
      { name: 'check', kind: 32, meaning: 'commits to the key' },
    ],
  },
  {
    type: 'redact',
    meaning: 'asks everyone to forget the body of an earlier entry',
    fields: [
      { name: 'index', kind: 'uint', meaning: 'the entry' },
      { name: 'reason', kind: 'text', meaning: 'why' },
    ],
  },
];

function rows(type: string, prefix: string, fields: readonly ControlField[]): string[][] {
  return fields.flatMap(({ name, kind, meaning, optional, inner }) => [
    [
      code(type),
      code(`${prefix}${name}`),
      typeof kind === 'number' ? `bytes ${kind}` : kind,
      prose(`${optional === true ? 'optional; ' : ''}${meaning}`),
    ],
    ...rows(type, `${prefix}${name}.`, inner ?? []),
  ]);
}

/** Markdown lines of the table. */
export function controlTable(): readonly string[] {
  return table(
    ['type', 'field', 'dag-cbor', 'what it says'],
    controlTypes.flatMap(({ type, meaning, fields }) => [
      [code(type), code('type'), 'text', `**${prose(meaning)}**`],
      ...rows(type, '', fields),
    ]),
  );
}
