/** What a command is, apart from its doing. */
import type { Result } from '../../result.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';

/** Returns the exit code; a fault decides its own. */
export type Action = (
  context: Context,
  args: readonly string[],
  options: Options,
) => Promise<Result<number>>;

/** Flags in commander's notation with their descriptions; `<value...>` may be repeated. */
export type Flags = readonly (readonly [string, string])[];

export interface CommandSpec {
  /** Words, then arguments in commander's notation: `stream create <name>`. */
  readonly usage: string;
  readonly summary: string;
  readonly options?: Flags;
  /** One that works as it stands, after `hw init` where the command needs a home. */
  readonly example: string;
  /** stdout carries NDJSON, so a fault goes to stderr also with `--json`. */
  readonly streams: boolean;
  /** Ctrl-C and SIGTERM are the command's own business. */
  readonly ownSignals: boolean;
  /** Flags that are designed but not built: refused, and not shown in the help. */
  readonly planned?: readonly string[];
  /** Loads the code of this command alone, so that others do not pay for it. */
  readonly load: () => Promise<Action>;
}

/** The words of a command without its arguments. */
export function commandWords(spec: CommandSpec): readonly string[] {
  return spec.usage.split(' ').filter((word) => /^[a-z]/.test(word));
}

export function spec(
  usage: string,
  summary: string,
  example: string,
  options: Flags,
  load: CommandSpec['load'],
  extra: Partial<Pick<CommandSpec, 'streams' | 'ownSignals' | 'planned'>> = {},
): CommandSpec {
  return { usage, summary, example, options, load, streams: false, ownSignals: false, ...extra };
}

export const why: readonly [string, string] = ['--why <text>', 'reason, kept in the journal'];
export const passphraseFile: readonly [string, string] = [
  '--passphrase-file <file>',
  'passphrase of the key files (- for stdin); asked for on a terminal',
];
/** Of commands that the organisation's key must sign, which is kept elsewhere. */
export const organisationKeyFlags: Flags = [
  ['--key <file>', 'the key of the organisation, where it is kept elsewhere'],
  ['--passphrase-file <file>', 'its passphrase (- for stdin); asked for on a terminal'],
];
