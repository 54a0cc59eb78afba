/** What bin/hw.js starts: the real process around `runCli`. */
import { processRuntime } from '../runtime.ts';
import { packageVersion } from './version.ts';

const runtime = processRuntime();
if (/^(?:--version|-V)$/.test(runtime.arguments.join(' '))) {
  // Before anything else is loaded: scripts ask for it often.
  await runtime.stdout.write(`${packageVersion()}\n`);
} else {
  using scope = new DisposableStack();
  scope.use(runtime.hold());
  const { runCli } = await import('./run.ts');
  runtime.setExitCode(await runCli(runtime));
}
