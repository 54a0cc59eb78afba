import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Watchdog } from '../../src/gossip/watchdog.ts';
import { asPeerId } from '../../src/types.ts';

const peer = asPeerId('A');
const other = asPeerId('B');

/** Beats in which `peer` is silent until it is to be reset. */
function beatsToReset(watchdog: Watchdog, most = 10_000): number {
  for (let beats = 1; beats <= most; beats++) {
    if (watchdog.beat([{ peer, alive: false }]).includes(peer)) return beats;
  }
  return Infinity;
}

describe('the watchdog of gossip', () => {
  it('resets a silent pair after so many beats in a row, and no other', () => {
    const watchdog = new Watchdog(3);
    const beat = (alive: boolean): readonly string[] =>
      watchdog.beat([
        { peer, alive },
        { peer: other, alive: true },
      ]);
    assert.deepEqual(
      [false, false, true, false, false, false].map((alive) => beat(alive).length),
      [0, 0, 0, 0, 0, 1],
    );
  });

  it('waits twice as long after each reset that did not help, up to a limit', () => {
    const watchdog = new Watchdog(3);
    const waits = Array.from({ length: 9 }, () => beatsToReset(watchdog));
    assert.deepEqual(waits, [3, 6, 12, 24, 48, 96, 192, 192, 192]);
  });

  it('starts afresh once a pair has been well for a while', () => {
    const watchdog = new Watchdog(3);
    beatsToReset(watchdog);
    for (let i = 0; i < 119; i++) watchdog.beat([{ peer, alive: true }]);
    assert.equal(beatsToReset(watchdog), 6);
    for (let i = 0; i < 120; i++) watchdog.beat([]);
    assert.equal(beatsToReset(watchdog), 3);
  });

  it('gives a new connection the full term', () => {
    const watchdog = new Watchdog(3);
    watchdog.beat([{ peer, alive: false }]);
    watchdog.beat([{ peer, alive: false }]);
    watchdog.fresh(peer);
    assert.equal(beatsToReset(watchdog), 3);
  });
});
