/**
 * `hw verify FILE`: a proof checked offline, without a home. Needs nothing but the file, and reads no
 * more of it than a proof may have.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fault } from '../../errors.ts';
import { verifyEventProof } from '../../ledger/event-proof.ts';
import { isRangeFile, verifyRangeFile } from '../../ledger/range-file.ts';
import { statedPolicy } from '../../ledger/trust-policy.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { fileFault } from '../files.ts';
import { nodeEnv } from '../judges.ts';
import { proofView } from '../proof-view.ts';
import { rangeReport, rangeView } from '../range-view.ts';
import type { Context } from './context.ts';
import { openInput, type FileInput } from './file-input.ts';
import type { Options } from './options.ts';
import { proofReport } from './proof-report.ts';
import { isForkProof, verifyFork } from './verify-fork.ts';

/** What exists as a file, `-`, or what can only be meant as a path. */
export async function isFileArgument(context: Context, text: string): Promise<boolean> {
  if (text === '-' || /^\.{0,2}\/|\.(?:hwb|tlog-proof|range-proof)$/.test(text)) return true;
  try {
    return (await stat(resolve(context.runtime.directory, text))).isFile();
  } catch {
    return false;
  }
}

/** Exits 0, 3 or 4 by verdict. */
export async function verifyFile(
  context: Context,
  file: string,
  options: Options,
): Promise<Result<number>> {
  const misplaced = ['follow', 'repair'].find((name) => options.flag(name));
  if (misplaced !== undefined) {
    const pointer = `--${misplaced}`;
    return err(fault('usage', `${pointer} is for streams`, { pointer }));
  }
  const quorum = options.count('quorum', 1);
  if (!quorum.ok) return quorum;
  if (quorum.value !== undefined && options.list('witness').length === 0) {
    const hint = 'Name each witness that counts with --witness KEY.';
    const pointer = '--quorum';
    return err(fault('usage', '--quorum counts the keys of --witness', { pointer }, hint));
  }
  const policy = statedPolicy(nodeEnv.crypto, {
    owners: options.list('trust'),
    witnesses: options.list('witness'),
    ...(quorum.value === undefined ? {} : { quorum: quorum.value }),
  });
  if (!policy.ok) return err(fault('usage', `the stated trust: ${policy.error.message}`));
  const input = await openInput(context, file);
  if (!input.ok) return input;
  await using chunks = input.value;
  if (file.endsWith('.hwb') || isGzip(chunks.head)) {
    const { verifyBundleFile } = await import('./verify-bundle.ts');
    return await verifyBundleFile(context, file, chunks, policy.value, options);
  }
  if (options.text('html') !== undefined) {
    return err(fault('usage', '--html is for audit bundles', { pointer: '--html' }));
  }
  const bytes = await readBounded(file, chunks);
  if (!bytes.ok) return bytes;
  if (isForkProof(bytes.value)) return verifyFork(context, file, bytes.value);
  if (isRangeFile(bytes.value)) {
    const view = rangeView(verifyRangeFile(nodeEnv, bytes.value, policy.value));
    await context.value({ file, ...view });
    await context.say(...rangeReport(file, view));
    return ok(exitOf(view.verdict));
  }
  const view = proofView(verifyEventProof(nodeEnv, bytes.value, policy.value));
  await context.value({ file, ...view });
  await context.say(...proofReport(file, view));
  return ok(exitOf(view.verdict));
}

/** 0 intact, 3 broken, 4 anything between. */
export function exitOf(verdict: string): number {
  return verdict === 'intact' ? 0 : verdict === 'broken' ? 3 : 4;
}

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** The file, or so much of it that it is known to be too large. */
async function readBounded(file: string, chunks: FileInput): Promise<Result<Uint8Array>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of chunks) {
      parts.push(chunk);
      length += chunk.length;
      if (length > protocol.maxProofBytes) break;
    }
  } catch (cause) {
    return err(fileFault('file-unreadable', file, cause));
  }
  return ok(Buffer.concat(parts));
}
