/** UCAN bearers of remote administrators, and the attacks on them. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { tokenCid } from '../../../src/access/ucan-envelope.ts';
import { mintDelegation } from '../../../src/access/ucan-delegation.ts';
import { parsePolicy } from '../../../src/access/ucan-policy.ts';
import { value } from '../../access/tokens.ts';
import { mintInvocation } from '../../../src/access/ucan-invocation.ts';
import { formatContainer, parseContainer } from '../../../src/access/ucan-container.ts';
import { nodeCrypto } from '../../../src/crypto-node.ts';
import { adminCommands } from '../../../src/node/http/entry-points.ts';
import { real } from '../cli/harness.ts';
import { admin, guarded, organisation, peer, powers, thief } from './guarded.ts';
import { problem } from './client.ts';

const events = '/streams/acme/orders/events';

describe('UCAN bearers of the API', function () {
  this.timeout(20_000);

  it('lets a holder of /flow/admin do what the token of the home does', async () => {
    await using node = await guarded();
    const read = await node.client.call('GET', events, node.bearer(`GET ${events}`));
    assert.equal(read.status, 200);
    const json = { 'content-type': 'application/json' };
    const headers = { ...json, ...node.bearer('POST /shutdown') };
    const stop = await node.client.call('POST', '/shutdown', headers, '{}');
    assert.equal(stop.status, 202);
    const query = `${events}?limit=1`;
    assert.equal((await node.client.call('GET', query, node.bearer(`GET ${query}`))).status, 200);
  });

  it('lets the organisation itself in without a delegation', async () => {
    await using node = await guarded();
    const own = { tokens: [], subject: organisation.did };
    const headers = node.bearer(`GET ${events}`, { powers: own, by: organisation.signer });
    assert.equal((await node.client.call('GET', events, headers)).status, 200);
  });

  it('takes a bearer once', async () => {
    await using node = await guarded();
    const headers = node.bearer(`GET ${events}`);
    assert.equal((await node.client.call('GET', events, headers)).status, 200);
    problem(await node.client.call('GET', events, headers), 403, 'ucan-replayed');
    assert.deepEqual(node.denied, ['ucan-replayed GET /streams/:org/:name/events']);
  });

  it('takes no bearer that was issued before the node started', async () => {
    await using node = await guarded({}, 10);
    const answer = await node.client.call('GET', events, node.bearer(`GET ${events}`));
    problem(answer, 403, 'ucan-replayed');
  });

  it('refuses an expired bearer, one of the future, one that lives too long, an expired delegation', async () => {
    await using node = await guarded();
    const at = (seconds: number): number => node.clock.ms + seconds * 1000;
    const asked = async (changes: Parameters<typeof node.bearer>[1]): Promise<unknown> =>
      (await node.client.call('GET', events, node.bearer(`GET ${events}`, changes))).at('code');
    const time = (seconds: number) => ({ now: node.clock.now.call({ ms: at(seconds) }) });
    assert.equal(await asked(time(-122)), 'ucan-expired');
    assert.equal(await asked(time(62)), 'ucan-not-yet-valid');
    assert.equal(await asked({ seconds: 301 }), 'ucan-lifetime');
    assert.equal(await asked({ powers: powers(undefined, peer.did, -62) }), 'ucan-expired');
    assert.equal(await asked({}), undefined);
  });

  it('refuses a bearer for another node, and a delegation for another one', async () => {
    await using node = await guarded();
    const other = node.bearer(`GET ${events}`, { node: thief.did });
    problem(await node.client.call('GET', events, other), 403, 'ucan-request');
    const elsewhere = node.bearer(`GET ${events}`, { powers: powers(undefined, thief.did) });
    problem(await node.client.call('GET', events, elsewhere), 403, 'ucan-policy');
  });

  it('refuses a bearer whose audience is another peer, whatever its arguments say', async () => {
    await using node = await guarded();
    const { tokens, subject } = powers();
    const now = Math.floor(node.clock.ms / 1000);
    for (const audience of [undefined, thief.did, organisation.did]) {
      const invocation = mintInvocation(admin.signer, {
        subject,
        ...(audience === undefined ? {} : { audience }),
        command: adminCommands.read,
        args: { node: peer.did, method: 'GET', path: events },
        proofs: tokens.map((token) => tokenCid(nodeCrypto, token)),
        nonce: real.random.bytes(16),
        issuedAt: now,
        expires: now + 60,
      });
      const authorization = `Bearer ${formatContainer([invocation, ...tokens])}`;
      const answer = await node.client.call('GET', events, { authorization });
      problem(answer, 403, 'ucan-audience');
    }
  });

  it('refuses a bearer with the wrong command for its route, and a delegation of too little', async () => {
    await using node = await guarded();
    const wrong = node.bearer('POST /shutdown', { command: adminCommands.read });
    problem(await node.client.call('POST', '/shutdown', wrong), 403, 'ucan-command');
    const narrow = { powers: powers(adminCommands.read) };
    const stop = node.bearer('POST /shutdown', narrow);
    problem(await node.client.call('POST', '/shutdown', stop), 403, 'ucan-command');
    const repair = '/streams/acme/orders/verify?repair=true';
    const repairing = node.bearer(`POST ${repair}`, narrow);
    problem(await node.client.call('POST', repair, repairing), 403, 'ucan-command');
    assert.equal(node.api.shutdowns, 0);
    const good = await node.client.call('GET', events, node.bearer(`GET ${events}`, narrow));
    assert.equal(good.status, 200);
  });

  it('refuses a bearer that was made for another method, path or query', async () => {
    await using node = await guarded();
    const attempts = [
      ['GET', '/streams', node.bearer('GET /status')],
      ['GET', `${events}?limit=9`, node.bearer(`GET ${events}?limit=1`)],
      ['GET', `${events}?limit=9`, node.bearer(`GET ${events}`)],
      ['GET', events, node.bearer(`GET ${events}?limit=9`)],
      ['DELETE', '/follows', node.bearer('POST /follows')],
    ] as const;
    for (const [method, path, headers] of attempts) {
      const answer = await node.client.call(method, path, headers);
      assert.deepEqual(problem(answer, 403, 'ucan-request') !== undefined, true);
    }
  });

  it('refuses a thief with a copied delegation, another subject, a changed and a missing link', async () => {
    await using node = await guarded();
    const asked = async (changes: Parameters<typeof node.bearer>[1]): Promise<unknown> =>
      (await node.client.call('GET', events, node.bearer(`GET ${events}`, changes))).at('code');
    assert.equal(await asked({ by: thief.signer }), 'ucan-audience');
    const of = { tokens: [], subject: thief.did };
    assert.equal(await asked({ by: thief.signer, powers: of }), 'ucan-subject');
    const none = { tokens: [], subject: organisation.did };
    assert.equal(await asked({ by: thief.signer, powers: none }), 'ucan-chain');
    const [token = new Uint8Array(0)] = powers().tokens;
    const forged = Uint8Array.from(token);
    forged[10] = (forged[10] ?? 0) ^ 1;
    const tampered = { tokens: [forged], subject: organisation.did };
    assert.equal(await asked({ powers: tampered }), 'ucan-signature');
  });

  it('refuses a revoked delegation', async () => {
    await using node = await guarded();
    const given = powers();
    const ucan = tokenCid(nodeCrypto, given.tokens[0] ?? new Uint8Array(0));
    node.revocations.add({ ucan, revoker: organisation.did, path: [] });
    const headers = node.bearer(`GET ${events}`, { powers: given });
    problem(await node.client.call('GET', events, headers), 403, 'ucan-revoked');
  });

  it('refuses what is no container, two invocations, and none', async () => {
    await using node = await guarded();
    const { tokens } = powers();
    const two = [node.bearer('GET /status'), node.bearer('GET /status')].map(
      ({ authorization }) => authorization,
    );
    for (const bearer of [
      `Bearer C${'A'.repeat(300)}`,
      `Bearer ${'x'.repeat(20_000)}`,
      `Bearer ${formatContainer(tokens)}`,
      `${two[0]}${two[1]?.slice(8)}`,
    ]) {
      const answer = await node.client.call('GET', '/status', { authorization: bearer });
      assert.equal(answer.status, 403, bearer.slice(0, 40));
      assert.match(String(answer.at('code')), /^ucan-/);
    }
  });

  it('refuses two invocations in one container, each of them good', async () => {
    await using node = await guarded();
    const given = { powers: powers() };
    const tokens = [1, 2].flatMap(() => {
      const { authorization } = node.bearer(`GET ${events}`, given);
      return value(parseContainer(authorization.slice('Bearer '.length)));
    });
    const unique = new Map(tokens.map((token) => [tokenCid(nodeCrypto, token), token]));
    assert.equal(unique.size, 3);
    const authorization = `Bearer ${formatContainer([...unique.values()])}`;
    const answer = await node.client.call('GET', events, { authorization });
    problem(answer, 403, 'ucan-container');
  });

  it('says the same of streams that are there, that are not, and that are direct', async () => {
    await using node = await guarded();
    const paths = ['orders', 'direct', 'nothing', '_journal'].map(
      (n) => `/streams/acme/${n}/events`,
    );
    const bodies = async (
      headers: (path: string) => Record<string, string>,
    ): Promise<Set<string>> => {
      const texts = new Set<string>();
      for (const path of [...paths, '/logs/bafk/checkpoint', '/no/such/route']) {
        const { status, text } = await node.client.call('GET', path, headers(path));
        texts.add(`${status} ${text.replaceAll(path, 'PATH')}`);
      }
      return texts;
    };
    assert.equal((await bodies(() => ({ authorization: '' }))).size, 1);
    assert.equal((await bodies(() => ({ authorization: 'Bearer wrong' }))).size, 1);
    const stop = { powers: powers(adminCommands.stop) };
    assert.equal((await bodies((path) => node.bearer(`GET ${path}`, stop))).size, 1);
  });

  it('writes who did it into what the journal is told', async () => {
    await using node = await guarded();
    let who = '';
    node.api.shutdown = (actor?: { readonly who: string }) => {
      who = actor?.who ?? '';
    };
    const body = { 'content-type': 'application/json', ...node.bearer('POST /shutdown') };
    assert.equal((await node.client.call('POST', '/shutdown', body, '{}')).status, 202);
    assert.equal(who, admin.did);
  });

  it('gives an admin whose delegation is narrowed to some paths tickets for those alone', async () => {
    await using node = await guarded();
    const either = [
      'or',
      [
        ['==', '.path', '/tickets'],
        ['==', '.path', events],
      ],
    ];
    const token = mintDelegation(organisation.signer, {
      audience: admin.did,
      subject: organisation.did,
      command: adminCommands.read,
      policy: value(parsePolicy([either])),
      nonce: real.random.bytes(12),
      expires: null,
    });
    const narrow = { powers: { tokens: [token], subject: organisation.did } };
    const ask = async (path: string): Promise<unknown> => {
      const json = { 'content-type': 'application/json' };
      const headers = { ...json, ...node.bearer('POST /tickets', narrow) };
      return (await node.client.call('POST', '/tickets', headers, JSON.stringify({ path }))).status;
    };
    assert.equal(await ask(events), 201);
    assert.equal(await ask('/streams/acme/secret/events'), 403);
    // And a GET of the same is refused in the same way.
    const secret = '/streams/acme/secret/events';
    const direct = await node.client.call('GET', secret, node.bearer(`GET ${secret}`, narrow));
    problem(direct, 403, 'ucan-policy');
  });

  it('counts each caller under the own name', async () => {
    await using node = await guarded({ maxApiRequestsPerSecond: 2 });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await node.client.get(events)).status);
    assert.deepEqual(statuses, [200, 200, 429]);
    const other = await node.client.call('GET', events, node.bearer(`GET ${events}`));
    assert.equal(other.status, 200, 'another caller from the same address');
  });

  it('makes an address that tries too often wait, and others not', async () => {
    await using node = await guarded({ maxStrangerRequestsPerSecond: 5 });
    const wrong = { authorization: 'Bearer wrong' };
    for (let i = 0; i < 5; i++) {
      problem(await node.client.call('GET', '/status', wrong), 401, 'token-refused');
    }
    const limited = await node.client.call('GET', '/status', wrong);
    problem(limited, 429, 'rate-limited');
    assert.equal(limited.headers['retry-after'], '1');
    problem(
      await node.client.call('GET', '/status', node.bearer('GET /status')),
      429,
      'rate-limited',
    );
    // The operator is not locked out by whoever tries.
    assert.equal((await node.client.call('GET', events)).status, 200);
    node.clock.ms += 1000;
    problem(await node.client.call('GET', '/status', wrong), 401, 'token-refused');
  });
});
