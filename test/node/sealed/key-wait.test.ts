/** Live readers of a sealed stream, and keys that come a moment after what they open. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { waitForKeys } from '../../../src/node/sealed/key-wait.ts';
import { OwnKeys } from '../../../src/node/sealed/own-keys.ts';
import { SealedRoom } from '../../../src/node/sealed/sealed-room.ts';
import { asLogIndex } from '../../../src/types.ts';
import { member, Producer, Reader } from '../../support/keys.ts';
import { event } from '../../support/ledger-home.ts';
import { must } from '../../support/result.ts';

const beta = member(2);

/** Reads the newest block as it comes in, and says how. */
async function live(acme: Producer, reader: Reader, room: SealedRoom): Promise<string> {
  const size = acme.ledger.log(acme.log)?.size ?? 0;
  const { signal } = new AbortController();
  let said = '';
  for await (const batch of acme.ledger.batches(acme.log, asLogIndex(size - 2))) {
    const read = await room.reader(acme.log, batch, signal);
    const content = read(size - 2);
    said = content === undefined ? 'nothing' : 'event' in content ? 'event' : 'sealed';
  }
  return `${said} after ${reader.asks} asks`;
}

async function withRoom(
  acme: Producer,
  folder: string,
  liveKeyWaitMs: number,
): Promise<readonly [Reader, SealedRoom]> {
  const reader = new Reader(acme, beta);
  await reader.keep(acme.grantTo(beta));
  const { random, timers } = acme.host;
  const own = must(await OwnKeys.open(join(folder, 'none'), new Uint8Array(32), random));
  const { ledger } = acme;
  const room = new SealedRoom(
    { epochs: ledger.epochs, openEpoch: (log, what) => ledger.openEpoch(log, what) },
    { own, got: reader.got },
  );
  const keyFor = room.keyFor.bind(room);
  const expects = reader.asking.expects.bind(reader.asking);
  const waiting = { got: reader.got, keyFor, expects, timers, limits: { liveKeyWaitMs } };
  room.waitFor(waitForKeys(waiting));
  return [reader, room];
}

describe('a live reader of a sealed stream', () => {
  let folder = '';
  let acme: Producer;
  let published = 0;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hw-key-wait-'));
    acme = await Producer.open(join(folder, 'own'));
  });
  afterEach(async () => {
    await acme.ledger.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function publish(): Promise<void> {
    published += 1;
    must(must(await acme.ledger.publish(acme.log, [event(published)]))[0] ?? assert.fail());
  }

  it('goes on with the event when its key comes', async () => {
    await publish();
    const [reader, room] = await withRoom(acme, folder, 60_000);
    await reader.asking.look();
    must(await acme.ledger.openEpoch(acme.log, 'generation'));
    await publish();
    const reading = live(acme, reader, room);
    await reader.asking.look(true);
    assert.equal(await reading, 'event after 2 asks');
  });

  it('waits once for what does not come, and never for what was refused', async () => {
    await publish();
    const [reader, room] = await withRoom(acme, folder, 30);
    await reader.asking.look();
    must(await acme.ledger.openEpoch(acme.log, 'generation'));
    await publish();
    assert.equal(await live(acme, reader, room), 'sealed after 1 asks');
    const began = performance.now();
    for (let i = 0; i < 20; i++) await live(acme, reader, room);
    assert.ok(performance.now() - began < 400, 'the same epoch is waited for again');
    acme.profiles.delete(beta.did);
    await reader.asking.look(true);
    const [opening] = must(await acme.ledger.epochs(acme.log)).slice(-1);
    assert.ok(opening !== undefined && !reader.asking.expects(acme.log, opening));
  });
});
