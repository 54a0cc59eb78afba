/** Pages of grants and requests: the grants first, the oldest first, as `GET /grants` gives them. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { GrantPage, GrantQuery, GrantView, RequestView } from '../grants-api.ts';
import type { GrantBook } from './grant-book.ts';
import type { RequestBook } from './request-book.ts';
import type { Views } from './views.ts';

/** Items of a page that does not say how many. */
export const usualPage = 1000;

type Item =
  | { readonly kind: 'grant'; readonly view: GrantView }
  | { readonly kind: 'request'; readonly view: RequestView };

/** A page of what fits the query. Code: `grant-unknown` where `after` is no id of a grant or a request. */
export function listGrants(
  books: { readonly grants: GrantBook; readonly requests: RequestBook },
  views: Views,
  query: GrantQuery = {},
): Result<GrantPage> {
  const { limit = usualPage, after } = query;
  const grants: GrantView[] = [];
  const requests: RequestView[] = [];
  let begun = after === undefined;
  let last: string | undefined;
  const name = query.stream?.slice(query.stream.lastIndexOf('/') + 1);
  for (const { id, stream, read } of items(books, views)) {
    if (!begun) {
      begun = id === after;
      continue;
    }
    if (name !== undefined && stream !== name) continue;
    const item = read();
    if (!fits(item, query)) continue;
    if (grants.length + requests.length === limit) return ok({ grants, requests, ...next(last) });
    if (item.kind === 'grant') grants.push(item.view);
    else requests.push(item.view);
    last = id;
  }
  if (begun) return ok({ grants, requests });
  return err(fault('grant-unknown', `there is no grant or request ${after}`));
}

function next(last: string | undefined): { readonly next?: string } {
  return last === undefined ? {} : { next: last };
}

/** A view costs something: only those of the page are made. */
function* items(
  { grants, requests }: { readonly grants: GrantBook; readonly requests: RequestBook },
  views: Views,
): Generator<{ readonly id: string; readonly stream: string; readonly read: () => Item }> {
  for (const kept of grants.all()) {
    const { id, stream } = kept.scope;
    yield { id, stream, read: () => ({ kind: 'grant', view: views.grant(kept) }) };
  }
  for (const side of ['in', 'out'] as const) {
    for (const request of requests.all(side)) {
      const { id, stream } = request;
      yield { id, stream, read: () => ({ kind: 'request', view: views.request(request) }) };
    }
  }
}

function fits({ kind, view }: Item, { stream, state, side }: GrantQuery): boolean {
  const name = stream === undefined || view.stream === stream || view.stream.endsWith(`/${stream}`);
  if (!name || (state !== undefined && view.state !== state)) return false;
  if (side === undefined) return true;
  return kind === 'grant' ? view.side === side : (view.side === 'in' ? 'given' : 'got') === side;
}
