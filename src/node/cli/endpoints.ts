/** The node's HTTP API as the commands call it: paths, bodies, and how STREAM becomes a path. */
import { fault } from '../../errors.ts';
import { didFromKey, parseReference } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import type { ApiRequest } from '../api-client.ts';
import type { HomeView } from '../home.ts';
import { JsonView } from '../json-view.ts';
import { connect, type Connection } from './connect.ts';
import type { Context } from './context.ts';
import type { Options } from './options.ts';

/** Who asks, for the journal: the body member that every change carries. */
export function actor(options: Options): { readonly why?: string } {
  const why = options.text('why');
  return why === undefined ? {} : { why };
}

/** One call on a connection of its own; the answer's JSON. */
export async function callNode(context: Context, request: ApiRequest): Promise<Result<JsonView>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  return await callOn(open, context, request);
}

export async function callOn(
  { client }: Connection,
  context: Context,
  request: ApiRequest,
): Promise<Result<JsonView>> {
  const answer = await client.call({ signal: context.signal, ...request });
  return answer.ok ? ok(new JsonView(answer.value.body)) : answer;
}

/** `/streams/<org>/<name>` of STREAM: `name`, `alias/name`, `did:key:…/name` or `hw:<logId>`. */
export async function streamPath(
  connection: Connection,
  context: Context,
  stream: string,
): Promise<Result<string>> {
  if (!stream.startsWith('hw:')) return ok(pathOf(...splitName(connection.home, stream)));
  const log = stream.slice('hw:'.length);
  const all = await callOn(connection, context, {
    method: 'GET',
    path: '/streams',
    query: { all: true },
  });
  if (!all.ok) return all;
  for (const view of all.value.list('streams')) {
    const logs = view.list('logs').map((one) => one.text('log'));
    if (view.text('id') === log || logs.includes(log)) {
      return ok(pathOf(view.text('owner') ?? '', view.text('name') ?? ''));
    }
  }
  return err(fault('stream-unknown', `no stream of this node has the log ${log}`));
}

/** STREAM as the node shows it. */
export async function streamView(
  connection: Connection,
  context: Context,
  stream: string,
): Promise<Result<JsonView>> {
  const path = await streamPath(connection, context, stream);
  return path.ok ? callOn(connection, context, { method: 'GET', path: path.value }) : path;
}

/** One call about STREAM on a connection of its own; `request` makes it of the stream's path. */
export async function callStream(
  context: Context,
  stream: string,
  request: (path: string) => ApiRequest,
): Promise<Result<JsonView>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  using open = connection.value;
  const path = await streamPath(open, context, stream);
  return path.ok ? await callOn(open, context, request(path.value)) : path;
}

/** Where the API has EVENT: `STREAM#<index>`, or `hw:<logId>/<index>` of any log. */
export async function eventPath(
  connection: Connection,
  context: Context,
  event: string,
): Promise<Result<string>> {
  const numbered = /^(.+)#(0|[1-9][0-9]{0,14})$/.exec(event);
  if (numbered !== null) {
    const stream = await streamPath(connection, context, numbered[1] ?? '');
    return stream.ok ? ok(`${stream.value}/events/${numbered[2]}`) : stream;
  }
  const reference = parseReference(event);
  if (!reference.ok) return reference;
  const { logId, from, to } = reference.value;
  if (to === from + 1) return ok(`/logs/${logId}/events/${from}`);
  return err(fault('bad-reference', `${event} is a range: name one event of it`));
}

/** Organisation and name; a reserved name without owner is this home's, whose owner may be the peer. */
function splitName({ identity }: HomeView, stream: string): readonly [string, string] {
  const slash = stream.lastIndexOf('/');
  if (slash >= 0) return [stream.slice(0, slash), stream.slice(slash + 1)];
  const peers = stream === '_journal' || stream.startsWith('_deadletter.');
  return [peers ? didFromKey(identity.peerKey) : identity.organisation, stream];
}

function pathOf(organisation: string, name: string): string {
  return `/streams/${encodeURIComponent(organisation)}/${encodeURIComponent(name)}`;
}
