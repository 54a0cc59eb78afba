/** The books that gossip and sync keep: each at its bound and one past it. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { checkClock, MedianClock } from '../../src/gossip/median-clock.ts';
import { Orphans } from '../../src/gossip/orphans.ts';
import { Scores } from '../../src/gossip/scores.ts';
import { Sources } from '../../src/gossip/sources.ts';
import { TokenBucket } from '../../src/gossip/token-bucket.ts';
import { UnackedWindow } from '../../src/gossip/unacked-window.ts';
import { didFromKey } from '../../src/ids.ts';
import { limits, protocol } from '../../src/limits.ts';
import {
  asLogIndex,
  asPeerId,
  asPublicKey,
  asTimeMs,
  type Did,
  type PeerId,
} from '../../src/types.ts';
import { fakeLogId } from './fake-ledger.ts';

const log = fakeLogId(1);

function did(n: number): Did {
  return didFromKey(asPublicKey(new Uint8Array(32).fill(n)));
}

describe('the small books', () => {
  it('keeps the orphans nearest to the head, within count and bytes', () => {
    const orphans = new Orphans(limits);
    const wire = new Uint8Array(10);
    for (let i = limits.maxOrphanBlocksPerLog; i > 0; i--) {
      assert.ok(orphans.add(log, asLogIndex(i * 10), wire));
    }
    assert.ok(!orphans.add(log, asLogIndex(10), wire), 'it is there already');
    assert.ok(!orphans.add(log, asLogIndex(10_000), wire), 'the farthest goes');
    assert.ok(orphans.add(log, asLogIndex(5), wire), 'a nearer one stays');
    assert.equal(orphans.count(log), limits.maxOrphanBlocksPerLog);
    assert.equal(orphans.bytes, 10 * limits.maxOrphanBlocksPerLog);
    assert.equal(orphans.dropped, 2);
    assert.equal(orphans.take(log, 4), undefined);
    assert.equal(orphans.take(log, 5), wire);
    assert.equal(orphans.take(log, 25), undefined);
    assert.equal(orphans.take(log, 30), wire);
    orphans.clear(log);
    assert.equal(orphans.bytes, 0);
    assert.ok(!orphans.add(log, asLogIndex(1), new Uint8Array(limits.maxOrphanBytes + 1)));
  });

  it('fades penalties by half in each half-life, and keeps the books bounded', () => {
    const scores = new Scores(limits);
    const peer = asPeerId('a');
    assert.ok(!scores.penalise(peer, 50, 'bad-hex', 0));
    assert.ok(scores.penalise(peer, 50, 'bad-hex', 0));
    assert.ok(scores.barred(peer, 0));
    assert.equal(scores.points(peer, limits.scoreHalfLifeMs), 50);
    assert.ok(!scores.barred(peer, limits.scoreHalfLifeMs));
    assert.equal(scores.byPeer().get(peer)?.get('bad-hex'), 2);
    const letters = 'abcdefghijkmnopqrstuvwxyz';
    const name = (i: number): PeerId =>
      asPeerId(
        [i % 25, Math.floor(i / 25) % 25, Math.floor(i / 625)].map((n) => letters[n]).join(''),
      );
    for (let i = 0; i <= limits.maxScoredPeers; i++) scores.penalise(name(i), 5, 'bad-hex', 0);
    assert.equal(scores.byPeer().size, limits.maxScoredPeers);
    assert.ok(scores.barred(peer, 0), 'the quietest goes, not the worst');
    scores.forgive(peer);
    assert.equal(scores.points(peer, 0), 0);
  });

  it('remembers the sources that offer most', () => {
    const sources = new Sources(limits);
    const letters = 'abcdefghijkmnopqrstuvwxyzABCDEFGH';
    for (const [i, letter] of letters.split('').entries())
      sources.note(log, asPeerId(letter), i + 1, true);
    assert.equal(sources.of(log).length, limits.maxSourcesPerLog);
    assert.ok(!sources.of(log).includes(asPeerId('a')));
    assert.equal(sources.best(log), 33);
    sources.lower(log, asPeerId('H'), 2);
    assert.equal(sources.best(log), 32);
    sources.note(log, asPeerId('G'), 7, true);
    assert.equal(sources.best(log), 32, 'a claim is not lowered by an older one');
    assert.deepEqual(sources.ahead(log, 32), []);
  });

  it('counts one opinion an organisation, and averages the middle two', () => {
    const clock = new MedianClock(limits);
    const at = asTimeMs(1000);
    assert.equal(
      clock.opinion(() => true, 0),
      undefined,
    );
    for (let i = 0; i < 9; i++) clock.note(did(1), asTimeMs(99_000), at, at, 0);
    clock.note(did(2), asTimeMs(1010), at, at, 0);
    clock.note(did(3), asTimeMs(1020), asTimeMs(1000), asTimeMs(1020), 0);
    assert.deepEqual(
      clock.opinion(() => true, 0),
      { offsetMs: 10, organisations: 3 },
    );
    clock.note(did(4), asTimeMs(900), at, at, 0);
    assert.deepEqual(
      clock.opinion(() => true, 0),
      { offsetMs: 10, organisations: 4 },
    );
    assert.deepEqual(
      clock.opinion((one) => one === did(4), 0),
      { offsetMs: -100, organisations: 1 },
    );
    assert.equal(
      clock.opinion(() => true, limits.clockSampleMs + 1),
      undefined,
    );
    for (let n = 0; n < limits.maxClockSamples; n++) {
      const key = new Uint8Array(32).fill(n & 255);
      key[1] = n >>> 8;
      clock.note(didFromKey(asPublicKey(key)), at, at, at, 0);
    }
    assert.equal(clock.opinion(() => true, 0)?.organisations, limits.maxClockSamples);
  });

  it('stops signing on the word of three organisations, and of no fewer', () => {
    const far = protocol.maxClockSkewMs + 1;
    assert.ok(checkClock(undefined).ok);
    assert.ok(checkClock({ offsetMs: far, organisations: 2 }).ok);
    assert.ok(checkClock({ offsetMs: far - 1, organisations: 3 }).ok);
    for (const offsetMs of [far, -far]) {
      const refused = checkClock({ offsetMs, organisations: 3 });
      assert.ok(!refused.ok);
      assert.equal(refused.error.code, 'clock-untrusted');
    }
  });

  it('gives tokens at their rate and lends bytes', () => {
    const bucket = new TokenBucket(10, 20, 0);
    assert.ok(bucket.take(0, 20));
    assert.ok(!bucket.take(0));
    assert.ok(!bucket.take(99));
    assert.ok(bucket.take(100));
    assert.ok(!bucket.take(50), 'time that goes back gives nothing');
    assert.equal(new TokenBucket(10, 20, 0).borrow(0, 120), 10_000);
  });

  it('opens the window by acknowledgements only', async () => {
    const window = new UnackedWindow();
    assert.ok(await window.room(protocol.maxUnackedBytes * 2), 'one frame always fits');
    window.sent(10, protocol.maxUnackedBytes);
    let opened: boolean | undefined;
    const waiting = window.room(1).then((room) => {
      opened = room;
      return undefined;
    });
    assert.ok(window.acknowledged(9));
    await Promise.resolve();
    assert.equal(opened, undefined);
    assert.ok(!window.acknowledged(11), 'never sent');
    assert.ok(window.acknowledged(10));
    assert.ok(!window.acknowledged(11), 'nor is it after the last frame');
    await waiting;
    assert.equal(opened, true);
    window.close();
    assert.equal(await window.room(1), false);
  });
});
