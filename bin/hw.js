#!/usr/bin/env node
// The door to hw, in JavaScript that Node 18 can read. Headwater runs on Node 24 (libp2p and the
// language features it uses need it); npm installs that Node with the package on Linux x64 and
// arm64, so a caller with an older one is moved over to it here.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldest = 24;
const built = fileURLToPath(new URL('../dist/node/cli/main.js', import.meta.url));
const source = fileURLToPath(new URL('../src/node/cli/main.ts', import.meta.url));
// A clone has sources, and they count; an installed package has only what was built.
const main = existsSync(source) ? source : built;

/** The Node that npm installed with the package, if it did. */
function pinnedNode() {
  const require = createRequire(import.meta.url);
  try {
    const folder = dirname(require.resolve(`node-linux-${process.arch}/package.json`));
    const path = join(folder, 'bin', 'node');
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Runs the command under another Node and ends as it ends. */
function respawn(node) {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`error: ${node} cannot be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    // End by the same signal, so that a shell sees what happened.
    for (const name of signals) process.removeAllListeners(name);
    process.exitCode = 128 + (constants.signals[signal] ?? 1);
    process.kill(process.pid, signal);
  });
}

if (Number.parseInt(process.versions.node, 10) >= oldest) {
  process.argv[1] = main;
  await import(main);
} else {
  const node = pinnedNode();
  if (node === undefined) {
    process.stderr.write(
      `error: Headwater needs Node ${oldest} or newer; this is ${process.version} [node-too-old]\n` +
        `  hint: Install Node ${oldest} (https://nodejs.org), or on Linux reinstall without --omit=optional.\n`,
    );
    process.exitCode = 1;
  } else {
    respawn(node);
  }
}
