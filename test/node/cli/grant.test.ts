import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { faultOf, hw as hwHere, json, tempFolder, type Ran } from './harness.ts';

const main = fileURLToPath(new URL('../../../src/node/cli/main.ts', import.meta.url));

/** Starts the node of a home; disposing stops it. */
async function up(home: string): Promise<AsyncDisposable> {
  const child = spawn(process.execPath, [main, 'up', '--detach', '--home', home], {
    stdio: 'ignore',
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0);
  return {
    [Symbol.asyncDispose]: async () => void (await hwHere(['down', '--home', home])),
  };
}

function refusedAs(ran: Ran, code: number, fault: string): void {
  assert.deepEqual([ran.code, faultOf(ran)['code']], [code, fault], ran.stdout);
}

describe('hw grant', function () {
  this.timeout(60_000);

  it('goes from one home to another as a file, and back when it is revoked', async () => {
    using folder = tempFolder();
    const at = (name: string): string => join(folder.path, name);
    const hw = (name: string, ...args: readonly string[]): Promise<Ran> =>
      hwHere([...args, '--json', '--home', at(name)]);
    const dids: string[] = [];
    for (const name of ['acme', 'beta']) {
      const made = await hw(name, 'init', '--org', name, '--no-network');
      dids.push(String(json(made)['organisation']));
    }
    await using _acme = await up(at('acme'));
    await using _beta = await up(at('beta'));
    const [, beta = ''] = dids;
    await hw('acme', 'stream', 'create', 'open');
    await hw('acme', 'stream', 'create', 'orders', '--visibility', 'direct');
    const file = at('beta.grant');
    const terms = ['--to', beta, '--for', '30d', '--purpose', 'billing', '--out', file];
    refusedAs(await hw('acme', 'grant', 'create', 'open', ...terms), 2, 'grant-needless');
    refusedAs(await hw('acme', 'grant', 'create', 'nothing', ...terms), 1, 'stream-unknown');
    refusedAs(await hw('acme', 'grant', 'create', 'orders'), 2, 'usage');
    const half = [...terms, '--fields', 'rows'];
    refusedAs(await hw('acme', 'grant', 'create', 'orders', ...half), 5, 'fields-unsupported');
    refusedAs(await hw('acme', 'grant', 'create', 'orders', '--to', 'nobody'), 1, 'stream-unknown');
    const made = json(await hw('acme', 'grant', 'create', 'orders', ...terms));
    assert.deepEqual([made['holder'], made['state'], made['handOns']], [beta, 'active', 1]);
    assert.equal(statSync(file).mode & 0o777, 0o600);

    const checked = json(await hwHere(['grant', 'verify', file, '--json', '--home', at('nobody')]));
    assert.deepEqual([checked['id'], checked['purpose']], [made['id'], 'billing']);
    const bad = at('bad.grant');
    writeFileSync(bad, readFileSync(file, 'utf8').replace(/^C(.{60})./, 'C$1x'));
    const broken = await hwHere(['grant', 'verify', bad, '--json', '--home', at('nobody')]);
    assert.notEqual(broken.code, 0);
    refusedAs(await hw('beta', 'grant', 'import', bad), 5, String(faultOf(broken)['code']));

    refusedAs(await hw('acme', 'grant', 'import', file), 5, 'grant-holder');
    const taken = json(await hw('beta', 'grant', 'import', file));
    assert.deepEqual([taken['side'], taken['state'], taken['handOns']], ['got', 'active', 0]);
    assert.deepEqual(json(await hw('beta', 'grant', 'import', file))['id'], taken['id']);

    const asked = json(
      await hw('beta', 'grant', 'request', `${String(made['owner'])}/other`, '--purpose', 'x'),
    );
    assert.equal(asked['state'], 'pending');
    assert.equal(
      json(await hw('beta', 'grant', 'withdraw', String(asked['id'])))['state'],
      'withdrawn',
    );
    refusedAs(await hw('beta', 'grant', 'withdraw', String(asked['id'])), 1, 'request-decided');
    refusedAs(await hw('acme', 'grant', 'accept', 'abcdef'), 1, 'request-unknown');

    const id = String(made['id']).slice(-8);
    assert.equal(
      json(await hw('acme', 'grant', 'revoke', id, '--why', 'over'))['state'],
      'revoked',
    );
    assert.equal(json(await hw('acme', 'grant', 'revoke', id))['state'], 'revoked');
    refusedAs(await hw('acme', 'grant', 'revoke', 'kq3ybd5a'), 1, 'grant-unknown');
    const shown = await hwHere(['grant', 'list', '--home', at('acme')]);
    assert.match(shown.stdout, /given +orders .*revoked/);
  });
});
