/** What bin/hw.js starts: the real process around `runCli`. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { boundGarbage, boundMemory, processRuntime, readsMuch, startsNode } from '../runtime.ts';
import { packageVersion } from './version.ts';

if (startsNode() || readsMuch()) boundMemory();
if (readsMuch()) boundGarbage(50);
else if (startsNode()) boundGarbage(150);
const runtime = processRuntime();
if (/^(?:--version|-V)$/.test(runtime.arguments.join(' '))) {
  // Before anything else is loaded: scripts ask for it often.
  await runtime.stdout.write(`${packageVersion()}\n`);
} else {
  // Compiled code of libp2p and the rest is kept between runs: a node starts in half the time.
  const caches = runtime.environment['XDG_CACHE_HOME'] ?? join(runtime.homeDirectory, '.cache');
  enableCompileCache(join(caches, 'headwater'));
  using scope = new DisposableStack();
  scope.use(runtime.hold());
  const { runCli } = await import('./run.ts');
  runtime.setExitCode(await runCli(runtime));
}
