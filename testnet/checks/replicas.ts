/** Whether replicas are what the producer signed: same size and root, and every hash in them right. */
import type { JsonView } from '../../src/node/json-view.ts';
import type { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import type { StreamPlan } from '../plan.ts';

/** Size and root of the one log of a stream. */
export interface Head {
  readonly log: string;
  readonly size: number;
  readonly root: string;
}

export function headOf(stream: JsonView): Head {
  const log = stream.list('logs')[0];
  return {
    log: log?.text('log') ?? '',
    size: log?.number('size') ?? 0,
    root: log?.text('root') ?? '',
  };
}

export async function heads(
  peer: Peer,
  streams: readonly StreamPlan[],
): Promise<ReadonlyMap<string, Head>> {
  const found = await Promise.all(
    streams.map(async ({ title }) => [title, headOf(await peer.api.stream(title))] as const),
  );
  return new Map(found);
}

/** Resolves when the peer has each stream in full; the error names the first that it lacks. */
export async function complete(
  peer: Peer,
  wanted: ReadonlyMap<string, Head>,
  streams: readonly StreamPlan[],
  timeoutMs: number,
): Promise<void> {
  let lacking = '';
  await until(
    `${peer.name} to be complete`,
    async () => {
      const found = await heads(peer, streams);
      const behind = streams.find(({ title }) => {
        return (found.get(title)?.size ?? 0) < (wanted.get(title)?.size ?? 0);
      });
      if (behind === undefined) return true;
      const { title } = behind;
      lacking = `${title} has ${found.get(title)?.size} of ${wanted.get(title)?.size} entries`;
      throw new Error(lacking);
    },
    { timeoutMs },
  );
}

/** The streams whose size or root at the peer is not the producer's. */
export async function differences(
  peer: Peer,
  wanted: ReadonlyMap<string, Head>,
  streams: readonly StreamPlan[],
): Promise<readonly string[]> {
  const found = await heads(peer, streams);
  return streams.flatMap(({ title }) => {
    const [mine, theirs] = [found.get(title), wanted.get(title)];
    if (mine?.root === theirs?.root && mine?.size === theirs?.size && mine?.size !== 0) return [];
    return [
      `${peer.name} ${title}: ${mine?.size} ${mine?.root} is not ${theirs?.size} ${theirs?.root}`,
    ];
  });
}
