/**
 * The command line as commander reads it, built from the table in `commands.ts`. Commander never
 * prints and never exits here: what it would say comes back as text or as a fault of ours.
 */
import { Command, CommanderError, Option } from 'commander';
import { fault, type Fault } from '../../errors.ts';
import { commandWords, type CommandSpec } from './command.ts';
import { commands, plannedCommands } from './commands.ts';
import { Options } from './options.ts';
import { packageVersion } from './version.ts';

export type Parsed =
  | { readonly kind: 'text'; readonly text: string; readonly exitCode: number }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | {
      readonly kind: 'command';
      readonly spec: CommandSpec;
      readonly args: readonly string[];
      readonly options: Options;
    };

const groups: Readonly<Record<string, string>> = {
  stream: 'create, list, pause and resume streams',
  peer: 'other peers: who they are, and who may connect',
  network: 'the network that this home belongs to',
  config: 'check, show and set what is in config.yaml',
  key: 'the keys of this home',
};
const groupExamples: Readonly<Record<string, string>> = {
  stream: 'hw stream list --all',
  peer: 'hw peer list',
  network: 'hw network show',
  config: 'hw config check',
  key: 'hw key list',
};

/** Reads arguments without the program's name. */
export async function parseArguments(args: readonly string[]): Promise<Parsed> {
  const planned = plannedCommands.find((words) => words.every((word, i) => args[i] === word));
  if (planned !== undefined) return notSupported(`hw ${planned.join(' ')}`);
  let found: Parsed | undefined;
  let text = '';
  const collect = (part: string): void => {
    text += part;
  };
  const program = buildProgram((parsed) => (found = parsed));
  for (const command of everyCommand(program)) {
    command.exitOverride().configureOutput({ writeOut: collect, writeErr: collect });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    return fromCommander(cause, text, args);
  }
  return found ?? { kind: 'text', text: program.helpInformation(), exitCode: 2 };
}

function buildProgram(found: (parsed: Parsed) => void): Command {
  const program = new Command('hw')
    .description('Headwater: signed, hash-linked streams of events between organisations.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError(true)
    .addHelpText('after', example('hw init --org acme && hw up --detach && hw status'));
  addGlobals(program);
  for (const spec of commands) addCommand(program, spec, found);
  return program;
}

function addGlobals(command: Command): Command {
  return command
    .addOption(new Option('--home <dir>', 'home directory ($HW_HOME, else ~/.headwater)'))
    .addOption(new Option('--json', 'print JSON on stdout and nothing else'));
}

function addCommand(program: Command, spec: CommandSpec, found: (parsed: Parsed) => void): void {
  const words = commandWords(spec);
  const parent = words.length > 1 ? group(program, words[0] ?? '') : program;
  const usage = spec.usage
    .split(' ')
    .slice(words.length - 1)
    .join(' ');
  const command = addGlobals(parent.command(usage).description(spec.summary));
  for (const [flags, description] of spec.options ?? []) addOption(command, flags, description);
  for (const flags of spec.planned ?? []) command.addOption(new Option(flags).hideHelp());
  command
    .allowExcessArguments(false)
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', example(spec.example))
    .action(() => {
      const values = command.optsWithGlobals<Record<string, unknown>>();
      const refused = (spec.planned ?? []).find(
        (flags) => new Option(flags).attributeName() in values,
      );
      if (refused !== undefined) found(notSupported(`hw ${words.join(' ')} ${refused}`));
      else found({ kind: 'command', spec, args: command.args, options: new Options(values) });
    });
}

/** `--flag <value...>` may be repeated; unlike commander's own it takes one value each time. */
function addOption(command: Command, flags: string, description: string): void {
  if (!flags.endsWith('...>')) {
    command.option(flags, description);
    return;
  }
  const option = new Option(`${flags.slice(0, -'...>'.length)}>`, `${description}; repeatable`);
  command.addOption(option.argParser(collect));
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function group(program: Command, name: string): Command {
  const existing = program.commands.find((command) => command.name() === name);
  if (existing !== undefined) return existing;
  const made = addGlobals(program.command(name).description(groups[name] ?? ''));
  return made.addHelpText('after', example(groupExamples[name] ?? `hw ${name} --help`));
}

function example(line: string): string {
  return `\nExample:\n  ${line}`;
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

function fromCommander(cause: CommanderError, text: string, args: readonly string[]): Parsed {
  if (cause.exitCode === 0) return { kind: 'text', text, exitCode: 0 };
  if (cause.code === 'commander.help') return { kind: 'text', text, exitCode: 2 };
  const [first = '', ...rest] = cause.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replaceAll(/[()]/g, '').trim();
  const words = args.filter((word) => /^[a-z][a-z-]*$/.test(word)).slice(0, 2);
  const known = commands.find((spec) => commandWords(spec).every((word, i) => words[i] === word));
  const command = known === undefined ? 'hw' : `hw ${commandWords(known).join(' ')}`;
  const hint = suggestion === '' ? `${command} --help shows how it is used.` : suggestion;
  return { kind: 'fault', fault: fault('usage', first, undefined, hint) };
}

function notSupported(what: string): Parsed {
  return { kind: 'fault', fault: fault('not-supported', `${what} is not built yet`) };
}
