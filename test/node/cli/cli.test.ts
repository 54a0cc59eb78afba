import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { commands, plannedCommands } from '../../../src/node/cli/commands.ts';
import { commandWords } from '../../../src/node/cli/command.ts';
import { faultOf, hw, json, tempFolder } from './harness.ts';
import { stubNode, type Answer, type Call } from './stub-node.ts';

describe('the command line', () => {
  it('shows for each command a help with an example', async () => {
    for (const spec of commands) {
      const words = commandWords(spec);
      const ran = await hw([...words, '--help']);
      assert.equal(ran.code, 0, words.join(' '));
      assert.ok(ran.stdout.includes(spec.example), words.join(' '));
      assert.ok(ran.stdout.startsWith(`Usage: hw ${words.join(' ')}`), ran.stdout);
      assert.equal(ran.stderr, '');
    }
  });

  it('keeps what is not built out of the help', async () => {
    const { stdout } = await hw(['tail', '--help']);
    assert.ok(!stdout.includes('--filter'));
  });

  const wrong: readonly (readonly [string, readonly string[], string, string])[] = [
    ['an unknown command', ['statsu'], 'usage', 'Did you mean status?'],
    ['an unknown flag', ['status', '--jsno'], 'usage', 'Did you mean --json?'],
    ['a missing argument', ['publish'], 'usage', 'hw publish --help shows how it is used.'],
    ['too many arguments', ['status', 'x'], 'usage', 'hw status --help shows how it is used.'],
    [
      'a flag without its value',
      ['tail', 'x', '--from'],
      'usage',
      'hw tail --help shows how it is used.',
    ],
    [
      'a limit that is no number',
      ['tail', 'x', '--limit', 'ten'],
      'usage',
      'See the command with --help.',
    ],
    [
      'a speed of nothing',
      ['replay', 'x', '--speed', '0'],
      'usage',
      'See the command with --help.',
    ],
    [
      'a flag that is not built',
      ['tail', 'x', '--filter', 'a'],
      'not-supported',
      'This is not built yet; see docs/STATUS.md.',
    ],
    [
      'a command that is not built',
      ['offer', 'list'],
      'not-supported',
      'This is not built yet; see docs/STATUS.md.',
    ],
  ];
  for (const [name, args, code, hint] of wrong) {
    it(`refuses ${name} with exit 2 and a hint`, async () => {
      const ran = await hw(args);
      assert.equal(ran.code, 2);
      assert.equal(ran.stdout, '');
      assert.ok(ran.stderr.startsWith('error: ') && ran.stderr.includes(`[${code}]`), ran.stderr);
      assert.ok(ran.stderr.includes(`hint: ${hint}`), ran.stderr);
      assert.ok(!ran.stderr.includes('    at '), 'a stack trace');
    });
  }

  it('names every planned command as such', async () => {
    for (const words of plannedCommands) {
      assert.equal((await hw(words)).code, 2);
      assert.ok(!commands.some((spec) => commandWords(spec).join(' ') === words.join(' ')));
    }
  });

  it('prints the fault as the one JSON value with --json', async () => {
    using folder = tempFolder();
    const ran = await hw(['status', '--json', '--home', join(folder.path, 'none')]);
    assert.equal(ran.code, 78);
    assert.equal(ran.stderr, '');
    const fault = faultOf(ran);
    assert.equal(fault['code'], 'home-missing');
    assert.equal(fault['hint'], 'Make a home with hw init.');
  });

  it('finds its home by --home, then $HW_HOME', async () => {
    using folder = tempFolder();
    const environment = { HW_HOME: join(folder.path, 'b') };
    const first = json(
      await hw(['init', '--json', '--home', join(folder.path, 'a')], { environment }),
    );
    assert.equal(first['home'], join(folder.path, 'a'));
    const second = json(await hw(['init', '--json'], { environment }));
    assert.equal(second['home'], join(folder.path, 'b'));
  });
});

describe('commands without a node', () => {
  it('init, config, key, network and doctor work on a stopped home', async () => {
    using folder = tempFolder();
    const at = ['--home', folder.path];
    const made = await hw(['init', '--org', 'acme', ...at]);
    assert.equal(made.code, 0);
    assert.match(made.stdout, /^made the home of acme at /);
    assert.match(
      (await hw(['init', '--org', 'acme', ...at])).stdout,
      /^found the home of acme at /,
    );
    assert.equal((await hw(['config', 'check', ...at])).code, 0);
    assert.match((await hw(['config', 'show', ...at])).stdout, /^organisation: acme\n/);
    assert.equal((await hw(['config', 'set', 'limits.maxLingerMs', '9', ...at])).code, 0);
    const shown = json(await hw(['config', 'show', '--json', ...at]));
    assert.equal((shown['limits'] as Record<string, number>)['maxLingerMs'], 9);
    const keys = json(await hw(['key', 'list', '--json', ...at]))['keys'] as { name: string }[];
    assert.deepEqual(
      keys.map((key) => key.name),
      ['organisation', 'peer', 'writer', 'recovery', 'witness', 'freshness', 'encryption', 'node'],
    );
    const network = json(await hw(['network', 'show', '--json', ...at]));
    assert.deepEqual(
      [network['name'], network['version'], network['membership']],
      ['acme', 1, 'open'],
    );
    const doctor = await hw(['doctor', ...at]);
    assert.equal(doctor.code, 0, doctor.stdout);
    const token = (await hw(['key', 'token', ...at])).stdout.trim();
    assert.equal(token, readFileSync(join(folder.path, 'api.token'), 'utf8').trim());
    const replaced = (await hw(['key', 'token', '--new', ...at])).stdout.trim();
    assert.notEqual(replaced, token);
  });

  it('exports a key file as it is, and names the keys that there are', async () => {
    using folder = tempFolder();
    const at = ['--home', folder.path];
    await hw(['init', ...at]);
    const ran = await hw(['key', 'export', 'recovery', ...at]);
    assert.equal(ran.stdout, readFileSync(join(folder.path, 'keys', 'recovery.key'), 'utf8'));
    const wrong = await hw(['key', 'export', 'recovry', ...at]);
    assert.equal(wrong.code, 2);
    assert.ok(wrong.stderr.includes('Did you mean recovery?'));
  });

  it('a fault in config.yaml ends each with 78 and the place', async () => {
    using folder = tempFolder();
    await hw(['init', '--home', folder.path]);
    const file = join(folder.path, 'config.yaml');
    const text = readFileSync(file, 'utf8').replace('listen: 127', 'lisen: 127');
    writeFileSync(file, text);
    const line = text.split('\n').findIndex((part) => part.includes('lisen')) + 1;
    for (const command of [['config', 'check'], ['status'], ['up']]) {
      const ran = await hw([...command, '--home', folder.path]);
      assert.equal(ran.code, 78, command.join(' '));
      assert.ok(ran.stderr.includes(`${file}:${line}:3`), ran.stderr);
      assert.ok(ran.stderr.includes('Did you mean http.listen?'));
    }
    const doctor = await hw(['doctor', '--home', folder.path]);
    assert.equal(doctor.code, 1);
  });

  it('that need one end with 69 and say hw up', async () => {
    using folder = tempFolder();
    await hw(['init', '--home', folder.path]);
    for (const command of [
      ['status'],
      ['down'],
      ['stream', 'list'],
      ['peer', 'list'],
      ['invite'],
      ['tail', 'x'],
      ['follow', 'a/b'],
      ['publish', 'x', '-'],
    ]) {
      const ran = await hw([...command, '--home', folder.path]);
      assert.equal(ran.code, 69, command.join(' '));
      assert.ok(ran.stderr.includes('hint: Start the node with hw up.'), ran.stderr);
      assert.equal(ran.stdout, '');
    }
  });
});

describe('commands to a node', () => {
  const stream = {
    display: 'orders',
    owner: 'did:key:z6Mk',
    name: 'orders',
    id: 'bafy',
    visibility: 'public',
    partitions: 1,
    own: true,
    paused: false,
    logs: [{ log: 'bafy', size: 1234, blocks: 5, role: 'writer', state: 'open', lagEntries: 0 }],
  };

  const answers = (call: Call): Answer => {
    if (call.path === '/streams')
      return { body: call.method === 'POST' ? stream : { streams: [stream] } };
    if (call.path === '/peers') return { body: { peers: [] } };
    if (call.path.endsWith('/orders')) return { body: stream };
    return undefined;
  };

  it('send the token of the home, and --why for the journal', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, answers);
    const ran = await hw(['stream', 'create', 'orders', '--why', 'new shop', '--home', node.home]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, 'created orders\nlog bafy\n');
    assert.equal(
      node.calls[0]?.authorization,
      `Bearer ${readFileSync(node.paths.token, 'utf8').trim()}`,
    );
    assert.deepEqual(JSON.parse(node.calls[0]?.body ?? ''), { name: 'orders', why: 'new shop' });
  });

  it('print what the node answers as one value with --json', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, answers);
    const ran = await hw(['stream', 'list', '--all', '--json', '--home', node.home]);
    assert.deepEqual(json(ran), { streams: [stream] });
    assert.deepEqual(node.calls[0]?.query, { all: 'true' });
    const table = await hw(['stream', 'list', '--home', node.home]);
    assert.match(
      table.stdout,
      /^STREAM {2}ENTRIES {2}ROLE {2}STATE {2}BEHIND {2}ID\norders {2}1,234 +own +open/,
    );
  });

  it('turn a problem of the node back into its fault, with the exit code of its class', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, answers);
    const ran = await hw(['stream', 'show', 'nothing', '--json', '--home', node.home]);
    assert.equal(ran.code, 1);
    assert.deepEqual(faultOf(ran), {
      code: 'stream-unknown',
      message: 'no such stream',
      hint: 'See hw stream list --all.',
    });
  });

  it("say that the token is not the node's", async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, () => ({ status: 401, body: {} }));
    const ran = await hw(['peer', 'list', '--json', '--home', node.home]);
    assert.deepEqual([ran.code, faultOf(ran)['code']], [5, 'token-refused']);
  });

  it('name streams by organisation and name, by log id, and reserved ones by this peer', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, answers);
    const did = node.identity.organisation;
    await hw(['stream', 'show', 'orders', '--home', node.home]);
    await hw(['stream', 'show', 'beta/orders', '--home', node.home]);
    await hw(['stream', 'show', 'hw:bafy', '--home', node.home]);
    await hw(['stream', 'show', '_journal', '--home', node.home]);
    const paths = node.calls.map((call) => call.path);
    assert.equal(paths[0], `/streams/${did}/orders`);
    assert.equal(paths[1], '/streams/beta/orders');
    assert.deepEqual(paths.slice(2, 4), ['/streams', '/streams/did:key:z6Mk/orders']);
    assert.match(paths[4] ?? '', /^\/streams\/did:key:z6Mk.{40,}\/_journal$/);
    assert.notEqual(paths[4], `/streams/${did}/_journal`);
  });

  it('refuse offline evidence while the node runs, naming its process', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, answers);
    for (const command of [['verify', 'orders', '--offline'], ['up']]) {
      const ran = await hw([...command, '--json', '--home', node.home]);
      assert.equal(ran.code, 1);
      assert.equal(faultOf(ran)['code'], 'node-running');
      assert.ok(String(faultOf(ran)['message']).includes(`process ${process.pid}`));
    }
  });

  const verdicts = { intact: 0, broken: 3, incomplete: 4, untrusted: 4 };
  for (const [verdict, code] of Object.entries(verdicts)) {
    it(`verify exits ${code} where the verdict is ${verdict}`, async () => {
      using folder = tempFolder();
      const view = { verdict, stream: 'orders', logs: [], checkedEvents: 7, seconds: 0.1 };
      await using node = await stubNode(folder.path, () => ({ body: view }));
      const ran = await hw(['verify', 'orders', '--json', '--home', node.home]);
      assert.equal(ran.code, code);
      assert.deepEqual(json(ran), view);
    });
  }
});

describe('tail and replay', () => {
  const events = '{"id":"1"}\n{"id":"2"}\n';

  it('print the lines of the node and say where to begin', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, () => ({ body: events }));
    const tail = await hw(['tail', 'orders', '--limit', '2', '--home', node.home]);
    assert.deepEqual([tail.code, tail.stdout], [0, events]);
    assert.deepEqual(node.calls[0]?.query, { from: 'now', limit: '2', follow: 'true' });
    const replay = await hw(['replay', 'orders', '--speed', '10', '--json', '--home', node.home]);
    assert.equal(replay.stdout, events);
    assert.deepEqual(node.calls[1]?.query, { from: 'start', speed: '10', envelope: 'true' });
  });

  it('follow the stream first with --follow', async () => {
    using folder = tempFolder();
    await using node = await stubNode(folder.path, () => ({ body: {} }));
    await hw(['replay', 'beta/orders', '--follow', '--home', node.home]);
    assert.deepEqual([node.calls[0]?.method, node.calls[0]?.path], ['POST', '/follows']);
    assert.deepEqual(JSON.parse(node.calls[0]?.body ?? ''), { target: 'beta/orders' });
  });

  it('end with the fault that the node put at the end of the stream, on stderr', async () => {
    using folder = tempFolder();
    const problem = { code: 'store-corrupt', message: 'a block is damaged', hint: 'hw verify' };
    const body = `${events}${JSON.stringify({ error: problem })}\n`;
    await using node = await stubNode(folder.path, () => ({ body }));
    const ran = await hw(['replay', 'orders', '--json', '--home', node.home]);
    assert.equal(ran.stdout, events);
    const { error } = JSON.parse(ran.stderr) as { error: { code: string } };
    assert.equal(error.code, 'store-corrupt');
    assert.notEqual(ran.code, 0);
  });
});
