/** Traces and bundles whose inputs are kept by others only. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  bundleText,
  cosign,
  inputsLog,
  ledgerOf,
  sumsLog,
  verifyText,
} from '../../../scripts/vectors/bundle-logs.ts';
import { fault } from '../../../src/errors.ts';
import type { ForeignSource } from '../../../src/ledger/foreign-port.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { limits } from '../../../src/limits.ts';
import { withForeign } from '../../../src/node/core/bundle-ledger.ts';
import { ForeignLogs, type ForeignParts } from '../../../src/node/core/foreign-logs.ts';
import { traceEvent, type LineageParts } from '../../../src/node/core/lineage.ts';
import type { TraceRequest } from '../../../src/node/evidence-api.ts';
import { err, type Result } from '../../../src/result.ts';
import { asLogIndex, type LogId } from '../../../src/types.ts';
import { served } from '../../support/foreign.ts';
import { signer } from '../../support/ledger-home.ts';
import { must, refused } from '../../support/result.ts';

const inputs = inputsLog();
const sums = await sumsLog(inputs);
const { signal } = new AbortController();

const nobody: ForeignSource = {
  keys: () => Promise.resolve(none()),
  prove: () => Promise.resolve(none()),
  cosigned: () => Promise.resolve(none()),
  blocks: () => Promise.resolve(none()),
};
function none(): Result<never> {
  return err(fault('no-holder', 'none of 3 connected peers serves the log'));
}

function parts(source: ForeignSource, meet: ForeignParts['meet'] = async () => {}): ForeignParts {
  return { source, meet, clock: { monotonic: () => 0 } };
}

function lineage(ledger: Ledger, foreign: ForeignParts | undefined): LineageParts {
  const unknown = err(fault('stream-unknown', 'not known'));
  return {
    ledger,
    streams: { parse: () => unknown, view: () => unknown },
    registries: { ofLog: () => undefined, nameOf: () => 'inputs-org' },
    limits,
    signer,
    foreign,
  };
}

interface Traced {
  readonly verdict: string;
  readonly text: string;
}

async function trace(
  ledger: Ledger,
  foreign: ForeignParts | undefined,
  more: Partial<TraceRequest> = {},
): Promise<Traced> {
  const event = `hw:${sums.state.logId}/4`;
  const request = { event, direction: 'up', format: 'tree', ...more } as const;
  return must(await traceEvent(lineage(ledger, foreign), request, signal));
}

describe('a trace across organisations', () => {
  it('reads inputs from peers, verified, and says from where', async () => {
    await using pair = await both();
    const [own, away] = pair.ledgers;
    const { verdict, text } = await trace(own, parts(served(away).source));
    assert.equal(verdict, 'intact', text);
    assert.match(text, /7 steps, \d organisations: 7 intact, 0 not here, 0 broken; intact/);
    assert.match(text, /\/orders #2-5 {2}inputs-org {2}3 entries {2}intact, from a peer\n/);
    assert.match(text, /#9 {2}inputs-org {2}org\.example\.t {2}\S+ {2}intact, from a peer\n/);
    const json = JSON.parse(
      (await trace(own, parts(served(away).source), { format: 'json' })).text,
    );
    const [sum] = json.parents;
    assert.deepEqual(
      [json.fetched, sum.parents[0].fetched, sum.parents[0].parents[0].fetched],
      [undefined, true, true],
    );
    assert.equal(own.log(inputs.state.logId), undefined, 'nothing of it is kept');
  });

  it('dials the peers that a card names where no connected one has the log, once', async () => {
    await using pair = await both();
    const [own, away] = pair.ledgers;
    let source = nobody;
    const met: LogId[] = [];
    const late: ForeignSource = {
      keys: (...given) => source.keys(...given),
      prove: (...given) => source.prove(...given),
      cosigned: (...given) => source.cosigned(...given),
      blocks: (...given) => source.blocks(...given),
    };
    const meet: ForeignParts['meet'] = (logId) => {
      met.push(logId);
      source = served(away).source;
      return Promise.resolve();
    };
    assert.equal((await trace(own, parts(late, meet))).verdict, 'intact');
    assert.deepEqual(met, [inputs.state.logId]);
  });

  it('marks what nobody shows as unreachable, with the reason, and is incomplete', async () => {
    await using own = await ledgerOf([sums]);
    let asked = 0;
    const meet = async (): Promise<void> => {
      asked += 1;
    };
    const { verdict, text } = await trace(own, parts(nobody, meet));
    assert.equal(verdict, 'incomplete');
    assert.match(text, /#2-5 {2}unknown {2}3 entries {2}unreachable\n/);
    assert.match(text, /is not kept here, and none of 3 connected peers serves the log\n/);
    assert.equal(asked, 1, 'a log is looked for once in a trace');
    const stopped = await trace(own, undefined);
    assert.match(stopped.text, /#2-5 {2}unknown {2}3 entries {2}not kept here\n/);
    const away = { event: `hw:${inputs.state.logId}/9` };
    const request = { ...away, direction: 'up', format: 'tree' } as const;
    const refusal = await traceEvent(lineage(own, parts(nobody)), request, signal);
    refused(refusal, 'lineage-unreachable');
  });

  it('holds no lie against the input: who shows another block is not believed', async () => {
    await using pair = await both();
    const [own, away] = pair.ledgers;
    const { verdict, text } = await trace(own, parts(served(away, { wire: flipped }).source));
    assert.equal(verdict, 'incomplete', text);
    assert.match(text, /unreachable/);
    assert.doesNotMatch(text, /[1-9] broken/);
  });

  it('says broken where the entry that is shown is not the one that was cited', async () => {
    await using pair = await both();
    const [own, away] = pair.ledgers;
    const lie = `hw:${inputs.state.logId}/9@${'11'.repeat(32)}`;
    const request = { event: lie, direction: 'up', format: 'tree' } as const;
    const traced = await traceEvent(lineage(own, parts(served(away).source)), request, signal);
    refused(traced, 'parent-mismatch');
  });

  it('goes on, where it was cut, from an event or a range that is not kept here', async () => {
    await using pair = await both();
    const [own, away] = pair.ledgers;
    const foreign = parts(served(away).source);
    const cut = await trace(own, foreign, { limit: 3, format: 'json' });
    assert.equal(cut.verdict, 'incomplete');
    const { code, pending } = JSON.parse(cut.text).trace.incomplete;
    assert.equal(code, 'lineage-cut');
    assert.equal(pending.length, 2);
    for (const event of pending) {
      const on = await trace(own, foreign, { event });
      assert.equal(on.verdict, 'intact', on.text);
    }
  });

  it('is cut at its bounds of logs, bytes and time, and says where it goes on', async () => {
    await using pair = await both();
    const [, away] = pair.ledgers;
    const bounds = [
      { ...limits, maxForeignLogs: 0 },
      { ...limits, maxForeignBytes: 1 },
      { ...limits, maxForeignMs: 0 },
    ];
    const { logId } = inputs.state;
    const codes: (string | undefined)[] = [];
    for (const bound of bounds) {
      const others = new ForeignLogs(parts(served(away).source), signal, bound);
      const problem = await others.reach({ logId, from: asLogIndex(2), to: asLogIndex(5) });
      codes.push(problem?.code);
      if (problem !== undefined) continue;
      const log = others.get(logId);
      assert.equal((await log?.entry(asLogIndex(2)))?.ok, true);
      const read = await log?.entry(asLogIndex(9));
      codes.push(read?.ok === false ? read.error.code : undefined);
    }
    assert.deepEqual(codes, ['lineage-limit', undefined, 'lineage-limit', 'lineage-limit']);
  });
});

describe('a bundle with ancestors of others', () => {
  it('is the same to the byte as one that is made where all is kept', async () => {
    await using all = await ledgerOf([inputs, sums]);
    await using own = await ledgerOf([sums]);
    const asked = [[sums, 4, 5, false]] as const;
    const whole = await bundleText(all, asked, true);
    const others = new ForeignLogs(parts(served(all).source), signal);
    assert.equal(await bundleText(withForeign(own, others), asked, true), whole);
    assert.equal((await verifyText(whole)).verdict, 'intact');
  });

  it('carries the cosignatures that its keeper has, of an input that asks for witnesses', async () => {
    const witnessed = inputsLog(2);
    const made = await sumsLog(witnessed);
    await using all = await ledgerOf([witnessed, made]);
    await using own = await ledgerOf([made]);
    const asked = [[made, 4, 5, false]] as const;
    const read = async (): Promise<string> => {
      const others = new ForeignLogs(parts(served(all).source), signal);
      return bundleText(withForeign(own, others), asked, true);
    };
    assert.equal((await verifyText(await read())).verdict, 'untrusted');
    await cosign(all, witnessed);
    const text = await read();
    assert.equal(text, await bundleText(all, asked, true));
    assert.equal((await verifyText(text)).verdict, 'intact');
  });

  it('names what no peer shows as missing, and is incomplete', async () => {
    await using own = await ledgerOf([sums]);
    const others = new ForeignLogs(parts(nobody), signal);
    const text = await bundleText(withForeign(own, others), [[sums, 4, 5, false]], true);
    const report = await verifyText(text);
    assert.equal(report.verdict, 'incomplete');
    assert.equal(report.missing.length, 2);
  });
});

interface Pair extends AsyncDisposable {
  readonly ledgers: readonly [Ledger, Ledger];
}

/** Who keeps the sums only, and who keeps their inputs. */
async function both(): Promise<Pair> {
  const ledgers = [await ledgerOf([sums]), await ledgerOf([inputs])] as const;
  return {
    ledgers,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(ledgers.map((one) => one.close()));
    },
  };
}

function flipped(wire: Uint8Array): Uint8Array {
  wire[wire.length - 9] = (wire.at(-9) ?? 0) ^ 1;
  return wire;
}
