/** Where a passphrase comes from, who asks for it, and who never does. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { commands } from '../../../src/node/cli/commands.ts';
import { commandWords } from '../../../src/node/cli/command.ts';
import { faultOf, hw, json, tempFolder, type Ran } from './harness.ts';

const passphrase = 'correct horse battery staple';
/** Opens one key; each takes half a second. */
const cheap = ['verify', '_registry', '--offline'];

const code = (ran: Ran): unknown => [ran.code, faultOf(ran)['code']];

describe('a passphrase', function () {
  this.timeout(60_000);
  const folder = tempFolder();
  const home = join(folder.path, 'home');
  const right = join(folder.path, 'right');
  const wrong = join(folder.path, 'wrong');
  const run = (args: readonly string[], options: Parameters<typeof hw>[1] = {}): Promise<Ran> =>
    hw([...args, '--json', '--home', home], options);

  before(async () => {
    writeFileSync(right, `${passphrase}\n`, { mode: 0o600 });
    writeFileSync(wrong, 'another\n', { mode: 0o600 });
    const made = await run(['init', '--org', 'acme', '--passphrase-file', right]);
    assert.equal(made.code, 0, made.stdout);
  });
  after(() => folder[Symbol.dispose]());

  it('locks every key of a new home', async () => {
    const keys = json(await run(['key', 'list']))['keys'] as { locked: boolean }[];
    assert.ok(keys.length >= 8 && keys.every(({ locked }) => locked));
    for (const name of readdirSync(join(home, 'keys'))) {
      if (!name.endsWith('.key')) continue;
      assert.ok(!readFileSync(join(home, 'keys', name), 'utf8').includes('"seed"'), name);
    }
  });

  it('is refused in a file that others may read, and taken once they may not', async () => {
    const file = join(folder.path, 'open');
    writeFileSync(file, `${passphrase}\n`);
    for (const mode of [0o644, 0o640, 0o620, 0o606]) {
      chmodSync(file, mode);
      const refused = await run([...cheap, '--passphrase-file', file]);
      assert.deepEqual(code(refused), [78, 'passphrase-file-mode']);
      assert.match(String(faultOf(refused)['hint']), /chmod 600/);
    }
    chmodSync(file, 0o600);
    const taken = await run([...cheap, '--passphrase-file', file]);
    assert.equal(taken.code, 0, taken.stdout);
  });

  it('is never in the environment; the path of its file may be', async () => {
    const told = await run(cheap, { environment: { HW_PASSPHRASE: passphrase } });
    assert.deepEqual(code(told), [2, 'usage']);
    assert.ok(!`${told.stdout}${told.stderr}`.includes(passphrase));
    const named = await run(cheap, { environment: { HW_PASSPHRASE_FILE: right } });
    assert.equal(named.code, 0, named.stdout);
  });

  for (const [what, args] of [
    ['up', ['up']],
    ['verify --offline', ['verify', '_registry', '--offline']],
    ['replay', ['replay', '_registry']],
    ['key rotate', ['key', 'rotate']],
    ['key recover', ['key', 'recover']],
    ['key succeed', ['key', 'succeed']],
    [
      'key token --admin',
      ['key', 'token', '--admin', 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'],
    ],
  ] as const) {
    it(`that is wrong is told by ${what}, one that lacks is asked for`, async () => {
      const before = readdirSync(join(home, 'keys')).toSorted();
      const told = await run([...args, '--passphrase-file', wrong]);
      const fault = what === 'replay' ? JSON.parse(told.stderr).error : faultOf(told);
      assert.deepEqual([told.code, fault.code], [78, 'key-passphrase-wrong']);
      const none = await run(args);
      const missing = what === 'replay' ? JSON.parse(none.stderr).error : faultOf(none);
      assert.deepEqual([none.code, missing.code], [78, 'key-passphrase-needed']);
      assert.deepEqual(readdirSync(join(home, 'keys')).toSorted(), before, 'nothing has begun');
    });
  }

  it('opens what a succession needs, and locks the new key', async () => {
    const key = join(folder.path, 'recovery.key');
    renameSync(join(home, 'keys', 'recovery.key'), key);
    const args = ['key', 'succeed', '--stolen', '--key', key, '--passphrase-file', right];
    const done = await run(args);
    assert.equal(done.code, 0, done.stdout);
    const keys = json(await run(['key', 'list']))['keys'] as {
      name: string;
      locked: boolean;
      did: string;
    }[];
    const organisation = keys.find(({ name }) => name === 'organisation');
    assert.equal(organisation?.locked, true);
    assert.equal(organisation?.did, json(done)['to']);
  });

  it('can be given to every command that may ask for it', async () => {
    const asking = /existingPassphrase|withStoppedHome|keySource|newPassphrase/;
    // Of these modules the command uses another part.
    const others = new Set([
      'key list',
      'key export',
      'tail',
      'down',
      'network show',
      'backup create',
      'backup restore',
      'grant create',
      'grant show',
      'grant list',
    ]);
    const lacking: string[] = [];
    for (const spec of commands) {
      const [, file] = /import\('\.\/([a-z-]+\.ts)'\)/.exec(String(spec.load)) ?? [];
      const words = commandWords(spec).join(' ');
      if (file === undefined || others.has(words)) continue;
      const text = readFileSync(new URL(`../../../src/node/cli/${file}`, import.meta.url), 'utf8');
      const given = (spec.options ?? []).some(([flags]) => flags.startsWith('--passphrase-file'));
      if (asking.test(text) && !given) lacking.push(words);
    }
    assert.deepEqual(lacking, []);
  });
});
