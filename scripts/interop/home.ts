/** A small home with real earthquakes, and what an outsider is given of it: trees and documents. */
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { checkpointVkey } from '../../src/ledger/checkpoint.ts';
import { didKey, parseDid, parseLogId } from '../../src/ids.ts';
import { seismicEvents } from '../../testnet/earthquakes.ts';

const program = fileURLToPath(new URL('../../bin/hw.js', import.meta.url));

export interface Exhibits {
  /** Folder of the log's tree. */
  readonly tree: string;
  /** Verifier key of its writer, as a signed note wants it. */
  readonly vkey: string;
  /** An earlier checkpoint of the log. */
  readonly older: string;
  readonly provJson: string;
  readonly openlineage: string;
}

/** Makes everything with `hw` alone, below `folder`. Throws where a command fails. */
export function makeExhibits(folder: string): Exhibits {
  const home = join(folder, 'home');
  const hw = (args: readonly string[], input = ''): string => {
    const done = spawnSync(process.execPath, [program, '--home', home, ...args], {
      input,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    if (done.status === 0) return done.stdout;
    throw new Error(`hw ${args.join(' ')}: ${done.stderr}`);
  };
  hw(['init', '--org', 'interop', '--no-network']);
  hw(['up', '--detach']);
  try {
    return fill(folder, hw);
  } finally {
    hw(['down']);
  }
}

function fill(folder: string, hw: (args: readonly string[], input?: string) => string): Exhibits {
  const lines = seismicEvents().map(({ line }) => line);
  const out = join(folder, 'tree');
  hw(['stream', 'create', 'quakes']);
  hw(['publish', 'quakes', '-'], text(lines.slice(0, 700)));
  hw(['export', 'quakes', '--static', out]);
  const log = JSON.parse(readFileSync(join(out, 'headwater.json'), 'utf8')).stream;
  const tree = join(out, log);
  const older = join(folder, 'older');
  cpSync(join(tree, 'checkpoint'), older);
  hw(['publish', 'quakes', '-'], text(lines.slice(700)));
  hw(['export', 'quakes', '--static', out]);
  hw(['stream', 'create', 'summaries']);
  const summary = {
    specversion: '1.0',
    id: 'first-hundred',
    source: '/summaries',
    type: 'summary',
    hwparents: `hw:${log}/2-102`,
    hwactivity: 'summary 1.0',
    data: { events: 100 },
  };
  hw(['publish', 'summaries', '-'], `${JSON.stringify(summary)}\n`);
  const document = (format: string): string => {
    const file = join(folder, format);
    writeFileSync(file, hw(['trace', 'summaries#2', '--up', '--format', format]));
    return file;
  };
  const shown = JSON.parse(hw(['--json', 'stream', 'show', 'quakes']));
  const writer = parseDid(shown.logs[0].writerKey);
  const logId = parseLogId(log);
  if (!writer.ok || !logId.ok) throw new Error('the stream shows no key of its writer');
  const vkey = checkpointVkey(nodeCrypto, logId.value, didKey(writer.value));
  return {
    tree,
    vkey,
    older,
    provJson: document('prov-json'),
    openlineage: document('openlineage'),
  };
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
