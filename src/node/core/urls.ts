/** Following from URLs as the API has it (`UrlApi`): names, journal and purge around `UrlFollows`. */
import { fault, type Fault } from '../../errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { Actor, StreamView } from '../node-api.ts';
import type { UrlApi, UrlFollowed, UrlView } from '../tree-api.ts';
import type { Follows } from './follows.ts';
import type { Journal } from './journal.ts';
import type { Streams } from './streams.ts';
import type { UrlFollows } from './url-follows.ts';
import type { Listing } from './url-place.ts';

export interface UrlsParts {
  readonly ledger: Ledger;
  readonly follows: Follows;
  readonly streams: Streams;
  readonly urlFollows: UrlFollows;
  readonly journal: Pick<Journal, 'did'>;
}

export class Urls implements UrlApi {
  readonly #parts: UrlsParts;

  constructor(parts: UrlsParts) {
    this.#parts = parts;
  }

  list(): readonly UrlView[] {
    return this.#parts.urlFollows.list();
  }

  async follow(
    url: string,
    target: string | undefined,
    actor: Actor,
  ): Promise<Result<UrlFollowed>> {
    const { follows, urlFollows } = this.#parts;
    const wanted = target === undefined ? ok(undefined) : follows.target(target);
    if (!wanted.ok) return wanted;
    const listing = await urlFollows.follow(url, (found) => mismatch(found, wanted.value));
    if (!listing.ok) return listing;
    this.#parts.journal.did('follow.url', url, actor);
    const { stream, genesis } = listing.value;
    const name = `${genesis.owner}/${genesis.name}`;
    return ok({ name, stream, streams: this.#views(stream) });
  }

  async unfollow(
    url: string,
    purge: boolean,
    actor: Actor,
  ): Promise<Result<readonly StreamView[]>> {
    const { follows, ledger, urlFollows } = this.#parts;
    const stream = await urlFollows.unfollow(url);
    if (!stream.ok) return stream;
    if (stream.value === undefined) {
      return err(fault('url-unknown', `nothing is followed from ${url.slice(0, 200)}`));
    }
    const views = this.#views(stream.value);
    this.#parts.journal.did(purge ? 'unfollow.url.purge' : 'unfollow.url', url, actor);
    if (urlFollows.has(stream.value)) return ok(views);
    for (const view of views) {
      for (const { log } of view.logs) {
        if (ledger.log(log)?.createdLocally !== false || follows.wants(log)) continue;
        const done = await follows.letGo(log, purge);
        if (!done.ok) return done;
      }
    }
    return ok(views);
  }

  #views(stream: LogId): readonly StreamView[] {
    const key = this.#parts.streams.parse(`hw:${stream}`);
    const view = key.ok ? this.#parts.streams.view(key.value) : key;
    return view.ok ? [view.value] : [];
  }
}

function mismatch({ stream, genesis, logs }: Listing, wanted?: string): Fault | undefined {
  const { owner, name } = genesis;
  const names = [owner, `${owner}/${name}`, `hw:${stream}`, ...logs.map(({ log }) => `hw:${log}`)];
  if (wanted === undefined || names.includes(wanted)) return undefined;
  return fault('url-content', `${owner}/${name} (hw:${stream}) lies there, not ${wanted}`);
}
