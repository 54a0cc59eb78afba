/**
 * Streams that are followed from static trees at URLs. What is followed stands in the control state
 * and is pinned to the stream's id at the first look, so that whoever serves the place cannot put
 * another stream there. Each place is looked at every `urlPollMs`, less often while it fails; few at
 * once, and at a bounded rate. Peers that have the same logs are asked as well.
 */
import { nodeCrypto } from '../../crypto-node.ts';
import type { Crypto } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import { TokenBucket } from '../../gossip/token-bucket.ts';
import type { Host } from '../../host.ts';
import { parseLogId } from '../../ids.ts';
import type { Judges } from '../../ledger/judges.ts';
import { limits } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import type { Home } from '../home.ts';
import { nodeJudges } from '../judges.ts';
import type { Check } from '../node-api.ts';
import { openSource, parseSourceUrl, type StaticSource } from '../static-source.ts';
import type { UrlView } from '../tree-api.ts';
import type { ControlState } from './control-state.ts';
import type { Follows } from './follows.ts';
import { UrlPlace, type Listing, type PlaceLedger } from './url-place.ts';

export interface UrlFollowParts {
  readonly ledger: PlaceLedger;
  readonly control: ControlState;
  readonly host: Host;
  readonly crypto: Crypto;
  readonly judges: Judges;
  readonly pollMs: number;
  readonly keep: (logId: LogId) => Promise<Result<void>>;
  /** A place fails in a way in which it did not before. */
  readonly problem: (url: string, problem: Fault) => void;
}

interface Place {
  readonly url: string;
  readonly stream: LogId;
  readonly source: StaticSource;
  readonly ending: AbortController;
  problem: Fault | undefined;
  running: Promise<void>;
}

export class UrlFollows implements AsyncDisposable {
  readonly #parts: UrlFollowParts;
  readonly #places = new Map<string, Place>();
  readonly #closed = new AbortController();
  #busy = 0;
  #freed = Promise.withResolvers<void>();

  constructor(parts: UrlFollowParts) {
    this.#parts = parts;
  }

  /** Goes on with what the control state names. */
  start(): void {
    for (const entry of this.#parts.control.all('followUrls')) {
      const [id = '', text = ''] = entry.split(' ');
      const [stream, url] = [parseLogId(id), parseSourceUrl(text)];
      if (stream.ok && url.ok) this.#open(url.value, stream.value);
    }
  }

  list(): readonly UrlView[] {
    return [...this.#places.values()].map(({ url, stream, problem }) => ({
      url,
      stream,
      ...(problem === undefined ? {} : { problem: `${problem.message} (${problem.code})` }),
    }));
  }

  /** For the checks of the node: places that fail. */
  findings(): readonly Omit<Check, 'since'>[] {
    return [...this.#places.values()].flatMap(({ url, problem }) => {
      if (problem === undefined) return [];
      const reason = `${problem.message} (${problem.code})`;
      const { hint } = problem;
      return [{ name: `url ${url}`, ok: false, level: 'warning' as const, reason, hint }];
    });
  }

  /**
   * Looks there, and follows from then on. `accept` may refuse what lies there. Codes: bad-url,
   * url-known, control-full, those of `UrlPlace.list`.
   */
  async follow(
    text: string,
    accept: (listing: Listing) => Fault | undefined,
  ): Promise<Result<Listing>> {
    const url = parseSourceUrl(text);
    if (!url.ok) return url;
    const known = this.#places.get(url.value.href);
    using source = openSource(url.value, this.#parts.host.timers);
    const listing = await this.#place(url.value, source, this.#closed.signal).list();
    if (!listing.ok) return listing;
    const refused = accept(listing.value);
    if (refused !== undefined) return err(refused);
    const { stream } = listing.value;
    if (known?.stream === stream) return listing;
    if (known !== undefined) {
      return err(fault('url-known', `hw:${known.stream} is followed from there`));
    }
    const kept = await this.#parts.control.set('followUrls', `${stream} ${url.value.href}`, true);
    if (!kept.ok) return kept;
    this.#open(url.value, stream);
    return listing;
  }

  /** Ends what is followed from a URL; the stream, or undefined where nothing was. */
  async unfollow(text: string): Promise<Result<LogId | undefined>> {
    const url = parseSourceUrl(text);
    if (!url.ok) return url;
    const place = this.#places.get(url.value.href);
    if (place === undefined) return ok(undefined);
    const ended = await this.#end(place);
    return ended.ok ? ok(place.stream) : ended;
  }

  /** Ends all places of a stream: somebody unfollows it by its name. */
  async forget(stream: LogId): Promise<Result<void>> {
    for (const place of [...this.#places.values()].filter((one) => one.stream === stream)) {
      const ended = await this.#end(place);
      if (!ended.ok) return ended;
    }
    return ok(undefined);
  }

  has(stream: LogId): boolean {
    return [...this.#places.values()].some((place) => place.stream === stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    const places = [...this.#places.values()];
    for (const { ending } of places) ending.abort();
    await Promise.all(places.map(({ running }) => running));
    for (const { source } of places) source[Symbol.dispose]();
  }

  #open(url: URL, stream: LogId): void {
    const source = openSource(url, this.#parts.host.timers);
    const ending = new AbortController();
    const place: Place = {
      url: url.href,
      stream,
      source,
      ending,
      problem: undefined,
      running: Promise.resolve(),
    };
    this.#places.set(url.href, place);
    place.running = this.#run(place, this.#place(url, source, ending.signal));
  }

  async #end(place: Place): Promise<Result<void>> {
    place.ending.abort();
    await place.running;
    place.source[Symbol.dispose]();
    this.#places.delete(place.url);
    return this.#parts.control.set('followUrls', `${place.stream} ${place.url}`, false);
  }

  #place(url: URL, source: StaticSource, signal: AbortSignal): UrlPlace {
    const { ledger, crypto, judges, keep, host } = this.#parts;
    const now = (): number => host.clock.monotonic();
    const perSecond = limits.urlRequestsPerSecond;
    const bucket = new TokenBucket(perSecond, perSecond, now());
    const pace = async (): Promise<void> => {
      const waitMs = bucket.borrow(now(), 1);
      if (waitMs > 0) await host.timers.sleep(waitMs, signal);
    };
    return new UrlPlace({ source, url, ledger, crypto, judges, keep, pace, signal });
  }

  async #run(place: Place, at: UrlPlace): Promise<void> {
    const { host, pollMs, problem } = this.#parts;
    const { signal } = place.ending;
    for (let failures = 0; !signal.aborted;) {
      const done = await this.#turn(signal, () => at.sync(place.stream));
      if (signal.aborted) return;
      failures = done.ok ? 0 : failures + 1;
      const before = place.problem?.code;
      place.problem = done.ok ? undefined : done.error;
      if (!done.ok && done.error.code !== before) problem(place.url, done.error);
      const waitMs = pollMs * 2 ** Math.min(failures, 10);
      await host.timers.sleep(Math.min(waitMs, Math.max(pollMs, limits.maxUrlBackoffMs)), signal);
    }
  }

  /** At most `maxUrlsAtOnce` at once. */
  async #turn(signal: AbortSignal, run: () => Promise<Result<void>>): Promise<Result<void>> {
    while (this.#busy >= limits.maxUrlsAtOnce) {
      await this.#freed.promise;
      if (signal.aborted) return err(fault('interrupted', 'interrupted'));
    }
    this.#busy += 1;
    try {
      return await run();
    } finally {
      this.#busy -= 1;
      this.#freed.resolve();
      this.#freed = Promise.withResolvers();
    }
  }
}

interface HomeParts extends Pick<UrlFollowParts, 'ledger' | 'control' | 'host'> {
  readonly home: Home;
  readonly follows: Follows;
}

/** Those of a home, not started yet. */
export function openUrlFollows(
  { home, follows, ...rest }: HomeParts,
  problem: UrlFollowParts['problem'],
): UrlFollows {
  const keep = (logId: LogId): Promise<Result<void>> => follows.keep(logId);
  const pollMs = home.config.limits.urlPollMs;
  const parts = { ...rest, crypto: nodeCrypto, judges: nodeJudges, pollMs };
  return new UrlFollows({ ...parts, keep, problem });
}
