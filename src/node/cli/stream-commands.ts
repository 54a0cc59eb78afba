/** The streams of a node, and what is kept of them. */
import { spec, why, type CommandSpec, type Flags } from './command.ts';

/** What a stream keeps. */
const retention: Flags = [
  ['--keep <what>', 'all: drop nothing (the default)'],
  ['--max-age <duration>', 'drop the content of events recorded longer ago: 90s, 12h, 30d, 8w'],
  ['--max-bytes <size>', 'drop the oldest content beyond this size: 20MB, 10GiB'],
  ['--below <index>', 'drop the content of entries before this index'],
  ['--compact', 'drop content once a later event has the same subject'],
];

export const streamCommands: readonly CommandSpec[] = [
  spec(
    'stream create <name>',
    'create a stream of this organisation',
    'hw stream create orders',
    [
      ['--partitions <n>', 'number of partitions (1)'],
      ['--visibility <kind>', 'public (the default), sealed or direct'],
      ['--sealed', 'the same as --visibility sealed: copied by all, read with keys'],
      ['--epoch <length...>', 'of a sealed stream: new keys after 1h, 1000events, or both'],
      ['--content-type <type>', 'content type of its data, for its readers'],
      ['--description <text>', 'what it is about, for its readers'],
      ...retention,
      ['--witness <key...>', 'vkey or did:key of a witness of the stream (its own policy)'],
      ['--quorum <n>', 'so many of the witnesses must cosign (all)'],
      why,
    ],
    async () => (await import('./stream.ts')).create,
  ),
  spec(
    'stream list',
    'own and followed streams',
    'hw stream list --all',
    [['--all', 'also those that are only known from registries']],
    async () => (await import('./stream.ts')).list,
  ),
  spec(
    'stream show <stream>',
    'one stream and its logs',
    'hw stream show orders',
    [],
    async () => (await import('./stream.ts')).show,
  ),
  spec(
    'stream fork <stream>',
    'the two histories of a forked stream, and the proof of them as a file',
    'hw stream fork acme/orders --out orders.fork',
    [['--out <file>', 'write the fork proof there; hw verify FILE checks it anywhere']],
    async () => (await import('./stream-fork.ts')).fork,
  ),
  spec(
    'stream policy <stream>',
    'what a stream keeps; with flags of retention, change it for good',
    'hw stream policy orders --max-age 30d --why "contract of 2026"',
    [...retention, why],
    async () => (await import('./retention.ts')).policy,
  ),
  spec(
    'stream epochs <stream>',
    'the key epochs of a sealed stream, and which of them can be read here',
    'hw stream epochs orders',
    [],
    async () => (await import('./epochs.ts')).epochs,
  ),
  spec(
    'stream rekey <stream>',
    'open a new generation of keys of a sealed stream, now: keys that are out open nothing that comes',
    'hw stream rekey orders --why "a laptop was stolen"',
    [why],
    async () => (await import('./rekey.ts')).rekey,
  ),
  spec(
    'stream shred <stream>',
    'destroy the keys of one epoch of a sealed stream, here and at all who heed the log, for good',
    'hw stream shred orders --epoch 3 --yes',
    [
      ['--epoch <n>', 'number of the epoch (hw stream epochs)'],
      ['--log <log>', 'which log of the stream, where it has several'],
      ['--yes', 'really: without it nothing is done'],
      why,
    ],
    async () => (await import('./epochs.ts')).shred,
  ),
  spec(
    'redact <event>',
    'take the content of one event out of the log, here and at all who follow, for good',
    "hw redact 'orders#2' --reason 'asked by the customer'",
    [['--reason <text>', 'why; it stays in the log, readable for everybody'], why],
    async () => (await import('./retention.ts')).redact,
  ),
  spec(
    'stream pause <stream>',
    'refuse new events until resumed',
    'hw stream pause orders --why "stocktaking"',
    [why],
    async () => (await import('./stream.ts')).pause,
  ),
  spec(
    'stream resume <stream>',
    'take new events again',
    'hw stream resume orders',
    [why],
    async () => (await import('./stream.ts')).resume,
  ),
];
