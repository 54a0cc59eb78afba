/**
 * `hw verify FILE`: a proof checked offline, without a home. Needs nothing but the file, and reads no
 * more of it than a proof may have.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fault } from '../../errors.ts';
import { verifyEventProof } from '../../ledger/event-proof.ts';
import { statedPolicy } from '../../ledger/trust-policy.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { fileFault } from '../files.ts';
import { nodeEnv } from '../judges.ts';
import { proofView } from '../proof-view.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { proofReport } from './proof-report.ts';
import { isForkProof, verifyFork } from './verify-fork.ts';

/** What exists as a file, `-`, or what can only be meant as a path. */
export async function isFileArgument(context: Context, text: string): Promise<boolean> {
  if (text === '-' || /^\.{0,2}\/|\.(?:hwb|tlog-proof)$/.test(text)) return true;
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
  if (options.flag('follow')) {
    return err(fault('usage', '--follow is for streams', { pointer: '--follow' }));
  }
  const quorum = options.count('quorum', 1);
  if (!quorum.ok) return quorum;
  const bytes = await readBounded(context, file);
  if (!bytes.ok) return bytes;
  if (isForkProof(bytes.value)) return verifyFork(context, file, bytes.value);
  if (file.endsWith('.hwb') || (bytes.value[0] === 0x1f && bytes.value[1] === 0x8b)) {
    return err(fault('not-supported', 'verifying an audit bundle is not built yet'));
  }
  const policy = statedPolicy(nodeEnv.crypto, {
    owners: options.list('trust'),
    witnesses: options.list('witness'),
    ...(quorum.value === undefined ? {} : { quorum: quorum.value }),
  });
  if (!policy.ok) return err(fault('usage', `the stated trust: ${policy.error.message}`));
  const verdict = verifyEventProof(nodeEnv, bytes.value, policy.value);
  const view = proofView(verdict);
  await context.value({ file, ...view });
  await context.say(...proofReport(file, view));
  return ok(view.verdict === 'intact' ? 0 : view.verdict === 'broken' ? 3 : 4);
}

/** The file, or so much of it that it is known to be too large. */
async function readBounded(context: Context, file: string): Promise<Result<Uint8Array>> {
  const most = protocol.maxProofBytes;
  const chunks: AsyncIterable<Uint8Array> =
    file === '-'
      ? context.runtime.stdin.chunks(context.signal)
      : createReadStream(resolve(context.runtime.directory, file), { end: most });
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of chunks) {
      parts.push(chunk);
      length += chunk.length;
      if (length > most) break;
    }
  } catch (cause) {
    return err(fileFault('file-unreadable', file, cause));
  }
  return ok(Buffer.concat(parts));
}
