/** Lineage through sealed logs: with and without keys. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ledgerOf, parentIn } from '../../../scripts/vectors/bundle-logs.ts';
import { EvidenceLog, namedEvent } from '../../../scripts/vectors/evidence-log.ts';
import {
  epochDraft,
  openSealed,
  sealedDraft,
  withSealed,
} from '../../../scripts/vectors/sealed-log.ts';
import { encodeParents } from '../../../src/ledger/leaf.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { traceEvent, type LineageParts } from '../../../src/node/core/lineage.ts';
import { limits } from '../../../src/limits.ts';
import { err } from '../../../src/result.ts';
import { fault } from '../../../src/errors.ts';
import { asStreamName } from '../../../src/types.ts';
import { signer } from '../../support/ledger-home.ts';
import { must } from '../../support/result.ts';
import { roomFor } from '../../support/sealed.ts';
import { tempDir } from '../../support/temp-dir.ts';

function partsOf(ledger: Ledger, sealed?: LineageParts['sealed']): LineageParts {
  return {
    ledger,
    streams: {
      parse: () => err(fault('stream-unknown', '')),
      view: () => err(fault('stream-unknown', '')),
    },
    registries: { ofLog: () => undefined, nameOf: () => undefined },
    limits,
    signer,
    ...(sealed === undefined ? {} : { sealed }),
  };
}

async function trace(
  ledger: Ledger,
  event: string,
  direction: 'up' | 'down',
  sealed?: LineageParts['sealed'],
): Promise<{ verdict: string; steps: number; text: string }> {
  const request = { event, direction, format: 'tree' } as const;
  return must(await traceEvent(partsOf(ledger, sealed), request, new AbortController().signal));
}

describe('lineage through sealed logs', () => {
  let folder: Awaited<ReturnType<typeof tempDir>>;
  /** 2 epoch, 3 4 events. */
  const inputs = withSealed(openSealed('traced'), 0, [
    namedEvent('in', '1'),
    namedEvent('no', '2'),
  ]);
  let sums: EvidenceLog;
  let open: EvidenceLog;
  beforeEach(async () => {
    folder = await tempDir();
    const made = openSealed('traced-sums');
    const parents = [await parentIn(inputs, 3, 4)];
    const event = sealedDraft(made, 1, 0, namedEvent('sum', '3'), {}, parents);
    sums = made.with([epochDraft(made, 0), event]);
    const end = EvidenceLog.open('traced-open', { name: asStreamName('shown') });
    const cites = encodeParents([await parentIn(sums, 3, 4)]);
    open = end.with([{ kind: 'event', event: namedEvent('out', '4'), parents: cites }]);
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('is proved without any key, and says that the content is not to be read', async () => {
    await using ledger = await ledgerOf([inputs, sums, open]);
    const up = await trace(ledger, `hw:${open.state.logId}/2`, 'up');
    assert.equal(up.verdict, 'intact');
    assert.equal(up.steps, 3);
    assert.equal(up.text.match(/content sealed: no access/g)?.length, 2);
    assert.doesNotMatch(up.text, /id in\b|id sum\b/);
    const down = await trace(ledger, `hw:${inputs.state.logId}/3`, 'down');
    assert.equal(down.verdict, 'intact');
    assert.equal(down.steps, 3);
  });

  it('shows what the keys at hand open, and only that', async () => {
    await using ledger = await ledgerOf([inputs, sums, open]);
    const room = await roomFor(ledger, folder.path, [sums]);
    const up = await trace(ledger, `hw:${open.state.logId}/2`, 'up', room);
    assert.equal(up.verdict, 'intact');
    assert.match(up.text, /id sum\b/);
    assert.equal(up.text.match(/content sealed: no access/g)?.length, 1);
  });

  it('is broken where the ciphertext is not what was cited, key or no key', async () => {
    const other = withSealed(openSealed('traced'), 0, [
      namedEvent('other', '1'),
      namedEvent('no', '2'),
    ]);
    await using ledger = await ledgerOf([other, sums]);
    const up = await trace(ledger, `hw:${sums.state.logId}/3`, 'up');
    assert.equal(up.verdict, 'broken');
    assert.match(up.text, /parent-mismatch/);
  });
});
