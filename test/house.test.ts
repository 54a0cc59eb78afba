/**
 * The layout rules of the house, as a test: imports go down only, rooms of one floor stay apart,
 * and each dangerous dependency has its one door.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';

const root = fileURLToPath(new URL('..', import.meta.url));
const importPattern =
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/gm;

/** Floor of each room; a room missing here is a fault. `''` is src itself. */
const floors: Readonly<Record<string, number>> = {
  '': 0,
  event: 1,
  ledger: 1,
  access: 1,
  gossip: 2,
  market: 2,
  flow: 2,
  lineage: 2,
  node: 3,
};
/** The library's doors stand above everything. */
const doors = new Set(['src/index.ts', 'src/verify.ts']);

interface Rule {
  readonly reason: string;
  readonly target: RegExp;
  readonly allowed: RegExp;
}
const rules: readonly Rule[] = [
  {
    reason: 'libp2p is imported only in src/gossip and the node assembly',
    target: /^(?:@libp2p|@chainsafe\/libp2p|libp2p|@multiformats|datastore-)/,
    allowed: /^src\/(?:gossip\/libp2p-|node\/assemble)/,
  },
  {
    reason: 'LevelDB is imported only in src/ledger/store.ts',
    target: /^(?:classic-level|level)$/,
    allowed: /^src\/ledger\/store\.ts$/,
  },
  {
    reason: 'Node built-ins have their own files',
    target: /^node:/,
    allowed:
      /^src\/(?:c(?:rypto|ipher)-node\.ts|ledger\/(?:store|guard[a-z-]*)\.ts|access\/key-file[a-z-]*\.ts|gossip\/libp2p-[a-z-]*\.ts|node\/.*)$/,
  },
  {
    reason: 'clock, timers, environment and processes live in src/node/runtime.ts',
    target: /^node:(?:process|timers.*|child_process|os|readline.*)$/,
    allowed: /^src\/node\/runtime\.ts$/,
  },
  {
    reason: 'threads are for the audit alone',
    target: /^node:worker_threads$/,
    allowed: /^src\/node\/audit-workers?\.ts$/,
  },
];

function room(path: string): string {
  const parts = path.split('/');
  return parts.length > 2 ? (parts[1] ?? '') : '';
}

/** Every import of a file as [line, target]. */
function importsOf(text: string): (readonly [number, string])[] {
  return [...text.matchAll(importPattern)].map((match) => [
    text.slice(0, match.index + match[0].search(/\S/)).split('\n').length,
    match[1] ?? match[2] ?? '',
  ]);
}

/** All faults of one file, as `file:line reason: target`. */
function faultsOf(path: string, text: string): string[] {
  const faults: string[] = [];
  const say = (line: number, reason: string, target: string): void => {
    faults.push(`${path}:${line} ${reason}: ${target}`);
  };
  const lines = text.split('\n').length - 1;
  if (lines > 400) say(400, 'longer than 400 lines', String(lines));
  const floor = doors.has(path) ? 4 : floors[room(path)];
  if (floor === undefined) say(1, 'room without a floor', room(path));
  for (const [line, target] of importsOf(text)) {
    for (const rule of rules) {
      if (rule.target.test(target) && !rule.allowed.test(path)) say(line, rule.reason, target);
    }
    if (!target.startsWith('.')) continue;
    const resolved = join(dirname(path), target);
    const other = floors[room(resolved)];
    if (doors.has(resolved)) say(line, 'nothing imports a door', target);
    else if (other === undefined) say(line, 'target room without a floor', target);
    else if (floor === undefined) continue;
    else if (other > floor) say(line, 'import goes up', target);
    else if (other === floor && room(resolved) !== room(path)) {
      say(line, 'rooms on one floor do not import each other', target);
    }
  }
  return faults;
}

/** What a file reaches through relative imports, itself included. */
function reach(start: string, seen = new Set<string>()): Set<string> {
  if (seen.has(start)) return seen;
  seen.add(start);
  for (const [, target] of importsOf(readFileSync(join(root, start), 'utf8'))) {
    if (target.startsWith('.')) reach(join(dirname(start), target), seen);
  }
  return seen;
}

describe('the house', () => {
  it('keeps its floors, its doors and its file sizes', () => {
    const files = globSync('src/**/*.ts', { cwd: root });
    assert.ok(files.length > 10);
    const faults = files.flatMap((file) =>
      faultsOf(relative('.', file), readFileSync(join(root, file), 'utf8')),
    );
    assert.deepEqual(faults, []);
  });

  it('lets the offline verifier reach no Node built-in', () => {
    const faults = [...reach('src/verify.ts')].flatMap((file) =>
      importsOf(readFileSync(join(root, file), 'utf8'))
        .filter(([, target]) => target.startsWith('node:') || target === 'classic-level')
        .map(([line, target]) => `${file}:${line} ${target}`),
    );
    assert.deepEqual(faults, []);
  });

  const planted: readonly (readonly [string, string, string])[] = [
    ['an import that goes up', 'src/event/a.ts', "import { x } from '../node/x.ts';"],
    ['an import over several lines', 'src/a.ts', "import {\n  x,\n} from './ledger/x.ts';"],
    ['a type import across rooms', 'src/event/a.ts', "import type { X } from '../ledger/x.ts';"],
    ['a re-export that goes up', 'src/ledger/a.ts', "export { x } from '../gossip/x.ts';"],
    ['a dynamic import that goes up', 'src/ledger/a.ts', "await import('../gossip/x.ts');"],
    ['libp2p outside its door', 'src/node/http/a.ts', "import { x } from 'libp2p';"],
    ['LevelDB outside its door', 'src/node/a.ts', "import { x } from 'classic-level';"],
    ['a Node built-in in a pure room', 'src/event/a.ts', "import { x } from 'node:fs';"],
    [
      'a process outside the runtime',
      'src/node/a.ts',
      "import { spawn } from 'node:child_process';",
    ],
    ['a thread beside the audit', 'src/node/a.ts', "import { Worker } from 'node:worker_threads';"],
    ['an import of a door', 'src/node/a.ts', "import { x } from '../index.ts';"],
    ['a room without a floor', 'src/attic/a.ts', 'export {};'],
    ['a file that is too long', 'src/event/a.ts', '\n'.repeat(401)],
  ];
  for (const [name, path, text] of planted) {
    it(`names ${name}`, () => {
      const faults = faultsOf(path, text);
      assert.ok(faults[0]?.startsWith(`${path}:`), String(faults));
    });
  }

  it('passes over an import that is commented out', () => {
    assert.deepEqual(faultsOf('src/event/a.ts', "// import { x } from '../node/x.ts';"), []);
  });
});
