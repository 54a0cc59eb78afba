/** `hw verify FILE.hwb`: an audit bundle checked as it is read, in bounded memory. */
import { resolve } from 'node:path';
import { HeadwaterError, fault } from '../../errors.ts';
import type { BundleReport } from '../../ledger/bundle-report.ts';
import type { TrustPolicy } from '../../ledger/trust-policy.ts';
import { verifyBundle } from '../../ledger/verify-bundle.ts';
import { bundleGraph } from '../../lineage/bundle-graph.ts';
import { renderBundle } from '../../lineage/render-bundle.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { bundleView } from '../bundle-view.ts';
import { fileFault, replaceFile, systemCode } from '../files.ts';
import { inflateRaw } from '../inflate.ts';
import { nodeEnv } from '../judges.ts';
import { bundleReport } from './bundle-report.ts';
import type { Context } from './context.ts';
import type { FileInput } from './file-input.ts';
import type { Options } from './options.ts';
import { startProgress } from './progress.ts';
import { countText } from './table.ts';
import { exitOf } from './verify-file.ts';

/** Entries that `--json` lists. */
const listed = 100;

/** Exits 0, 3 or 4 by verdict. */
export async function verifyBundleFile(
  context: Context,
  file: string,
  input: FileInput,
  policy: TrustPolicy,
  options: Options,
): Promise<Result<number>> {
  const html = options.text('html');
  const { clock } = context.runtime;
  const begun = clock.now();
  const report = await checked(context, file, input, policy, html === undefined);
  if (!report.ok) return report;
  const seconds = ((clock.now() - begun) / 1000).toFixed(1);
  const view = bundleView(report.value, listed);
  if (html !== undefined) {
    const page = renderBundle(report.value, bundleGraph(report.value));
    const stored = await replaceFile(resolve(context.runtime.directory, html), page, 0o644);
    if (!stored.ok) return stored;
    await context.note(`${html}: every check, and the lineage`);
  }
  await context.value({ file, ...view });
  await context.say(...bundleReport(file, view, seconds));
  return ok(exitOf(view.verdict));
}

async function checked(
  context: Context,
  file: string,
  input: FileInput,
  policy: TrustPolicy,
  few: boolean,
): Promise<Result<BundleReport>> {
  using progress = await startProgress(context.runtime.stderr, `verify ${file}`, 0);
  const stoppable = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of input) {
      if (context.signal.aborted) throw new HeadwaterError(fault('interrupted', 'interrupted'));
      yield chunk;
    }
  };
  try {
    const report = await verifyBundle(nodeEnv, stoppable(), inflateRaw, {
      policy,
      maxSeen: few ? listed : limits.maxBundlePageEntries,
      onProgress: (blocks, events) =>
        progress.update(0, `${countText(events)} events in ${countText(blocks)} blocks`),
    });
    const stopped = report.reasons[0];
    return stopped?.code === 'interrupted' ? err(stopped) : ok(report);
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    return err(fileFault('file-unreadable', file, cause));
  }
}
