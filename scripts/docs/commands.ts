/** docs/reference/commands.md from the table of commands; no command is loaded or run. */
import { commandWords, type CommandSpec } from '../../src/node/cli/command.ts';
import { commands as specs, plannedCommands } from '../../src/node/cli/commands.ts';
import { classes } from '../../src/codes.ts';
import { code, prose, sentence, table, type Page } from './markdown.ts';

function anchor(spec: CommandSpec): string {
  return `hw-${commandWords(spec).join('-')}`;
}

function commandLines(spec: CommandSpec): readonly string[] {
  const options = (spec.options ?? []).map(([flags, text]) => [code(flags), prose(text)]);
  const planned = spec.planned ?? [];
  const summary = spec.summary.charAt(0).toUpperCase() + spec.summary.slice(1);
  return [
    '',
    `## hw ${commandWords(spec).join(' ')}`,
    '',
    `${prose(sentence(summary))}${spec.streams ? ' stdout carries NDJSON.' : ''}`,
    '',
    '```text',
    `hw ${spec.usage}${options.length > 0 ? ' [options]' : ''}`,
    '```',
    '',
    ...(options.length === 0 ? [] : [...table(['option', ''], options), '']),
    `Example: ${code(spec.example)}`,
    ...(planned.length === 0
      ? []
      : ['', `Planned, refused with ${code('not-supported')}: ${planned.map(code).join(', ')}.`]),
  ];
}

/** What each exit code means, with the classes of faults that end in it. */
function exitRows(): readonly (readonly string[])[] {
  const byExit = new Map<number, string[]>();
  for (const [name, { exit }] of Object.entries(classes)) {
    byExit.set(exit, [...(byExit.get(exit) ?? []), name]);
  }
  const rows = [...byExit].sort(([a], [b]) => a - b);
  return [['0', 'done'], ...rows.map(([exit, names]) => [String(exit), names.join(', ')])];
}

export const commands: Page = {
  name: 'commands',
  title: 'Commands',
  sources: ['src/node/cli/commands.ts', 'src/node/cli/command.ts'],
  make: () =>
    [
      `In a clone ${code('npx hw')}, installed ${code('hw')}. Every command takes ${code('--home <dir>')} (else ${code('$HW_HOME')}, else`,
      `${code('~/.headwater')}), ${code('--json')} (JSON on stdout and nothing else; progress and notes go to stderr) and`,
      `${code('--help')}. STREAM is ${code('name')} (of this organisation), ${code('alias/name')}, ${code('did:key:…/name')} or`,
      `${code('hw:<logId>')}.`,
      '',
      ...table(
        ['command', 'does'],
        specs.map((spec) => [
          `[${code(`hw ${commandWords(spec).join(' ')}`)}](#${anchor(spec)})`,
          prose(spec.summary),
        ]),
      ),
      '',
      '## Exit codes',
      '',
      'A fault ends a command by its class; [errors.md](errors.md) lists the codes of each.',
      '',
      ...table(['exit', 'classes of faults'], exitRows()),
      ...specs.flatMap(commandLines),
      '',
      '## Planned',
      '',
      `Refused with ${code('not-supported')} until they are built: ${plannedCommands
        .map((words) => code(`hw ${words.join(' ')}`))
        .join(', ')}.`,
    ].join('\n'),
};
