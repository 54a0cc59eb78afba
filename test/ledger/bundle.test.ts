/** Audit bundles that are sound: what goes in, what a verifier says of it. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  bundleText,
  cosign,
  inputsLog,
  ledgerOf,
  packed,
  parentIn,
  sumsLog,
  verifyText,
  witnessDids,
  oneChunk,
} from '../../scripts/vectors/bundle-logs.ts';
import { EvidenceLog, evidenceEnv, namedEvent } from '../../scripts/vectors/evidence-log.ts';
import { labelledSigner } from '../../scripts/vectors/format.ts';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { nobleCrypto } from '../../src/crypto-noble.ts';
import { didFromKey } from '../../src/ids.ts';
import { bundleTextLines } from '../../src/ledger/bundle-gzip.ts';
import {
  decodeBundleLine,
  encodeBundleLine,
  type BundleLine,
} from '../../src/ledger/bundle-lines.ts';
import { encodeParents } from '../../src/ledger/leaf.ts';
import { cosignNote, noteKey, parseNoteText } from '../../src/ledger/note.ts';
import { statedPolicy } from '../../src/ledger/trust-policy.ts';
import { verifyBundle } from '../../src/ledger/verify-bundle.ts';
import { protocol } from '../../src/limits.ts';
import { keyspace, numberKey } from '../../src/keyspace.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { IntervalSet } from '../../src/node/core/bundle-intervals.ts';
import { planBundle } from '../../src/node/core/bundle-plan.ts';
import { bundleFile, bundleLines } from '../../src/node/core/bundle-write.ts';
import { inflateRaw } from '../../src/node/inflate.ts';
import { offlineEnv, streamInflate } from '../../src/verify.ts';
import { must } from '../support/result.ts';

const inputs = inputsLog();
const { signal } = new AbortController();

function order([own, index]: readonly (boolean | number)[]): string {
  return `${own}${index}`;
}

function owner(name: string): string {
  return didFromKey(labelledSigner(`writer/${name}`).publicKey);
}

describe('an audit bundle', () => {
  it('of a stream holds its blocks, of an event just that event', async () => {
    await using ledger = await ledgerOf([inputs]);
    const stream = await verifyText(await bundleText(ledger, [[inputs, 0, 12]], false));
    assert.equal(stream.verdict, 'intact');
    assert.deepEqual(stream.checked, { lines: 11, blocks: 4, events: 6 });
    const event = await verifyText(await bundleText(ledger, [[inputs, 9, 10, false]], false));
    assert.equal(event.verdict, 'intact');
    assert.deepEqual(event.checked, { lines: 7, blocks: 0, events: 1 });
    const [seen] = event.seen;
    assert.equal(seen?.index, 9);
    assert.deepEqual(seen.event?.data, utf8('5'));
  });

  it('widens a range to whole blocks and says so', async () => {
    await using ledger = await ledgerOf([inputs]);
    const report = await verifyText(await bundleText(ledger, [[inputs, 3, 4]], false));
    assert.deepEqual(
      report.manifest?.asked.map(({ from, to, completeness }) => [from, to, completeness]),
      [[2, 6, 'nothing left out']],
    );
  });

  it('follows inputs to their roots, across logs and organisations', async () => {
    await using ledger = await ledgerOf([inputs, await sumsLog(inputs)]);
    const sums = await sumsLog(inputs);
    const report = await verifyText(await bundleText(ledger, [[sums, 4, 5, false]], true));
    assert.equal(report.verdict, 'intact');
    assert.equal(report.manifest?.inputs.references, 3);
    const seen = report.seen.map(({ logId, index }) => [logId === inputs.state.logId, index]);
    const wanted = [
      [true, 2],
      [true, 3],
      [true, 4],
      [true, 9],
      [false, 2],
      [false, 4],
    ];
    assert.deepEqual(seen.map(order).sort(), wanted.map(order).sort());
  });

  it('names the inputs that are not kept, and is incomplete', async () => {
    await using ledger = await ledgerOf([await sumsLog(inputs)]);
    const sums = await sumsLog(inputs);
    const report = await verifyText(await bundleText(ledger, [[sums, 2, 3, false]], true));
    assert.equal(report.verdict, 'incomplete');
    assert.deepEqual(
      report.missing.map(({ log, from, to, why }) => [log, from, to, why]),
      [
        [inputs.state.logId, 2, 5, 'not kept'],
        [inputs.state.logId, 9, 10, 'not kept'],
      ],
    );
  });

  it('names inputs in a damaged block as missing; what was asked for must be whole', async () => {
    // Block 1 fills the first tile: what is proved of the rest needs nothing of it.
    const data = Array.from({ length: 253 }, (_, n) => String(n));
    const big = EvidenceLog.open('bundle-big').withEvents(data).withEvents(['1', '2']);
    const cited = [await parentIn(big, 2, 5), await parentIn(big, 257, 258)];
    const event = namedEvent('sum', '{"n":3}');
    const draft = { kind: 'event' as const, event, parents: encodeParents(cited) };
    const sum = EvidenceLog.open('bundle-sum').with([draft]);
    const store = new MemoryStore();
    await using whole = await ledgerOf([big, sum], undefined, store);
    must(await whole.flush());
    const damaged = store.crash('nothing');
    const block = { key: numberKey(keyspace.blocks, 1, 1), value: new Uint8Array(40) };
    must(await damaged.batch([block], { sync: true }));
    await using ledger = await ledgerOf([], undefined, damaged);
    const report = await verifyText(await bundleText(ledger, [[sum, 2, 3, false]], true));
    assert.equal(report.verdict, 'incomplete');
    assert.deepEqual(
      report.missing.map(({ from, to, why }) => [from, to, why]),
      [[2, 5, 'damaged']],
    );
    assert.equal(report.manifest?.inputs.references, 2);
    assert.ok(report.seen.some(({ index }) => index === 257));
    await assert.rejects(bundleText(ledger, [[big, 0, 4]], false), /store-corrupt/);
  });

  it('counts bodies that are gone, of what was asked for and of inputs', async () => {
    const sums = await sumsLog(inputs);
    await using ledger = await ledgerOf(
      [inputs, sums],
      (log, index) => log !== inputs || index !== 3,
    );
    const own = await verifyText(await bundleText(ledger, [[inputs, 0, 12]], false));
    assert.equal(own.verdict, 'incomplete');
    assert.equal(own.manifest?.asked[0]?.completeness, 'bodies left out: 1 withheld');
    const one = await verifyText(await bundleText(ledger, [[inputs, 3, 4, false]], false));
    assert.equal(one.verdict, 'incomplete');
    const used = await verifyText(await bundleText(ledger, [[sums, 2, 3, false]], true));
    assert.equal(used.manifest?.inputs.completeness, 'bodies left out: 1 withheld');
    assert.deepEqual(
      used.reasons.map(({ code }) => code),
      ['body-withheld'],
    );
  });

  it('separates what is claimed from what is attested', async () => {
    await using ledger = await ledgerOf([inputs]);
    await cosign(ledger, inputs);
    const text = await bundleText(ledger, [[inputs, 2, 6]], false);
    const policy = must(statedPolicy(nodeCrypto, { witnesses: witnessDids, quorum: 2 }));
    const [log] = (await verifyText(text, policy)).logs;
    assert.deepEqual(log?.recorded, { first: 1_763_683_201_000, last: 1_763_683_201_000 });
    assert.equal(log.checkpoints[0]?.attestedBy, 1_763_690_001n);
    assert.deepEqual(
      log.checkpoints[0].cosignatures.map(({ listed }) => listed),
      [true, true],
    );
  });

  it('counts a quorum for what lies below the size that it signed, and for nothing else', async () => {
    await using ledger = await ledgerOf([inputs]);
    await cosign(ledger, inputs.until(1));
    const policy = must(statedPolicy(nodeCrypto, { witnesses: witnessDids, quorum: 2 }));
    const below = await verifyText(await bundleText(ledger, [[inputs, 0, 6]], false), policy);
    assert.equal(below.verdict, 'intact');
    const above = await verifyText(await bundleText(ledger, [[inputs, 0, 8]], false), policy);
    assert.equal(above.verdict, 'untrusted');
    assert.deepEqual(
      above.reasons.map(({ code }) => code),
      ['quorum-missing'],
    );
  });

  it("enforces the stream's own witness policy", async () => {
    const strict = inputsLog(2);
    await using ledger = await ledgerOf([strict]);
    const before = await verifyText(await bundleText(ledger, [[strict, 0, 12]], false));
    assert.equal(before.verdict, 'untrusted');
    await cosign(ledger, strict);
    const after = await verifyText(await bundleText(ledger, [[strict, 0, 12]], false));
    assert.equal(after.verdict, 'intact');
  });

  it('asks a stated trust of every log in it', async () => {
    const sums = await sumsLog(inputs);
    await using ledger = await ledgerOf([inputs, sums]);
    const text = await bundleText(ledger, [[sums, 2, 3, false]], true);
    const both = [owner('bundle-inputs'), owner('bundle-sums')];
    const trusted = await verifyText(text, must(statedPolicy(nodeCrypto, { owners: both })));
    assert.equal(trusted.verdict, 'intact');
    const half = must(statedPolicy(nodeCrypto, { owners: both.slice(1) }));
    assert.equal((await verifyText(text, half)).verdict, 'untrusted');
  });

  it('leaves out cosigner lines that only some could check', async () => {
    await using ledger = await ledgerOf([inputs]);
    const foreign = labelledSigner('witness/foreign');
    const key = noteKey(nodeCrypto, 'foreign.example/w', 4, foreign.publicKey);
    ledger.cosigned.trust([key]);
    const { text } = must(parseNoteText(inputs.checkpoint));
    const line = cosignNote(nodeCrypto, foreign, key.name, text, 1_763_690_000n);
    must(await ledger.cosigned.add(inputs.state.logId, inputs.checkpoint + line));
    const report = await verifyText(await bundleText(ledger, [[inputs, 2, 6]], false));
    assert.equal(report.verdict, 'intact');
    assert.deepEqual(report.logs[0]?.checkpoints[0]?.cosignatures, []);
  });

  it('is refused for a direct stream, which is missing as an input', async () => {
    const closed = EvidenceLog.open('bundle-direct', { visibility: 'direct' }).withEvents(['1']);
    await using ledger = await ledgerOf([closed]);
    const asked = [{ logId: closed.state.logId, from: 0, to: 4, whole: true }];
    const plan = await planBundle(ledger, { asked, ancestors: false }, signal);
    assert.equal(plan.ok ? 'planned' : plan.error.code, 'stream-private');
  });

  it('is refused where nothing stands in the range, or it goes over the head', async () => {
    await using ledger = await ledgerOf([inputs]);
    const empty = await planBundle(ledger, { asked: [], ancestors: false }, signal);
    assert.equal(empty.ok ? 'planned' : empty.error.code, 'bundle-empty');
    const asked = [{ logId: inputs.state.logId, from: 5, to: 99, whole: true }];
    const over = await planBundle(ledger, { asked, ancestors: false }, signal);
    assert.equal(over.ok ? 'planned' : over.error.code, 'index-over-head');
  });

  it('stops being written when it is told to', async () => {
    await using ledger = await ledgerOf([inputs]);
    const stopped = new AbortController();
    const asked = [{ logId: inputs.state.logId, from: 0, to: 12, whole: true }];
    const plan = must(await planBundle(ledger, { asked, ancestors: false }, signal));
    stopped.abort();
    const writing = async (): Promise<void> => {
      for await (const _ of bundleFile(bundleLines(ledger, plan, stopped.signal)));
    };
    await assert.rejects(writing, /interrupted/);
  });

  it('is the same with the crypto and the inflating of a browser, whatever the chunks are', async () => {
    await using ledger = await ledgerOf([inputs]);
    const asked = [{ logId: inputs.state.logId, from: 0, to: 12, whole: true }];
    const plan = must(await planBundle(ledger, { asked, ancestors: false }, signal));
    const parts: Uint8Array[] = [];
    for await (const part of bundleFile(bundleLines(ledger, plan, signal))) parts.push(part);
    const file = new Uint8Array(Buffer.concat(parts));
    assert.deepEqual([...file.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    for (const size of [1, 7, 1000]) {
      const bits = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < file.length; at += size) yield file.slice(at, at + size);
      };
      const report = await verifyBundle(offlineEnv(nobleCrypto), bits(), streamInflate);
      assert.equal(report.verdict, 'intact', JSON.stringify(report.reasons));
    }
    const cut = await verifyBundle(evidenceEnv, oneChunk(file.slice(0, -9)), streamInflate);
    assert.equal(cut.reasons[0]?.code, 'bundle-gzip');
  });
});

describe('the lines of a bundle', () => {
  const hash = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((b) => Buffer.from(b).toString('base64'));
  const nat = fc.maxSafeNat();
  const path = fc.array(hash, { maxLength: 4 });
  const blob = fc.uint8Array().map((b) => Buffer.from(b).toString('base64'));
  const line: fc.Arbitrary<BundleLine> = fc.oneof(
    fc.record(
      { kind: fc.constant('log' as const), log: fc.string(), checkpoint: fc.string() },
      { noNullPrototype: true },
    ),
    fc.record(
      { kind: fc.constant('control' as const), index: nat, leaf: blob, path },
      { noNullPrototype: true },
    ),
    fc.record({ kind: fc.constant('seal' as const), leaf: blob, path }, { noNullPrototype: true }),
    fc.record(
      { kind: fc.constant('cited' as const), from: nat, to: nat, proof: path },
      { noNullPrototype: true },
    ),
    fc.record({ kind: fc.constant('block' as const), wire: blob }, { noNullPrototype: true }),
    fc.record(
      {
        kind: fc.constant('entry' as const),
        index: nat,
        leaf: blob,
        body: fc.option(blob),
        salts: fc.option(blob),
        path,
      },
      { noNullPrototype: true },
    ),
    fc.record(
      { kind: fc.constant('end' as const), lines: nat, sha256: fc.string() },
      { noNullPrototype: true },
    ),
  );

  it('are read as they were written', () => {
    fc.assert(
      fc.property(line, (value) => {
        const bytes = encodeBundleLine(value);
        const text = new TextDecoder().decode(bytes.subarray(0, -1));
        // Lone surrogates cannot be written.
        if (!JSON.stringify(value).includes('\\ud')) {
          assert.deepEqual({ ...must(decodeBundleLine(text)) }, { ...value });
        }
      }),
    );
  });

  it('have one form: no cut, blank, further or reordered member is read', () => {
    fc.assert(
      fc.property(line, fc.nat(), (value, at) => {
        const text = new TextDecoder().decode(encodeBundleLine(value)).slice(0, -1);
        const cut = text.slice(0, at % text.length);
        assert.ok(!decodeBundleLine(cut).ok);
        assert.ok(!decodeBundleLine(` ${text}`).ok);
        assert.ok(!decodeBundleLine(`${text.slice(0, -1)},"more":1}`).ok);
        const reversed = JSON.stringify(Object.fromEntries(Object.entries(value).toReversed()));
        assert.ok(reversed === text || !decodeBundleLine(reversed).ok);
      }),
    );
  });

  it('are at most a MiB long, to the byte', async () => {
    for (const [length, ok] of [
      [protocol.maxBundleLineBytes, true],
      [protocol.maxBundleLineBytes + 1, false],
    ] as const) {
      const file = packed(utf8(`${'x'.repeat(length - 1)}\n`));
      const read = async (): Promise<number> => {
        let count = 0;
        for await (const _ of bundleTextLines(oneChunk(file), inflateRaw)) count += 1;
        return count;
      };
      if (ok) assert.equal(await read(), 1);
      else await assert.rejects(read, /too long/);
    }
  });
});

describe('ranges that are kept merged', () => {
  it('hold what was added, and say what was new', () => {
    const range = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 }));
    fc.assert(
      fc.property(fc.array(range), (ranges) => {
        const set = new IntervalSet();
        const known = new Set<number>();
        for (const [from, length] of ranges) {
          for (const part of set.add(from, from + length)) {
            for (let index = part.from; index < part.to; index++) {
              assert.ok(!known.has(index) && index >= from && index < from + length);
              known.add(index);
            }
          }
          for (let index = from; index < from + length; index++) assert.ok(known.has(index));
        }
        for (let index = 0; index < 80; index++) assert.equal(set.has(index), known.has(index));
        for (const [i, part] of set.parts.entries()) {
          assert.ok(part.from < part.to && part.from > (set.parts[i - 1]?.to ?? -1));
        }
      }),
    );
  });
});
