/** Attacks of access.md on sealed streams, from the block that carries them to the reader. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ledgerOf } from '../../../scripts/vectors/bundle-logs.ts';
import { namedEvent, type EvidenceLog } from '../../../scripts/vectors/evidence-log.ts';
import {
  eventKeyOf,
  openSealed,
  sealedRoot,
  withSealed,
  type Cheat,
} from '../../../scripts/vectors/sealed-log.ts';
import type { EpochNode } from '../../../src/access/epoch-keys.ts';
import { utf8 } from '../../../src/bytes.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { contentsCheck } from '../../../src/node/sealed/contents.ts';
import { Disclosing } from '../../../src/node/sealed/disclosing.ts';
import type { SealedRoom, SealedWhy } from '../../../src/node/sealed/sealed-room.ts';
import { asLogIndex, type EventBytes } from '../../../src/types.ts';
import { must, refused } from '../../support/result.ts';
import { entryAt, roomFor } from '../../support/sealed.ts';
import { tempDir } from '../../support/temp-dir.ts';

const said = [1, 2, 3].map((n) => namedEvent(`${n}`, `{"n":${n}}`));
let logs = 0;

/** 2 epoch, 3 4 5 events, 6 seal; the second event as the cheat has it. */
function cheating(cheat: Cheat): EvidenceLog {
  logs += 1;
  return withSealed(openSealed(`cheat-${logs}`), 0, said, { 1: cheat });
}

function wrongAt(
  room: SealedRoom,
  epochs: Awaited<ReturnType<Ledger['epochs']>>,
  entry: Parameters<SealedRoom['openWith']>[1],
): SealedWhy {
  const opened = room.openWith(must(epochs), entry);
  if (!('sealed' in opened)) assert.fail('it was opened');
  return opened.sealed;
}

/** What readers are given of the sealed events, in order. */
async function delivered(
  ledger: Ledger,
  room: SealedRoom,
  { state }: EvidenceLog,
): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  for await (const batch of ledger.batches(state.logId, asLogIndex(0))) {
    const read = await room.reader(state.logId, batch);
    for (let index: number = batch.from; index < batch.to; index++) {
      const content = read(index);
      if (content !== undefined) seen.push('event' in content ? 'read' : content.sealed);
    }
  }
  return seen;
}

describe('attacks on sealed streams', () => {
  let folder: Awaited<ReturnType<typeof tempDir>>;
  beforeEach(async () => {
    folder = await tempDir();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  /** A relay takes the log, for its hashes are right; no reader takes the event, and its neighbours stay. */
  async function refusedAt(
    log: EvidenceLog,
    code: string,
    root?: (log: EvidenceLog) => EpochNode,
  ): Promise<void> {
    await using ledger = await ledgerOf([log]);
    const room = await roomFor(ledger, folder.path, [log], root);
    const epochs = await ledger.epochs(log.state.logId);
    const entry = await entryAt(ledger, log, 4);
    assert.deepEqual(wrongAt(room, epochs, entry), { epoch: 0, reason: 'invalid', code });
    assert.deepEqual(await delivered(ledger, room, log), [
      'read',
      { epoch: 0, reason: 'invalid', code },
      'read',
    ]);
    const relayed = must(await ledger.verify(log.state.logId));
    assert.equal(relayed.verdict, 'intact', 'without keys nothing is wrong');
    refused(await new Disclosing(ledger, room).entry(entry), code);
    const contents = must(await contentsCheck(ledger, room)(log.state.logId));
    assert.deepEqual(contents, {
      events: 3,
      opened: 2,
      noKey: 0,
      shredded: 0,
      problem: { index: 4, code },
    });
  }

  it('ciphertext swapped between indexes: sealed for another index by its producer', async () => {
    await refusedAt(cheating({ index: 3 }), 'sealed-decrypt');
  });

  it('ciphertext swapped between indexes: that of a neighbour, signed by its producer', async () => {
    logs += 1;
    const honest = withSealed(openSealed(`cheat-${logs}`), 0, said);
    const { body } = eventKeyOf(honest, 3, 0);
    const swapped = withSealed(openSealed(`cheat-${logs}`), 0, said, { 1: { body } });
    assert.equal(swapped.state.logId, honest.state.logId);
    await refusedAt(swapped, 'sealed-decrypt');
  });

  it('ciphertext swapped between indexes on the way: the block is rejected', async () => {
    logs += 1;
    const log = withSealed(openSealed(`swap-${logs}`), 0, said);
    const { block, wire } = log.last;
    const [a, b] = [block.entries[1], block.entries[2]];
    assert.ok(a && b && a.bodyLength === b.bodyLength);
    const changed = wire.slice();
    changed.set(wire.subarray(a.bodyOffset, a.bodyOffset + a.bodyLength), b.bodyOffset);
    changed.set(wire.subarray(b.bodyOffset, b.bodyOffset + b.bodyLength), a.bodyOffset);
    await using ledger = await ledgerOf([log.until(0)]);
    for (const form of ['gossip', 'sync'] as const) {
      const { verdict, applied } = await ledger.apply(changed, form);
      assert.equal(applied ?? false, false);
      assert.ok(verdict.kind === 'reject');
      assert.equal(verdict.reason.code, 'sealed-body-hash');
    }
    assert.equal((await ledger.apply(wire, 'gossip')).applied, true);
  });

  it('plaintext not matching its commitment: other attributes, other data', async () => {
    await refusedAt(cheating({ event: namedEvent('other', '{"n":2}') }), 'attributes-commitment');
    const [, second] = said;
    assert.ok(second);
    const event: EventBytes = { ...second, data: utf8('{"n":9}') };
    await refusedAt(cheating({ event }), 'data-commitment');
  });

  it('kind byte changed: of the data in the plaintext', async () => {
    const [, second] = said;
    assert.ok(second);
    await refusedAt(cheating({ event: { ...second, kind: 2 } }), 'data-commitment');
    await refusedAt(cheating({ event: { ...second, kind: 0 } }), 'body-kind');
  });

  it('kind byte changed: of the leaf on the way', async () => {
    logs += 1;
    const log = withSealed(openSealed(`kind-${logs}`), 0, said);
    const { block, wire } = log.last;
    await using ledger = await ledgerOf([log.until(0)]);
    for (const kind of [0, 2, 3, 4]) {
      const changed = wire.with(block.entries[1]?.leafOffset ?? 0, kind);
      const { verdict, applied } = await ledger.apply(changed, 'gossip');
      assert.equal(applied ?? false, false, `kind ${kind}`);
      assert.equal(verdict.kind, 'reject', `kind ${kind}: ${JSON.stringify(verdict)}`);
    }
  });

  it('what was sealed is no event: it is disclosed to nobody', async () => {
    logs += 1;
    const nonsense = { attributes: utf8('{}'), kind: 1, data: utf8('1') } as const;
    const log = withSealed(openSealed(`nonsense-${logs}`), 0, [nonsense]);
    await using ledger = await ledgerOf([log]);
    const room = await roomFor(ledger, folder.path, [log]);
    refused(
      await new Disclosing(ledger, room).entry(await entryAt(ledger, log, 3)),
      'event-invalid',
    );
    const { problem } = must(await contentsCheck(ledger, room)(log.state.logId)) ?? {};
    assert.deepEqual(problem, { index: 3, code: 'event-invalid' });
  });

  it('epoch key of another stream, wrong epoch key: it is no key of this log', async () => {
    logs += 1;
    const log = withSealed(openSealed(`wrong-key-${logs}`), 0, said);
    await using ledger = await ledgerOf([log]);
    const room = await roomFor(ledger, folder.path, [log], () => sealedRoot('another stream'));
    const epochs = await ledger.epochs(log.state.logId);
    const why = wrongAt(room, epochs, await entryAt(ledger, log, 4));
    assert.deepEqual(why, { epoch: 0, reason: 'no-key' });
    refused(
      await new Disclosing(ledger, room).entry(await entryAt(ledger, log, 4)),
      'event-sealed',
    );
    const counts = must(await contentsCheck(ledger, room)(log.state.logId));
    assert.deepEqual(counts, { events: 3, opened: 0, noKey: 3, shredded: 0 });
    assert.equal(must(await ledger.entry(log.state.logId, asLogIndex(4))).event, undefined);
  });
});
