/** Every command of hw. The help, the parser and docs/reference/commands.md are made from this table. */
import {
  organisationKeyFlags,
  passphraseFile,
  spec,
  why,
  type CommandSpec,
  type Flags,
} from './command.ts';
import { byGrant, grantCommands } from './grant-commands.ts';
import { keyCommands, recoveryCommands } from './recovery-commands.ts';
import { streamCommands } from './stream-commands.ts';

const positions: Flags = [
  ['--from <position>', 'start, now, an index, an RFC 3339 time or a position token'],
  ['--to <position>', 'where to end (exclusive), as --from'],
  ['--cursor <name>', 'go on where this durable cursor stands, and move it'],
  ['--limit <n>', 'end after this many events'],
  ['--subject <text>', 'only events of this subject'],
  ['--follow', 'follow the stream first, if it is not followed yet'],
];
const plannedReads = ['--filter <cesql>', '--last', '--event-from <time>', '--event-to <time>'];

export const commands: readonly CommandSpec[] = [
  spec(
    'init',
    'make keys, configuration and store; run again, it completes what is missing',
    'hw init --org acme',
    [
      [
        '--org <name>',
        'what others may call this organisation (else the name of the machine user)',
      ],
      ['--no-network', 'found no network: join one later'],
      [
        '--peer-of <did>',
        'ask to be another peer of that organisation; prints the request for hw peer enrol',
      ],
      [
        '--delegation <file>',
        'be that peer: take in what hw peer enrol has answered (- for stdin)',
      ],
      ['--listed', 'found a network of listed members only (hw network accept)'],
      ['--passphrase', 'protect the key files with a passphrase, asked for on the terminal'],
      ['--passphrase-file <file>', 'protect them with the first line of this file (- for stdin)'],
    ],
    async () => (await import('./init.ts')).init,
  ),
  spec(
    'up',
    'run the node until Ctrl-C or SIGTERM',
    'hw up --detach',
    [
      ['--detach', 'go on in the background once the node is ready'],
      ['--accept-clock', 'sign although the clock is far ahead of the last entry'],
      ['--accept-fork-risk', 'sign although no peer has confirmed the heads of a restored home'],
      passphraseFile,
    ],
    async () => (await import('./up.ts')).up,
    { ownSignals: true },
  ),
  spec(
    'down',
    'stop the node of this home',
    'hw down',
    [why],
    async () => (await import('./up.ts')).down,
  ),
  spec(
    'status',
    'state at a glance',
    'hw status',
    [],
    async () => (await import('./status.ts')).status,
  ),
  spec(
    'doctor',
    'check everything; for what is not OK say why, since when and what to do',
    'hw doctor',
    [],
    async () => (await import('./doctor.ts')).doctor,
    { planned: ['--bundle'] },
  ),
  spec(
    'publish <stream> [files...]',
    'publish NDJSON: CloudEvents, or plain data with --type and --source',
    'echo \'{"id":7}\' | hw publish orders --type org.acme.order --source /shop --id-from /id',
    [
      ['--type <type>', 'lines are plain data: the type of their events (template)'],
      ['--source <source>', 'lines are plain data: the source (template)'],
      [
        '--id-from <pointer>',
        'JSON pointer or template of the id; else a hash of the line and its number',
      ],
      ['--time-from <pointer>', 'JSON pointer of the time: RFC 3339, or with :ms or :s a number'],
      ['--subject-from <pointer>', 'JSON pointer or template of the subject'],
      ['--skip-invalid', 'write refused lines to FILE.rejected and go on'],
      [
        '--ack <ack>',
        'wait until so much is reached: local (the default), replicated:N or witnessed',
      ],
    ],
    async () => (await import('./publish.ts')).publish,
  ),
  spec(
    'tail <stream>',
    'print events as they come, one CloudEvent a line',
    'hw tail orders --from start',
    positions,
    async () => (await import('./read.ts')).tail,
    { streams: true, planned: plannedReads },
  ),
  spec(
    'replay <stream>',
    'print the history up to now, one CloudEvent a line',
    'hw replay orders --from start --limit 10',
    [
      ...positions,
      ['--speed <n>', "pace by the events' time: 1 original, 10 ten times as fast"],
      ['--fields <fields>', 'attributes: these alone, each with its proof where --json is given'],
      passphraseFile,
    ],
    async () => (await import('./read.ts')).replay,
    { streams: true, planned: plannedReads },
  ),
  spec(
    'verify <stream-or-file>',
    'check every hash, link and signature of a stream, or a proof or bundle file (- for stdin), with no home at all',
    'hw verify orders',
    [
      ['--offline', 'read the store of a stopped node'],
      ['--repair', 'mend what is damaged first, with blocks from peers (not with --offline)'],
      ['--workers <n>', 'threads that check beside each other (one a core, for a long stream)'],
      ['--follow', 'follow the stream first, if it is not followed yet'],
      ['--trust <did...>', 'one of these owners or writer keys must have made it'],
      ['--witness <key...>', 'vkey or did:key of a witness that must have cosigned it'],
      ['--quorum <n>', 'so many of the witnesses (all)'],
      ['--html <file>', 'of a bundle: write one page with every check and the lineage there'],
      passphraseFile,
    ],
    async () => (await import('./verify.ts')).verify,
  ),
  spec(
    'prove <event-or-range>',
    'print a proof of an event, or of a range hw:<log>/<from>-<to>, which hw verify checks anywhere',
    "hw prove 'orders#2' --out order.tlog-proof",
    [
      [
        '--disclose <part>',
        'of an event: all (the default), attributes, data, key (of a sealed one) or none',
      ],
      ['--index <n>', 'of a range: also show the place of this entry in it'],
      ['--out <file>', 'write it there and not to stdout'],
      passphraseFile,
    ],
    async () => (await import('./prove.ts')).prove,
  ),
  spec(
    'trace <event>',
    'where an event came from, or what was made of it, each step verified',
    'hw trace orders#2 --up',
    [
      ['--up', 'to what it was made from (the default)'],
      ['--down', 'to what was made of it'],
      ['--consumers', 'who cites it, by organisation and stream, in the streams kept here'],
      ['--depth <n>', 'so many steps from the event (all)'],
      ['--limit <n>', 'so many steps in all (20000)'],
      ['--format <format>', 'tree, json, dot, html, prov-json, prov-n, openlineage or intoto'],
      ['--out <file>', 'write it there and not to stdout'],
      passphraseFile,
    ],
    async () => (await import('./trace.ts')).trace,
  ),
  spec(
    'export <stream-or-event>',
    'write a stream for others: a static tree for any web server, or an audit bundle',
    'hw export orders --static ./orders',
    [
      ['--static <dir>', 'write or complete a static tree (C2SP tlog-tiles and blocks) there'],
      ['--bundle <file>', 'write an audit bundle there, which hw verify checks anywhere'],
      ['--from <position>', 'bundle of a stream: start, an index, an RFC 3339 time or a position'],
      ['--to <position>', 'bundle of a stream: where to end (exclusive), as --from'],
      ['--ancestors', 'bundle: with everything that its events were made from'],
      [
        '--disclose <what>',
        'bundle: keys of sealed events: none (the default), of what was asked for (asked), inputs too (all)',
      ],
      passphraseFile,
    ],
    async () => (await import('./export.ts')).exportTo,
  ),
  spec(
    'follow [target]',
    'keep a verified copy of a stream, or of all public streams of an organisation',
    'hw follow acme/orders',
    [['--url <url>', 'read it from a static tree there (http:, https: or file:)'], byGrant, why],
    async () => (await import('./follow.ts')).follow,
  ),
  spec(
    'unfollow [target]',
    'stop keeping a copy',
    'hw unfollow acme/orders',
    [
      ['--url <url>', 'what is read from a static tree there'],
      ['--purge', 'delete what is stored of it'],
      why,
    ],
    async () => (await import('./follow.ts')).unfollow,
  ),
  ...streamCommands,
  ...recoveryCommands,
  ...grantCommands,
  spec(
    'witness list',
    'witnesses of our streams, and what this peer has cosigned as a witness',
    'hw witness list',
    [],
    async () => (await import('./witness.ts')).list,
  ),
  spec(
    'witness key',
    'the key of this home as a witness, for hw stream create --witness; no node is needed',
    'hw witness key',
    [],
    async () => (await import('./witness.ts')).key,
  ),
  spec(
    'peer list',
    'known peers and their state',
    'hw peer list',
    [],
    async () => (await import('./peer.ts')).list,
  ),
  spec(
    'peer show <peer>',
    'one peer',
    'hw peer list --json',
    [],
    async () => (await import('./peer.ts')).show,
  ),
  ...(
    [
      ['ban', 'drop a peer and refuse it from now on'],
      ['unban', 'let a banned peer connect again'],
      ['pause', 'exchange nothing with a peer until resumed'],
      ['resume', 'exchange with a paused peer again'],
    ] as const
  ).map(([verb, summary]) =>
    spec(
      `peer ${verb} <peer>`,
      summary,
      `hw peer ${verb} 12D3KooW… --why "sends garbage"`,
      [why],
      async () => (await import('./peer.ts'))[verb],
    ),
  ),
  spec(
    'peer enrol <request>',
    'let another machine be a peer of this organisation: answers what hw init --peer-of printed there',
    'hw peer enrol depot.request --out depot.answer --write orders',
    [
      ['--write <stream...>', 'streams that it may make and write (none)'],
      ['--write-all', 'it may make and write any stream'],
      ['--for <duration>', 'for how long: 90s, 12h, 30d, 8w (until it is taken back)'],
      [
        '--no-encryption',
        'do not hand over, sealed to it, the key that opens what is sealed to us',
      ],
      ['--out <file>', 'write the answer there for that machine (else to stdout)'],
      ['--key <file>', 'the key of the organisation, where it is kept elsewhere'],
      passphraseFile,
      why,
    ],
    async () => (await import('./enrol.ts')).enrol,
  ),
  spec(
    'peer revoke <peer>',
    'take back that a peer of this organisation writes its logs, and name their last good entries',
    'hw peer revoke 12D3KooW… --why "stolen laptop"',
    [
      ['--good <log=index...>', 'last good entry of a log (else: the newest one that is here)'],
      ['--key <file>', 'the key of the organisation, where it is kept elsewhere'],
      ['--passphrase-file <file>', 'its passphrase (- for stdin); asked for on a terminal'],
      why,
    ],
    async () => (await import('./revoke.ts')).writer,
  ),
  spec(
    'network show',
    'the network that this home belongs to',
    'hw network show',
    [],
    async () => (await import('./network.ts')).show,
  ),
  spec(
    'network accept <did>',
    'list an organisation as a member of a listed network',
    'hw network accept did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
    [...organisationKeyFlags, why],
    async () => (await import('./network.ts')).accept,
  ),
  spec(
    'invite',
    'print the line with which another organisation joins this network',
    'hw invite',
    [['--member <did>', 'also list that organisation as a member'], ...organisationKeyFlags, why],
    async () => (await import('./network.ts')).invite,
  ),
  spec(
    'join <line>',
    'join the network of an invite; on a fresh home this also does hw init',
    'hw join hwnet:… --org beta',
    [
      ['--org <name>', 'what others may call this organisation'],
      ['--leave', 'leave the present network although streams were published in it'],
      ['--passphrase', 'protect new key files with a passphrase, asked for on the terminal'],
      passphraseFile,
    ],
    async () => (await import('./join.ts')).join,
  ),
  spec(
    'backup create <folder>',
    'save everything of this home in a new folder, while its node runs or is stopped',
    'hw backup create /var/backups/acme-monday',
    [['--without-keys', 'leave the secret keys out']],
    async () => (await import('./backup.ts')).create,
  ),
  spec(
    'backup verify <folder>',
    'check a backup: files, rows, the newest block of every log; needs no home',
    'hw backup verify /var/backups/acme-monday',
    [['--full', 'check every event, in a scratch store under $TMPDIR'], passphraseFile],
    async () => (await import('./backup.ts')).verify,
  ),
  spec(
    'backup restore <folder>',
    'make a home of a backup; its streams wait for a peer that keeps them before they sign',
    'hw backup restore /var/backups/acme-monday --home /var/lib/headwater',
    [],
    async () => (await import('./backup.ts')).restore,
  ),
  spec(
    'config check',
    'read config.yaml and say what is wrong with it',
    'hw config check',
    [],
    async () => (await import('./config.ts')).check,
  ),
  spec(
    'config show',
    'every setting in force, and where it comes from',
    'hw config show',
    [['--schema', 'print the JSON Schema of config.yaml for editors']],
    async () => (await import('./config.ts')).show,
  ),
  spec(
    'config set <key> <value>',
    'set one key in config.yaml',
    'hw config set limits.maxLingerMs 10',
    [],
    async () => (await import('./config.ts')).set,
  ),
  ...keyCommands,
];

/** Designed, not built: refused with `not-supported` rather than as unknown. */
export const plannedCommands: readonly (readonly string[])[] = (
  'top search offer sub account market flow bridge ' +
  'service completion stream/close peer/throttle'
)
  .split(' ')
  .map((words) => words.split('/'));
