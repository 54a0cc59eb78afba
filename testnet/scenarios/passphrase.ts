/** Key files under a passphrase: none, the wrong one, the right one. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Peer } from '../lib/peer.ts';
import { must, numbered, refuses, type Scenario } from '../scenario.ts';

export const passphrase: Scenario = {
  name: 'passphrase',
  promise: 'a node with protected keys starts with the right passphrase only',
  async run({ work }) {
    const [right, wrong] = ['right', 'wrong'].map((word) => {
      const file = join(work.folder, `${word}.txt`);
      writeFileSync(file, `the ${word} passphrase\n`, { mode: 0o600 });
      return file;
    });
    if (right === undefined || wrong === undefined) throw new Error('no files');
    const peer = await new Peer(work, 'peer').init('--passphrase-file', right);
    await refuses(peer, 78, 'key-passphrase-needed');
    await refuses(peer, 78, 'key-passphrase-wrong', { args: ['--passphrase-file', wrong] });
    await peer.up({ args: ['--passphrase-file', right] });
    // The node that is up was asked once: no command asks again.
    for (const args of [
      ['stream', 'create', 'events'],
      ['publish', 'events'],
      ['replay', 'events', '--from', 'start'],
      ['verify', 'events'],
      ['prove', 'events#2', '--out', join(work.folder, 'one.proof')],
      ['stream', 'recover', 'events', '--reason', 'key', '--passphrase-file', right],
      ['status'],
    ]) {
      (await peer.hw(args, { input: `${numbered(1)}\n` })).expect(0);
    }
    await peer.down();
    chmodSync(right, 0o644);
    await refuses(peer, 78, 'passphrase-file-mode', { args: ['--passphrase-file', right] });
    chmodSync(right, 0o600);
    const blind = await peer.hw(['verify', 'events', '--offline', '--passphrase-file', wrong]);
    blind.expect(78, 'key-passphrase-wrong');
    const seen = await peer.hw(['verify', 'events', '--offline', '--passphrase-file', right]);
    must(seen.expect(0).json.text('verdict') === 'intact', 'not intact');
    return 'up and verify --offline; a node that is up never asks again';
  },
};
