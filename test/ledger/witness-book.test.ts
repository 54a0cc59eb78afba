import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { readCosignatures } from '../../src/ledger/cosignature.ts';
import { GuardFile } from '../../src/ledger/guard-file.ts';
import { MemoryGuard, type Guard } from '../../src/ledger/guard.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { noteAlgorithm, noteKey } from '../../src/ledger/note.ts';
import { LevelStore } from '../../src/ledger/store.ts';
import { parseAddCheckpoint, type Witness, type WitnessAnswer } from '../../src/ledger/witness.ts';
import {
  decodeWitnessed,
  encodeWitnessed,
  type WitnessConflict,
} from '../../src/ledger/witness-book.ts';
import { asHash, asTreeSize } from '../../src/types.ts';
import { FailingStore } from '../support/failing-store.ts';
import { ForeignLog } from '../support/foreign-log.ts';
import { openLedger } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';

const signer = signerFromSeed(new Uint8Array(32).fill(3));
const witness: Witness = { name: 'w', signer };
const cosigner = noteKey(nodeCrypto, 'w', noteAlgorithm.cosignature, signer.publicKey);
const log = new ForeignLog('example.org/log');

async function ask(ledger: Ledger, body: Uint8Array): Promise<WitnessAnswer> {
  const request = must(parseAddCheckpoint(body));
  return must(await ledger.witnessed.submit(witness, request, [log.key]));
}

/** What a guard of a disk does, with marks that outlive the process. */
function later(guard: MemoryGuard): MemoryGuard {
  return new MemoryGuard(guard.marks());
}

describe('the book of a witness', () => {
  it('cosigns growth and answers 409 with the size that it holds', async () => {
    await using ledger = await openLedger();
    const first = await ask(ledger, await log.request(0, 5));
    assert.equal(first.status, 200);
    const lines = readCosignatures(
      nodeCrypto,
      log.checkpoint(5).split('\n\n')[0] + '\n',
      utf8(first.body),
      [cosigner],
    );
    assert.equal(must(lines).length, 1);
    const stale = await ask(ledger, await log.request(0, 9));
    assert.deepEqual([stale.status, stale.body], [409, '5\n']);
    assert.equal((await ask(ledger, await log.request(5, 9))).status, 200);
    const id = nodeCrypto.sha256(utf8(log.origin));
    assert.equal(must(await ledger.witnessed.last(id))?.size, 9);
    const [row] = must(await ledger.witnessed.list(10));
    assert.deepEqual([row?.origin, row?.size], [log.origin, 9]);
  });

  it('counts what others show of its own lines, where an old copy of it came back', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const id = nodeCrypto.sha256(utf8(log.origin));
    await ask(await openLedger({ store, guard }), await log.request(0, 5));
    const marks = guard.marks();
    const copy = store.crash('nothing');
    await using live = await openLedger({ store: copy.crash('nothing'), guard });
    await ask(live, await log.request(5, 9));
    const shown = must(await live.witnessed.last(id));
    assert.ok(shown !== undefined);

    await using ledger = await openLedger({
      store: copy.crash('nothing'),
      guard: new MemoryGuard(marks),
    });
    const conflicts: WitnessConflict[] = [];
    ledger.witnessed.onConflict((conflict) => conflicts.push(conflict));
    assert.equal(must(await ledger.witnessed.last(id))?.size, 5);
    assert.equal(must(await ledger.witnessed.remember(log.origin, shown)), true);
    assert.equal(must(await ledger.witnessed.remember(log.origin, shown)), false);
    // Another history that grows from 5 is not cosigned any more.
    const stale = await ask(ledger, await log.request(5, 8, 6));
    assert.deepEqual([stale.status, stale.body], [409, '9\n']);
    assert.deepEqual(must(await ledger.witnessed.last(id)), shown);
    // And where it had signed another root for that size it says so.
    const other = { ...shown, root: log.root(9, 6), note: log.checkpoint(9, 6) };
    assert.equal(must(await ledger.witnessed.remember(log.origin, other)), false);
    const { origin } = log;
    assert.deepEqual(conflicts, [{ origin, first: shown.note, second: other.note }]);
  });

  it('does not know an origin without keys', async () => {
    await using ledger = await openLedger();
    const request = must(parseAddCheckpoint(await log.request(0, 5)));
    const answer = must(await ledger.witnessed.submit(witness, request, undefined));
    assert.equal(answer.status, 404);
  });

  it('never signs two roots of one size, and hands both checkpoints on', async () => {
    await using ledger = await openLedger();
    const told: WitnessConflict[] = [];
    using _ = ledger.witnessed.onConflict((conflict) => told.push(conflict));
    assert.equal((await ask(ledger, await log.request(0, 7))).status, 200);
    assert.equal((await ask(ledger, await log.request(7, 7, 6))).status, 422);
    assert.equal((await ask(ledger, await log.request(7, 9, 6))).status, 422);
    assert.deepEqual(told, [
      { origin: log.origin, first: log.checkpoint(7), second: log.checkpoint(7, 6) },
    ]);
  });

  it('answers only one of two histories that come at the same moment', async () => {
    await using ledger = await openLedger();
    const bodies = await Promise.all([log.request(0, 8), log.request(0, 8, 3)]);
    const answers = await Promise.all(bodies.map((body) => ask(ledger, body)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 409],
    );
  });

  it('stores what many origins bring at once in a few synced batches', async () => {
    const store = new FailingStore(new MemoryStore());
    await using ledger = await openLedger({ store });
    store.batches.length = 0;
    const logs = Array.from({ length: 64 }, (_, i) => new ForeignLog(`example.org/${i}`));
    const answers = await Promise.all(
      logs.map(async (one) => {
        const request = must(parseAddCheckpoint(await one.request(0, 3)));
        return must(await ledger.witnessed.submit(witness, request, [one.key])).status;
      }),
    );
    assert.deepEqual([...new Set(answers)], [200]);
    const written = store.batches.filter(({ writes }) => writes > 0);
    assert.ok(written.length <= 8, `${written.length} batches`);
    assert.ok(written.every(({ sync }) => sync));
  });

  it('holds after a power cut what it answered', async () => {
    const [store, guard] = [new MemoryStore(), new MemoryGuard([])];
    const ledger = await openLedger({ store, guard });
    assert.equal((await ask(ledger, await log.request(0, 7))).status, 200);
    await using again = await openLedger({ store: store.crash('unsynced'), guard: later(guard) });
    assert.equal((await ask(again, await log.request(0, 7, 2))).status, 409);
    assert.equal((await ask(again, await log.request(7, 7, 2))).status, 422);
    assert.equal((await ask(again, await log.request(7, 8))).status, 200);
    await ledger.close();
  });

  it('is held by the guard where the store came back from an old backup', async () => {
    const [store, guard] = [new MemoryStore(), new MemoryGuard([])];
    const first = await openLedger({ store, guard });
    assert.equal((await ask(first, await log.request(0, 3))).status, 200);
    const [backup, current] = [store.crash('nothing'), store.crash('nothing')];
    const ledger = await openLedger({ store: current, guard });
    assert.equal((await ask(ledger, await log.request(3, 7))).status, 200);
    await using restored = await openLedger({ store: backup, guard: later(guard) });
    const forked = await ask(restored, await log.request(3, 7, 5));
    assert.deepEqual([forked.status, forked.body], [409, '7\n']);
    assert.equal((await ask(restored, await log.request(7, 7, 5))).status, 422);
    assert.equal((await ask(restored, await log.request(7, 8))).status, 200);
    await ledger.close();
  });

  for (const told of ['failed', 'failed, but was written'] as const) {
    it(`signs no other root after a write that ${told}`, async () => {
      const store = new FailingStore(new MemoryStore());
      await using ledger = await openLedger({ store });
      assert.equal((await ask(ledger, await log.request(0, 3))).status, 200);
      store.failWrites = 'disk-full';
      store.writeAnyway = told !== 'failed';
      const request = must(parseAddCheckpoint(await log.request(3, 7)));
      refused(await ledger.witnessed.submit(witness, request, [log.key]), 'disk-full');
      store.failWrites = undefined;
      // The guard, and it may be the store, hold size 7 already: no other history of it is signed.
      assert.equal((await ask(ledger, await log.request(3, 7, 5))).status, 409);
      assert.equal((await ask(ledger, await log.request(7, 7, 5))).status, 422);
      assert.equal((await ask(ledger, await log.request(7, 7))).status, 200);
    });
  }

  it('takes no more origins, and no more requests at once, than its limits say', async () => {
    const limits = { maxWitnessedLogs: 2, maxWitnessQueue: 1 };
    await using ledger = await openLedger({ limits });
    for (const [i, code] of [undefined, undefined, 'queue-full'].entries()) {
      const one = new ForeignLog(`example.org/${i}`);
      const request = must(parseAddCheckpoint(await one.request(0, 3)));
      const answer = await ledger.witnessed.submit(witness, request, [one.key]);
      if (code === undefined) assert.equal(must(answer).status, 200);
      else refused(answer, code);
    }
    const request = must(parseAddCheckpoint(await new ForeignLog('example.org/0').request(3, 4)));
    const both = [1, 2].map(() => ledger.witnessed.submit(witness, request, []));
    const [, second] = await Promise.all(both);
    assert.ok(second !== undefined);
    refused(second, 'rate-limited');
  });

  it('reads its rows back, and refuses every cut of them', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.string(),
        (size, root, note) => {
          const state = {
            size: asTreeSize(size),
            root: asHash(root),
            note: note.toWellFormed(),
            cosignature: 'x',
          };
          const bytes = encodeWitnessed(state);
          assert.deepEqual(must(decodeWitnessed(bytes)), state);
          for (let cut = 0; cut < bytes.length; cut += 7) {
            refused(decodeWitnessed(bytes.subarray(0, cut)), 'store-corrupt');
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('never goes back behind an answer when its process is killed', async function () {
    this.timeout(30_000);
    await using folder = await tempDir();
    await mkdir(folder.path, { recursive: true });
    let reached = 0;
    for (const kill of [5, 12, 1]) {
      reached = await runAndKill(folder.path, reached, kill);
      // A copy, so that looking changes nothing.
      const copy = `${folder.path}/look${kill}`;
      await cp(join(folder.path, 'store'), join(copy, 'store'), { recursive: true });
      await cp(join(folder.path, 'marks'), join(copy, 'marks'));
      const guard: Guard = must(await GuardFile.open(join(copy, 'marks'), nodeCrypto));
      const store = must(await LevelStore.open(join(copy, 'store')));
      await using ledger = await openLedger({ store, guard });
      const forked = await ask(ledger, await log.request(reached - 1, reached, reached - 1));
      assert.equal(forked.status, 409);
      assert.ok(Number(forked.body) >= reached, `${forked.body} is behind ${reached}`);
      reached = Number(forked.body);
      assert.equal(
        (await ask(ledger, await log.request(reached, reached, reached - 1))).status,
        422,
      );
    }
  });
});

/** Runs the witness from `old` on and kills it with SIGKILL after so many answers; the last answered size. */
async function runAndKill(folder: string, old: number, answers: number): Promise<number> {
  const script = fileURLToPath(new URL('../support/witness-process.ts', import.meta.url));
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, [script, folder, String(old)], { stdio: [...stdio] });
  const ended = once(child, 'exit');
  let last = old;
  let count = 0;
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const [status, size] = line.split(' ');
    assert.equal(status, '200');
    last = Number(size);
    count += 1;
    if (count === answers) child.kill('SIGKILL');
  }
  await ended;
  return last;
}
