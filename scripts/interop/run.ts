/**
 * `npm run interop [-- --install]`: other people's software reads what Headwater writes. What this
 * machine lacks is skipped with a line that says so; `--install` gets the Python packages into a
 * folder of its own (pip). Exits 1 where something that ran did not agree.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeExhibits, type Exhibits } from './home.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const packages = ['prov==3.2.3', 'openlineage-python==1.54.0', 'cryptography==50.0.2'];

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], more: { cwd?: string } = {}): Ran {
  const done = spawnSync(program, args, {
    ...more,
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  return { code: done.status ?? 1, stdout: done.stdout ?? '', stderr: done.stderr ?? '' };
}

/** As `run`, while this process goes on serving. */
function runBeside(program: string, args: readonly string[]): Promise<Ran> {
  const { promise, resolve: ended } = Promise.withResolvers<Ran>();
  const child = spawn(program, args, { timeout: 120_000 });
  const parts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (parts.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (parts.stderr += String(chunk)));
  child.on('close', (code) => ended({ code: code ?? 1, ...parts }));
  return promise;
}

class Report {
  failed = 0;
  ran = 0;
  skipped = 0;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  skip(what: string, why: string): void {
    this.skipped += 1;
    console.log(`\n${what}\n  skipped: ${why}`);
  }

  tell(what: string, { code, stdout, stderr }: Ran): void {
    this.ran += 1;
    if (code !== 0) this.failed += 1;
    const said = (code === 0 ? stdout : `${stdout}${stderr}`).replaceAll(this.#folder, '');
    const lines = said.trimEnd().split('\n');
    console.log(`\n${what}\n${lines.map((line) => `  ${line}`).join('\n')}`);
    console.log(code === 0 ? '  agreed' : `  FAILED, exit ${code}`);
  }
}

/**
 * The Go program, built with the copy of golang.org/x/mod that Go itself carries, else with the one
 * of the module proxy. Says why where it cannot be built.
 */
function buildGo(folder: string): { readonly program: string; readonly version: string } | string {
  const version = run('go', ['version']);
  if (version.code !== 0) return 'no Go on this machine';
  const source = join(folder, 'go');
  cpSync(here('go'), source, { recursive: true });
  const carried = join(
    run('go', ['env', 'GOROOT']).stdout.trim(),
    'src/cmd/vendor/golang.org/x/mod',
  );
  if (existsSync(join(carried, 'sumdb/tlog'))) {
    const module = join(folder, 'x-mod');
    mkdirSync(module);
    cpSync(join(carried, 'sumdb/note'), join(module, 'sumdb/note'), { recursive: true });
    cpSync(join(carried, 'sumdb/tlog'), join(module, 'sumdb/tlog'), { recursive: true });
    writeFileSync(join(module, 'go.mod'), 'module golang.org/x/mod\n\ngo 1.22\n');
    run('go', ['mod', 'edit', '-replace', 'golang.org/x/mod=../x-mod'], { cwd: source });
  }
  const program = join(folder, 'reader');
  const built = run('go', ['build', '-mod=mod', '-o', program, '.'], { cwd: source });
  if (built.code !== 0)
    return `it does not build here: ${built.stderr.trim().split('\n')[0] ?? ''}`;
  return { program, version: version.stdout.trim().split(' ').slice(2, 3).join('') };
}

async function go(report: Report, folder: string, { tree, vkey, older }: Exhibits): Promise<void> {
  const what = 'Go: golang.org/x/mod/sumdb/note and tlog';
  const built = buildGo(folder);
  if (typeof built === 'string') return report.skip(what, built);
  const { program, version } = built;
  report.tell(`${what}, ${version}, from files`, run(program, [tree, vkey, older]));
  const server = createServer((request, response) => {
    const file = join(tree, decodeURIComponent(request.url ?? '/'));
    if (!file.startsWith(tree) || !existsSync(file)) response.writeHead(404).end();
    else response.end(readFileSync(file));
  });
  const { promise, resolve: listening } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening);
  await promise;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const url = `http://127.0.0.1:${port}`;
  report.tell(`${what}, over HTTP`, await runBeside(program, [url, vkey, older]));
  server.close();
  server.closeAllConnections();
  const damaged = join(folder, 'damaged');
  cpSync(tree, damaged, { recursive: true });
  const tile = join(damaged, 'tile/0/001');
  const bytes = readFileSync(tile);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  writeFileSync(tile, bytes);
  const refused = run(program, [damaged, vkey, older]);
  const code = refused.code === 0 ? 1 : 0;
  const stdout = `refused: ${refused.stderr.trim()}\n`;
  report.tell(`${what}, one bit of a tile altered`, { ...refused, code, stdout });
}

/** Python with the packages, as far as they are there. */
function python(folder: string, install: boolean): string | undefined {
  const found = run('python3', ['--version']);
  if (found.code !== 0) return undefined;
  if (!install) return 'python3';
  const own = join(folder, 'python');
  run('python3', ['-m', 'venv', own]);
  const program = join(own, 'bin/python');
  const installed = run(program, ['-m', 'pip', 'install', '--quiet', ...packages]);
  if (installed.code !== 0)
    console.log(`pip failed: ${installed.stderr.trim().split('\n').at(-1)}`);
  return program;
}

function pythonChecks(report: Report, program: string | undefined, exhibits: Exhibits): void {
  const { tree, vkey, provJson, openlineage } = exhibits;
  const names = [
    'Python: standard library and cryptography',
    'Python: prov',
    'Python: openlineage',
  ];
  const [reader = '', prov = '', client = ''] = names;
  if (program === undefined) {
    for (const name of names) report.skip(name, 'no python3 on this machine');
    return;
  }
  report.tell(reader, run(program, [here('python/static_tree.py'), tree, vkey]));
  const module = (name: string): string | undefined => {
    const code = `import importlib.metadata as m, importlib; importlib.import_module("${name}"); print(m.version("${name === 'prov' ? 'prov' : 'openlineage-python'}"))`;
    const version = run(program, ['-c', code]);
    return version.code === 0 ? version.stdout.trim() : undefined;
  };
  const lineage = here('python/lineage.py');
  const [provVersion, clientVersion] = [module('prov'), module('openlineage.client')];
  const hint = 'no such package here; npm run interop -- --install gets it';
  if (provVersion === undefined) report.skip(prov, hint);
  else report.tell(`${prov} ${provVersion}`, run(program, [lineage, 'prov', provJson]));
  if (clientVersion === undefined) return report.skip(client, hint);
  const target = resolve(openlineage, '..');
  const ran = run(program, [lineage, 'openlineage', openlineage, target]);
  report.tell(`${client} ${clientVersion}`, ran);
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hw-interop-'));
  try {
    const exhibits = makeExhibits(folder);
    const report = new Report(folder);
    await go(report, folder, exhibits);
    pythonChecks(report, python(folder, process.argv.includes('--install')), exhibits);
    console.log(
      `\n${report.ran - report.failed} passed, ${report.failed} failed, ${report.skipped} skipped`,
    );
    if (report.failed > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
