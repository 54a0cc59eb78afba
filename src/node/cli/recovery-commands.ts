/** The keys of a home, and bringing back what was lost. */
import { passphraseFile, why, type CommandSpec } from './command.ts';

const common = { streams: false, ownSignals: false } as const;

export const recoveryCommands: readonly CommandSpec[] = [
  {
    ...common,
    usage: 'stream recover <stream>',
    summary: 'go on in a successor log, after a stolen or lost key, a fork, or a wrong clock',
    example: 'hw stream recover orders --reason key --at 4711',
    options: [
      [
        '--reason <why>',
        'key (lost or stolen), fork (two histories), clock (a time in the future)',
      ],
      ['--at <index>', 'first entry that is not to count; its block goes too (else: the head)'],
      ['--partition <n>', 'only this partition'],
      ['--key <file>', 'the recovery key, where it is kept outside the home'],
      ['--passphrase-file <file>', 'its passphrase (- for stdin); asked for on a terminal'],
      why,
    ],
    load: async () => (await import('./recover.ts')).recover,
  },
];

export const keyCommands: readonly CommandSpec[] = [
  {
    ...common,
    usage: 'key list',
    summary: 'the keys of this home, without their secrets',
    example: 'hw key list',
    load: async () => (await import('./key.ts')).list,
  },
  {
    ...common,
    usage: 'key rotate [key]',
    summary: 'a new writer key for every stream of this home, or (encryption) a new encryption key',
    example: 'hw key rotate',
    options: [
      ['--lost', 'the old key is gone: make a new one; each stream is then recovered'],
      passphraseFile,
    ],
    load: async () => (await import('./key.ts')).rotate,
  },
  {
    ...common,
    usage: 'key recover',
    summary: 'replace the recovery key, in every stream of this home; the node must be down',
    example: 'hw key recover',
    options: [['--key <file>', 'the present one, where it is kept elsewhere'], passphraseFile],
    load: async () => (await import('./key.ts')).recover,
  },
  {
    ...common,
    usage: 'key succeed',
    summary:
      'give this organisation a new DID, by the recovery key: its own key is lost or stolen; the node must be down',
    example: 'hw key succeed --stolen --key /media/stick/recovery.key',
    options: [
      ['--stolen', 'somebody may have the old key: nothing that it signs counts any more'],
      ['--since <time>', 'of --stolen: since when, RFC 3339; for people who read it'],
      [
        '--keep <file...>',
        'of --stolen: a delegation of another peer of ours that goes on counting',
      ],
      ['--key <file>', 'the recovery key, where it is kept elsewhere'],
      passphraseFile,
      why,
    ],
    load: async () => (await import('./key.ts')).succeed,
  },
  {
    ...common,
    usage: 'key revoke <file>',
    summary: 'take back a delegation, such as one of hw key token --admin (- for stdin)',
    example: 'hw key revoke ada.ucan --why "left the team"',
    options: [
      ['--key <file>', 'the key that signed it, where it is kept elsewhere'],
      ['--passphrase-file <file>', 'its passphrase (- for stdin); asked for on a terminal'],
      why,
    ],
    load: async () => (await import('./revoke.ts')).delegation,
  },
  {
    ...common,
    usage: 'key export <name>',
    summary: 'print a key file, for safekeeping elsewhere',
    example: 'hw key export recovery > recovery.key',
    load: async () => (await import('./key.ts')).exportKey,
  },
  {
    ...common,
    usage: 'key token',
    summary: 'print the token of the HTTP API, or make one that opens less of it',
    example: 'hw key token',
    options: [
      ['--new', 'replace it; the old one stops working when the node restarts'],
      ['--scope <scope>', 'metrics: a token for /metrics alone; of --admin: for what'],
      ['--admin <did>', 'delegate the API of this node to another DID (all of it, or --scope)'],
      ['--for <duration>', 'how long the delegation is good (30d)'],
      ['--key <file>', 'of --admin: the key of the organisation, where it is kept elsewhere'],
      ['--request <method-and-path>', 'a bearer for one request to a remote node, for a minute'],
      ['--delegation <file>', 'of --request: what --admin printed there (- for stdin)'],
      ['--node <did>', 'of --request: the peer that is asked (else as the delegation says)'],
      passphraseFile,
    ],
    load: async () => (await import('./key.ts')).token,
  },
];
