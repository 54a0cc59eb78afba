/** The disk of a home runs full while events come in, and has room again later. */
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { headOf } from '../checks/replicas.ts';
import { ApiError } from '../lib/api.ts';
import type { Peer } from '../lib/peer.ts';
import { until } from '../lib/until.ts';
import { joined, loneNode, must, numbered, numberOf, Skipped, type Scenario } from '../scenario.ts';

const stream = 'writer/events';
const diskBytes = 128 * 1024 * 1024;
/** Left free for events once the ballast lies there. */
const roomBytes = 3 * 1024 * 1024;
const eventBytes = 8000;

export const disk: Scenario = {
  name: 'disk',
  promise:
    'a full disk stops publishing by a coded error, not reading, and heals when there is room',
  async run({ work }) {
    const mounted = work.mount('small-disk', diskBytes);
    if (mounted === undefined) throw new Skipped('no tmpfs can be mounted here (not root)');
    const writer = await loneNode(work, 'writer', 'events', join(mounted, 'home'));
    const follower = await joined(work, 'follower', writer);
    await until('the follower to hear of the stream', async () => {
      await follower.api.post('/follows', { target: stream });
      return true;
    });
    const acknowledged: number[] = [];
    const ballast = join(mounted, 'ballast');
    const details: string[] = [];
    for (const round of [1, 2]) {
      await fill(mounted, ballast);
      const before = acknowledged.length;
      await publishUntilFull(writer, acknowledged);
      await staysReadable(writer, acknowledged);
      details.push(`round ${round}: full after ${acknowledged.length - before} events`);
      await rm(ballast);
      await until('publishing to go on', () => publishNext(writer, acknowledged));
      await publishNext(writer, acknowledged);
    }
    const wanted = headOf(await writer.api.stream(stream));
    await until('the follower to have the same root', async () => {
      const { size, root } = headOf(await follower.api.stream(stream));
      return size === wanted.size && root === wanted.root ? true : undefined;
    });
    // A crash right after must not cost what was acknowledged.
    await writer.kill();
    await writer.up();
    await holds(writer, acknowledged);
    await Promise.all([writer.down(), follower.down()]);
    (await writer.hw(['verify', stream, '--offline'])).expect(0);
    return `${details.join(', ')}; all ${acknowledged.length} are there`;
  },
};

/** Leaves only `roomBytes` of the disk. */
async function fill(mounted: string, ballast: string): Promise<void> {
  const { bavail, bsize } = await statfs(mounted);
  await writeFile(ballast, new Uint8Array(Math.max(0, bavail * bsize - roomBytes)));
}

async function publishNext(writer: Peer, acknowledged: number[]): Promise<true> {
  const n = (acknowledged.at(-1) ?? -1) + 1;
  await writer.api.publish(stream, [numbered(n, eventBytes)]);
  acknowledged.push(n);
  return true;
}

async function publishUntilFull(writer: Peer, acknowledged: number[]): Promise<void> {
  const most = (4 * diskBytes) / eventBytes;
  for (let i = 0; i < most; i++) {
    try {
      await publishNext(writer, acknowledged);
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      const { code, status } = cause;
      must(code === 'disk-full' && status === 507, `refused with ${status} ${code}`);
      return;
    }
  }
  throw new Error(`${most} events fit into a full disk`);
}

/** Full for good: every further event is refused by the same code, reads and state are served. */
async function staysReadable(writer: Peer, acknowledged: readonly number[]): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const refused = await publishNext(writer, [...acknowledged]).catch((cause: unknown) => cause);
    const full = refused instanceof ApiError && refused.code === 'disk-full';
    must(
      full,
      `a full disk answers ${refused instanceof Error ? refused.message : 'as if it were not'}`,
    );
  }
  await holds(writer, acknowledged);
  const status = await writer.api.get('/status');
  must(!status.at('store').flag('accepting'), 'status says that the store accepts');
  const bad = status.list('checks').filter((check) => !check.flag('ok'));
  must(
    bad.some((check) => check.text('hint') !== undefined),
    'status has no hint what to do',
  );
}

async function holds(writer: Peer, acknowledged: readonly number[]): Promise<void> {
  const lines = await writer.api.replay(stream);
  const found = lines.map(numberOf);
  const lost = acknowledged.filter((n) => !found.includes(n));
  must(lost.length === 0, `${lost.length} acknowledged events are gone, first ${lost[0]}`);
  must(new Set(found).size === found.length, 'an event is stored twice');
}
