/** Two nodes on one home: the second is refused by name, the first does not notice. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Peer } from '../lib/peer.ts';
import { loneNode, must, numbered, refuses, type Scenario } from '../scenario.ts';

export const twoNodes: Scenario = {
  name: 'two-nodes',
  promise: 'a second node on a home is refused and names the first, which goes on',
  async run({ work }) {
    const first = await loneNode(work, 'first', 'events');
    const second = new Peer(work, 'second', first.home);
    const said = await refuses(second, 1, 'node-running');
    must(said.includes(String(first.process.pid)), `the pid is not named: ${said}`);
    await first.api.publish('first/events', [numbered(1)]);
    const offline = await first.hw(['verify', 'events', '--offline']);
    offline.expect(1, 'node-running');
    must(offline.said().includes(String(first.process.pid)), 'verify does not name the pid');
    // Somebody takes the lock file away: LevelDB's own lock stands behind it.
    await rm(join(first.home, 'run', 'lock'));
    await refuses(second, 1, 'store-locked');
    await first.api.publish('first/events', [numbered(2)]);
    await first.down();
    await second.up();
    must((await second.api.replay('first/events')).length === 2, 'events are missing');
    await second.down();
    return 'refused by the lock file, and without it by the store';
  },
};
