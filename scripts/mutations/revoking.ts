/** Checks of taking back: how fresh a view is, who ends what, and what is forgotten when. */
import type { Checks } from './table.ts';

const at = (name: string): string => `test/node/access/${name}.test.ts`;

export const revoking: readonly Checks[] = [
  {
    file: 'src/node/access/freshness-book.ts',
    tests: [at('freshness-book'), at('lag')],
    checks: [
      [
        'serving beyond the lag: a view ages by the stated time',
        'Math.max(0, clock.now() - kept.seconds * 1000, clock.monotonic() - kept.heardMs)',
        'Math.max(0, clock.monotonic() - kept.heardMs)',
      ],
      [
        'serving beyond the lag: a view ages by our own clock',
        'Math.max(0, clock.now() - kept.seconds * 1000, clock.monotonic() - kept.heardMs)',
        'Math.max(0, clock.now() - kept.seconds * 1000)',
      ],
      [
        'a registry that waits or is damaged is not fresh',
        "return state !== undefined && state !== 'waiting' && state !== 'damaged';",
        'return state !== undefined;',
      ],
      [
        'a line is not from the future',
        'if (seconds * 1000 > host.clock.now() + protocol.tokenSkewSeconds * 1000)',
      ],
      [
        'this home is no witness of freshness',
        'named.filter(({ publicKey }) => !equal(publicKey, own))',
        'named',
      ],
      ['a line is over our own tree', 'if (!equal(ours.value, root))'],
      ['a line is over what we hold', 'if (size > log.size)'],
      ['an older line is no news', 'if (before !== undefined && before.seconds >= kept.seconds)'],
      [
        'the key is named at the size of the line',
        'if (named.since.log !== logId || size > named.since.index) return undefined;',
        'return undefined;',
      ],
      [
        'the registry that counts now',
        'if (this.#registry(owner) !== logId || (ledger.log(logId)?.size ?? 0) < size)',
      ],
      [
        'only young lines are passed on',
        'return age <= this.#parts.limits.freshnessPassMs ? kept : undefined;',
        'return kept;',
      ],
      [
        'one line in 30 s',
        'if (last !== undefined && nowMs - last.atMs < limits.freshnessEveryMs)',
      ],
      ['no line under another key than the profile says', 'if (named?.key !== name)'],
    ],
  },
  {
    file: 'src/node/access/recording.ts',
    tests: [at('revocation-book')],
    checks: [
      ['what a registry says is signed', 'if (!read.ok) return undefined;', ''],
      [
        'an owner speaks for its own revocations',
        'this.#speaksFor(owner, read.value.revoker) ? expires : undefined',
        'expires',
      ],
      ['one that is not over is taken', 'if (!over) await', 'if (over) await'],
      [
        'what others may still take is kept',
        'nowMs / 1000 > expires + 2 * protocol.tokenSkewSeconds',
        'nowMs / 1000 > expires',
      ],
    ],
  },
  {
    file: 'src/node/access/revocation-book.ts',
    tests: [at('revocation-book')],
    checks: [
      [
        'kept until the registry has it',
        'if (!stands || !isPast(revocation, expires))',
        'if (!isPast(revocation, expires))',
      ],
      ['kept until it is past', 'if (!stands || !isPast(revocation, expires))', 'if (!stands)'],
      ['only ours are recorded', '...(ours && { token: token.slice() })', 'token: token.slice()'],
    ],
  },
  {
    file: 'src/node/access/writer-court.ts',
    tests: [at('writer-court')],
    checks: [
      [
        'the registry of the owner alone',
        '!names.includes(owner) || !issuers.includes(revoker)',
        '!issuers.includes(revoker)',
      ],
      [
        'revoked by an issuer of the proof',
        '!names.includes(owner) || !issuers.includes(revoker)',
        '!names.includes(owner)',
      ],
      [
        'the last good entry stays',
        'good === undefined ? size : good + 1',
        'good === undefined ? size : good',
      ],
      ['the same word is one', 'if (before.some(isSame)) return;', ''],
    ],
  },
  {
    file: 'src/node/access/standings.ts',
    tests: [at('standings')],
    checks: [
      [
        'a standing that was taken back',
        'if (index === undefined) return undefined;',
        'return undefined;',
      ],
      ['only of our own organisation', 'if (isOwn && ', 'if ('],
    ],
  },
  {
    file: 'src/gossip/standing-watch.ts',
    tests: [at('standings')],
    checks: [
      [
        'who is connected is hung up',
        'if (access.revokedStanding?.(session.peer, shown) !== undefined)',
      ],
      [
        'who says hello is refused',
        'return this.#net.access?.revokedStanding?.(session.peer, kept);',
        'return undefined;',
      ],
    ],
  },
  {
    file: 'src/ledger/log-ends.ts',
    tests: ['test/ledger/log-ends.test.ts'],
    checks: [
      [
        'nothing is taken beyond the end',
        'if (block.firstIndex + block.entries.length <= end)',
        'if (true)',
      ],
      ['evidence is bounded', '|| kept.value.length >= limits.maxRevokedBlocks', ''],
      ['the smallest end counts', 'before < size ? before : size', 'size'],
      ['an own log loses nothing', "handle.row.role === 'writer' || ", ''],
    ],
  },
  {
    file: 'src/node/http/admins.ts',
    tests: ['test/node/http/bearers.test.ts', 'test/node/http/bearer-streams.test.ts'],
    checks: [
      [
        'a live stream ends when its delegation is revoked',
        "if (index !== undefined) return fault('ucan-revoked'",
        "if (index === -1) return fault('ucan-revoked'",
      ],
      [
        'a live stream ends when its delegation expires',
        'if (expired < 0) return undefined;',
        'return undefined;',
      ],
    ],
  },
];
