/**
 * `headwater/verify` runs where there is no Node: it is bundled for a browser and run in a context
 * that has the language and a handful of web globals, and nothing else.
 */
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build, type BuildResult, type Plugin } from 'esbuild';
import { before, describe, it } from 'mocha';
import { toHex } from '../src/bytes.ts';
import { nodeCrypto } from '../src/crypto-node.ts';
import { buildBlock } from '../src/ledger/build-block.ts';
import type * as verifier from '../src/verify.ts';
import { blocksPath, testEvent, testLog, testSigner, type Blocks } from './support/blocks.ts';
import { env } from './support/judges.ts';
import { must } from './support/result.ts';
import { hex, ran, suite } from './support/vectors.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
type Verifier = typeof verifier;

/** What the bundle may use beyond the language itself: no process, Buffer, require, crypto, fetch. */
const webGlobals = { TextEncoder, TextDecoder, Uint8Array, atob, btoa };

/** Refuses every Node built-in by itself, so that the failure names who asked for it. */
const noBuiltIns: Plugin = {
  name: 'no-node-built-ins',
  setup: (build) =>
    build.onResolve({ filter: /^node:/ }, ({ path, importer }) => ({
      errors: [{ text: `${importer} imports ${path}` }],
    })),
};

function bundle(source: string): Promise<BuildResult<{ metafile: true; write: false }>> {
  return build({
    stdin: { contents: source, resolveDir: root, loader: 'ts' },
    bundle: true,
    write: false,
    metafile: true,
    format: 'iife',
    globalName: 'headwaterVerify',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
    plugins: [noBuiltIns],
  });
}

describe('the offline verifier, bundled for a browser', () => {
  let built: Awaited<ReturnType<typeof bundle>>;
  let inBrowser: Verifier;

  before(async function () {
    this.timeout(30_000);
    built = await bundle("export * from './src/verify.ts';");
    const context = createContext({ ...webGlobals });
    const code = `${built.outputFiles[0]?.text}\nheadwaterVerify`;
    // The bundle of verify.ts has just the names of verify.ts.
    inBrowser = runInContext(code, context, { filename: 'verify.bundle.js' }) as Verifier;
  });

  it('holds nothing of Node and leaves nothing to be loaded', () => {
    const inputs = Object.keys(built.metafile.inputs);
    assert.ok(inputs.includes('src/verify.ts') && inputs.includes('src/crypto-noble.ts'));
    assert.deepEqual(
      inputs.filter((path) => path.includes('crypto-node') || path.startsWith('node:')),
      [],
    );
    const imports = Object.values(built.metafile.outputs).flatMap((output) => output.imports);
    assert.deepEqual(imports, []);
  });

  it('would fail to bundle with a Node built-in, prefixed or not', async () => {
    for (const name of ['node:fs', 'fs', 'node:crypto', 'worker_threads']) {
      const source = `export * from './src/verify.ts'; import * as x from '${name}'; export { x };`;
      await assert.rejects(bundle(source), new RegExp(name));
    }
  });

  it('runs without any global that only Node has', () => {
    const bare = createContext({ ...webGlobals });
    for (const name of ['process', 'Buffer', 'require', 'crypto', 'setTimeout', 'fetch']) {
      assert.equal(runInContext(`typeof ${name}`, bare), 'undefined', name);
    }
  });

  it('verifies a log that the writer of this version made', () => {
    const signer = testSigner(1);
    const first = testLog(signer);
    const time = first.state.time;
    const drafts = [testEvent(1), testEvent(2)].map((event) => ({ kind: 'event' as const, event }));
    const options = { time, seed: new Uint8Array(32).fill(5) };
    const second = must(buildBlock(env, first.state, signer, drafts, options));
    const offline = inBrowser.offlineEnv(inBrowser.nobleCrypto);
    const wires = [first.wire, second.wire];
    const state = must(inBrowser.verifyLog(offline, first.state.logId, wires));
    assert.equal(toHex(state.root), toHex(second.state.root));
    assert.equal(state.size, second.state.size);
  });

  it('verifies the golden logs to the roots of the independent reference', function () {
    this.timeout(20_000);
    const { logs } = suite<Blocks>(this, blocksPath);
    const offline = inBrowser.offlineEnv(inBrowser.nobleCrypto);
    for (const log of logs) {
      const logId = must(inBrowser.parseLogId(log.logId), log.id);
      const wires = log.blocks.map((block) => hex(block.wire_hex));
      const state = must(inBrowser.verifyLog(offline, logId, wires), log.id);
      const expected = log.blocks.at(-1)?.stateAfter;
      assert.equal(toHex(state.root), expected?.root_hex, log.id);
      assert.equal(state.size, expected?.size, log.id);
      assert.equal(toHex(state.writerKey), expected?.writerKey_hex, log.id);
    }
    ran(blocksPath, logs.length);
  });

  it('opens sealed events by WebCrypto, which is all that it needs of a browser', async () => {
    const file = new URL('./vectors/sealed.json', import.meta.url);
    const { proofs }: { proofs: { proof: string; id: string }[] } = JSON.parse(
      readFileSync(file, 'utf8'),
    );
    assert.ok(proofs.length > 0);
    const web = inBrowser.offlineEnv(inBrowser.nobleCrypto, inBrowser.webOpener(webcrypto.subtle));
    for (const { proof, id } of proofs) {
      const text = new TextEncoder().encode(proof);
      await inBrowser.prepareEventProof(web, text);
      const verdict = inBrowser.verifyEventProof(web, text);
      assert.ok(verdict.verdict === 'intact', JSON.stringify(verdict));
      assert.equal(verdict.proven.context?.['id'], id);
      const bare = inBrowser.offlineEnv(inBrowser.nobleCrypto);
      assert.equal(inBrowser.verifyEventProof(bare, text).verdict, 'incomplete');
    }
  });

  it('names the block in which a byte was changed', function () {
    this.timeout(20_000);
    const [log] = suite<Blocks>(this, blocksPath).logs;
    assert.ok(log !== undefined);
    const wires = log.blocks.map((block) => hex(block.wire_hex));
    const last = wires.length - 1;
    // The last bytes of a block are its checkpoint's signature.
    wires[last] = wires[last]?.with(-8, wires[last].at(-8) === 0x41 ? 0x42 : 0x41) ?? hex('');
    const offline = inBrowser.offlineEnv(inBrowser.nobleCrypto);
    const logId = must(inBrowser.parseLogId(log.logId));
    const result = inBrowser.verifyLog(offline, logId, wires);
    assert.ok(!result.ok, 'a changed signature was accepted');
    assert.equal(result.error.code, 'bad-signature');
    assert.equal(result.error.place?.pointer, `/blocks/${last}`);
  });

  it('agrees with the verifier that runs in Node', function () {
    const { logs } = suite<Blocks>(this, blocksPath);
    const [log] = logs;
    assert.ok(log !== undefined);
    const leaf = hex(log.blocks[0]?.fields.entries[0]?.leaf_hex ?? '');
    const here = inBrowser.leafHash(nodeCrypto, leaf);
    assert.equal(toHex(here), toHex(inBrowser.leafHash(inBrowser.nobleCrypto, leaf)));
    assert.equal(toHex(here), log.logId_hex);
  });
});
