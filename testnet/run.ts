/**
 * The testnet: real processes, real data, real faults.
 *
 *   npm start [-- --json] [-- --keep]     the network on a week of earthquakes, and its summary
 *   npm run testnet -- faults [--only NAME,…] [--kills N] [--seed N]     every fault, one by one
 *   npm run testnet -- NAME [--short]     one scenario of a whole network (scenarios.ts)
 */
import { parseArgs } from 'node:util';
import { runFaults } from './faults.ts';
import { networkScenarios } from './scenarios.ts';
import { Interrupted, Workspace } from './lib/workspace.ts';
import { start, type Outcome } from './start.ts';
import { summaryText } from './summary.ts';

const usage = `usage: npm start [-- --json] [-- --keep]
       npm run testnet -- faults [--only NAME,…] [--kills N] [--seed N]
       npm run testnet -- NAME [--short]
NAME is one of ${Object.keys(networkScenarios).join(', ')}.
`;

async function main(): Promise<number> {
  const parsed = readArguments();
  if (parsed === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const { values, positionals } = parsed;
  await using work = new Workspace();
  try {
    if (positionals[0] === 'faults') {
      return await runFaults(work, {
        only: values.only?.split(',') ?? [],
        kills: Number(values.kills ?? 50),
        seed: Number(values.seed ?? Date.now() % 1_000_000),
      });
    }
    const scenario = networkScenarios[positionals[0] ?? 'start'];
    if (scenario !== undefined) return await scenario(work, { short: values.short === true });
    return await runStart(work, values.json === true, values.keep === true);
  } catch (cause) {
    if (cause instanceof Interrupted || work.signal.aborted) return 130;
    throw cause;
  }
}

function readArguments(): ReturnType<typeof parse> | undefined {
  try {
    const parsed = parse();
    const [scenario = 'start', ...rest] = parsed.positionals;
    const known = ['start', 'faults', ...Object.keys(networkScenarios)];
    return rest.length === 0 && known.includes(scenario) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

interface Arguments {
  readonly values: {
    readonly json?: boolean | undefined;
    readonly keep?: boolean | undefined;
    readonly only?: string | undefined;
    readonly kills?: string | undefined;
    readonly seed?: string | undefined;
    readonly short?: boolean | undefined;
  };
  readonly positionals: readonly string[];
}

function parse(): Arguments {
  return parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      keep: { type: 'boolean' },
      only: { type: 'string' },
      kills: { type: 'string' },
      seed: { type: 'string' },
      short: { type: 'boolean' },
    },
  });
}

async function runStart(work: Workspace, json: boolean, keep: boolean): Promise<number> {
  const outcome = await start(work, keep);
  const { summary, rows, checks } = outcome;
  process.stdout.write(
    json ? `${JSON.stringify(summary)}\n` : `\n${summaryText(summary, rows, checks)}`,
  );
  if (json) for (const { ok, name, detail } of checks) if (!ok) work.note(`${name}: ${detail}`);
  if (keep) await lookAround(work, outcome);
  return summary.ok ? 0 : 1;
}

/** Says how to look around, and stays until Ctrl-C. */
async function lookAround(work: Workspace, { network }: Outcome): Promise<void> {
  const { auditor, peers } = network;
  process.stderr.write(
    [
      '',
      'The network runs until Ctrl-C, which takes everything away. Meanwhile, for example:',
      '',
      `  npx hw --home ${auditor.home} status`,
      `  npx hw --home ${auditor.home} stream list --all`,
      `  npx hw --home ${auditor.home} tail ci/earthquakes --from start --limit 3`,
      `  npx hw --home ${auditor.home} verify ci/earthquakes`,
      '',
      'Every home, and the API of its node (the token is in api.token of the home):',
      '',
      ...peers.map((peer) => `  ${peer.api.base}  ${peer.home}`),
      '',
      '',
    ].join('\n'),
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  // A promise alone does not keep a process alive; the children that it waits for do.
  work.signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}

process.exitCode = await main();
