/** Mistakes in config.yaml and in HW_… variables: the place, what was meant, exit 78. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonView } from '../../src/node/json-view.ts';
import { Peer } from '../lib/peer.ts';
import { must, refuses, type Scenario } from '../scenario.ts';

interface Mistake {
  readonly text: string;
  readonly code: string;
  readonly line: number;
  readonly hint?: string;
}

export const configTypo: Scenario = {
  name: 'config',
  promise: 'a mistake in the configuration is named with its place; the node does not start',
  async run({ work }) {
    const peer = await new Peer(work, 'peer').init();
    const file = join(peer.home, 'config.yaml');
    const sound = readFileSync(file, 'utf8');
    const lines = sound.trimEnd().split('\n').length;
    const mistakes: readonly Mistake[] = [
      { text: 'htpp:\n  listen: 127.0.0.1:1\n', code: 'config-unknown-key', line: 1, hint: 'http' },
      { text: 'limits2:\n  x: 1\n', code: 'config-unknown-key', line: 1 },
      { text: 'roles: [relais]\n', code: 'config-value', line: 1 },
      { text: 'roles: [\n', code: 'config-syntax', line: 1 },
    ];
    for (const { text, code, line, hint } of mistakes) {
      writeFileSync(file, `${sound.trimEnd()}\n${text}`);
      await refuses(peer, 78, code);
      const check = (await peer.hw(['config', 'check'])).expect(78, code);
      const error = check.json.at('error');
      must(placeLine(error) >= lines + line, `${code} is placed at line ${placeLine(error)}`);
      must(error.at('place').number('column') !== undefined, `${code} has no column`);
      must(hint === undefined || (error.text('hint') ?? '').includes(hint), `no ${hint} in hint`);
    }
    writeFileSync(file, sound);
    await refuses(peer, 78, 'config-unknown-key', {
      environment: { HW_LIMITS_MAX_PENDING_EVENT: '5' },
    });
    await peer.up();
    await peer.down();
    return `${mistakes.length} mistakes in the file, one in a variable`;
  },
};

function placeLine(error: JsonView): number {
  return error.at('place').number('line') ?? -1;
}
