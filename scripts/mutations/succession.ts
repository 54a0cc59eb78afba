/** Checks of an organisation that goes by another DID, and of its registry. */
import type { Checks } from './table.ts';

export const succession: readonly Checks[] = [
  {
    file: 'src/identities.ts',
    tests: ['test/identities.test.ts', 'test/access/succession.test.ts'],
    checks: [
      [
        'a lost key is no stolen one',
        "if (found?.terms?.reason !== 'stolen')",
        'if (found === undefined)',
      ],
      ['what the succession names counts', 'if (cid !== undefined && found.terms.kept.has(cid))'],
      [
        'one successor of a DID, and no ring',
        'if (this.#byOld.has(one.from) || this.now(one.to) === one.from)',
        'if (this.now(one.to) === one.from)',
      ],
    ],
  },
  {
    file: 'src/node/core/registries.ts',
    tests: ['test/node/core/registries.test.ts', 'test/node/core/successions.test.ts'],
    checks: [
      ['no second registry, told by others', 'if ((pins.of(root)?.logId ?? logId) !== logId)'],
      ['no second registry, named', 'if (pin?.named === true && pin.logId !== logId)'],
    ],
  },
  {
    file: 'src/node/core/successions.ts',
    tests: ['test/node/core/successions.test.ts'],
    checks: [
      [
        'the first event of the new log, by its owner',
        'if (log === undefined || !opens || ownerOf(log) !== newDid)',
        'if (log === undefined)',
      ],
      [
        'to no DID that has a registry of its own',
        'if (to !== undefined && (this.pins.of(to)?.logId ?? first) !== first)',
      ],
    ],
  },
];
