/**
 * A peer of an organisation that writes one of its streams is taken that right: the log ends at its last
 * good entry at everybody, what comes after it reaches nobody, and the owner goes on in a successor.
 */
import { enrol } from '../lib/branch.ts';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import { must } from '../scenario.ts';
import type { NetworkChecks } from '../scenarios.ts';

export const writers: NetworkChecks = async (work, { holds }) => {
  const hq = await new Peer(work, 'acme').init();
  await hq.up();
  const invite = (await hq.hw(['invite'])).expect(0).json.text('invite') ?? '';
  const [branch, beta] = [new Peer(work, 'branch'), new Peer(work, 'beta')];
  await Promise.all([branch.join(invite), beta.join(invite)]);
  await enrol(branch, hq);
  await Promise.all([branch.up(), beta.up()]);
  await until('the branch to announce its stream', async () => {
    return (await branch.hw(['stream', 'create', 'orders'])).code === 0;
  });
  const target = `${hq.did}/orders`;
  for (const peer of [hq, beta]) {
    await until(`${peer.name} to follow`, async () => {
      await peer.api.post('/follows', { target });
      return true;
    });
  }
  let sent = 0;
  const publish = async (at: Peer, count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      sent += 1;
      const event = { specversion: '1.0', id: `${sent}`, source: '/w', type: 'org.example.x' };
      await at.api.publish('acme/orders', [JSON.stringify(event)]);
    }
  };
  const has = async (peer: Peer, count: number): Promise<boolean> =>
    (await peer.api.replay(target).catch(() => [])).length === count;
  await publish(branch, 5);
  for (const peer of [hq, beta]) await until(`${peer.name} to have 5`, () => has(peer, 5));
  holds('a stream is written by another peer of its organisation');

  const log = (await hq.api.stream(target)).list('logs')[0]?.text('log') ?? '';
  const id = (await branch.api.get('/status')).text('peer') ?? '';
  const middle = await hq.hw(['peer', 'revoke', id, '--good', `hw:${log}=6`]);
  middle.expect(middle.code, 'successor-predecessor');
  // Genesis and its seal, then an event and a seal each: three events are good.
  const revoked = await hq.hw(['peer', 'revoke', id, '--good', `hw:${log}=7`, '--why', 'stolen']);
  revoked.expect(0);
  const states = async (peer: Peer): Promise<string> => {
    const [one] = (await peer.api.stream(target)).list('logs');
    return `${one?.text('state')} ${one?.at('problem').text('code')} ${one?.number('size')}`;
  };
  for (const peer of [hq, beta]) {
    await until(`${peer.name} to end the log`, async () => {
      return (await states(peer)) === 'frozen writer-revoked 8';
    });
    must(await has(peer, 3), `${peer.name} still has what is not good`);
  }
  const refused = await publish(branch, 1).then(
    () => 'taken',
    (cause: unknown) => String(cause),
  );
  must(refused.includes('log-frozen'), `the revoked writer: ${refused}`);
  holds('revoked: the log ends at its last good entry at both peers, its writer is refused');

  const recovered = await hq.hw(['stream', 'recover', 'orders', '--reason', 'fork']);
  recovered.expect(0);
  await publish(hq, 2);
  await until('beta to have what goes on', () => has(beta, 5));
  const verdict = (await beta.api.verify(target)).text('verdict');
  must(verdict === 'intact', `beta says ${verdict}`);
  const registry = await beta.api.replay(`${hq.did}/_registry`);
  must(
    registry.some((line) => line.includes('org.headwater.writer.revoked')),
    'it is not in the registry',
  );
  holds('the owner goes on in a successor; a follower has 3 good events and 2 new ones, intact');

  await beta.down();
  await beta.up();
  await until('beta to be back', () => has(beta, 5));
  must((await beta.api.stream(target)).list('logs').length === 2, 'two logs');
  holds('after a restart nothing else is true');
};
