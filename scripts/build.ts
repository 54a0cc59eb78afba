/**
 * `npm run build`: dist/ for publishing, JavaScript with declarations and maps from src/. Node does
 * not strip types inside node_modules, so an installed package needs it; a clone does not.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const project = `${root}.tmp/tsconfig.build.json`;

rmSync(`${root}dist`, { recursive: true, force: true });
mkdirSync(`${root}.tmp`, { recursive: true });
writeFileSync(
  project,
  JSON.stringify({
    extends: '../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      noEmitOnError: true,
      rewriteRelativeImportExtensions: true,
      rootDir: '../src',
      outDir: '../dist',
      sourceMap: true,
      inlineSources: true,
    },
    include: ['../src'],
  }),
);
const compiler = `${root}node_modules/typescript/bin/tsc`;
const built = spawnSync(process.execPath, [compiler, '-p', project], { stdio: 'inherit' });
process.exitCode = built.status ?? 1;
