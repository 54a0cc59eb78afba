/**
 * `node scripts/packed-check.ts`: the package as a stranger has it. Packs it, installs it without the
 * network in an empty folder, makes evidence with it, and then, in another empty folder, with an empty
 * HOME and (where Linux lets us) in a namespace without any network, checks that `hw verify` says what
 * it must, and that no file with a flipped byte is taken unless its content is the same. Exits 1 where
 * something does not hold.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'hw-packed-'));
const installed = join(work, 'installed');
const home = join(work, 'home');
/** Where the files to be checked lie, and nothing else. */
const empty = join(work, 'empty');
/** HOME of everything that the package does. */
const nobody = join(work, 'nobody');
const program = join(installed, 'node_modules/headwater/bin/hw.js');
const counts = { passed: 0, failed: 0 };
/** Flipped bytes of each file: all of them are tried by the tests of each format. */
const flipsOfFile = 20;

function run(
  command: string,
  args: readonly string[],
  more: { cwd?: string; home?: string; input?: string } = {},
): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>();
  const { PATH = '' } = process.env;
  const own = more.home === undefined ? process.env : { PATH, HOME: more.home };
  const child = spawn(command, args, { cwd: more.cwd ?? empty, env: own, timeout: 300_000 });
  const parts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (parts.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (parts.stderr += String(chunk)));
  child.stdin.end(more.input ?? '');
  child.on('close', (code) => resolve({ code: code ?? 1, ...parts }));
  return promise;
}

function holds(what: string, sound: boolean, more = ''): void {
  counts[sound ? 'passed' : 'failed'] += 1;
  console.log(`${sound ? 'ok    ' : 'FAILED'} ${what}${sound || more === '' ? '' : `\n${more}`}`);
}

async function must(what: string, ran: Promise<Ran>): Promise<string> {
  const { code, stdout, stderr } = await ran;
  if (code === 0) return stdout;
  throw new Error(`${what}: exit ${code}\n${stdout}${stderr}`);
}

/** From the local cache of npm; where that lacks something, our own node_modules are put around it. */
async function install(): Promise<void> {
  await must(
    'npm pack',
    run('npm', ['pack', '--silent', '--pack-destination', work], { cwd: root }),
  );
  const tarball = join(work, readdirSync(work).find((name) => name.endsWith('.tgz')) ?? '');
  writeFileSync(join(installed, 'package.json'), '{"private":true}');
  const args = ['install', '--offline', '--no-audit', '--no-fund', tarball];
  const done = await run('npm', args, { cwd: installed });
  if (done.code === 0) return holds('the package installs offline, from the cache of npm', true);
  console.log(
    `note   ${
      done.stderr
        .trim()
        .split('\n')
        .find((line) => line.includes('error')) ?? ''
    }`,
  );
  rmSync(join(installed, 'node_modules'), { recursive: true, force: true });
  const target = join(installed, 'node_modules/headwater');
  mkdirSync(target, { recursive: true });
  await must('tar', run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name.startsWith('.')) continue;
    symlinkSync(join(root, 'node_modules', name), join(installed, 'node_modules', name));
  }
  return holds(
    'the package is unpacked beside our node_modules: the cache of npm lacks some',
    true,
  );
}

const hw = (args: readonly string[], input?: string): Promise<string> =>
  must(
    `hw ${args[0]}`,
    run(process.execPath, [program, '--home', home, ...args], {
      home: nobody,
      ...(input === undefined ? {} : { input }),
    }),
  );

/** A derived event and its inputs, as a bundle and as proofs; made by the package itself. */
async function evidence(): Promise<void> {
  await hw(['init', '--org', 'acme', '--no-network']);
  await hw(['up', '--detach']);
  try {
    await hw(['stream', 'create', 'orders']);
    const events = [1, 2, 3].map((n) =>
      JSON.stringify({
        specversion: '1.0',
        id: `${n}`,
        source: '/shop',
        type: 'order',
        time: `2026-01-0${n}T00:00:00Z`,
        data: { total: n },
      }),
    );
    await hw(['publish', 'orders', '-'], events.join('\n'));
    const log = /"log":"([^"]+)"/.exec(await hw(['stream', 'show', 'orders', '--json']))?.[1] ?? '';
    await hw(['stream', 'create', 'totals']);
    const total = {
      specversion: '1.0',
      id: 't',
      source: '/totals',
      type: 'total',
      time: '2026-01-04T00:00:00Z',
      hwparents: `hw:${log}/2-5`,
      data: { total: 6 },
    };
    await hw(['publish', 'totals', '-'], JSON.stringify(total));
    await hw(['export', 'totals#2', '--bundle', join(empty, 'total.hwb'), '--ancestors']);
    await hw(['prove', 'orders#3', '--out', join(empty, 'order.tlog-proof')]);
    const range = [
      'prove',
      `hw:${log}/2-5`,
      '--index',
      '3',
      '--out',
      join(empty, 'orders.range-proof'),
    ];
    await hw(range);
  } finally {
    await hw(['down']);
  }
}

interface Golden {
  readonly valid: readonly {
    readonly how: string;
    readonly lines: readonly string[];
    readonly proof: string;
    readonly policy: { readonly witnesses: readonly string[] };
  }[];
}

function golden(file: string, how: string): Golden['valid'][number] {
  const all: Golden = JSON.parse(readFileSync(join(root, 'test/vectors', file), 'utf8'));
  const found = all.valid.find((one) => one.how === how);
  if (found === undefined) throw new Error(`${file} has no case ${JSON.stringify(how)}`);
  return found;
}

/** Without a network where the kernel lets us take it away. */
let alone: readonly string[] = [];
async function isolate(): Promise<void> {
  const prefix = ['unshare', '--map-root-user', '--net'];
  const [first = '', ...rest] = prefix;
  const can = await run(first, [...rest, 'true']).catch(() => ({ code: 1 }));
  if (can.code === 0) alone = prefix;
  else
    console.log('skip   no namespace without network here: HOME and folder are empty all the same');
}

function verify(...args: readonly string[]): Promise<Ran> {
  const [first = '', ...rest] = [...alone, process.execPath, program, 'verify', ...args];
  return run(first, rest, { home: nobody });
}

/** The report of a sound file: exit and what must stand in it. */
async function says(
  name: string,
  code: number,
  wanted: readonly RegExp[],
  ...args: string[]
): Promise<void> {
  const ran = await verify(name, ...args);
  const missing = wanted.filter((text) => !text.test(ran.stdout)).map(String);
  const sound = ran.code === code && missing.length === 0;
  const more = `exit ${ran.code}, not there: ${missing.join(' ')}\n${ran.stdout}${ran.stderr}`;
  holds(
    `hw verify ${[name, ...args.slice(0, 1)].join(' ')}: exit ${code}, and says all`,
    sound,
    more,
  );
}

/** Flipped bytes all over the file, the first ten each: none is taken, none ends in a stack. */
async function flips(name: string): Promise<void> {
  const bytes = readFileSync(join(empty, name));
  const step = Math.max(1, Math.floor(bytes.length / flipsOfFile));
  const places = [...bytes.keys()].filter((at) => at < 10 || at % step === 0);
  const wrong: string[] = [];
  const one = async (at: number): Promise<void> => {
    const changed = bytes.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte));
    const copy = `${at}-${name}`;
    writeFileSync(join(empty, copy), changed);
    const { code, stdout, stderr } = await verify(copy, '--json');
    rmSync(join(empty, copy));
    const same = name.endsWith('.hwb') && sameContent(bytes, changed);
    const taken = code === 0 || /"verdict":"fork"/.test(stdout);
    if (taken && !same) wrong.push(`byte ${at} is not noticed`);
    if (/\n\s+at |internal/.test(stdout + stderr)) wrong.push(`byte ${at}: ${stdout}${stderr}`);
    if (!isJson(stdout)) wrong.push(`byte ${at}: not one JSON value: ${stdout}`);
  };
  for (let i = 0; i < places.length; i += 2) await Promise.all(places.slice(i, i + 2).map(one));
  holds(
    `${places.length} flipped bytes of ${name}: exit 0 for none`,
    wrong.length === 0,
    wrong.join('\n'),
  );
}

function sameContent(one: Uint8Array, other: Uint8Array): boolean {
  try {
    return gunzipSync(one).equals(gunzipSync(other));
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function check(): Promise<void> {
  await isolate();
  const parts = [/nothing left out/, /made from hw:/, /not checked/, /no trust was stated/];
  const bundle = [
    /total\.hwb: intact/,
    /claimed: recorded 20/,
    /event times 2026-01-01T/,
    /attested by nobody/,
  ];
  await says('total.hwb', 0, [/^signed by did:key:\S+ for did:key:/, ...bundle, ...parts]);
  const proof = [/intact, one event of orders/, /recorded 20/, /total":2/, /not checked/];
  await says('order.tlog-proof', 0, proof);
  await says('orders.range-proof', 0, [/intact, a range of orders/, /entry 3 stands in it/]);
  const cosigned = golden('bundle.json', 'cosigned');
  const lines = cosigned.lines.map((line) => `${line}\n`).join('');
  writeFileSync(join(empty, 'golden.hwb'), gzipSync(lines));
  const witnesses = cosigned.policy.witnesses.flatMap((key) => ['--witness', key]);
  const attested = [/golden\.hwb: intact/, /attested 20\S+ by did:key:/, /the stated trust is met/];
  await says('golden.hwb', 0, attested, ...witnesses, '--quorum', '2');
  await says(
    'golden.hwb',
    4,
    [/untrusted/],
    '--trust',
    'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
  );
  const fork = golden('fork-proof.json', 'the first blocks after they part').proof;
  writeFileSync(join(empty, 'golden.fork'), Buffer.from(fork, 'hex'));
  // What it proves is that its log is broken.
  await says('golden.fork', 3, [/fork/]);
  const single = golden('event-proof.json', 'entry 0').proof;
  writeFileSync(join(empty, 'golden.tlog-proof'), single);
  await says('golden.tlog-proof', 0, [/intact/]);
  for (const name of ['total.hwb', 'order.tlog-proof', 'orders.range-proof', 'golden.fork']) {
    await flips(name);
  }
  const before = readdirSync(nobody);
  holds(
    'nothing is written into HOME but a cache',
    before.every((name) => name === '.cache'),
    before.join(' '),
  );
}

try {
  for (const folder of [installed, empty, nobody]) mkdirSync(folder);
  await install();
  if (!existsSync(program)) throw new Error('the package has no bin/hw.js');
  await evidence();
  await check();
} catch (cause) {
  holds(cause instanceof Error ? cause.message : String(cause), false);
} finally {
  if (process.argv.includes('--keep')) cpSync(work, join(root, '.tmp/packed'), { recursive: true });
  rmSync(work, { recursive: true, force: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0) process.exitCode = 1;
