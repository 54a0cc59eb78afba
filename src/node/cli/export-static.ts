/**
 * `hw export --static DIR STREAM`: a static tree that any web server or disk can carry. Run again,
 * it completes the tree. From the running node, or from the store of a stopped one.
 */
import { resolve } from 'node:path';
import { fault } from '../../errors.ts';
import { parseDid, parseLogId } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import { asStreamName, isStreamName, type LogId } from '../../types.ts';
import { lockHolder } from '../home-lock.ts';
import type { JsonView } from '../json-view.ts';
import type { ExportReport, LogSource } from '../static-export.ts';
import type { StaticIndex } from '../static-index.ts';
import type { Action } from './command.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { streamView } from './endpoints.ts';
import type { Options } from './options.ts';
import { startProgress } from './progress.ts';
import { withStoppedStreams } from './stopped.ts';
import { countText } from './table.ts';

interface Exported extends ExportReport {
  readonly stream: LogId;
}

export const exportStatic: Action = async (context, [stream = ''], options) => {
  const holder = await lockHolder(context.paths, context.runtime);
  const done =
    holder === undefined
      ? await fromStopped(context, stream, options)
      : await fromNode(context, stream, options);
  if (!done.ok) return done;
  const { logs, files, bytes, stream: id } = done.value;
  const folder = options.text('static') ?? '';
  await context.value({ stream: id, folder, files, bytes, logs });
  const size = logs.reduce((sum, log) => sum + log.size, 0);
  const added = size - logs.reduce((sum, log) => sum + log.from, 0);
  await context.say(
    `${folder}: ${countText(size)} entries of ${stream}, ${countText(added)} of them new; ` +
      `${countText(files)} files written`,
    `serve it by any web server; hw follow --url URL reads and verifies it`,
  );
  return ok(0);
};

function fromStopped(
  context: Context,
  stream: string,
  options: Options,
): Promise<Result<Exported>> {
  return withStoppedStreams(context, options, async ({ streams, ledger }) => {
    const key = streams.parse(stream);
    const view = key.ok ? streams.view(key.value) : key;
    if (!view.ok) return view;
    if (view.value.visibility === 'direct') return err(isPrivate(stream));
    const { indexOf } = await import('../static-index.ts');
    const { ledgerSource } = await import('../log-source.ts');
    return write(context, options, indexOf(view.value), ledgerSource(ledger));
  });
}

async function fromNode(
  context: Context,
  stream: string,
  options: Options,
): Promise<Result<Exported>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const view = await streamView(open, context, stream);
  if (!view.ok) return view;
  if (view.value.text('visibility') === 'direct') return err(isPrivate(stream));
  const index = readView(view.value);
  if (!index.ok) return index;
  const { apiSource } = await import('../log-source.ts');
  return await write(context, options, index.value, apiSource(open.client, context.signal));
}

async function write(
  context: Context,
  options: Options,
  index: StaticIndex,
  source: LogSource,
): Promise<Result<Exported>> {
  if (index.logs.length === 0) {
    return err(
      fault('stream-not-followed', `nothing of ${index.owner}/${index.name} is kept here`),
    );
  }
  const { exportTree } = await import('../static-export.ts');
  const { DiskFolder } = await import('../tree-folder.ts');
  const { nodeCrypto } = await import('../../crypto-node.ts');
  const { runtime, signal } = context;
  const root = resolve(runtime.directory, options.text('static') ?? '');
  const opened = await DiskFolder.open(root, runtime);
  if (!opened.ok) return opened;
  await using folder = opened.value;
  using progress = await startProgress(runtime.stderr, `export ${index.name}`, 100);
  const onProgress = (entries: number, of: number): void =>
    progress.update((100 * entries) / Math.max(1, of), `${countText(entries)} entries`);
  const done = await exportTree({ source, folder, crypto: nodeCrypto, signal, onProgress }, index);
  return done.ok ? ok({ ...done.value, stream: index.stream }) : done;
}

/** The stream as the API shows it. */
function readView(view: JsonView): Result<StaticIndex> {
  const [stream, owner] = [parseLogId(view.text('id') ?? ''), parseDid(view.text('owner') ?? '')];
  if (!stream.ok) return stream;
  if (!owner.ok) return owner;
  const name = view.text('name') ?? '';
  if (!isStreamName(name)) return err(fault('bad-name', `${JSON.stringify(name)} is not a name`));
  const logs: { log: LogId; partition: number }[] = [];
  for (const item of view.list('logs')) {
    const log = parseLogId(item.text('log') ?? '');
    if (!log.ok) return log;
    if ((item.number('size') ?? 0) === 0) continue;
    logs.push({ log: log.value, partition: item.number('partition') ?? 0 });
  }
  const partitions = view.number('partitions') ?? 1;
  return ok({
    stream: stream.value,
    owner: owner.value,
    name: asStreamName(name),
    partitions,
    logs,
  });
}

function isPrivate(stream: string): ReturnType<typeof fault> {
  return fault('stream-private', `${stream} is a direct stream`);
}
