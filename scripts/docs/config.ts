/** docs/reference/config.md from the keys of src/node/config-schema.ts. */
import { stringify } from 'yaml';
import { keys, type KeySpec } from '../../src/node/config-schema.ts';
import { variableName } from '../../src/node/config.ts';
import { code, prose, table, type Page } from './markdown.ts';
import { schemaText } from './schema-text.ts';

const built: readonly (readonly [string, KeySpec])[] = Object.entries(keys).filter(
  ([, spec]) => spec.planned !== true,
);
const planned: readonly (readonly [string, KeySpec])[] = Object.entries(keys).filter(
  ([, spec]) => spec.planned === true,
);
const required = new Set(['organisation', 'http.listen', 'p2p.listen']);

/** A whole file with the examples of all keys that work. */
function exampleFile(): string {
  const file: Record<string, unknown> = {};
  for (const [path, { example }] of built) {
    const [first = '', second] = path.split('.');
    if (second === undefined) file[first] = example;
    else file[first] = { ...sectionOf(file[first]), [second]: example };
  }
  return stringify(file).trimEnd();
}

function sectionOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

export const config: Page = {
  name: 'config',
  title: 'Configuration',
  sources: ['src/node/config-schema.ts', 'src/node/config.ts'],
  make: () =>
    [
      `${code('config.yaml')} in the home. ${code('hw init')} writes it with free ports, ${code('hw config check')} reads it and`,
      `says what is wrong with file, line and column, ${code('hw config show')} prints what is in force and where it`,
      `comes from, ${code('hw config set KEY VALUE')} changes one key and keeps comments. An unknown key is refused`,
      `(exit 78). ${code('hw config show --schema')} prints a JSON Schema for editors. A variable of the environment`,
      'wins over the file; lists are written there with commas. A change counts from the next start on.',
      '',
      ...table(
        ['key', 'type', 'what it is', 'environment'],
        built.map(([path, spec]) => [
          code(path) + (required.has(path) ? ' (required)' : ''),
          schemaText(spec.schema),
          prose(spec.description),
          code(variableName(path)),
        ]),
      ),
      '',
      `Also ${code('limits.<name>')} for every limit of the node in [limits.md](limits.md).`,
      '',
      '## Example',
      '',
      '```yaml',
      exampleFile(),
      '```',
      '',
      '## Planned',
      '',
      `Known and refused with ${code('not-supported')} until they are built:`,
      '',
      ...planned.map(([path, spec]) => `- ${code(path)}: ${prose(spec.description)}`),
    ].join('\n'),
};
