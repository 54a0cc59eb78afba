/** One page: its blocks in order, in one workspace, each with its verdict. */
import { parseBlocks, type Block, type Command } from './blocks.ts';
import { compareOutput, linesOf, withIdsOfThisRun } from './shape.ts';
import { Workspace } from './terminal.ts';

export interface BlockReport {
  readonly verdict: 'passed' | 'failed' | 'skipped';
  /** `file:line`. */
  readonly place: string;
  readonly what: string;
  /** For a failure: what was run, and what differs. */
  readonly details: readonly string[];
  readonly seconds: number;
}

/** What a page knows of its run so far. */
interface Page {
  readonly workspace: Workspace;
  readonly renamed: Map<string, string>;
  printed: string;
}

/** Runs the blocks of a page; each report is given out as soon as it is there. */
export async function* checkPage(
  name: string,
  markdown: string,
  signal?: AbortSignal,
): AsyncGenerator<BlockReport> {
  let page = newPage(signal);
  try {
    for (const block of parseBlocks(markdown)) {
      if (signal?.aborted === true) return;
      if (block.options.fresh) {
        await page.workspace[Symbol.asyncDispose]();
        page = newPage(signal);
      }
      const started = Date.now();
      const place = `${name}:${block.line}`;
      const report = await checkBlock(page, block);
      yield { place, ...report, seconds: (Date.now() - started) / 1000 };
    }
  } finally {
    await page.workspace[Symbol.asyncDispose]();
  }
}

function newPage(signal: AbortSignal | undefined): Page {
  return { workspace: new Workspace(signal), renamed: new Map(), printed: '' };
}

type Judged = Pick<BlockReport, 'verdict' | 'what' | 'details'>;

async function checkBlock(page: Page, block: Block): Promise<Judged> {
  const { options, commands, language } = block;
  if (block.problem !== undefined) {
    return { verdict: 'failed', what: language, details: [block.problem] };
  }
  if (options.skip !== undefined) return { verdict: 'skipped', what: options.skip, details: [] };
  if (options.file !== undefined) {
    page.workspace.writeFile(options.file, `${block.lines.join('\n')}\n`);
    return { verdict: 'passed', what: `file ${options.file}`, details: [] };
  }
  const many =
    language === 'sh' ? 'script' : `${commands.length} command${commands.length > 1 ? 's' : ''}`;
  const what = `${language}, ${many}${options.home === undefined ? '' : ` in ${options.home}`}`;
  for (const [i, command] of commands.entries()) {
    const details = await checkCommand(page, block, command, i === commands.length - 1);
    if (details !== undefined) return { verdict: 'failed', what, details };
  }
  return { verdict: 'passed', what, details: [] };
}

/** Undefined where all is as shown. */
async function checkCommand(
  page: Page,
  { options }: Block,
  command: Command,
  last: boolean,
): Promise<readonly string[] | undefined> {
  const text = withIdsOfThisRun(command.text, page.renamed, page.printed);
  if (text === undefined) return [`$ ${command.text}`, 'nothing printed so far fits the … in it'];
  const background = options.background && last;
  const outcome = await page.workspace.run(text, options.home, {
    timeoutMs: options.timeoutMs,
    mode: command.interrupt ? 'interrupt' : background ? 'background' : 'end',
    shown: command.shown,
  });
  page.printed += `${outcome.output}\n`;
  const failed = (...reasons: readonly string[]): readonly string[] => [
    `$ ${text}`,
    ...reasons,
    ...linesOf(outcome.output)
      .slice(-20)
      .map((line) => `| ${line}`),
  ];
  const { difference, renamed } = compare(command, background, outcome.output);
  for (const [shown, real] of renamed) page.renamed.set(shown, real);
  if (outcome.timedOut) return failed(`stopped, not done (limit ${options.timeoutMs / 1000} s)`);
  const wanted = last ? options.exit : 0;
  const { exitCode } = outcome;
  const allowed = command.interrupt ? [0, 130] : background ? [undefined, wanted] : [wanted];
  if (!allowed.includes(exitCode)) {
    return failed(
      `exit code ${exitCode ?? 'none'} instead of ${allowed.map((code) => code ?? 'none').join(' or ')}`,
    );
  }
  if (difference === undefined) return undefined;
  return failed(
    `shown:   ${difference.shown ?? '(nothing more)'}`,
    `printed: ${difference.printed ?? '(nothing more)'}`,
  );
}

/** Nothing shown is nothing claimed; after what was waited for, more may come. */
function compare(
  { shown, interrupt }: Command,
  background: boolean,
  output: string,
): ReturnType<typeof compareOutput> {
  if (shown.length === 0) return { renamed: new Map() };
  return compareOutput(interrupt || background ? [...shown, '…'] : shown, linesOf(output));
}
