/**
 * The guard file after a crash or a bad disk. A write that was cut at its end is a crash: the node
 * starts and says so. Damage before its end, or a guard that is gone, is no crash: nothing is signed.
 */
import { cp, open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError } from '../lib/api.ts';
import { Peer } from '../lib/peer.ts';
import { loneNode, must, noStack, numbered, type Scenario } from '../scenario.ts';
import type { Workspace } from '../lib/workspace.ts';
import { NotUp } from '../lib/peer.ts';

const stream = 'writer/events';
const frameAlign = 128;

export const guard: Scenario = {
  name: 'guard',
  promise: 'a half-written guard file costs nothing; a damaged one keeps the node from signing',
  async run({ work }) {
    const writer = await loneNode(work, 'writer', 'events');
    for (let n = 0; n < 20; n++) await writer.api.publish(stream, [numbered(n)]);
    await writer.kill();
    const last = await lastFrame(join(writer.home, 'guard', 'marks'));
    const cuts = [1, 20, 100].map((bytes) => ({
      name: `cut-${bytes}`,
      damage: (file: string): Promise<void> => zero(file, last + bytes, frameAlign - bytes),
    }));
    for (const { name, damage } of cuts) {
      const state = await startDamaged(work, writer, name, damage);
      must(state === 'signs', `${name}: ${state}, but a cut last write is only a crash`);
    }
    const worse = [
      { name: 'middle', damage: (file: string) => zero(file, frameAlign * 3 + 40, 8) },
      { name: 'first', damage: (file: string) => zero(file, 12, 8) },
      { name: 'empty', damage: (file: string) => truncate(file, 0) },
      { name: 'gone', damage: (file: string) => rm(file) },
    ];
    const states: string[] = [];
    for (const { name, damage } of worse) {
      const state = await startDamaged(work, writer, name, damage);
      must(state !== 'signs', `${name}: the node signs as if nothing had happened`);
      states.push(`${name} ${state}`);
    }
    return `3 cuts survived; ${states.join(', ')}`;
  },
};

/** Starts a copy of the home with a damaged guard: `signs`, or the code with which it does not. */
async function startDamaged(
  work: Workspace,
  writer: Peer,
  name: string,
  damage: (file: string) => Promise<void>,
): Promise<string> {
  const home = join(work.folder, 'copy');
  await rm(home, { recursive: true, force: true });
  await cp(writer.home, home, { recursive: true });
  await rm(join(home, 'run'), { recursive: true, force: true });
  await damage(join(home, 'guard', 'marks'));
  const copy = new Peer(work, name, home);
  try {
    await copy.up();
  } catch (cause) {
    if (!(cause instanceof NotUp)) throw cause;
    noStack(cause.message);
    must(cause.fault !== '' && cause.fault !== 'internal', `no code: ${cause.message}`);
    return cause.fault;
  }
  try {
    // Reading goes on whatever the guard says.
    must((await copy.api.replay(stream)).length === 20, 'events are missing');
    await copy.api.publish(stream, [numbered(20)]);
    return 'signs';
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause;
    return cause.code;
  } finally {
    await copy.down();
    await rename(home, join(work.folder, `done-${name}`));
  }
}

/** Offset of the last frame that is not all zeros. */
async function lastFrame(file: string): Promise<number> {
  const bytes = await readFile(file);
  let at = bytes.length - frameAlign;
  while (at > 0 && bytes.subarray(at, at + frameAlign).every((byte) => byte === 0))
    at -= frameAlign;
  return at;
}

async function zero(file: string, at: number, length: number): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(new Uint8Array(length), 0, length, at);
}
