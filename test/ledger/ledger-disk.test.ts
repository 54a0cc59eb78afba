/** The ledger on real LevelDB and a real guard file: restart, a full disk, damaged files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { GuardFile } from '../../src/ledger/guard-file.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { VerifyReport } from '../../src/ledger/ledger-types.ts';
import { LevelStore } from '../../src/ledger/store.ts';
import type { Result } from '../../src/result.ts';
import { asLogIndex, type LogId, type ParsedEvent } from '../../src/types.ts';
import {
  event,
  events,
  idsOf,
  newLog,
  options,
  publish,
  signer,
  wires,
  withLog,
} from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const zero = asLogIndex(0);

async function tryOpen(path: string): Promise<Result<Ledger>> {
  const store = await LevelStore.open(join(path, 'store'));
  if (!store.ok) return store;
  const guard = await GuardFile.open(join(path, 'guard'), nodeCrypto);
  if (!guard.ok) return guard;
  const ledger = await Ledger.open(options({ store: store.value, guard: guard.value }));
  if (!ledger.ok) await Promise.all([store.value.close(), guard.value.close()]);
  return ledger;
}

async function openHome(path: string): Promise<Ledger> {
  await mkdir(join(path, 'store'), { recursive: true });
  return must(await tryOpen(path));
}

/** Events of noise, so that neither zstd nor LevelDB makes them smaller. */
function noise(count: number, bytes: number, from: number): ParsedEvent[] {
  return events(count, from).map((one) => ({
    ...one,
    data: utf8(JSON.stringify(randomBytes(bytes).toString('base64'))),
  }));
}

/** Opens a damaged home, verifies, and compares what it serves with what was signed. */
async function judge(home: string, log: LogId, root: Uint8Array | undefined): Promise<string> {
  const opened = await tryOpen(home);
  if (!opened.ok) return opened.error.code;
  await using ledger = opened.value;
  const verified = await ledger.verify(log);
  const report: VerifyReport | undefined = verified.ok ? verified.value : undefined;
  if (report === undefined) return 'unknown';
  if (report.verdict !== 'intact') {
    assert.ok(report.firstProblem !== undefined);
    assert.ok(report.firstProblem.index >= 0);
    return report.verdict;
  }
  assert.deepEqual(report.root, root);
  assert.equal((await idsOf(ledger, log, zero)).length, 1500);
  return 'intact';
}

describe('Ledger on LevelDB', () => {
  it('finds everything again after a restart and knows what it has seen', async () => {
    await using dir = await tempDir();
    const ledger = await openHome(dir.path);
    const log = must(await ledger.create(newLog, signer));
    await publish(ledger, log, events(600));
    must(await ledger.cursors.set('c', [{ logId: log, next: asLogIndex(5) }]));
    const root = ledger.log(log)?.root;
    await ledger.close();
    const again = await openHome(dir.path);
    must(again.attachSigner(log, signer));
    assert.deepEqual(again.log(log)?.root, root);
    assert.deepEqual(again.warnings(), []);
    const receipts = await publish(again, log, [...events(600), event('new')]);
    assert.equal(receipts.filter((receipt) => receipt.duplicate === true).length, 600);
    assert.equal(must(await again.cursors.get('c'))?.[0]?.next, 5);
    assert.equal(must(await again.verify(log)).verdict, 'intact');
    await again.close();
  });

  it('syncs store and guard before it acknowledges: a copy of the files has every event', async () => {
    await using dir = await tempDir();
    const ledger = await openHome(join(dir.path, 'a'));
    const log = must(await ledger.create(newLog, signer));
    for (let i = 0; i < 5; i++) {
      await publish(ledger, log, events(40, 40 * i));
      const copy = join(dir.path, `copy${i}`);
      execFileSync('cp', ['-r', join(dir.path, 'a'), copy]);
      const found = await openHome(copy);
      assert.equal((await idsOf(found, log, zero)).length, 40 * (i + 1));
      assert.equal(found.log(log)?.state, 'open');
      await found.close();
    }
    await ledger.close();
  });

  it('opens with a torn guard and says so, refuses a damaged one', async () => {
    await using dir = await tempDir();
    const first = await openHome(dir.path);
    const log = must(await first.create(newLog, signer));
    await publish(first, log, [event('a')]);
    await first.close();
    const path = join(dir.path, 'guard');
    const bytes = await readFile(path);
    const last = bytes.lastIndexOf('HWG1');
    await writeFile(
      path,
      bytes.map((byte, i) => (i >= last + 40 ? 0 : byte)),
    );
    const second = await openHome(dir.path);
    assert.deepEqual(
      second.warnings().map((warning) => warning.code),
      ['guard-torn'],
    );
    must(second.attachSigner(log, signer));
    await publish(second, log, [event('b')]);
    await second.close();
    const sound = await readFile(path);
    sound[10] = (sound[10] ?? 0) ^ 1;
    await writeFile(path, sound);
    refused(await tryOpen(dir.path), 'guard-corrupt');
  });

  it('finds any flipped byte of a table, or the log is as it was; nothing throws', async () => {
    await using dir = await tempDir();
    const home = join(dir.path, 'a');
    const first = await openHome(home);
    const log = must(await first.create(newLog, signer));
    await publish(first, log, events(1500));
    const root = first.log(log)?.root;
    await first.close();
    await (await openHome(home)).close(); // Opening moves the log into a table.
    const [table = ''] = (await readdir(join(home, 'store'))).filter((one) => one.endsWith('.ldb'));
    const sound = await readFile(join(home, 'store', table));
    const verdicts = new Map<string, number>();
    for (let at = 7; at < sound.length; at += Math.floor(sound.length / 40)) {
      const changed = Buffer.from(sound);
      changed[at] = (changed[at] ?? 0) ^ 0x20;
      await writeFile(join(home, 'store', table), changed);
      const verdict = await judge(home, log, root);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      await writeFile(join(home, 'store', table), sound);
    }
    assert.ok((verdicts.get('broken') ?? 0) >= 20, JSON.stringify([...verdicts]));
  }).timeout(30_000);

  it('stops on a full disk, reads on, loses nothing, and goes on when there is room', async function () {
    await using dir = await tempDir();
    const mount = (option: string): void => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', option, 'tmpfs', dir.path], { stdio: 'ignore' });
    };
    try {
      mount('size=24m');
    } catch {
      this.skip(); // Not allowed to mount: FailingStore stands in (ledger-recovery.test.ts).
    }
    try {
      const ledger = await openHome(dir.path);
      const log = must(await ledger.create(newLog, signer));
      const acknowledged: string[] = [];
      let code = '';
      for (let i = 0; code === '' && i < 4000; i += 10) {
        const list = noise(10, 100_000, i);
        const results = await ledger.publish(log, list);
        for (const [n, result] of (results.ok ? results.value : [results]).entries()) {
          if (result.ok) acknowledged.push(String(list[n]?.context['id']));
          else code = result.error.code;
        }
      }
      assert.equal(code, 'disk-full');
      assert.equal(ledger.stats().accepting, false);
      refused(await ledger.publish(log, [event('x')]), 'disk-full');
      assert.deepEqual(await idsOf(ledger, log, zero), acknowledged);
      mount('remount,size=200m');
      await until(() => ledger.stats().accepting, 'it takes writes');
      await publish(ledger, log, [event('x')]);
      assert.deepEqual(
        (await idsOf(ledger, log, zero)).slice(0, acknowledged.length),
        acknowledged,
      );
      assert.equal(must(await ledger.verify(log)).verdict, 'intact');
      await ledger.close();
    } finally {
      execFileSync('umount', ['-l', dir.path]);
    }
  }).timeout(30_000);

  it('is filled from another home and serves the same blocks', async () => {
    await using dir = await tempDir();
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(300));
    await using replica = await openHome(dir.path);
    must(await replica.follow(log));
    const blocks = await wires(ledger, log, zero);
    for (const wire of blocks) await replica.apply(wire, 'sync');
    assert.deepEqual(await wires(replica, log, zero), blocks);
    await ledger.close();
  });
});
