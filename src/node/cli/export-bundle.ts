/**
 * `hw export --bundle FILE`: an audit bundle by the running node, or from the store of a stopped one.
 * It is written beside the file and takes its name only when it is whole.
 */
import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HeadwaterError, fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { BundleRequest } from '../evidence-api.ts';
import { fileFault, systemCode } from '../files.ts';
import { lockHolder } from '../home-lock.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';
import { startProgress, type Progress } from './progress.ts';
import { withStoppedStreams } from './stopped.ts';
import { countText } from './table.ts';
import { bundleDisclosures, isBundleDisclosure } from '../core/bundle.ts';

interface Written {
  readonly bytes: number;
  readonly entries: number;
  readonly references: number;
  readonly missing: number;
  readonly opened: number;
}

export const exportBundle: Action = async (context, [of = ''], options) => {
  const file = options.text('bundle') ?? '';
  const [from, to] = [options.text('from'), options.text('to')];
  const ancestors = options.flag('ancestors');
  const disclose = options.text('disclose') ?? 'none';
  if (!isBundleDisclosure(disclose)) {
    const message = `--disclose is one of ${bundleDisclosures.join(', ')}`;
    return err(fault('usage', message, { pointer: '--disclose' }));
  }
  const request: BundleRequest = {
    of,
    ancestors,
    disclose,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  const path = resolve(context.runtime.directory, file);
  const holder = await lockHolder(context.paths, context.runtime);
  const written =
    holder === undefined
      ? await exportStopped(context, options, request, path)
      : await exportOnline(context, request, path);
  if (!written.ok) return written;
  const { bytes, entries, references, missing, opened } = written.value;
  await context.value({ of, file, bytes, entries, references, missing, opened });
  const inputs =
    references === 0
      ? ''
      : ancestors
        ? `, ${countText(references)} references to inputs followed`
        : `, ${countText(references)} references to inputs not followed (--ancestors)`;
  await context.say(
    `${file}: ${countText(entries)} entries, ${countText(bytes)} bytes${inputs}; hw verify ${file} checks it anywhere`,
  );
  if (disclose !== 'none') {
    await context.say(`  whoever has the file reads ${countText(opened)} sealed events of it`);
  }
  if (missing > 0) {
    await context.note(`${countText(missing)} inputs are not kept here: the bundle is incomplete`);
  }
  return ok(0);
};

async function exportOnline(
  context: Context,
  request: BundleRequest,
  path: string,
): Promise<Result<Written>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using node = connection.value;
  const { of, from, to, ancestors, disclose } = request;
  const answer = await node.client.open({
    method: 'GET',
    path: '/bundle',
    query: { of, from, to, ancestors, disclose },
    accept: 'application/octet-stream',
    signal: context.signal,
  });
  if (!answer.ok) return answer;
  using progress = await startProgress(context.runtime.stderr, `export ${of}`, 0);
  const stored = await store(context, path, guarded(context, answer.value.chunks), progress);
  if (!stored.ok) return stored;
  return ok({ bytes: stored.value, ...counts(answer.value.header('headwater-bundle')) });
}

/** What the node says of the bundle in its header. */
function counts(header: string | undefined): Omit<Written, 'bytes'> {
  const text = header ?? '';
  const count = (name: string): number =>
    Number(new RegExp(`(?:^| )${name}=([0-9]+)`).exec(text)?.[1] ?? 0);
  const [entries, references] = [count('entries'), count('references')];
  return { entries, references, missing: count('missing'), opened: count('opened') };
}

/** An answer that ends early must not look like its end. */
async function* guarded(
  context: Context,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (cause) {
    if (cause instanceof HeadwaterError) throw cause;
    const broken = fault('node-unreachable', 'the node broke off in the middle of its answer');
    throw new HeadwaterError(broken, { cause });
  }
  if (context.signal.aborted) throw new HeadwaterError(fault('interrupted', 'interrupted'));
}

function exportStopped(
  context: Context,
  options: Options,
  request: BundleRequest,
  path: string,
): Promise<Result<Written>> {
  return withStoppedStreams(context, options, async ({ streams, ledger, sealed }) => {
    const { openBundle } = await import('../core/bundle.ts');
    let done = 0;
    const tell = (entries: number): void => void (done = entries);
    const { Disclosing } = await import('../sealed/disclosing.ts');
    const parts = { ledger, streams, keys: new Disclosing(ledger, sealed) };
    const bundle = await openBundle(parts, request, context.signal, tell);
    if (!bundle.ok) return bundle;
    const { entries, references, missing, opened, chunks } = bundle.value;
    using progress = await startProgress(context.runtime.stderr, `export ${request.of}`, 100);
    const shown: Pick<Progress, 'update'> = {
      update: (_, note) => progress.update((100 * done) / Math.max(1, entries), note),
    };
    const stored = await store(context, path, chunks, shown);
    return stored.ok ? ok({ bytes: stored.value, entries, references, missing, opened }) : stored;
  });
}

/** Bytes written. Codes: file-unwritable, interrupted, and what the chunks throw. */
async function store(
  context: Context,
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  progress: Pick<Progress, 'update'>,
): Promise<Result<number>> {
  let folder: string | undefined;
  let bytes = 0;
  try {
    // A folder of its own beside the file: two exports of one name do not meet.
    folder = await mkdtemp(`${path}.`);
    const beside = join(folder, 'part');
    await using handle = await open(beside, 'wx', 0o644);
    for await (const chunk of chunks) {
      if (context.signal.aborted) throw new HeadwaterError(fault('interrupted', 'interrupted'));
      await handle.writeFile(chunk);
      bytes += chunk.length;
      progress.update(0, `${countText(bytes)} bytes`);
    }
    await handle.sync();
    await rename(beside, path);
    return ok(bytes);
  } catch (cause) {
    if (cause instanceof HeadwaterError) return err(cause.fault);
    if (systemCode(cause) !== undefined) return err(fileFault('file-unwritable', path, cause));
    throw cause;
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}
