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

/** `stream` is one of those that the peer follows; its events hold `"mag":` and a digit. */
export async function tamperWith(
  work: Workspace,
  peer: Peer,
  stream: string,
  source: string,
): Promise<TamperResult> {
  const verify = (home: string): Promise<Ran> =>
    hw(work, ['verify', stream, '--offline'], { home });
  (await verify(peer.home)).expect(0);
  await settleStore(join(peer.home, 'store'));
  const [body, resealed, table] = await Promise.all([
    tamperedCopy(work, peer, 'tampered-body', (store) => forge(store, source, false), verify),
    tamperedCopy(work, peer, 'tampered-sealed', (store) => forge(store, source, true), verify),
    tamperedCopy(work, peer, 'tampered-table', flipTable, verify),
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
  readonly first: Ran;
  readonly second: Ran;
}

async function tamperedCopy(
  work: Workspace,
  peer: Peer,
  name: string,
  change: (store: string) => Promise<number>,
  verify: (home: string) => Promise<Ran>,
): Promise<Tampered> {
  const home = join(work.folder, name);
  await cp(peer.home, home, { recursive: true });
  const where = await change(join(home, 'store'));
  const first = await verify(home);
  // Nothing is repaired unless asked: the second look finds the same.
  const second = await verify(home);
  await rm(home, { recursive: true });
  return { where, first, second };
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

function affectedRange({ where, first, second }: Tampered): Check {
  const problem = first.json.at('firstProblem');
  const found = problem.number('index') !== undefined && problem.text('code') !== undefined;
  const ok = (first.code === 3 || first.code === 4) && found && second.code === first.code;
  const said = problem.value === undefined ? first.said() : JSON.stringify(problem.value);
  return {
    name: '(d) one bit of a table file flipped',
    ok,
    detail: ok
      ? `byte ${where}: exit ${first.code}, from index ${problem.number('index')}, ${problem.text('code')}`
      : `byte ${where}: exit ${first.code}, then ${second.code}: ${said}`,
  };
}

function sameProblem(a: JsonView, b: JsonView): boolean {
  return a.number('index') === b.number('index') && a.text('code') === b.text('code');
}
