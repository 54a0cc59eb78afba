/**
 * What happens to a stopped replica that somebody or something changes: `hw verify --offline` must
 * find it and name it, and repair nothing. Everything is done to copies of the home.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonView } from '../../src/node/json-view.ts';
import { flipByte, forgeBody, settleStore, tableFiles } from '../lib/damage.ts';
import { hw, type Ran } from '../lib/hw.ts';
import type { Peer } from '../lib/peer.ts';
import type { Workspace } from '../lib/workspace.ts';
import type { Check, Tamper } from '../summary.ts';

export interface TamperResult {
  readonly tamper: Tamper;
  readonly checks: readonly Check[];
}

/** The peer follows all `streams`; events of the first have a `source` and hold `"mag":` and a digit. */
export async function tamperWith(
  work: Workspace,
  peer: Peer,
  streams: readonly string[],
  source: string,
): Promise<TamperResult> {
  const verify: Verify = (home, stream) => hw(work, ['verify', stream, '--offline'], { home });
  const first = streams.slice(0, 1);
  (await verify(peer.home, first[0] ?? '')).expect(0);
  await settleStore(join(peer.home, 'store'));
  const copies = new Copies(work, peer, verify);
  const [body, resealed, table] = await Promise.all([
    copies.tamper('tampered-body', (store) => forge(store, source, false), first),
    copies.tamper('tampered-sealed', (store) => forge(store, source, true), first),
    copies.tamper('tampered-table', flipTable, streams),
  ]);
  const checks = [
    namedIndex('one byte of a stored body', body),
    namedIndex('the same, its record made to fit', resealed),
    affectedRange(table),
  ];
  const problem = body.first.json.at('firstProblem');
  return {
    tamper: {
      detected: checks.every(({ ok }) => ok),
      code: problem.text('code') ?? '',
      index: problem.number('index') ?? -1,
    },
    checks,
  };
}

interface Tampered {
  /** Index that was changed, or the offset in the file. */
  readonly where: number;
  /** The first stream that was found not to be intact, else the last. */
  readonly stream: string;
  readonly first: Ran;
  readonly second: Ran;
}

type Verify = (home: string, stream: string) => Promise<Ran>;

class Copies {
  readonly #work: Workspace;
  readonly #peer: Peer;
  readonly #verify: Verify;

  constructor(work: Workspace, peer: Peer, verify: Verify) {
    this.#work = work;
    this.#peer = peer;
    this.#verify = verify;
  }

  /** Changes a copy of the home, then looks at the streams until one of them is not intact. */
  async tamper(
    name: string,
    change: (store: string) => Promise<number>,
    streams: readonly string[],
  ): Promise<Tampered> {
    const home = join(this.#work.folder, name);
    await cp(this.#peer.home, home, { recursive: true });
    const where = await change(join(home, 'store'));
    let [stream = ''] = streams;
    let first = await this.#verify(home, stream);
    for (const next of streams.slice(1)) {
      if (first.code !== 0) break;
      stream = next;
      first = await this.#verify(home, stream);
    }
    // Nothing is repaired unless asked: the second look finds the same.
    const second = await this.#verify(home, stream);
    await rm(home, { recursive: true });
    return { where, stream, first, second };
  }
}

async function forge(store: string, source: string, resealed: boolean): Promise<number> {
  // The whole number of the magnitude, in an event of this source.
  const { index } = await forgeBody(store, { holds: source, before: '"mag":' }, { resealed });
  return index;
}

async function flipTable(store: string): Promise<number> {
  const [largest] = await tableFiles(store);
  if (largest === undefined) throw new Error(`${store} has no table file`);
  return flipByte(largest, 0.5);
}

function namedIndex(what: string, { where, first, second }: Tampered): Check {
  const problem = first.json.at('firstProblem');
  const ok =
    first.code === 3 &&
    second.code === 3 &&
    problem.number('index') === where &&
    sameProblem(problem, second.json.at('firstProblem'));
  const said = problem.value === undefined ? first.said() : JSON.stringify(problem.value);
  const detail = ok
    ? `index ${where}: exit 3, ${problem.text('code') ?? ''}`
    : `index ${where} was changed: exit ${first.code}, then ${second.code}: ${said}`;
  return { name: `(d) ${what} changed`, ok, detail };
}

function affectedRange({ where, stream, first, second }: Tampered): Check {
  const problem = first.json.at('firstProblem');
  const found = problem.number('index') !== undefined && problem.text('code') !== undefined;
  const ok = (first.code === 3 || first.code === 4) && found && second.code === first.code;
  const said = problem.value === undefined ? first.said() : JSON.stringify(problem.value);
  return {
    name: '(d) one bit of a table file flipped',
    ok,
    detail: ok
      ? `byte ${where}: ${stream} exit ${first.code}, ${rangeText(problem)}, ${problem.text('code')}`
      : `byte ${where}: ${stream} exit ${first.code}, then ${second.code}: ${said}`,
  };
}

function sameProblem(a: JsonView, b: JsonView): boolean {
  return a.number('index') === b.number('index') && a.text('code') === b.text('code');
}

function rangeText(problem: JsonView): string {
  const to = problem.number('to');
  return `index ${problem.number('index')}${to === undefined ? '' : ` to ${to}`}`;
}
