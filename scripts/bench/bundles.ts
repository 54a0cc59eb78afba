/** Audit bundles written and verified, and the proof of one event verified. */
import type { Ledger } from '../../src/ledger/ledger.ts';
import { verifyEventProof } from '../../src/ledger/event-proof.ts';
import { verifyBundle } from '../../src/ledger/verify-bundle.ts';
import { planBundle } from '../../src/node/core/bundle-plan.ts';
import { bundleFile, bundleLines } from '../../src/node/core/bundle-write.ts';
import { proveEvent } from '../../src/node/core/prove.ts';
import { inflateRaw } from '../../src/node/inflate.ts';
import { nodeEnv } from '../../src/node/judges.ts';
import { asLogIndex, type LogId } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { createLog, openLedger, publishAll } from './bench-ledger.ts';
import { Events } from './events.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median, percentile } from './statistics.ts';
import { temporaryFolder } from './temporary.ts';

async function written(ledger: Ledger, logId: LogId): Promise<readonly Uint8Array[]> {
  const { signal } = new AbortController();
  const to = ledger.log(logId)?.size ?? 0;
  const asked = [{ logId, from: 0, to, whole: true }];
  const plan = must(await planBundle(ledger, { asked, ancestors: false }, signal));
  const chunks: Uint8Array[] = [];
  for await (const chunk of bundleFile(bundleLines(ledger, plan, signal))) chunks.push(chunk);
  return chunks;
}

async function verified(chunks: readonly Uint8Array[]): Promise<void> {
  const file = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks;
  };
  const report = await verifyBundle(nodeEnv, file(), inflateRaw);
  if (report.verdict !== 'intact') throw new Error(`the bundle is ${report.verdict}`);
}

/** The proofs are made beforehand, and each is verified once unmeasured: as one who verifies many. */
async function proofMicroseconds(ledger: Ledger, log: LogId, count: number): Promise<number> {
  const size = ledger.log(log)?.size ?? 0;
  const proofs: Uint8Array[] = [];
  while (proofs.length < count) {
    const index = asLogIndex(2 + Math.floor(Math.random() * (size - 3)));
    const text = await proveEvent(ledger, log, index, 'all');
    if (text.ok) proofs.push(new TextEncoder().encode(text.value)); // else it is a seal
  }
  for (const proof of proofs) verifyEventProof(nodeEnv, proof);
  const times = proofs.map((proof) => {
    const begun = performance.now();
    const { verdict } = verifyEventProof(nodeEnv, proof);
    if (verdict !== 'intact') throw new Error(`the proof is ${verdict}`);
    return 1000 * (performance.now() - begun);
  });
  return percentile(times, 0.5);
}

export const bundles: Bench = {
  names: ['proofVerify', 'bundleWrite', 'bundleVerify'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const count = quick ? 25_000 : 100_000;
    await using folder = await temporaryFolder();
    await using ledger = await openLedger(folder.path);
    const log = await createLog(ledger);
    const events = new Events('small');
    await publishAll(ledger, log, count, (_, number) => events.parsed(number));
    let chunks: readonly Uint8Array[] = [];
    const writes = await rounds(3, async () => {
      const begun = performance.now();
      chunks = await written(ledger, log);
      return perSecond(count, begun);
    });
    const reads = await rounds(3, async () => {
      const begun = performance.now();
      await verified(chunks);
      return perSecond(count, begun);
    });
    return [
      { name: 'proofVerify', value: await proofMicroseconds(ledger, log, quick ? 300 : 1000) },
      { name: 'bundleWrite', value: median(writes) },
      { name: 'bundleVerify', value: median(reads) },
    ];
  },
};
