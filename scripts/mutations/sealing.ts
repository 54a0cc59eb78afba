/** Checks of sealed streams where they are written, and where their owner reads them. */
import type { Checks } from './table.ts';

const writer = ['test/ledger/sealed-writer.test.ts', 'test/ledger/sealed-upkeep.test.ts'];

export const sealing: readonly Checks[] = [
  {
    file: 'src/node/sealed/own-keys.ts',
    tests: ['test/node/sealed/own-keys.test.ts'],
    checks: [
      ['a generation has one root', 'if (!begins)'],
      ['a damaged file is set aside', 'if (this.#damaged.has(log))'],
    ],
  },
  {
    file: 'src/node/sealed/tree-keys.ts',
    tests: ['test/node/sealed/own-keys.test.ts'],
    checks: [
      ['a key is of its generation', 'if (one.generation !== generation)'],
      [
        'a key fits the check value',
        'if (fits) return key.value;',
        'if (key.ok) return key.value;',
      ],
    ],
  },
  {
    file: 'src/ledger/writer-epochs.ts',
    tests: writer,
    checks: [
      ['a wanted epoch opens', 'if (this.#wanted !== undefined)'],
      [
        'an epoch ends by its events',
        'everyEvents !== undefined && events >= everyEvents',
        'false',
      ],
      [
        'nothing is sealed without its key',
        'if (open?.key !== undefined && !this.#isDue(open))',
        'if (open !== undefined && !this.#isDue(open))',
      ],
    ],
  },
];
