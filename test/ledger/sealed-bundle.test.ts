import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { before, describe, it } from 'mocha';
import {
  bundleText,
  closed,
  ledgerOf,
  oneChunk,
  opened,
  packed,
  parentIn,
  verifyText,
} from '../../scripts/vectors/bundle-logs.ts';
import { namedEvent, type EvidenceLog } from '../../scripts/vectors/evidence-log.ts';
import {
  epochDraft,
  eventKeyOf,
  openSealed,
  sealedDraft,
  withSealed,
} from '../../scripts/vectors/sealed-log.ts';
import { toBase64, utf8 } from '../../src/bytes.ts';
import { webOpener } from '../../src/cipher-web.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import type { BundleReport } from '../../src/ledger/bundle-report.ts';
import { verifyBundle } from '../../src/ledger/verify-bundle.ts';
import type { EventKeys } from '../../src/node/core/bundle-plan.ts';
import { inflateRaw } from '../../src/node/inflate.ts';
import { offlineEnv } from '../../src/verify.ts';

const said = [1, 2, 3].map((n) => namedEvent(`${n}`, `{"n":${n}}`));
/** 0 genesis, 1 seal | 2 epoch 0, 3 4 5 events, 6 seal | 7 epoch 4, 8 event, 9 seal. */
const log = withSealed(withSealed(openSealed('bundled'), 0, said), 4, said.slice(0, 1));
/** 2 epoch 0, 3 cites [3, 5) of the other, 4 seal. */
let sums = openSealed('sums');

async function citing(): Promise<EvidenceLog> {
  const made = openSealed('sums');
  const parents = [await parentIn(log, 3, 5)];
  const event = sealedDraft(made, 1, 0, namedEvent('sum', '3'), {}, parents);
  return made.with([epochDraft(made, 0), event]);
}

/** Keys of these epochs of the two logs. */
function keysOf(...epochs: readonly number[]): EventKeys {
  return {
    of: (logId) => {
      const one = [log, sums].find(({ state }) => state.logId === logId);
      if (one === undefined) return Promise.resolve(undefined);
      return Promise.resolve((index) => {
        const epoch = one === log && index > 7 ? 4 : 0;
        return epochs.includes(epoch) ? eventKeyOf(one, index, epoch).key : undefined;
      });
    },
  };
}

function counts(report: BundleReport): unknown {
  return report.logs.map(({ sealed }) => [sealed.events, sealed.opened]);
}

function texts(report: BundleReport): readonly (string | undefined)[] {
  const events = report.seen.filter(({ kind }) => kind === 'sealed');
  return events.map(({ event }) => event && new TextDecoder().decode(event.data));
}

function check(file: string, web: boolean): Promise<BundleReport> {
  const opener = web ? webOpener(webcrypto.subtle) : undefined;
  const env = offlineEnv(nobleCrypto, opener);
  return verifyBundle(env, oneChunk(packed(utf8(file))), inflateRaw, { maxSeen: 100 });
}

async function codeOf(list: readonly string[]): Promise<string> {
  const report = await verifyText(closed(list.map((line) => `${line}\n`).join('')));
  return report.verdict === 'broken' ? (report.reasons[0]?.code ?? '') : report.verdict;
}

describe('an audit bundle of a sealed stream', () => {
  before(async () => {
    sums = await citing();
  });

  it('holds ciphertext alone where nobody asked for more: all is proved, nothing is read', async () => {
    await using ledger = await ledgerOf([log]);
    const text = await bundleText(ledger, [[log, 0, 10]], false);
    const report = await verifyText(text);
    assert.equal(report.verdict, 'intact', JSON.stringify(report.reasons));
    assert.deepEqual(counts(report), [[4, 0]]);
    assert.deepEqual(texts(report), [undefined, undefined, undefined, undefined]);
    assert.ok(text.startsWith('{"kind":"manifest","version":1,'));
    assert.equal(report.checked.events, 4);
  });

  it('comes with the keys of its events where they are asked for and held', async () => {
    await using ledger = await ledgerOf([log]);
    const keys = { keys: keysOf(0), inputs: false };
    const report = await verifyText(await bundleText(ledger, [[log, 0, 10]], false, keys));
    assert.equal(report.verdict, 'intact', JSON.stringify(report.reasons));
    assert.deepEqual(counts(report), [[4, 3]]);
    assert.deepEqual(texts(report), ['{"n":1}', '{"n":2}', '{"n":3}', undefined]);
    assert.equal(report.manifest?.version, 2);
    assert.equal(report.manifest.opened, 3);
    const one = await bundleText(ledger, [[log, 8, 9, false]], false, {
      keys: keysOf(4),
      inputs: false,
    });
    assert.deepEqual(texts(await verifyText(one)), ['{"n":1}']);
  });

  it('opens what was asked for, and its inputs only where that is asked too', async () => {
    await using ledger = await ledgerOf([log, sums]);
    const ask = async (inputs: boolean): Promise<BundleReport> => {
      const disclose = { keys: keysOf(0), inputs };
      return verifyText(await bundleText(ledger, [[sums, 3, 4, false]], true, disclose));
    };
    const asked = await ask(false);
    assert.equal(asked.verdict, 'intact', JSON.stringify(asked.reasons));
    assert.deepEqual(new Set(texts(asked)), new Set(['3', undefined]));
    const all = await ask(true);
    assert.equal(all.verdict, 'intact', JSON.stringify(all.reasons));
    // Event 5 stands in the same block and nobody cites it: its key is not given away.
    assert.deepEqual(new Set(texts(all)), new Set(['3', '{"n":1}', '{"n":2}']));
    assert.equal(all.manifest?.opened, 3);
  });

  it('is broken where a key is of another event, of nothing, unasked, twice or out of place', async () => {
    await using ledger = await ledgerOf([log]);
    const text = await bundleText(ledger, [[log, 2, 7]], false, { keys: keysOf(0), inputs: false });
    const lines = opened(text).split('\n').slice(0, -1);
    const at = lines.findIndex((line) => line.startsWith('{"kind":"keys"'));
    const key = (index: number): string => toBase64(eventKeyOf(log, index, 0).key);
    const withKeys = async (keys: readonly { index: number; key: string }[]): Promise<string> => {
      const changed = lines.with(at, JSON.stringify({ kind: 'keys', keys }));
      return codeOf(changed);
    };
    const all = [3, 4, 5].map((index) => ({ index, key: key(index) }));
    assert.equal(await codeOf(lines), 'intact');
    assert.equal(await withKeys(all), 'intact');
    assert.equal(await withKeys(all.with(0, { index: 3, key: key(4) })), 'sealed-decrypt');
    assert.equal(await withKeys(all.slice(1)), 'bundle-manifest', 'the manifest counts them');
    assert.equal(await withKeys([...all, { index: 6, key: key(3) }]), 'bundle-unasked', 'a seal');
    assert.equal(await withKeys([...all, { index: 99, key: key(3) }]), 'bundle-unasked');
    assert.equal(await withKeys(all.toReversed()), 'bundle-order');
    assert.equal(await withKeys([]), 'bundle-line');
    assert.equal(await withKeys([{ index: 3, key: toBase64(new Uint8Array(31)) }]), 'bundle-line');
    assert.equal(await codeOf(lines.toSpliced(at, 0, lines[at] ?? '')), 'bundle-order', 'twice');
    assert.equal(await codeOf(lines.toSpliced(at, 1)), 'bundle-manifest', 'left out');
    assert.equal(await codeOf(lines.toSpliced(2, 0, lines[at] ?? '')), 'bundle-order', 'too early');
    const last = [...lines.toSpliced(at, 1), lines[at] ?? ''];
    assert.equal(await codeOf(last), 'bundle-order', 'behind its block');
    const [first = ''] = lines;
    const plain = lines.with(0, first.replace('"version":2', '"version":1'));
    assert.equal(await codeOf(plain), 'bundle-line', 'version 1 has no keys');
  });

  it('is broken where a key opens something else than its producer committed to', async () => {
    const lying = withSealed(openSealed('bundled-lie'), 0, said, {
      1: { event: namedEvent('x', '0') },
    });
    await using ledger = await ledgerOf([lying]);
    const keys: EventKeys = {
      of: () => Promise.resolve((index) => eventKeyOf(lying, index, 0).key),
    };
    const text = await bundleText(ledger, [[lying, 0, 7]], false, { keys, inputs: false });
    const report = await verifyText(text);
    assert.equal(report.verdict, 'broken');
    assert.equal(report.reasons[0]?.code, 'attributes-commitment');
    assert.equal(report.reasons[0]?.place?.index, 4);
  });

  it('is read in a browser by WebCrypto, and is incomplete where there is none', async () => {
    await using ledger = await ledgerOf([log]);
    const disclose = { keys: keysOf(0, 4), inputs: false };
    const text = await bundleText(ledger, [[log, 0, 10]], false, disclose);
    const single = await bundleText(ledger, [[log, 4, 5, false]], false, disclose);
    assert.deepEqual(texts(await check(text, true)), ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":1}']);
    assert.deepEqual(texts(await check(single, true)), ['{"n":2}']);
    const bare = await check(text, false);
    assert.equal(bare.verdict, 'incomplete');
    assert.deepEqual(
      bare.reasons.map(({ code }) => code),
      ['cipher-missing'],
    );
    assert.deepEqual(counts(bare), [[4, 0]]);
  });

  it('is broken where a key of an event comes along that nobody asked for', async () => {
    await using ledger = await ledgerOf([log, sums]);
    const disclose = { keys: keysOf(0), inputs: true };
    const text = await bundleText(ledger, [[sums, 3, 4, false]], true, disclose);
    const lines = opened(text).split('\n').slice(0, -1);
    const at = lines.findIndex(
      (line) => line.startsWith('{"kind":"keys","keys":[{"index":3,') && line.includes('"index":4'),
    );
    const more = `,{"index":5,"key":"${toBase64(eventKeyOf(log, 5, 0).key)}"}]}`;
    const changed = lines
      .with(at, (lines[at] ?? '').replace(/]}$/, more))
      .with(0, (lines[0] ?? '').replace('"opened":3', '"opened":4'));
    assert.equal(await codeOf(lines), 'intact');
    assert.equal(await codeOf(changed), 'bundle-unasked');
  });

  it('is broken where what a key opens is no event', async () => {
    const nonsense = { attributes: utf8('{}'), kind: 1, data: utf8('1') } as const;
    const lying = withSealed(openSealed('bundled-nonsense'), 0, [nonsense]);
    await using ledger = await ledgerOf([lying]);
    const keys: EventKeys = {
      of: () => Promise.resolve((index) => eventKeyOf(lying, index, 0).key),
    };
    const text = await bundleText(ledger, [[lying, 0, 5]], false, { keys, inputs: false });
    assert.equal((await verifyText(text)).reasons[0]?.code, 'event-invalid');
  });
});
