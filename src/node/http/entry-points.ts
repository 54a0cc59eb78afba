/**
 * Every route of the API and what a caller needs for it, in one table (access.md "Node API"). A route
 * that is missing here needs all of `/flow/admin`, and a test names it.
 *
 * The token of the home opens everything. A UCAN bearer needs the command of the route or one above
 * it. `local`: nothing at all from this machine. `public`: nothing at all on the public listener.
 */

/** What administers a node; delegating `/flow/admin` gives all of it. */
export const adminCommands = {
  /** See everything that the node has: streams, direct ones and the journal too, state, peers. */
  read: '/flow/admin/read',
  publish: '/flow/admin/publish',
  /** Create, pause, follow, redact, recover, ban. */
  control: '/flow/admin/control',
  network: '/flow/admin/network',
  metrics: '/flow/admin/metrics',
  backup: '/flow/admin/backup',
  stop: '/flow/admin/stop',
} as const;
export const adminRoot = '/flow/admin';
export type AdminCommand = (typeof adminCommands)[keyof typeof adminCommands] | typeof adminRoot;

export interface EntryPoint {
  readonly command: AdminCommand;
  /** `always`: no token from loopback; `public-log`: only for the static tree of a public stream. */
  readonly local?: 'always' | 'public-log';
  /** Also on the public listener; of a public log alone where `local` is `public-log`. */
  readonly public?: true;
  /** A one-use ticket opens it, for readers that cannot send headers. */
  readonly ticket?: true;
  /** A parameter that makes more of it. */
  readonly unless?: { readonly flag: string; readonly command: AdminCommand };
}

const { read, publish, control, network, metrics, backup, stop } = adminCommands;
const reading: EntryPoint = { command: read };
const controlling: EntryPoint = { command: control };
const tree: EntryPoint = { command: read, local: 'public-log', public: true };
const open: EntryPoint = { command: read, local: 'always' };

/** By method and path, as the routes are declared. */
export const entryPoints: Readonly<Record<string, EntryPoint>> = {
  'GET /health/live': { ...open, public: true },
  'GET /health/ready': open,
  'GET /openapi.json': open,
  'GET /metrics': { command: metrics },
  'GET /status': reading,
  'GET /checks': reading,
  'POST /shutdown': { command: stop },
  'POST /tickets': reading,
  'GET /streams': reading,
  'POST /streams': controlling,
  'GET /streams/:org/:name': reading,
  'PATCH /streams/:org/:name': controlling,
  'GET /streams/:org/:name/events': { command: read, ticket: true },
  'POST /streams/:org/:name/events': { command: publish },
  'GET /streams/:org/:name/events/:index': reading,
  'GET /streams/:org/:name/attributes': reading,
  'GET /streams/:org/:name/events/:index/proof': reading,
  'POST /streams/:org/:name/events/:index/redact': controlling,
  'GET /streams/:org/:name/epochs': reading,
  'POST /streams/:org/:name/epochs': controlling,
  'POST /streams/:org/:name/epochs/:epoch/shred': controlling,
  'GET /streams/:org/:name/checkpoint': reading,
  'GET /streams/:org/:name/consistency': reading,
  'GET /streams/:org/:name/range': reading,
  'POST /streams/:org/:name/verify': {
    command: read,
    unless: { flag: 'repair', command: control },
  },
  'POST /streams/:org/:name/recover': controlling,
  'GET /logs/:logId/events/:index': reading,
  'GET /logs/:logId/events/:index/proof': reading,
  'POST /logs/:logId/events/:index/redact': controlling,
  'GET /logs/:logId/consistency': reading,
  'GET /logs/:logId/range': reading,
  'GET /logs/:logId/range/proof': reading,
  'GET /logs/:logId/fork': reading,
  'GET /logs/:logId/tree': reading,
  'GET /logs/:logId/checkpoint': tree,
  'GET /logs/:logId/cosigned': tree,
  'GET /logs/:logId/tile/*': tree,
  'GET /logs/:logId/block/*': tree,
  'GET /bundle': reading,
  'GET /lineage': reading,
  'GET /api/v1/lineage': reading,
  'GET /witness': reading,
  'POST /witness/add-checkpoint': { ...open, public: true },
  'GET /witness/:originHash/checkpoint': { ...open, public: true },
  'GET /backup': { command: backup },
  'GET /grants': reading,
  'GET /grants/:id': controlling,
  'POST /grants': controlling,
  'POST /grants/import': controlling,
  'POST /grants/:id/hand-on': controlling,
  'POST /grants/:id/renew': controlling,
  'DELETE /grants/:id': controlling,
  'POST /grants/requests': controlling,
  'PATCH /grants/requests/:id': controlling,
  'POST /follows': controlling,
  'DELETE /follows': controlling,
  'GET /peers': reading,
  'PATCH /peers/:peer': controlling,
  // They are signed by the organisation's key: who has a part of the API has no say in it.
  'POST /peers/:peer/revoke': { command: adminRoot },
  'POST /peers/:peer/enrolled': { command: adminRoot },
  'POST /revocations': { command: adminRoot },
  // A reader moves its cursor, with or without this.
  'PUT /cursors/:cursor': reading,
  'GET /network': reading,
  'POST /network/invites': { command: network },
  'POST /network/members': { command: network },
};

/** What a path that there is not needs: whoever may read is told that there is no such route. */
export const noRoute: EntryPoint = reading;

/** The entry of a declared route; all of `/flow/admin` where it was forgotten. */
export function entryPoint(method: string, route: string | undefined): EntryPoint {
  if (route === undefined) return noRoute;
  return Object.hasOwn(entryPoints, `${method} ${route}`)
    ? (entryPoints[`${method} ${route}`] ?? noRoute)
    : { command: adminRoot };
}

/** The command for a request as it will be sent: path and query. Of what there is not, `noRoute`'s. */
export function commandOf(method: string, target: string): AdminCommand {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const found = Object.entries(entryPoints).find(([route]) => {
    const [verb, pattern = ''] = route.split(' ');
    return verb === method && matches(pattern.split('/'), path.split('/'));
  });
  return neededCommand(found?.[1] ?? noRoute, mark < 0 ? '' : target.slice(mark + 1));
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  if (pattern.at(-1) !== '*' && pattern.length !== path.length) return false;
  return pattern.every((part, i) => {
    const given = path[i];
    return part === given || (given !== undefined && given !== '' && /^[:*]/.test(part));
  });
}

/** The command that this request needs. */
export function neededCommand(entry: EntryPoint, query: string): AdminCommand {
  const { unless } = entry;
  if (unless === undefined) return entry.command;
  return new URLSearchParams(query).has(unless.flag) ? unless.command : entry.command;
}
