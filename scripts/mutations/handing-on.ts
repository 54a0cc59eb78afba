/** Checks of what a holder hands on, and of grants for attributes. */
import type { Checks } from './table.ts';

export const handingOn: readonly Checks[] = [
  {
    file: 'src/access/handing-on.ts',
    tests: ['test/access/handing-on.test.ts'],
    checks: [
      ['the depth is used up', 'if (left < 0)'],
      ['no deeper', 'if (part.handOns > left)'],
      ['no earlier', 'if (part.from !== undefined && part.from < scope.from)'],
      ['no later', 'if (scope.to !== undefined && part.to !== undefined && part.to > scope.to)'],
      [
        'no longer',
        'if (end !== undefined && part.expires !== undefined && part.expires > end * 1000)',
      ],
      [
        'for no other purpose',
        'if (purpose !== undefined && part.purpose !== undefined && part.purpose !== purpose)',
      ],
      ['no data for attributes', "if (scope.fields === 'attributes' && part.fields === 'data')"],
    ],
  },
  {
    file: 'src/access/grant.ts',
    tests: ['test/access/handing-on.test.ts'],
    checks: [
      ['depth counts from here', 'held.length + 1 + handOns', '8'],
      ['narrower range from', "if (from !== undefined) policy.push(atLeast('from', from));", ''],
      ['narrower range to', "if (to !== undefined) policy.push(atMost('to', to));", ''],
      ['its own purpose', "if (purpose !== undefined) policy.push(is('purpose', purpose));", ''],
      [
        'attributes alone',
        "if (fields !== undefined && fields !== 'data') policy.push(is('fields', fields));",
        '',
      ],
      [
        'within one organisation',
        "if (within !== undefined) policy.push(is('hw.invokerOrg', within));",
        '',
      ],
    ],
  },
];
