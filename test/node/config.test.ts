import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Fault } from '../../src/errors.ts';
import { limits } from '../../src/limits.ts';
import { parseConfig, parseSetting, setInConfig, variableName } from '../../src/node/config.ts';
import { configJsonSchema, keyPaths, type Config } from '../../src/node/config-schema.ts';
import { editDistance, nearest } from '../../src/node/nearest.ts';
import type { Result } from '../../src/result.ts';

const sound = `organisation: acme
http:
  listen: 127.0.0.1:8080
p2p:
  listen:
    - /ip4/0.0.0.0/tcp/4001
`;

function value<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.error));
  return result.value;
}

function faultOf(result: Result<unknown>): Fault {
  assert.ok(!result.ok);
  return result.error;
}

function read(text: string, environment: Record<string, string> = {}): Result<Config> {
  return parseConfig(text, 'config.yaml', environment);
}

describe('config.yaml', () => {
  it('gives every setting, defaults included', () => {
    const config = value(read(`${sound}follow: [acme/orders]\nlimits:\n  maxLingerMs: 7\n`));
    assert.equal(config.organisation, 'acme');
    assert.deepEqual(config.p2p, {
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      announce: [],
      bootstrap: [],
    });
    assert.deepEqual(config.follow, ['acme/orders']);
    assert.deepEqual(config.roles, []);
    assert.equal(config.limits.maxLingerMs, 7);
    assert.equal(config.limits.minLingerMs, limits.minLingerMs);
  });

  it('refuses an unknown key with file, line, column and the nearest key', () => {
    const found = faultOf(read(`${sound}  anounce: []\n`));
    assert.equal(found.code, 'config-unknown-key');
    assert.deepEqual(found.place, {
      file: 'config.yaml',
      line: 7,
      column: 3,
      pointer: 'p2p.anounce',
    });
    assert.equal(found.hint, 'Did you mean p2p.announce?');
  });

  it('refuses an unknown section with the nearest one', () => {
    const found = faultOf(read(`${sound}htp:\n  listen: 1\n`));
    assert.equal(found.code, 'config-unknown-key');
    assert.equal(found.place?.line, 7);
    assert.equal(found.hint, 'Did you mean http?');
  });

  const wrong: readonly (readonly [string, string, number, number])[] = [
    ['a port above 65535', 'http: { listen: 127.0.0.1:70000 }', 1, 17],
    ['an address without a port', 'http: { listen: localhost }', 1, 17],
    ['text for a list', 'follow: acme/orders', 1, 9],
    ['an unknown role', 'roles: [boss]', 1, 8],
    ['an unknown restore guard', 'restoreGuard: lax', 1, 15],
    ['a limit of nothing', 'limits: { maxLingerMs: 0 }', 1, 24],
    ['a limit that is text', 'limits: { maxLingerMs: many }', 1, 24],
    ['a number for a name', 'organisation: 5', 1, 15],
    ['an alias that is no DID', 'aliases: { acme: did:web:acme.org }', 1, 10],
    ['a bootstrap address without a peer', 'p2p: { bootstrap: [/ip4/1.2.3.4/tcp/1] }', 1, 19],
    ['a section that is no map', 'http: 5', 1, 7],
  ];
  for (const [name, text, line, column] of wrong) {
    it(`refuses ${name}, with the place of the value`, () => {
      const found = faultOf(read(text));
      assert.equal(found.code, 'config-value');
      assert.deepEqual([found.place?.line, found.place?.column], [line, column]);
    });
  }

  it('refuses broken YAML and a key that stands twice', () => {
    assert.equal(faultOf(read('http: [')).code, 'config-syntax');
    const twice = faultOf(read(`${sound}organisation: other\n`));
    assert.equal(twice.code, 'config-syntax');
    assert.equal(twice.place?.line, 7);
  });

  for (const key of ['webhooks: { allowPrivate: true }']) {
    it(`refuses ${key}, which is designed but not built`, () => {
      assert.equal(faultOf(read(key)).code, 'not-supported');
    });
  }

  it('refuses an API that others can reach without TLS, with the place of the address', () => {
    for (const address of ['0.0.0.0:80', '192.0.2.1:80', "'[::]:80'", 'api.example.org:80']) {
      const found = faultOf(read(sound.replace('127.0.0.1:8080', address)));
      assert.equal(found.code, 'tls-needed', address);
      assert.deepEqual([found.place?.line, found.place?.column], [3, 11]);
    }
    const half = `0.0.0.0:80\n  tls: { cert: a }`;
    assert.equal(faultOf(read(sound.replace('127.0.0.1:8080', half))).code, 'tls-needed');
    const both = `0.0.0.0:80\n  tls: { cert: a, key: b }`;
    const { http } = value(read(sound.replace('127.0.0.1:8080', both)));
    assert.deepEqual(http, { listen: '0.0.0.0:80', tls: { cert: 'a', key: 'b' } });
    for (const local of ['127.1.2.3:80', 'localhost:80', "'[::1]:80'"]) {
      assert.ok(read(sound.replace('127.0.0.1:8080', local)).ok, local);
    }
    const moved = faultOf(read(sound, { HW_HTTP_LISTEN: '0.0.0.0:80' }));
    assert.deepEqual([moved.code, moved.place?.pointer], ['tls-needed', 'HW_HTTP_LISTEN']);
  });

  it('says which needed key is missing', () => {
    const found = faultOf(read('organisation: acme\n'));
    assert.equal(found.code, 'config-value');
    assert.equal(found.place?.pointer, 'http.listen');
  });

  it('lets HW_ variables override, and refuses one that fits no key', () => {
    const config = value(
      read(sound, {
        HW_HTTP_LISTEN: '127.0.0.1:9',
        HW_P2P_LISTEN: '/ip4/127.0.0.1/tcp/1,/ip4/127.0.0.1/tcp/2/ws',
        HW_LIMITS_MAX_LINGER_MS: '9',
        HW_VECTORS: '/elsewhere',
      }),
    );
    assert.equal(config.http.listen, '127.0.0.1:9');
    assert.deepEqual(config.p2p.listen, ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2/ws']);
    assert.equal(config.limits.maxLingerMs, 9);
    const typo = faultOf(read(sound, { HW_HTTP_LISTN: 'x' }));
    assert.equal(typo.code, 'config-unknown-key');
    assert.equal(typo.hint, 'Did you mean HW_HTTP_LISTEN?');
    const bad = faultOf(read(sound, { HW_HTTP_LISTEN: 'x' }));
    assert.deepEqual([bad.code, bad.place?.pointer], ['config-value', 'HW_HTTP_LISTEN']);
  });

  it('sets one key and keeps comments and order', () => {
    const before = `# ours\n${sound}# the end\n`;
    const after = value(setInConfig(before, 'config.yaml', 'limits.maxLingerMs', 5));
    assert.ok(after.startsWith('# ours\norganisation: acme\n'));
    assert.ok(after.includes('# the end'));
    assert.equal(value(read(after)).limits.maxLingerMs, 5);
    const changed = value(setInConfig(after, 'config.yaml', 'organisation', 'beta'));
    assert.equal(value(read(changed)).organisation, 'beta');
  });

  it('sets no wrong value and no unknown key', () => {
    const value1 = faultOf(setInConfig(sound, 'config.yaml', 'http.listen', 'nowhere'));
    assert.deepEqual([value1.code, value1.place], ['config-value', { pointer: 'http.listen' }]);
    const key = faultOf(setInConfig(sound, 'config.yaml', 'http.lisen', 'x'));
    assert.deepEqual([key.code, key.hint], ['config-unknown-key', 'Did you mean http.listen?']);
  });

  it('reads settings from the command line by the type of their key', () => {
    assert.deepEqual(value(parseSetting('follow', 'a/b, c/d')), ['a/b', 'c/d']);
    assert.deepEqual(value(parseSetting('follow', '')), []);
    assert.equal(value(parseSetting('http.listen', '[::1]:80')), '[::1]:80');
    assert.equal(value(parseSetting('limits.maxLingerMs', '12')), 12);
  });

  it('names a variable for each key, all different', () => {
    assert.equal(variableName('limits.maxLingerMs'), 'HW_LIMITS_MAX_LINGER_MS');
    const names = keyPaths().map(variableName);
    assert.equal(new Set(names).size, names.length);
  });

  it('has a JSON Schema that lists what is built and nothing else', () => {
    const text = JSON.stringify(configJsonSchema());
    assert.ok(text.includes('"maxLingerMs"') && text.includes('"bootstrap"'));
    assert.ok(text.includes('"tls"') && !text.includes('allowPrivate'));
    assert.ok(text.includes('restoreGuard'));
  });
});

describe('did you mean', () => {
  it('counts insertions, deletions, replacements and swaps', () => {
    assert.equal(editDistance('listen', 'listen'), 0);
    assert.equal(editDistance('lisen', 'listen'), 1);
    assert.equal(editDistance('lsiten', 'listen'), 1);
    assert.equal(editDistance('', 'abc'), 3);
  });

  it('is silent where nothing is near', () => {
    assert.equal(nearest('zebra', ['http', 'p2p']), undefined);
    assert.equal(nearest('htpp', ['http', 'p2p']), 'http');
  });
});
