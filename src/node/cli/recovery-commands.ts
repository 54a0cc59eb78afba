/** The keys of a home, and bringing back what was lost. */
import type { CommandSpec } from './command.ts';

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
      ['--why <text>', 'reason, kept in the journal'],
    ],
    load: async () => (await import('./recover.ts')).recover,
  },
];

const passphraseFile = [
  '--passphrase-file <file>',
  'passphrase of the key files (- for stdin); asked for on a terminal',
] as const;

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
    usage: 'key rotate',
    summary: 'pass every stream of this home on to a new writer key; the node must be down',
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
    usage: 'key export <name>',
    summary: 'print a key file, for safekeeping elsewhere',
    example: 'hw key export recovery > recovery.key',
    load: async () => (await import('./key.ts')).exportKey,
  },
  {
    ...common,
    usage: 'key token',
    summary: 'print the token of the HTTP API',
    example: 'hw key token',
    options: [['--new', 'replace it; the old one stops working when the node restarts']],
    planned: ['--scope <scope>'],
    load: async () => (await import('./key.ts')).token,
  },
];
