import assert from 'node:assert/strict';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { build } from 'esbuild';
import { describe, it } from 'mocha';
import { toHex } from '../src/bytes.ts';
import { nodeCrypto } from '../src/crypto-node.ts';
import * as verify from '../src/verify.ts';
import { parseLogId } from '../src/ids.ts';
import { blocksPath, type Blocks } from './support/blocks.ts';
import { must, refused } from './support/result.ts';
import { hex, suite } from './support/vectors.ts';

const door = fileURLToPath(new URL('../src/verify.ts', import.meta.url));

/** The door as a browser would load it; any built-in module of Node is an error. */
async function bundle(): Promise<{ text: string; inputs: readonly string[] }> {
  const made = await build({
    entryPoints: [door],
    bundle: true,
    write: false,
    metafile: true,
    format: 'iife',
    globalName: 'headwater',
    platform: 'browser',
    target: 'es2022',
    minifyWhitespace: true, // comments go
    logLevel: 'silent',
  });
  const [file] = made.outputFiles;
  assert.ok(file);
  return { text: file.text, inputs: Object.keys(made.metafile.inputs) };
}

describe('headwater/verify', () => {
  it('verifies whole logs from their genesis, with either crypto', function () {
    const { logs } = suite<Blocks>(this, blocksPath);
    for (const crypto of [nodeCrypto, verify.nobleCrypto]) {
      const env = verify.offlineEnv(crypto);
      for (const log of logs) {
        const wires = log.blocks.map(({ wire_hex }) => hex(wire_hex));
        const state = must(verify.verifyLog(env, must(parseLogId(log.logId)), wires), log.id);
        const last = log.blocks.at(-1)?.stateAfter;
        assert.equal(toHex(state.root), last?.root_hex);
        assert.equal(Number(state.size), last?.size);
      }
    }
  });

  it('names the first block that is wrong, missing or out of order', function () {
    const [log] = suite<Blocks>(this, blocksPath).logs;
    assert.ok(log);
    const env = verify.offlineEnv(nodeCrypto);
    const logId = must(parseLogId(log.logId));
    const wires = log.blocks.map(({ wire_hex }) => hex(wire_hex));
    const check = (list: readonly Uint8Array[], code: string, pointer?: string): void => {
      const verified = verify.verifyLog(env, logId, list);
      refused(verified, code);
      if (!verified.ok) assert.equal(verified.error.place?.pointer, pointer);
    };
    check([], 'genesis-missing');
    check(wires.slice(1), 'block-index', '/blocks/0');
    check(wires.toSpliced(2, 1), 'block-index', '/blocks/2');
    const third = wires[2] ?? new Uint8Array(0);
    const decoded = must(verify.decodeBlock(third, { reduced: false }));
    const place = (decoded.entries[0]?.bodyOffset ?? 0) + 20;
    const changed = third.with(place, (third[place] ?? 0) ^ 1);
    check(wires.with(2, changed), 'root-mismatch', '/blocks/2');
    check(wires.with(2, third.subarray(0, 100)), 'block-encoding', '/blocks/2');
  });

  it('is bundled for a browser and runs without anything of Node', async function () {
    this.timeout(20_000);
    const { logs } = suite<Blocks>(this, blocksPath);
    const { text, inputs } = await bundle();
    assert.deepEqual(inputs.filter(isBuiltin), []);
    assert.ok(!inputs.some((input) => input.includes('crypto-node')));
    assert.doesNotMatch(text, /\brequire\(|\bimport\(/);
    // Only what a browser has beside the language itself.
    const context = vm.createContext({
      TextEncoder,
      TextDecoder,
      atob,
      btoa,
      logs: logs.map((log) => ({
        logId: log.logId,
        wires: log.blocks.map(({ wire_hex }) => wire_hex),
      })),
    });
    const script = `${text}
      const { nobleCrypto, offlineEnv, parseLogId, verifyLog } = headwater;
      const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
      JSON.stringify(logs.map(({ logId, wires }) => {
        const state = verifyLog(offlineEnv(nobleCrypto), parseLogId(logId).value, wires.map(bytes));
        return state.ok ? Array.from(state.value.root) : state.error;
      }));`;
    const roots: unknown = JSON.parse(String(vm.runInContext(script, context)));
    const expected = logs.map((log) => [...hex(log.blocks.at(-1)?.stateAfter.root_hex ?? '')]);
    assert.deepEqual(roots, expected);
  });

  it('exports functions only, each under its own name', () => {
    for (const [name, value] of Object.entries(verify)) {
      const known = typeof value === 'function' || name === 'nobleCrypto';
      assert.ok(known, name);
      if (typeof value === 'function') assert.equal(value.name, name);
    }
  });
});
