/**
 * The command blocks of a Markdown page, and what is said about them for the check.
 *
 *   ```sh        one script, run by `bash -e`; its output is not compared
 *   ```console   `$ ` begins a command (`> ` or a trailing backslash continues it); what follows,
 *                up to the next one, is its output, both streams as a terminal shows them. Nothing
 *                shown: nothing is compared. `^C` as the last line: the command is interrupted once
 *                the rest was seen.
 *
 * Above a block, in a comment that readers do not see:
 *
 *   <!-- docs-check: home=beta exit=3 -->
 *   home=NAME      HW_HOME is a folder of that name; its own terminal (variables, directory)
 *   file=NAME      the block, of any language, is the content of this file
 *   exit=N         how its last command exits, if not with 0
 *   background     its last command goes on while the page goes on, once the output was seen
 *   timeout=N      seconds for each command, if not 60
 *   fresh          from here on a new folder with new homes
 *   skip: REASON   not run, for this reason
 */

export interface Options {
  readonly home?: string;
  readonly file?: string;
  readonly exit: number;
  readonly background: boolean;
  readonly timeoutMs: number;
  readonly fresh: boolean;
  /** Why it is not run. */
  readonly skip?: string;
}

export interface Command {
  readonly text: string;
  /** Lines shown after it. */
  readonly shown: readonly string[];
  readonly interrupt: boolean;
}

export interface Block {
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
  readonly options: Options;
  readonly commands: readonly Command[];
  /** What is wrong with the block or its annotation; it is then a failure and not run. */
  readonly problem?: string;
}

const plain: Options = {
  exit: 0,
  background: false,
  timeoutMs: 60_000,
  fresh: false,
};

/** The blocks that are run or written to a file, in their order. */
export function parseBlocks(markdown: string): readonly Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  let annotation: string | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const remark = /^\s*<!--\s*docs-check:\s*(.*?)\s*-->\s*$/.exec(line)?.[1];
    if (remark !== undefined) {
      annotation = remark;
      continue;
    }
    const fence = /^(\s*)(`{3,}|~{3,})\s*([\w-]*)/.exec(line);
    if (fence === null) {
      if (line.trim() !== '') annotation = undefined;
      continue;
    }
    const [, indent = '', ticks = '', language = ''] = fence;
    const end = lines.findIndex((other, i) => i > at && other.trim() === ticks);
    const inside = lines.slice(at + 1, end === -1 ? lines.length : end);
    const content = inside.map((text) =>
      text.startsWith(indent) ? text.slice(indent.length) : text,
    );
    const block = makeBlock(at + 1, language, content, annotation);
    if (block !== undefined) blocks.push(block);
    annotation = undefined;
    at = end === -1 ? lines.length : end;
  }
  return blocks;
}

function makeBlock(
  line: number,
  language: string,
  lines: readonly string[],
  annotation: string | undefined,
): Block | undefined {
  const runs = language === 'sh' || language === 'console';
  if (!runs && annotation === undefined) return undefined;
  const options = parseOptions(annotation ?? '');
  if (typeof options === 'string') {
    return { line, language, lines, options: plain, commands: [], problem: options };
  }
  const block = { line, language, lines, options };
  if (options.skip !== undefined || options.file !== undefined) return { ...block, commands: [] };
  if (!runs) return { ...block, commands: [], problem: `a ${language} block cannot be run` };
  const commands = language === 'sh' ? [wholeScript(lines)] : consoleCommands(lines);
  if (typeof commands === 'string') return { ...block, commands: [], problem: commands };
  return { ...block, commands };
}

/** The options of an annotation, or what is wrong with it. */
export function parseOptions(annotation: string): Options | string {
  const skip = /^skip\b:?\s*(.*)$/.exec(annotation);
  if (skip !== null) return skip[1] ? { ...plain, skip: skip[1] } : 'skip without a reason';
  let options = plain;
  for (const word of annotation.split(/\s+/).filter((part) => part !== '')) {
    const next = withWord(options, word);
    if (next === undefined) return `docs-check does not know ${word}`;
    options = next;
  }
  return options;
}

function withWord(options: Options, word: string): Options | undefined {
  const [, name = '', value] = /^([a-z]+)(?:=([\w.-]+))?$/.exec(word) ?? [];
  if (value === undefined) {
    if (name === 'background') return { ...options, background: true };
    return name === 'fresh' ? { ...options, fresh: true } : undefined;
  }
  if (name === 'home') return { ...options, home: value };
  if (name === 'file') return { ...options, file: value };
  if (!/^\d+$/.test(value)) return undefined;
  if (name === 'exit') return { ...options, exit: Number(value) };
  return name === 'timeout' ? { ...options, timeoutMs: Number(value) * 1000 } : undefined;
}

function wholeScript(lines: readonly string[]): Command {
  return { text: `set -e\n${lines.join('\n')}`, shown: [], interrupt: false };
}

function consoleCommands(lines: readonly string[]): readonly Command[] | string {
  const found: { text: string; shown: string[] }[] = [];
  for (const line of lines) {
    const last = found.at(-1);
    if (line.startsWith('$ ')) found.push({ text: line.slice(2), shown: [] });
    else if (last === undefined) return 'a console block begins with a command: $ …';
    else if (last.shown.length === 0 && (line.startsWith('> ') || last.text.endsWith('\\'))) {
      last.text += `\n${line.replace(/^> /, '')}`;
    } else last.shown.push(line);
  }
  if (found.length === 0) return 'a console block without a command';
  return found.map(({ text, shown }) => {
    const output = shown.filter((line) => line.trim() !== '');
    const interrupt = output.at(-1) === '^C';
    return { text, shown: interrupt ? output.slice(0, -1) : output, interrupt };
  });
}
