/** docs/reference/access.md from src/node/access-table.ts and src/node/http/entry-points.ts. */
import { protocols } from '../../src/gossip/serve.ts';
import { topicEntries, wireEntries } from '../../src/node/access-table.ts';
import { entryPoints, type EntryPoint } from '../../src/node/http/entry-points.ts';
import { code, prose, table, type Page } from './markdown.ts';

const peers = {
  anybody: 'anybody',
  greeted: 'hello accepted',
  kin: 'of our organisation',
} as const;

export const access: Page = {
  name: 'access',
  title: 'Access',
  sources: ['src/node/access-table.ts', 'src/node/http/entry-points.ts'],
  make: () =>
    [
      'Every way into a node and what it takes. Whether a log may be read is one decision',
      '(`src/access/may.ts`); who may not know of a direct log gets the answer of a log that does not',
      'exist.',
      '',
      '## Between peers',
      '',
      ...table(
        ['protocol', 'peer', 'public and sealed logs', 'direct logs', 'decided in'],
        Object.entries(wireEntries).map(([name, entry]) => [
          code(protocolOf(name)),
          peers[entry.peer],
          prose(entry.open),
          prose(entry.direct),
          code(entry.decided),
        ]),
      ),
      '',
      '## By gossip',
      '',
      ...table(
        ['topic', 'what is taken'],
        Object.entries(topicEntries).map(([topic, what]) => [code(topic), prose(what)]),
      ),
      '',
      '## Over HTTP',
      '',
      'The token of the home opens everything. A UCAN bearer needs the command or one above it.',
      '',
      ...table(
        ['route', 'command of a bearer', 'without a token'],
        Object.entries(entryPoints).map(([route, entry]) => [
          code(route),
          code(entry.command) + unless(entry),
          open(entry),
        ]),
      ),
    ].join('\n'),
};

function protocolOf(name: string): string {
  return Object.entries(protocols).find(([key]) => key === name)?.[1] ?? name;
}

function unless({ unless: more }: EntryPoint): string {
  return more === undefined ? '' : `; with ${code(more.flag)} ${code(more.command)}`;
}

function open({ local, public: everywhere, ticket }: EntryPoint): string {
  const parts = [
    local === 'always' ? 'from this machine' : undefined,
    local === 'public-log' ? 'from this machine, public streams' : undefined,
    everywhere === true ? 'on `http.public`' : undefined,
    ticket === true ? 'with a ticket' : undefined,
  ];
  return parts.filter((part) => part !== undefined).join('; ');
}
