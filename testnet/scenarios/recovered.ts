/**
 * After a recovery: a peer that begins to follow only now, though the first log of the chain is forked;
 * and the stream as a bundle and a static tree, for those who were never part of the network.
 */
import { join } from 'node:path';
import { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { Workspace } from '../lib/workspace.ts';
import { must } from '../scenario.ts';
import { tuned } from './forks.ts';

/** `stream` is the owner's alias and name; the peer is up and follows it. */
export async function latecomer(work: Workspace, hub: Peer, stream: string): Promise<Peer> {
  const invite = (await hub.hw(['invite'])).expect(0).json.text('invite') ?? '';
  const late = await tuned(await new Peer(work, 'late').join(invite)).up();
  await until(
    `late to follow ${stream}`,
    async () => ((await late.hw(['follow', stream])).code === 0 ? true : undefined),
    { timeoutMs: 90_000, everyMs: 50 },
  );
  return late;
}

/** The bundle verifies and holds all events; the static tree has all logs of the chain. */
export async function onPaper(
  work: Workspace,
  peer: Peer,
  stream: string,
  logs: number,
): Promise<void> {
  const bundle = join(work.directory('paper'), `${peer.name}.hwb`);
  (await peer.hw(['export', stream, '--bundle', bundle])).expect(0);
  const checked = (await peer.hw(['verify', bundle])).expect(0);
  must(checked.json.text('verdict') === 'intact', 'the bundle is not intact');
  const shown = checked.json.at('proven').list('logs');
  const events = shown.reduce((sum, log) => sum + (log.number('events') ?? 0), 0);
  const all = (await peer.api.replay(stream)).length;
  must(shown.length === logs && events === all, `${shown.length} logs, ${events} of ${all} events`);
  const tree = join(work.directory('paper'), `${peer.name}-tree`);
  const exported = (await peer.hw(['export', stream, '--static', tree])).expect(0);
  must(exported.json.list('logs').length === logs, 'the tree lacks a log');
}
