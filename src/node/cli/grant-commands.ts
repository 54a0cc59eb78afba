/** Who may read direct and sealed streams. */
import { organisationKeyFlags, type CommandSpec } from './command.ts';

const common = { streams: false, ownSignals: false } as const;
const why = ['--why <text>', 'reason, kept in the journal'] as const;
const range = [
  ['--from <time>', 'nothing recorded before this (RFC 3339, or now)'],
  ['--until <time>', 'nothing recorded then or later'],
  ['--for <duration>', 'expires after this: 90s, 12h, 30d, 8w (it does not expire)'],
] as const;
const depth = [
  '--depth <n>',
  'how often it may be handed on; 1 lets an organisation hand it to its own peers (1)',
] as const;

export const byGrant: readonly [string, string] = [
  '--grant <file>',
  'a grant for it, where it is direct (- for stdin); kept for good',
];

export const grantCommands: readonly CommandSpec[] = [
  {
    ...common,
    usage: 'grant create <stream>',
    summary:
      'let somebody read a direct or sealed stream of ours, or a part of what we may read of others',
    example: 'hw grant create orders --to beta --for 30d --out beta.grant',
    options: [
      ['--to <organisation>', 'DID, alias or registry name of who may read it'],
      ...range,
      depth,
      ['--purpose <text>', 'for what it is given; its holder must say so with every request'],
      ['--fields <fields>', 'attributes (alone, as proofs) or data (both, the default)'],
      ['--out <file>', 'write the grant there for its holder'],
      why,
    ],
    load: async () => (await import('./grant.ts')).create,
  },
  {
    ...common,
    usage: 'grant list',
    summary: 'grants given and got, what others made of them, and requests for them',
    example: 'hw grant list --stream orders --state active',
    options: [
      ['--stream <stream>', 'of this stream alone'],
      ['--state <state>', 'active, waiting, expired, revoked; of requests pending, accepted …'],
      ['--side <side>', 'given, got, or through: handed on by who got it from us'],
      ['--limit <n>', 'so many at a time (1000)'],
      ['--after <id>', 'the next ones after this'],
      ['--usage', 'what was read by them, and who reads without a grant'],
    ],
    load: async () => (await import('./grant.ts')).list,
  },
  {
    ...common,
    usage: 'grant show <id>',
    summary: 'one grant, and its text for the holder (the end of an id will do)',
    example: 'hw grant show kq3ybd5a',
    options: [['--out <file>', 'write the grant there for its holder']],
    load: async () => (await import('./grant.ts')).show,
  },
  {
    ...common,
    usage: 'grant verify <file>',
    summary: 'check the signatures, times and policies of a grant (- for stdin); no node is needed',
    example: 'hw grant verify beta.grant',
    load: async () => (await import('./grant-verify.ts')).verify,
  },
  {
    ...common,
    usage: 'grant import <file>',
    summary: 'keep a grant that was made out to us (- for stdin); then hw follow reads the stream',
    example: 'hw grant import beta.grant',
    options: [...organisationKeyFlags, why],
    load: async () => (await import('./grant.ts')).take,
  },
  {
    ...common,
    usage: 'grant revoke <id>',
    summary: 'take a grant back, for good: it ends at once at every peer of ours',
    example: 'hw grant revoke kq3ybd5a --why "the contract ended"',
    options: [why],
    load: async () => (await import('./grant.ts')).revoke,
  },
  {
    ...common,
    usage: 'grant hand-on <id>',
    summary: 'hand a grant that we hold to another peer of our organisation',
    example: 'hw grant hand-on kq3ybd5a --peer 12D3KooWEZK…',
    options: [
      ['--peer <peer>', 'peer id or did:key; a sister peer fetches the grant by itself'],
      ['--out <file>', 'write the grant there for that peer'],
      why,
    ],
    load: async () => (await import('./grant-holder.ts')).handOn,
  },
  {
    ...common,
    usage: 'grant renew <id>',
    summary:
      'ask the owner for a new grant in the place of one that ends; a node asks by itself too',
    example: 'hw grant renew kq3ybd5a --for 30d',
    options: [range[2], ['--purpose <text>', 'for what; the owner reads it'], why],
    load: async () => (await import('./grant-holder.ts')).renew,
  },
  {
    ...common,
    usage: 'grant request <stream>',
    summary: 'ask the owner of a direct or sealed stream for a grant',
    example: 'hw grant request acme/orders --purpose "billing" --for 30d',
    options: [['--purpose <text>', 'for what; the owner reads it'], range[2], why],
    load: async () => (await import('./grant.ts')).request,
  },
  {
    ...common,
    usage: 'grant accept <id>',
    summary: 'accept a request: a grant as asked for, or narrower',
    example: 'hw grant accept 7f3a01c2',
    options: [...range, depth, why],
    load: async () => (await import('./grant.ts')).accept,
  },
  {
    ...common,
    usage: 'grant reject <id>',
    summary: 'reject a request',
    example: 'hw grant reject 7f3a01c2 --reason "ask again next year"',
    options: [['--reason <text>', 'the asker reads it'], why],
    load: async () => (await import('./grant.ts')).reject,
  },
  {
    ...common,
    usage: 'grant withdraw <id>',
    summary: 'take back a request of ours that is not answered yet',
    example: 'hw grant withdraw 7f3a01c2',
    options: [why],
    load: async () => (await import('./grant.ts')).withdraw,
  },
];
