/** Checks on the way of epoch keys from a producer to its readers, and when they are taken back. */
import type { Checks } from './table.ts';

const tests = ['test/node/sealed/keys.test.ts'];

export const keys: readonly Checks[] = [
  {
    file: 'src/access/key-delivery.ts',
    tests: ['test/access/key-delivery.test.ts'],
    checks: [
      [
        'by the peer that sent it',
        'if (!crypto.verify(producer, signedBytes(place, delivery), delivery.signature))',
      ],
      ['it opens', 'if (!opened.ok)'],
      ['the log is bound', 'aad: concat(log, cidBytes(grant))', 'aad: cidBytes(grant)'],
      ['the grant is bound', 'aad: concat(log, cidBytes(grant))', 'aad: log'],
      ['within its epochs, in order', 'if (first < next || end > to)'],
      ['a node of the tree, with a key', 'level > 32 || key.length !== 32', 'false'],
      ['a list of nodes', 'if (reader.list() !== 3)'],
      ['not too many', 'if (length > protocol.maxKeyNodes)'],
      ['nothing behind them', 'reader.end();', ''],
    ],
  },
  {
    file: 'src/node/sealed/key-plan.ts',
    tests: ['test/node/sealed/key-plan.test.ts'],
    checks: [
      ['the range has begun', 'if (!reach.begun)'],
      ['not before the range', 'if (next !== undefined && next.index <= reach.fromIndex)'],
      ['not after the range', 'if (index >= reach.toIndex && (next !== undefined || reach.ended))'],
      [
        'no lease where the range has ended',
        'if (reachesOpen && !reach.ended)',
        'if (reachesOpen)',
      ],
      [
        'no lease beyond the end',
        'Math.ceil((endMs - open.time) / epochMs) - 1',
        'Number.MAX_SAFE_INTEGER',
      ],
      ['none where the next may come at any time', 'if (epochMs === undefined)'],
    ],
  },
  {
    file: 'src/node/sealed/key-giving.ts',
    tests,
    checks: [
      ['the decision', "if (decision.kind === 'deny')"],
      [
        'the reason only to who may know',
        'decision.told ? decision.reason : unknownLog',
        'decision.reason',
      ],
      ['asked again before it leaves', 'if (over !== undefined)'],
      ['to a key of the organisation', 'if (recipient === undefined)'],
      ['a lease is written down', 'to <= open.epoch + 1', 'true'],
    ],
  },
  {
    file: 'src/node/sealed/key-check.ts',
    tests,
    checks: [
      [
        'a key is the one announced',
        'if (!key.ok || !checkEpochKey(nodeCrypto, hash, epoch, key.value, check).ok)',
      ],
    ],
  },
  {
    file: 'src/node/sealed/key-asking.ts',
    tests,
    checks: [
      ['what it opened is right', 'if (epoch !== undefined)'],
      [
        'keys that were ahead are right',
        'if (!got.covers(log, opening) || !this.#lacks(log, opening)) continue;',
        'continue;',
      ],
      ['rests after a refusal', 'nowMs < standing.restUntilMs', 'false'],
    ],
  },
  {
    file: 'src/node/sealed/generations.ts',
    tests,
    checks: [
      [
        'a grant that ended is due',
        'leases.of(logId).due || leases.overrun(logId, open.epoch, now)',
        'leases.of(logId).due',
      ],
      ['one for each epoch', 'if (!isFree(opened.value, policy.value, now))'],
      ['at the end of the epoch', ' && now >= end', ''],
    ],
  },
  {
    file: 'src/node/sealed/handed-out.ts',
    tests: ['test/node/sealed/handed-out.test.ts'],
    checks: [
      ['the revoker has a say', "gate().ended(permit)?.code === 'ucan-revoked'", 'true'],
      ['grants that were given', 'gate().mentions(kept, ucan) && gate().isRevoked(kept)', 'false'],
    ],
  },
];
