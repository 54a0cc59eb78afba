/** docs/reference/keyspace.md from src/keyspace.ts. */
import { keyspace as tables, schemaVersion, type Table } from '../../src/keyspace.ts';
import { code, prose, table, type Page } from './markdown.ts';

function row([name, entry]: readonly [string, Table]): readonly string[] {
  const { prefix, key, value, room, packed, state } = entry;
  const remarks = [state, packed === true ? 'compressed' : undefined];
  return [
    code(`0x${prefix.toString(16).padStart(2, '0')}`),
    code(name),
    prose(key),
    prose(value),
    room,
    remarks.filter((remark) => remark !== undefined).join(', '),
  ];
}

export const keyspace: Page = {
  name: 'keyspace',
  title: 'Keyspace',
  sources: ['src/keyspace.ts'],
  make: () =>
    [
      `The tables of a node's store (LevelDB, under ${code('store/')} in the home), schema ${schemaVersion}. A key is`,
      'the prefix byte and then what the table says, big-endian and of fixed width, so that the order of',
      'keys is the order of what they count. A value and its index entries are written in one batch. A',
      'prefix is never given to another table. `planned`: the prefix is taken, nothing is written yet.',
      '',
      ...table(
        ['prefix', 'table', 'key after the prefix', 'value', 'room', ''],
        Object.entries<Table>(tables)
          .sort(([, a], [, b]) => a.prefix - b.prefix)
          .map(row),
      ),
    ].join('\n'),
};
