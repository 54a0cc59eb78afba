/** docs/reference/errors.md from the tables that src/codes.ts joins. */
import { classes, codes } from '../../src/codes.ts';
import { exitCode, httpStatus, type Code } from '../../src/errors.ts';
import { code, declaredMembers, prose, readSource, table, type Page } from './markdown.ts';

const tables = [
  ['src/codes-data.ts', 'dataCodes'],
  ['src/codes-node.ts', 'nodeCodes'],
] as const;
const sources = tables.map(([source]) => source);

function isCode(name: string): name is Code {
  return Object.hasOwn(codes, name);
}

/** Codes by the section of the table in which they stand, in its order. */
function sections(): ReadonlyMap<string, readonly Code[]> {
  const found = new Map<string, Code[]>();
  const members = tables.flatMap(([source, name]) => declaredMembers(readSource(source), name));
  for (const { name, section } of members) {
    if (!isCode(name)) throw new Error(`${name} was read but is no code`);
    const list = found.get(section) ?? [];
    list.push(name);
    found.set(section, list);
  }
  const read = [...found.values()].flat();
  const missed = Object.keys(codes).filter((name) => !read.some((known) => known === name));
  if (missed.length > 0) throw new Error(`codes not read: ${missed.join(', ')}`);
  return found;
}

function sectionLines(title: string, names: readonly Code[]): readonly string[] {
  const rows = names.map((name) => [
    code(name),
    codes[name][0],
    String(exitCode(name)),
    String(httpStatus(name)),
    prose(codes[name][1]),
  ]);
  return [
    '',
    `## ${title.charAt(0).toUpperCase()}${prose(title.slice(1))}`,
    '',
    ...table(['code', 'class', 'exit', 'HTTP', 'what to do'], rows),
  ];
}

export const errors: Page = {
  name: 'errors',
  title: 'Errors',
  sources,
  make: () => {
    const kinds = Object.entries(classes).map(([name, { exit, status }]) => [
      name,
      String(exit),
      String(status),
    ]);
    return [
      'Every failure that a user, a peer or a disk can cause has a code, here and nowhere else. A code',
      'never changes its meaning. On the command line a fault is',
      '`error: <message> [<code>]` with its place and hint on stderr, with `--json`',
      '`{"error":{"code","message","hint","place"}}`; over HTTP it is `application/problem+json` with',
      'the same members. The class of a code decides how a command exits and what HTTP answers.',
      '',
      ...table(['class', 'exit', 'HTTP'], kinds),
      ...[...sections()].flatMap(([title, names]) => sectionLines(title, names)),
    ].join('\n');
  },
};
