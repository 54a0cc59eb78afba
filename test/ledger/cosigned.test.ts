import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey } from '../../src/ids.ts';
import { parseCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { selfNamedCosigner } from '../../src/ledger/cosignature.ts';
import type { CheckpointConflict, CosignedCheckpoint } from '../../src/ledger/cosigned.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { cosignNote } from '../../src/ledger/note.ts';
import { witnessesMap } from '../../src/ledger/trust-policy.ts';
import { asHash, asLogIndex, asTreeSize, type LogId } from '../../src/types.ts';
import { events, newLog, openLedger, publish, signer, wires } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';

const witnesses = [11, 12, 13].map((byte) => signerFromSeed(new Uint8Array(32).fill(byte)));
const stranger = signerFromSeed(new Uint8Array(32).fill(99));
const names = witnesses.map(({ publicKey }) => didFromKey(publicKey));

/** The head's checkpoint with the lines of these. */
function cosigned(note: string, by: readonly Signer[], seconds = 1_700_000_000n): string {
  const { text } = must(parseCheckpoint(note));
  const lines = by.map((one) =>
    cosignNote(nodeCrypto, one, didFromKey(one.publicKey), text, seconds),
  );
  return note + lines.join('');
}

function head(ledger: Ledger, log: LogId): string {
  return ledger.log(log)?.checkpoint ?? '';
}

function w(...which: number[]): Signer[] {
  return witnesses.filter((_, i) => which.includes(i));
}

async function witnessedLog(
  quorum = 2,
  store = new MemoryStore(),
): Promise<{ ledger: Ledger; log: LogId; store: MemoryStore; guard: MemoryGuard }> {
  const guard = new MemoryGuard([]);
  const ledger = await openLedger({ store, guard });
  const policy = { ...newLog, witnesses: witnessesMap(names, quorum) };
  return { ledger, store, guard, log: must(await ledger.create(policy, signer)) };
}

const keysOf = (checkpoint: CosignedCheckpoint | undefined): string[] =>
  (checkpoint?.cosignatures ?? []).map(({ name }) => name);

describe('cosigned checkpoints', () => {
  it('keeps the lines of witnesses that the stream names, and adds later ones to the same row', async () => {
    const { ledger, log } = await witnessedLog();
    await publish(ledger, log, events(3));
    const note = head(ledger, log);
    must(await ledger.cosigned.add(log, cosigned(note, w(0))));
    const one = must(await ledger.cosigned.newest(log));
    assert.deepEqual(keysOf(one), [names[0]]);
    const size = ledger.log(log)?.size ?? asTreeSize(0);
    assert.equal(must(await ledger.cosigned.covers(log, size)), false);
    must(await ledger.cosigned.add(log, cosigned(note, w(1), 1_700_000_009n)));
    const both = must(await ledger.cosigned.newest(log));
    assert.deepEqual(keysOf(both), names.slice(0, 2));
    assert.equal(both?.size, size);
    assert.equal(
      both?.note,
      cosigned(note, w(0)) + cosigned(note, w(1), 1_700_000_009n).slice(note.length),
    );
    assert.equal(must(await ledger.cosigned.covers(log, size)), true);
    assert.equal(must(await ledger.cosigned.covers(log, asTreeSize(size + 1))), false);
    await ledger.close();
  });

  it('keeps the first time of a witness that cosigns the same size again', async () => {
    const { ledger, log } = await witnessedLog();
    const note = head(ledger, log);
    must(await ledger.cosigned.add(log, cosigned(note, w(0), 100n)));
    must(await ledger.cosigned.add(log, cosigned(note, w(0), 200n)));
    const newest = must(await ledger.cosigned.newest(log));
    assert.deepEqual(
      newest?.cosignatures.map(({ timestamp }) => timestamp),
      [100n],
    );
    await ledger.close();
  });

  it('leaves out lines of witnesses that do not count and refuses where no other is there', async () => {
    const { ledger, log } = await witnessedLog();
    const note = head(ledger, log);
    refused(await ledger.cosigned.add(log, cosigned(note, [stranger])), 'note-unverified');
    refused(await ledger.cosigned.add(log, note), 'note-unverified');
    must(await ledger.cosigned.add(log, cosigned(note, [stranger, ...w(2)])));
    assert.deepEqual(keysOf(must(await ledger.cosigned.newest(log))), [names[2]]);
    ledger.cosigned.trust([selfNamedCosigner(nodeCrypto, stranger.publicKey)]);
    must(await ledger.cosigned.add(log, cosigned(note, [stranger])));
    assert.equal(must(await ledger.cosigned.newest(log))?.cosignatures.length, 2);
    await ledger.close();
  });

  it('refuses a line of a known witness that fails, and one without a time', async () => {
    const { ledger, log } = await witnessedLog();
    const note = head(ledger, log);
    const other = signCheckpoint(
      nodeCrypto,
      signer,
      log,
      asTreeSize(1),
      asHash(new Uint8Array(32)),
    );
    const wrong = cosigned(other, w(0)).slice(other.length);
    refused(await ledger.cosigned.add(log, note + wrong), 'bad-signature');
    refused(await ledger.cosigned.add(log, cosigned(note, w(0), 0n)), 'note-unverified');
    assert.equal(must(await ledger.cosigned.newest(log)), undefined);
    await ledger.close();
  });

  it('tells of a checkpoint that the writer signed with another root, and keeps nothing of it', async () => {
    const { ledger, log } = await witnessedLog();
    await publish(ledger, log, events(3));
    const size = ledger.log(log)?.size ?? asTreeSize(0);
    const forged = signCheckpoint(
      nodeCrypto,
      signer,
      log,
      size,
      asHash(new Uint8Array(32).fill(5)),
    );
    const told: CheckpointConflict[] = [];
    using _ = ledger.cosigned.onConflict((conflict) => told.push(conflict));
    refused(await ledger.cosigned.add(log, cosigned(forged, w(0, 1, 2))), 'fork');
    assert.deepEqual(told, [{ logId: log, size, theirs: forged }]);
    const notSigned = signCheckpoint(nodeCrypto, stranger, log, size, asHash(new Uint8Array(32)));
    refused(await ledger.cosigned.add(log, cosigned(notSigned, w(0))), 'checkpoint-key-id');
    assert.equal(told.length, 1);
    await ledger.close();
  });

  it('gives the newest that meets the quorum, else the one with most lines', async () => {
    const { ledger, log } = await witnessedLog(2);
    const sizes: number[] = [];
    for (const by of [w(0, 1, 2), w(0, 1), w(1)]) {
      await publish(ledger, log, events(2, sizes.length * 10));
      sizes.push(ledger.log(log)?.size ?? 0);
      must(await ledger.cosigned.add(log, cosigned(head(ledger, log), by)));
    }
    assert.equal(must(await ledger.cosigned.newest(log))?.size, sizes[1]);
    const above = asTreeSize((sizes[1] ?? 0) + 1);
    assert.equal(must(await ledger.cosigned.newest(log, above))?.size, sizes[2]);
    await ledger.close();
  });

  it('keeps a bounded number of rows, and always the best of them', async () => {
    const store = new MemoryStore();
    const guard = new MemoryGuard([]);
    const ledger = await openLedger({ store, guard, limits: { maxCosignedPerLog: 3 } });
    const policy = { ...newLog, witnesses: witnessesMap(names, 2) };
    const log = must(await ledger.create(policy, signer));
    must(await ledger.cosigned.add(log, cosigned(head(ledger, log), w(0, 1))));
    const met = ledger.log(log)?.size;
    for (let i = 0; i < 6; i++) {
      await publish(ledger, log, events(1, i));
      must(await ledger.cosigned.add(log, cosigned(head(ledger, log), w(2))));
    }
    assert.equal(must(await ledger.cosigned.newest(log))?.size, met);
    let rows = 0;
    await using scan = store.scan({ gte: Uint8Array.of(0x0f), lt: Uint8Array.of(0x10) });
    for (;;) {
      const page = must(await scan.next(10));
      if (page.length === 0) break;
      rows += page.length;
    }
    assert.equal(rows, 3);
    await ledger.close();
  });

  it('is there after a restart, and not what does not verify any more', async () => {
    const { ledger, log, store, guard } = await witnessedLog();
    must(await ledger.cosigned.add(log, cosigned(head(ledger, log), w(0, 1))));
    const kept = must(await ledger.cosigned.newest(log));
    await ledger.flush();
    const again = await openLedger({
      store: store.crash('unsynced'),
      guard: new MemoryGuard(guard.marks()),
    });
    assert.deepEqual(must(await again.cosigned.newest(log)), kept);
    await again.close();
    await ledger.close();
  });

  it('waits with a checkpoint above our head until the log has grown to it', async () => {
    const { ledger, log } = await witnessedLog();
    await publish(ledger, log, events(3));
    const note = cosigned(head(ledger, log), w(0, 2));
    const follower = await openLedger();
    must(await follower.follow(log));
    refused(await follower.cosigned.add(log, note), 'block-ahead');
    assert.equal(must(await follower.cosigned.newest(log)), undefined);
    const { promise, resolve } = Promise.withResolvers<CosignedCheckpoint>();
    using _ = follower.cosigned.onKept(resolve);
    for (const wire of await wires(ledger, log, asLogIndex(0))) await follower.apply(wire, 'sync');
    assert.deepEqual(keysOf(await promise), [names[0], names[2]]);
    await ledger.close();
    await follower.close();
  });
});
