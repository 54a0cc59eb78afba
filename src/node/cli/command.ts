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

export interface CommandSpec {
  /** Words, then arguments in commander's notation: `stream create <name>`. */
  readonly usage: string;
  readonly summary: string;
  /** Flags in commander's notation with their descriptions; `<value...>` may be repeated. */
  readonly options?: readonly (readonly [string, string])[];
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
