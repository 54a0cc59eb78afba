/** headwater.json of a static tree (static-tree.ts): which logs lie there. Nothing in it is believed. */
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { fromUtf8 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { parseDid, parseLogId } from '../ids.ts';
import type { LogSummary } from '../ledger/ledger-types.ts';
import { limits, protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { asStreamName, isStreamName, type Did, type LogId, type StreamName } from '../types.ts';
import type { StreamView } from './node-api.ts';

export const indexName = 'headwater.json';
const format = 'headwater-static-1';

const Log = Type.Object({
  log: Type.String({ maxLength: 64 }),
  partition: Type.Integer({ minimum: 0, maximum: protocol.maxPartitions - 1 }),
});
const Index = Type.Object({
  format: Type.Literal(format),
  stream: Type.String({ maxLength: 64 }),
  owner: Type.String({ maxLength: 128 }),
  name: Type.String({ maxLength: 64 }),
  partitions: Type.Integer({ minimum: 1, maximum: protocol.maxPartitions }),
  logs: Type.Array(Log, { minItems: 1, maxItems: limits.maxUrlLogs }),
});

export interface StaticIndex {
  /** The log of partition 0, the first of its chain: the stream's identity. */
  readonly stream: LogId;
  readonly owner: Did;
  readonly name: StreamName;
  readonly partitions: number;
  /** Logs of one partition in the order of their chain. */
  readonly logs: readonly { readonly log: LogId; readonly partition: number }[];
}

/** What headwater.json says of a stream; logs of which nothing is here are left out. */
export function indexOf(stream: StreamView): StaticIndex {
  const { id, owner, name, partitions, logs } = stream;
  const held = logs.filter(({ size }) => size > 0);
  const listed = held.map(({ log, partition }) => ({ log, partition }));
  return { stream: id, owner, name, partitions, logs: listed };
}

export function indexText(index: StaticIndex): string {
  return `${JSON.stringify({ format, ...index }, null, 2)}\n`;
}

/** Codes: `url-content`, and those of ids. */
export function parseIndex(bytes: Uint8Array): Result<StaticIndex> {
  const text = fromUtf8(bytes);
  const data: unknown = text.ok ? attempt(text.value) : undefined;
  if (!Value.Check(Index, data)) {
    const at = Value.Errors(Index, data)[0]?.instancePath ?? '';
    return err(fault('url-content', `${indexName} is not a list of logs`, { pointer: at }));
  }
  return readIndex(data);
}

function readIndex(data: Static<typeof Index>): Result<StaticIndex> {
  const [stream, owner] = [parseLogId(data.stream), parseDid(data.owner)];
  if (!stream.ok) return stream;
  if (!owner.ok) return owner;
  if (!isStreamName(data.name)) {
    return err(fault('url-content', `${indexName} names no stream`, { pointer: '/name' }));
  }
  const logs: { log: LogId; partition: number }[] = [];
  for (const item of data.logs) {
    const log = parseLogId(item.log);
    if (!log.ok) return log;
    logs.push({ log: log.value, partition: item.partition });
  }
  const { partitions } = data;
  const name = asStreamName(data.name);
  return ok({ stream: stream.value, owner: owner.value, name, partitions, logs });
}

function attempt(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** True where everybody may read the tree of a log (access.md "Node API"). */
export function isPublicLog(log: LogSummary | undefined): boolean {
  return log?.genesis?.visibility === 'public';
}

/** The log whose own folder a URL names: `…/logs/<logId>/`. */
export function logIdInUrl(url: URL): LogId | undefined {
  const last = url.pathname.replace(/\/+$/, '').split('/').at(-1) ?? '';
  const logId = parseLogId(last);
  return logId.ok ? logId.value : undefined;
}
