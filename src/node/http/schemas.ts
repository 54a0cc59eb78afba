/** Parameters and bodies of the API; OpenAPI is written from these. */
import { traceFormats } from '../../lineage/render.ts';
import { Type, type TInteger, type TObject, type TOptional } from 'typebox';
import type { KeySource } from '../organisation-key.ts';
import { bundleDisclosures } from '../core/bundle.ts';
import { disclosures } from '../core/prove.ts';

const strict = { additionalProperties: false };
const text = (description: string): TOptional =>
  Type.Optional(Type.String({ description, maxLength: 4096 }));
const flag = (description: string): TOptional => Type.Optional(Type.Boolean({ description }));

export const streamParams: TObject = Type.Object({
  org: Type.String({ description: 'DID, alias or registry name of the organisation' }),
  name: Type.String({ description: 'name of the stream' }),
});

export const eventParams: TObject = Type.Object({
  org: Type.String(),
  name: Type.String(),
  index: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'index in the log',
  }),
});

export const logParams: TObject = Type.Object({ logId: Type.String() });
export const logEventParams: TObject = Type.Object({
  logId: Type.String(),
  index: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
});

export const readQuery: TObject = Type.Object(
  {
    from: text('start, now, an index (streams of one log), an RFC 3339 time or a position token'),
    to: text('where to end, exclusive; the same forms'),
    cursor: text('name of a durable cursor; it moves as events are delivered'),
    limit: Type.Optional(
      Type.Integer({ minimum: 0, description: 'deliver at most so many events' }),
    ),
    subject: text('only events of this subject'),
    last: flag('only the newest event of the subject'),
    follow: flag('go on with live events'),
    speed: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'pace by event time: 1 original, N times as fast',
      }),
    ),
    eventFrom: text('only events whose own time is at or after this'),
    eventTo: text('only events whose own time is before this'),
    envelope: flag('NDJSON lines {"log","index","recordedTime","event"}'),
    ticket: text('from POST /tickets, in place of a header; for WebSocket and SSE, once'),
  },
  strict,
);

export const verifyQuery: TObject = Type.Object(
  {
    repair: flag('mend what is damaged first, with blocks from peers'),
    workers: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 16,
        description: 'threads that check beside each other',
      }),
    ),
    trust: text('owners or writer keys (did:key), with commas: one of them must be its own'),
    witness: text('vkeys or did:keys of witnesses that must have cosigned, with commas'),
    quorum: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1024, description: 'so many of them; all' }),
    ),
  },
  strict,
);

export const traceQuery: TObject = Type.Object(
  {
    event: Type.String({ maxLength: 4096, description: 'hw:<logId>/<index>, or STREAM#<index>' }),
    direction: Type.Optional(
      Type.Union([Type.Literal('up'), Type.Literal('down')], {
        description: 'up to what it was made from (the default), down to what was made of it',
      }),
    ),
    depth: Type.Optional(Type.Integer({ minimum: 0, description: 'so many steps from the event' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, description: 'so many steps in all' })),
    format: Type.Optional(
      Type.Union(
        traceFormats.map((format) => Type.Literal(format)),
        { description: 'how the text is written; json where it is left out' },
      ),
    ),
    consumers: flag('where it went, by organisation and stream; tree or json'),
  },
  strict,
);
export const marquezQuery: TObject = Type.Object(
  {
    nodeId: Type.String({ maxLength: 4096, description: 'dataset:<organisation>:<stream>' }),
    depth: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, description: 'steps; 20' })),
  },
  { additionalProperties: true },
);

const size = (description: string): TInteger =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });
export const proofQuery: TObject = Type.Object(
  {
    disclose: Type.Optional(
      Type.Union(
        disclosures.map((part) => Type.Literal(part)),
        { description: 'what the proof shows of the event; all where it is left out' },
      ),
    ),
  },
  strict,
);
export const consistencyQuery: TObject = Type.Object(
  {
    from: size('the smaller size'),
    to: Type.Optional(size('the larger size; that of the newest checkpoint')),
  },
  strict,
);

const index = (description: string): TInteger =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

export const rangeQuery: TObject = Type.Object(
  {
    from: index('first entry of the range'),
    to: index('behind its last entry'),
    size: Type.Optional(size('in the tree of this size; that of the newest checkpoint')),
    index: Type.Optional(index('also prove the place of this entry in the range')),
  },
  strict,
);

export const rangeFileQuery: TObject = Type.Object(
  {
    from: index('first entry of the range'),
    to: index('behind its last entry'),
    index: Type.Optional(index('also prove the place of this entry in the range')),
  },
  strict,
);

export const bundleQuery: TObject = Type.Object(
  {
    of: Type.String({
      maxLength: 4096,
      description: 'STREAM, STREAM#<index>, hw:<logId>/<index> or hw:<logId>/<from>-<to>',
    }),
    from: text('where a stream begins: start, an index, an RFC 3339 time or a position token'),
    to: text('where it ends, exclusive; the same forms'),
    ancestors: flag('with everything that the events were made from, as far as it is kept here'),
    disclose: Type.Optional(
      Type.Union(
        bundleDisclosures.map((what) => Type.Literal(what)),
        {
          description: 'keys of sealed events that are held here: of what was asked for, or of all',
        },
      ),
    ),
  },
  strict,
);

export const ingestQuery: TObject = Type.Object(
  {
    ack: Type.Optional(
      Type.String({
        maxLength: 32,
        description:
          'when to answer: local (after the fsync), replicated:N (N other organisations hold it), witnessed (a quorum of the witnesses of the stream cosigned it)',
      }),
    ),
    partial: flag('judge each event on its own instead of the batch as a whole'),
  },
  strict,
);

export const listQuery: TObject = Type.Object(
  { all: flag('also streams that are only known from registries') },
  strict,
);

const most = Number.MAX_SAFE_INTEGER;
const retention: TOptional = Type.Optional(
  Type.Object(
    {
      keep: Type.Optional(Type.Literal('all', { description: 'alone: everything' })),
      maxAgeMs: Type.Optional(Type.Integer({ minimum: 1, maximum: most })),
      maxBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: most })),
      below: Type.Optional(Type.Integer({ minimum: 0, maximum: most })),
      compact: flag('only the newest event of each subject'),
    },
    { ...strict, description: 'what is kept of the content: all, or any of the others together' },
  ),
);

export const newStreamBody: TObject = Type.Object(
  {
    name: Type.String({ maxLength: 64 }),
    partitions: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
    visibility: Type.Optional(
      Type.Union([Type.Literal('public'), Type.Literal('sealed'), Type.Literal('direct')]),
    ),
    epochs: Type.Optional(
      Type.Object(
        {
          everyMs: Type.Optional(Type.Integer({ minimum: 1, maximum: most })),
          everyEvents: Type.Optional(Type.Integer({ minimum: 1, maximum: most })),
        },
        { ...strict, description: 'of a sealed stream: when its key epochs end (1 h)' },
      ),
    ),
    contentType: text('what the events carry'),
    description: text('one or two sentences for the catalogue'),
    retention,
    witnesses: Type.Optional(
      Type.Object(
        {
          keys: Type.Array(Type.String({ maxLength: 512 }), {
            minItems: 1,
            maxItems: 64,
            description: 'vkeys or did:keys of its witnesses',
          }),
          quorum: Type.Integer({ minimum: 1, maximum: 64, description: 'so many must cosign' }),
        },
        strict,
      ),
    ),
    why: text('for the journal'),
  },
  strict,
);

export const streamPatch: TObject = Type.Object(
  { paused: flag('refuse new events'), retention, why: text('for the journal') },
  strict,
);
export const followBody: TObject = Type.Object(
  {
    target: Type.Optional(
      Type.String({ maxLength: 256, description: 'STREAM, DID or hw:<logId>; needed without url' }),
    ),
    url: Type.Optional(
      Type.String({ maxLength: 2048, description: 'http:, https: or file: URL of a static tree' }),
    ),
    purge: flag('also remove what is stored (DELETE only)'),
    why: text('for the journal'),
  },
  strict,
);
export const peerPatch: TObject = Type.Object(
  {
    state: Type.Union([Type.Literal('ok'), Type.Literal('paused'), Type.Literal('banned')]),
    why: text('for the journal'),
  },
  strict,
);
/** The organisation's key, where it is kept elsewhere. */
export const keySource: Readonly<Record<keyof KeySource, TOptional>> = {
  keyFile: text('key file of the organisation on the machine of the node'),
  passphrase: text('of that file'),
};
export const inviteBody: TObject = Type.Object(
  {
    member: text('DID that is listed as a member too'),
    ...keySource,
    why: text('for the journal'),
  },
  strict,
);
export const memberBody: TObject = Type.Object(
  { member: Type.String({ maxLength: 256 }), ...keySource, why: text('for the journal') },
  strict,
);
export const whyBody: TObject = Type.Object({ why: text('for the journal') }, strict);
export const cursorBody: TObject = Type.Object(
  {
    position: Type.String({
      maxLength: 65536,
      description: 'position token of the last taken event',
    }),
  },
  strict,
);
export const checkpointQuery: TObject = Type.Object(
  { cosigned: flag('the newest that witnesses have cosigned, not that of the head') },
  strict,
);
